//! Tapes before the engine, and plans beside it: the one says what trees say, the other never more.

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Plan;
use crate::json::{TapeJson, read};
use crate::limits::Limits;
use crate::schema::build;

fn small_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..30).prop_map(Value::from),
        (-8_i32..40).prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        "[ab]{0,3}|é\"\\\\|2024-02-29".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-e]|[a-z]{2}", inner, 0..24)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Schemas of 2020-12 whose keywords ask a value in every way that the engine does.
fn keywords() -> Vec<Value> {
    let many: Map<String, Value> =
        ('a'..='z').map(|name| (format!("{name}{name}"), json!({ "type": "integer" }))).collect();
    vec![
        json!({ "type": ["integer", "array", "object"], "minProperties": 1, "maxProperties": 3 }),
        json!({ "properties": { "a": { "type": "string" }, "b": { "minimum": 2 } }, "required": ["a"], "additionalProperties": false }),
        json!({ "properties": { "a": {}, "b": {}, "c": {} }, "required": ["a", "b", "c"] }),
        json!({ "properties": many, "additionalProperties": { "type": ["integer", "null", "string"] } }),
        json!({ "patternProperties": { "^[a-c]": { "type": "number" } }, "propertyNames": { "maxLength": 1 } }),
        json!({ "items": { "multipleOf": 0.5 }, "uniqueItems": true, "maxItems": 3 }),
        json!({ "prefixItems": [{ "type": "integer" }], "items": { "type": "string" }, "contains": { "const": "a" }, "minContains": 0 }),
        json!({ "enum": [1, "a", null, [1, "a"], { "a": 1 }, true, 2.5] }),
        json!({ "const": { "a": [1.0, "b"] } }),
        json!({ "anyOf": [{ "maxLength": 1 }, { "pattern": "^a" }, { "format": "date" }], "type": "string" }),
        json!({ "oneOf": [{ "required": ["a"] }, { "required": ["b"] }, { "exclusiveMaximum": 4 }] }),
        json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": { "type": "object" }, "unevaluatedProperties": { "type": "number" } }),
        json!({ "allOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }], "unevaluatedProperties": false }),
        json!({ "dependentRequired": { "a": ["b", "c"] }, "dependentSchemas": { "d": { "maxProperties": 2 } } }),
        json!({ "$ref": "#/$defs/t", "$defs": { "t": { "type": ["object", "integer"], "additionalProperties": { "$ref": "#/$defs/t" } } } }),
        json!({ "not": { "type": "integer" }, "minLength": 2, "minItems": 1, "unevaluatedItems": { "type": "array" } }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// The engine says of a tape what it says of a tree: valid or not, and the same rules at the same places.
    #[test]
    fn a_tape_is_judged_as_a_tree_is(value in small_json()) {
        static BUILT: std::sync::OnceLock<Vec<(Validator<TapeJson>, Validator)>> =
            std::sync::OnceLock::new();
        let built = BUILT.get_or_init(|| {
            let tree = |schema: &Value| jsonschema::options().should_validate_formats(true).build(schema).unwrap();
            keywords().iter().map(|schema| (build(schema).unwrap(), tree(schema))).collect()
        });
        let text = value.to_string();
        let (tape, text) = read(text.as_bytes(), &Limits::default()).unwrap();
        let view = tape.view(text);
        for (tape, tree) in built {
            prop_assert_eq!(tape.is_valid(view.root()), tree.is_valid(&value), "{}", value);
            let shown = |error: jsonschema::ValidationError<'_>| {
                format!("{} {}", error.instance_path(), error.kind().keyword())
            };
            let mut ours: Vec<String> = tape.iter_errors(view.root()).map(shown).collect();
            let mut theirs: Vec<String> = tree.iter_errors(&value).map(shown).collect();
            ours.sort();
            theirs.sort();
            prop_assert_eq!(ours, theirs, "{}", value);
        }
    }
}

fn holds(plan: &Plan, value: &Value) -> bool {
    let text = value.to_string();
    let (tape, text) = read(text.as_bytes(), &Limits::default()).unwrap();
    plan.holds(tape.view(text).root())
}

/// The common shapes need no engine; where they are broken, it is asked.
#[test]
fn common_schemas_are_checked_by_the_plan() {
    let order = json!({
        "$ref": "#/$defs/0",
        "unevaluatedProperties": false,
        "$defs": {
            "0": {
                "type": "object", "required": ["id", "lines"],
                "properties": {
                    "id": { "type": "string", "pattern": "^[a-z]+$", "maxLength": 5 },
                    "price": { "type": ["number", "null"], "exclusiveMinimum": 0.5 },
                    "lines": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/1" } },
                },
            },
            "1": {
                "type": "object", "required": ["n"], "additionalProperties": false,
                "properties": { "n": { "type": "integer", "minimum": 1, "maximum": 10 }, "kind": { "enum": ["a", 1] } },
            },
        },
    });
    let (plan, engine) = (Plan::of(&order), build(&order).unwrap());
    let with = |name: &str, value: Value| {
        let mut body = json!({ "id": "a", "lines": [{ "n": 1 }] });
        body[name] = value;
        body
    };
    for good in [
        with("id", json!("abcde")),
        with("price", json!(1)),
        with("price", json!(0.75)),
        with("price", Value::Null),
        with("lines", json!([{ "n": 10, "kind": 1.0 }, { "n": 2.0, "kind": "a" }])),
    ] {
        assert!(holds(&plan, &good), "{good}");
    }
    for bad in [
        json!([]),
        json!({ "id": "a" }),
        with("id", json!("abcdef")),
        with("id", json!("A")),
        with("price", json!(0.5)),
        with("price", json!("1")),
        with("other", json!(1)),
        with("lines", json!([])),
        with("lines", json!([{ "n": 1.5 }])),
        with("lines", json!([{ "n": 11 }])),
        with("lines", json!([{ "n": 1 }, {}])),
        with("lines", json!([{ "n": 1, "kind": "b" }])),
        with("lines", json!([{ "n": 1, "x": "b" }])),
    ] {
        assert!(!holds(&plan, &bad), "{bad}");
        let text = bad.to_string();
        let (tape, text) = read(text.as_bytes(), &Limits::default()).unwrap();
        assert!(!engine.is_valid(tape.view(text).root()), "{bad}");
    }
}

/// What closes a schema sees the members of its own parts only.
#[test]
fn a_schema_that_is_closed_within_another_is_left_to_the_engine() {
    let inner = json!({
        "allOf": [
            { "properties": { "a": {} }, "unevaluatedProperties": false },
            { "properties": { "b": {} } },
        ],
    });
    assert!(!holds(&Plan::of(&inner), &json!({ "b": 1 })));
    let outer = json!({
        "allOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }],
        "unevaluatedProperties": false,
    });
    assert!(holds(&Plan::of(&outer), &json!({ "a": 1, "b": 1 })));
    assert!(!holds(&Plan::of(&outer), &json!({ "c": 1 })));
}

#[test]
fn numbers_that_a_double_does_not_hold_are_left_to_the_engine() {
    let plan = Plan::of(&json!({ "maximum": 9_007_199_254_740_992_u64 }));
    assert!(holds(&plan, &json!(9_007_199_254_740_992_u64)));
    assert!(!holds(&plan, &json!(9_007_199_254_740_993_u64)));
    assert!(!holds(&Plan::of(&json!({ "maximum": u64::MAX })), &json!(1)));
    assert!(holds(&Plan::of(&json!({ "type": "integer" })), &json!(u64::MAX)));
}

/// Keywords that a plan knows, and some that it does not.
fn any_schema() -> impl Strategy<Value = Value> {
    let types = proptest::sample::subsequence(
        vec!["null", "boolean", "integer", "number", "string", "array", "object"],
        1..7,
    );
    let number = || prop_oneof![(-2_i64..12).prop_map(Value::from), Just(json!(1.5))];
    let keyword = |name: &'static str, value: BoxedStrategy<Value>| {
        value.prop_map(move |value| (name, value)).boxed()
    };
    let count = || (0_u64..4).prop_map(Value::from).boxed();
    let names = proptest::sample::subsequence(vec!["a", "b", "c", "d"], 0..3);
    let leaf = prop_oneof![
        6 => keyword("type", types.prop_map(|types| json!(types)).boxed()),
        1 => keyword("minimum", number().boxed()),
        1 => keyword("maximum", number().boxed()),
        1 => keyword("exclusiveMinimum", number().boxed()),
        1 => keyword("exclusiveMaximum", number().boxed()),
        1 => keyword("minLength", count()),
        1 => keyword("maxLength", count()),
        1 => keyword("minItems", count()),
        1 => keyword("maxItems", count()),
        1 => keyword("minProperties", count()),
        1 => keyword("maxProperties", count()),
        1 => keyword("pattern", Just(json!("^[ab]*$")).boxed()),
        1 => keyword("enum", Just(json!(["a", 1, null, ["a"], {}])).boxed()),
        1 => keyword("multipleOf", Just(json!(0.5)).boxed()),
        1 => keyword("uniqueItems", Just(json!(true)).boxed()),
        3 => keyword("required", names.prop_map(|names| json!(names)).boxed()),
        4 => keyword("$ref", prop_oneof![Just(json!("#/$defs/x")), Just(json!("#/$defs/y"))].boxed()),
        2 => keyword("unevaluatedProperties", Just(json!(false)).boxed()),
    ];
    let schema = |keywords: Vec<(&'static str, Value)>| {
        Value::Object(keywords.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let flat = proptest::collection::vec(leaf.clone(), 0..3).prop_map(schema);
    let flat = prop_oneof![8 => flat, 1 => any::<bool>().prop_map(Value::from)];
    flat.prop_recursive(3, 24, 4, move |inner| {
        let members = proptest::collection::btree_map("[a-d]", inner.clone(), 0..4)
            .prop_map(|map| json!(map));
        let list = proptest::collection::vec(inner.clone(), 1..3).prop_map(Value::from);
        let within = prop_oneof![
            6 => keyword("properties", members.clone().boxed()),
            3 => keyword("additionalProperties", inner.clone().boxed()),
            3 => keyword("items", inner.clone().boxed()),
            3 => keyword("allOf", list.clone().boxed()),
            1 => keyword("anyOf", list.boxed()),
            1 => keyword("not", inner.boxed()),
            1 => keyword("patternProperties", members.boxed()),
            4 => leaf.clone(),
        ];
        proptest::collection::vec(within, 1..5).prop_map(schema)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_global_rejects: 20_000, ..ProptestConfig::default() })]
    /// A plan never finds valid what the engine refuses.
    #[test]
    fn a_plan_takes_nothing_that_the_engine_refuses(
        root in any_schema(), x in any_schema(), y in any_schema(),
        values in proptest::collection::vec(small_json(), 12),
    ) {
        prop_assume!(root.is_object());
        let mut root = root;
        root["$defs"] = json!({ "x": x, "y": y });
        // A reference that leads to itself compiles, but the engine ends it in its own way.
        let engine = build(&root);
        prop_assume!(engine.is_ok());
        let (plan, engine) = (Plan::of(&root), engine.unwrap());
        for value in &values {
            if holds(&plan, value) {
                let text = value.to_string();
                let (tape, text) = read(text.as_bytes(), &Limits::default()).unwrap();
                prop_assert!(engine.is_valid(tape.view(text).root()), "{} {}", root, value);
            }
        }
    }
}

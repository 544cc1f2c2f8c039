//! The engine on tapes beside the engine on trees.

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::build;
use crate::json::{TapeJson, read};
use crate::limits::Limits;

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

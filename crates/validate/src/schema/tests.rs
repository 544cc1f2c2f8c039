//! Rewriting: what 3.0 and 3.1 mean for a request, and how objects are closed.

mod suite;
mod tapes;

use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::facts::is_tight;
use super::{Schema, free_texts};
use crate::Violation;
use crate::document::{Library, Report, Version};
use crate::json::read;
use crate::limits::Limits;

/// Compiles `#/S` of a text of schemas.
pub(super) fn schema(version: Version, text: &str) -> Schema {
    let library = Library::parse(text, "t").unwrap();
    let mut report = Report::default();
    let start = library.start().unwrap().get("S").unwrap();
    Schema::compile(&start, version, &mut report).unwrap_or_else(|| panic!("{report:?}"))
}

/// What a body of this value breaks.
fn broken(schema: &Schema, value: &Value) -> Vec<Violation> {
    let text = value.to_string();
    let (tape, text) =
        read(text.as_bytes(), &Limits { depth_max: 64, ..Limits::default() }).unwrap();
    let (view, mut found) = (tape.view(text), Vec::new());
    schema.check_body(view.root(), &mut found);
    assert_eq!(schema.is_valid(view.root()), found.is_empty());
    found
}

fn check(version: Version, text: &str, good: &[Value], bad: &[Value]) {
    let schema = schema(version, text);
    for value in good {
        let found = broken(&schema, value);
        assert!(found.is_empty(), "{value} must pass {text}: {found:?} {}", schema.written);
    }
    for value in bad {
        assert!(
            !broken(&schema, value).is_empty(),
            "{value} must not pass {text}: {}",
            schema.written
        );
    }
}

fn v30(text: &str, good: &[Value], bad: &[Value]) {
    check(Version::V30, text, good, bad);
}

fn v31(text: &str, good: &[Value], bad: &[Value]) {
    check(Version::V31, text, good, bad);
}

#[test]
fn objects_are_closed_unless_opened() {
    v31("S: { properties: { a: {} } }", &[json!({"a": 1})], &[json!({"b": 1})]);
    v31(
        "S: { properties: { a: { properties: { b: {} } } }, additionalProperties: true }",
        &[json!({"x": 1, "a": {"b": 1}})],
        &[json!({"a": {"c": 1}})],
    );
    v31(
        "S: { type: object, additionalProperties: { type: integer } }",
        &[json!({"x": 1})],
        &[json!({"x": "1"})],
    );
    v31("S: { type: array }", &[json!([1, {}])], &[json!([{"a": 1}])]);
    v31("S: { items: { properties: { a: {} } } }", &[json!([{"a": 1}])], &[json!([{"b": 1}])]);
    v31("S: true", &[json!({"a": 1})], &[]);
}

#[test]
fn all_of_is_closed_where_the_value_begins() {
    let text = "
A: { type: object, required: [a], properties: { a: { type: string } } }
S: { allOf: [ { $ref: '#/A' }, { properties: { b: { type: integer } } } ] }";
    v30(text, &[json!({"a": "x", "b": 1})], &[json!({"a": "x", "c": 1}), json!({"b": 1})]);
    let open = "
A: { type: object, properties: { a: { type: string } }, additionalProperties: true }
S: { allOf: [ { $ref: '#/A' } ], properties: { b: {} } }";
    v30(open, &[json!({"a": "x", "b": 1, "c": 1})], &[json!({"a": 1})]);
}

#[test]
fn alternatives_are_closed_by_the_one_that_holds() {
    let text = "
A: { type: object, required: [a], properties: { a: {} } }
B: { type: object, required: [b], properties: { b: {} } }
S: { oneOf: [ { $ref: '#/A' }, { $ref: '#/B' } ] }";
    v30(text, &[json!({"a": 1}), json!({"b": 1})], &[json!({"a": 1, "c": 1}), json!({})]);
    v31(
        "S: { type: object, properties: { a: {} }, not: { properties: { a: { const: 1 } }, required: [a] } }",
        &[json!({"a": 2}), json!({})],
        &[json!({"a": 1}), json!({"b": 1})],
    );
}

#[test]
fn nullable_and_exclusive_of_3_0() {
    v30("S: { type: string, nullable: true }", &[json!(null), json!("a")], &[json!(1)]);
    v30("S: { type: string }", &[json!("a")], &[json!(null)]);
    v31("S: { type: string, nullable: true }", &[json!("a")], &[json!(null)]);
    v30("S: { type: number, minimum: 1, exclusiveMinimum: true }", &[json!(2)], &[json!(1)]);
    v30("S: { type: number, minimum: 1, exclusiveMinimum: false }", &[json!(1)], &[json!(0)]);
    v31("S: { type: number, minimum: 5, exclusiveMinimum: 1 }", &[json!(5)], &[json!(2)]);
}

#[test]
fn siblings_of_a_reference() {
    let text = "
A: { type: object, properties: { a: {} } }
S: { $ref: '#/A', required: [a] }";
    v30(text, &[json!({}), json!({"a": 1})], &[json!({"b": 1})]);
    v31(text, &[json!({"a": 1})], &[json!({}), json!({"a": 1, "b": 1})]);
}

#[test]
fn read_only_members_are_forbidden_and_not_required() {
    let text = "
Id: { type: integer, readOnly: true }
A: { type: object, properties: { id: { $ref: '#/Id' }, n: {} } }
S: { allOf: [ { $ref: '#/A' }, { required: [id, n] } ] }";
    v30(text, &[json!({"n": 1})], &[json!({"id": 1, "n": 1}), json!({})]);
    let branches = "
S: { oneOf: [ { required: [id, a], properties: { id: { readOnly: true }, a: {} } }, { required: [id, b], properties: { id: {}, b: {} } } ] }";
    v30(
        branches,
        &[json!({"a": 1}), json!({"id": 1, "b": 1})],
        &[json!({"b": 1}), json!({"id": 1, "a": 1})],
    );
    v31("S: { properties: { p: { type: string, writeOnly: true } } }", &[json!({"p": "x"})], &[]);
}

#[test]
fn a_discriminator_selects_one_schema() {
    let text = "
Cat: { type: object, required: [kind], properties: { kind: { type: string }, lives: { type: integer } } }
Dog: { type: object, required: [kind], properties: { kind: { type: string }, bark: { type: string } } }
S: { oneOf: [ { $ref: '#/Cat' }, { $ref: '#/Dog' } ], discriminator: { propertyName: kind, mapping: { cat: '#/Cat' } } }";
    v30(
        text,
        &[json!({"kind": "cat", "lives": 9}), json!({"kind": "Dog", "bark": "wow"})],
        &[
            json!({"kind": "Cat", "lives": 9}),
            json!({"kind": "bird"}),
            json!({"kind": "cat", "bark": "wow"}),
            json!({"lives": 9}),
        ],
    );
}

#[test]
fn a_default_mapping_takes_what_no_other_does() {
    let text = "
Cat: { type: object, properties: { kind: { type: string }, lives: { type: integer } } }
Dog: { type: object, properties: { kind: { type: string }, bark: { type: string } } }
S: { oneOf: [ { $ref: '#/Cat' }, { $ref: '#/Dog' } ], discriminator: { propertyName: kind, defaultMapping: Dog } }";
    check(
        Version::V32,
        text,
        &[
            json!({"kind": "Cat", "lives": 9}),
            json!({"bark": "wow"}),
            json!({"kind": "bird", "bark": "wow"}),
        ],
        &[json!({"kind": "Cat", "bark": "wow"}), json!({"lives": 9}), json!(1)],
    );
}

#[test]
fn recursion_goes_through_references() {
    let text = "S: { type: object, properties: { n: { type: integer }, next: { $ref: '#/S' } } }";
    v31(
        text,
        &[json!({"next": {"next": {"n": 1}}})],
        &[json!({"next": {"next": {"n": "1"}}}), json!({"next": {"m": 1}})],
    );
}

#[test]
fn formats_are_asserted() {
    for (format, good, bad) in [
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("date-time", "2024-01-02T03:04:05Z", "2024-01-02"),
        ("date", "2024-02-29", "2023-02-29"),
        ("email", "a@example.com", "a"),
        ("ipv4", "192.0.2.1", "192.0.2"),
        ("ipv6", "2001:db8::1", "2001"),
        ("uri", "https://example.com/", "no uri"),
        ("byte", "YWI=", "YWI"),
    ] {
        v30(&format!("S: {{ type: string, format: {format} }}"), &[json!(good)], &[json!(bad)]);
    }
    v30("S: { type: integer, format: int32 }", &[json!(2147483647)], &[json!(2147483648_u64)]);
    v30("S: { type: integer, format: int64 }", &[json!(i64::MAX)], &[json!(u64::MAX)]);
}

#[test]
fn violations_name_the_document_only() {
    let schema = schema(
        Version::V31,
        "S: { additionalProperties: { type: integer }, required: [need], properties: { list: { items: { type: string } } } }",
    );
    let found = broken(&schema, &json!({"secret name": "secret value", "list": ["a", 1]}));
    let mut shown: Vec<String> = found.iter().map(|v| format!("{} {}", v.place, v.rule)).collect();
    shown.sort();
    assert_eq!(shown, ["body:/* type", "body:/list/1 type", "body:/need required"]);
}

#[test]
fn only_patterns_without_room_spare_the_filter() {
    for tight in ["^[a-z]{2,8}$", r"^\d{4}-\d{2}$", "^[A-Z0-9_-]+$", "^ord_[0-9a-f]+$"] {
        assert!(is_tight(tight), "{tight}");
    }
    for loose in
        ["a", "^.*$", "^[^a]+$", r"^\S+$", "^a|b$", "^[ -~]+$", "^[A-z]+$", "^['a]$", "^[+-z]$"]
    {
        assert!(!is_tight(loose), "{loose}");
    }
}

/// Every branch of `oneOf` goes down the same members. What is remembered about a value keeps that from costing
/// 3^depth steps: this test ends only if it does.
#[test]
fn a_recursive_schema_with_branches_is_not_a_lever() {
    let text = "
S:
  oneOf:
    - { type: object, required: [op, left, right], properties: { op: { const: and }, left: { $ref: '#/S' }, right: { $ref: '#/S' } } }
    - { type: object, required: [op, left, right], properties: { op: { const: or }, left: { $ref: '#/S' }, right: { $ref: '#/S' } } }
    - { type: object, required: [op, left], properties: { op: { const: not }, left: { $ref: '#/S' } } }
    - { type: object, required: [is], properties: { is: { type: string } } }";
    let nested = |leaf: Value| {
        let op = |depth: u32| if depth.is_multiple_of(2) { "and" } else { "or" };
        (0..31).fold(
            leaf,
            |value, depth| json!({ "op": op(depth), "left": value, "right": { "is": "x" } }),
        )
    };
    v31(text, &[nested(json!({ "is": "x" }))], &[nested(json!({ "is": 1 }))]);
    assert!(!broken(&schema(Version::V31, text), &nested(json!({ "is": 1 }))).is_empty());
}

/// What the filter is handed of a value: each text with its pointer, names marked.
fn free(text: &str, value: &Value) -> Vec<String> {
    let (schema, body) = (schema(Version::V31, text), value.to_string());
    let (tape, body) = read(body.as_bytes(), &Limits::default()).unwrap();
    let view = tape.view(body);
    let mut found = Vec::new();
    // A pointer is made for a text that ends the walk only: it is ended at each in turn.
    loop {
        let (mut left, mut shown) = (found.len(), String::new());
        let hit = free_texts(Some(&schema), view.root(), true, &mut |text, is_name| {
            shown = format!("{}{text}", if is_name { "name " } else { "" });
            left = left.wrapping_sub(1);
            if left == usize::MAX { ControlFlow::Break("rule") } else { ControlFlow::Continue(()) }
        });
        let Some(hit) = hit else { return found };
        assert_eq!(hit.rule, "rule");
        found.push(format!("{} {shown}", hit.pointer()));
    }
}

#[test]
fn free_texts_are_those_that_no_schema_binds() {
    let text = "
Base: { type: object, properties: { kind: { enum: [a, b] }, id: { type: string, format: uuid } } }
S:
  allOf: [ { $ref: '#/Base' } ]
  properties:
    note: { type: string }
    code: { type: string, pattern: '^[a-z]+$' }
    tags: { type: array, items: { type: string } }
    more: { type: object, additionalProperties: { const: x } }
    kind: { type: string }";
    let value = json!({
        "note": "n", "code": "c", "kind": "a", "id": "i", "tags": ["t", "u"],
        "more": { "a/b": "x" }, "stray": ["s", { "id": "j" }],
    });
    assert_eq!(
        free(text, &value),
        [
            "/more/* name a/b",
            "/note n",
            "/* name stray",
            "/*/0 s",
            "/*/1/id j",
            "/tags/0 t",
            "/tags/1 u"
        ]
    );
}

#[test]
fn what_holds_for_the_others_does_not_bind_what_is_named_otherwise() {
    let others = "additionalProperties: { const: b }";
    let by_pattern = format!(
        "S: {{ type: object, patternProperties: {{ '^x-': {{ type: string }} }}, {others} }}"
    );
    let value = json!({ "x-a": "a", "c": "b" });
    assert_eq!(free(&by_pattern, &value), ["/* name c", "/* b", "/* name x-a", "/* a"]);
    let in_part = format!(
        "S: {{ allOf: [ {{ type: object, properties: {{ x-a: {{ type: string }} }}, additionalProperties: {{}} }}, {{ patternProperties: {{ '^x-': {{ type: string }} }}, {others} }} ] }}"
    );
    assert_eq!(free(&in_part, &json!({ "x-a": "a" })), ["/x-a a"]);
    let by_position = "S: { type: array, prefixItems: [ { type: string } ], items: { const: b } }";
    assert_eq!(free(by_position, &json!(["a", "b"])), ["/0 a", "/1 b"]);
    // Near misses: without them the others are bound.
    assert_eq!(free("S: { type: array, items: { const: b } }", &json!(["b"])), [""; 0]);
    assert_eq!(
        free(&format!("S: {{ type: object, {others} }}"), &json!({ "c": "b" })),
        ["/* name c"]
    );
}

#[test]
fn a_recursive_schema_has_a_finite_plan() {
    let text = "
S: { type: object, properties: { text: { type: string }, kind: { const: k }, left: { $ref: '#/S' }, rest: { type: array, items: { $ref: '#/S' } } } }";
    let leaf = json!({ "text": "t", "kind": "k" });
    let value = json!({ "left": { "rest": [leaf, { "left": leaf }] } });
    assert_eq!(free(text, &value), ["/left/rest/0/text t", "/left/rest/1/left/text t"]);
}

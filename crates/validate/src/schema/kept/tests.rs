//! What is dropped, each beside what stays.

use proptest::prelude::*;
use serde_json::Value;

use super::super::{Direction, Schema};
use super::Kept;
use crate::document::{Library, Report, Version};
use crate::json::read;
use crate::limits::Limits;

fn schema(text: &str) -> Schema {
    let library = Library::parse(text, "t").unwrap();
    let mut report = Report::default();
    let start = library.start().unwrap().get("S").unwrap();
    let dialect = (Version::V31, Direction::Answer);
    Schema::compile_for(&start, dialect, &mut report).unwrap_or_else(|| panic!("{report:?}"))
}

fn left(text: &str, body: &str) -> String {
    let kept = Kept::of(&schema(text).written).unwrap();
    kept.cut(body).map_or_else(|| body.to_owned(), |left| left.text)
}

#[test]
fn members_that_nobody_names_are_dropped() {
    let s = "S: { type: object, properties: { a: {}, b: { type: array, items: { properties: { c: {} } } } } }";
    for (body, stays) in [
        (r#"{"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"x":2}"#, r#"{"a":1}"#),
        (r#"{"x":2,"a":1}"#, r#"{"a":1}"#),
        (
            r#"{ "x" : {"a":[1,"]}\""]} , "a" : 1 , "y":3, "b":[ ] , "z":0 }"#,
            r#"{ "a" : 1, "b":[ ] }"#,
        ),
        (r#"{"x":1,"y":2}"#, "{}"),
        (r#"{"b":[{"c":1,"d":2},{"d":3},4,[{"c":1}]],"x":1.50}"#, r#"{"b":[{"c":1},{},4,[{}]]}"#),
        (r#"{"\u0061":1.50,"\u0062x":2}"#, r#"{"\u0061":1.50}"#),
        ("[]", "[]"),
        ("\"a\"", "\"a\""),
        (r#"{"a":{"deep":1}}"#, r#"{"a":{}}"#),
    ] {
        assert_eq!(left(s, body), stays, "{body}");
    }
}

#[test]
fn what_the_document_opens_stays() {
    let open = "S: { properties: { a: true }, additionalProperties: true }";
    assert_eq!(left(open, r#"{"a":{"b":1},"c":{"d":1}}"#), r#"{"a":{"b":1},"c":{"d":1}}"#);
    let of = "S: { additionalProperties: { properties: { a: {} } } }";
    assert_eq!(left(of, r#"{"x":{"a":1,"b":2}}"#), r#"{"x":{"a":1}}"#);
    let pattern = "S: { patternProperties: { '^x-': { type: string }, '^y': true } }";
    assert_eq!(left(pattern, r#"{"x-a":"1","y":{"z":1},"b":2}"#), r#"{"x-a":"1","y":{"z":1}}"#);
}

#[test]
fn every_branch_names_members_and_what_is_hidden_goes() {
    let s = "
A: { properties: { a: {}, next: { $ref: '#/A' } } }
B: { properties: { b: {} } }
S: { allOf: [ { $ref: '#/A' } ], oneOf: [ { $ref: '#/B' }, { properties: { c: {} } } ], properties: { secret: { writeOnly: true } } }";
    let body = r#"{"a":1,"b":2,"c":3,"d":4,"secret":5,"next":{"a":1,"b":2,"next":{"z":1}}}"#;
    assert_eq!(left(s, body), r#"{"a":1,"b":2,"c":3,"next":{"a":1,"next":{}}}"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// What is left is JSON that is read, whose members are all named, and cutting it again leaves it as it is.
    #[test]
    fn what_is_left_is_clean(names in proptest::collection::btree_set("[a-d]", 0..5), inner in "[ab]", spaced in any::<bool>()) {
        let s = "S: { properties: { a: { properties: { a: {} } }, c: { items: { properties: { b: {} } } } } }";
        let gap = if spaced { " \n" } else { "" };
        let member = |name: &String| format!(r#"{gap}"{name}"{gap}:[{{"{inner}":1{gap},"d":"\\\"}}"}}]{gap}"#);
        let body = format!("{{{}}}", names.iter().map(member).collect::<Vec<_>>().join(","));
        let once = left(s, &body);
        prop_assert!(read(once.as_bytes(), &Limits::default()).is_ok(), "{} -> {}", body, once);
        let value: Value = serde_json::from_str(&once).unwrap();
        for name in value.as_object().unwrap().keys() {
            prop_assert!(["a", "c"].contains(&name.as_str()));
        }
        prop_assert!(!once.contains("\"d\""));
        prop_assert_eq!(left(s, &once), once);
    }
}

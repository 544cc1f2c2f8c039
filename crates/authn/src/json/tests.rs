//! Tests of the strict reader.

use proptest::prelude::*;

use super::{JsonFault, object, object_voiding_duplicates};

#[test]
fn one_object_and_nothing_else() {
    assert!(object(br#" {"a":1,"b":{"a":[1,2.5,-3,"x",null,true]}} "#).is_ok());
    for text in [
        "",
        "{",
        "{}{}",
        "{} x",
        "{\"a\":NaN}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":1e999}",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":01}",
    ] {
        assert_eq!(object(text.as_bytes()), Err(JsonFault::Syntax), "{text}");
    }
    assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonFault::Syntax));
    for text in ["[]", "null", "\"{}\"", "1"] {
        assert_eq!(object(text.as_bytes()), Err(JsonFault::NotObject), "{text}");
    }
}

#[test]
fn duplicate_names_are_seen_at_every_level_and_through_escapes() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"a":2}]}"#, r#"{"a":1,"\u0061":2}"#] {
        assert_eq!(object(text.as_bytes()), Err(JsonFault::Duplicate), "{text}");
    }
    assert!(object(br#"{"a":{"a":1},"A":2}"#).is_ok());
}

#[test]
fn a_voided_object_does_not_cost_its_neighbours() {
    let read = object_voiding_duplicates(br#"{"keys":[{"a":1,"a":2},{"a":3}]}"#).unwrap();
    assert_eq!(serde_json::Value::Object(read), serde_json::json!({"keys":[null,{"a":3}]}));
    assert_eq!(object_voiding_duplicates(br#"{"a":1,"a":2}"#), Err(JsonFault::NotObject));
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(object(nested(15).as_bytes()).is_ok());
    assert_eq!(object(nested(16).as_bytes()), Err(JsonFault::Syntax));
    assert_eq!(object(nested(100_000).as_bytes()), Err(JsonFault::Syntax));
}

proptest! {
    #[test]
    fn never_panics_and_never_accepts_what_serde_json_refuses(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if object(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}

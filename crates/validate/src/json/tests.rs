//! The strict reader: every refusal beside a near miss that passes, and the comparison with
//! `serde_json`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{JsonError, read, read_number};
use crate::limits::Limits;

fn small() -> Limits {
    Limits {
        depth_max: 3,
        string_bytes_max: 4,
        items_max: 3,
        members_max: 2,
        number_chars_max: 5,
        values_max: 8,
        ..Limits::default()
    }
}

fn refused(text: &str) -> JsonError {
    read(text.as_bytes(), &Limits::default()).unwrap_err()
}

fn taken(text: &str) -> Value {
    read(text.as_bytes(), &Limits::default()).unwrap()
}

#[test]
fn plain_values_are_read() {
    assert_eq!(
        taken(" {\"a\": [1, -2, 2.5, true, false, null, \"\\u0041\\n\\uD83D\\uDE00\"]} \n"),
        json!({"a": [1, -2, 2.5, true, false, null, "A\n😀"]})
    );
}

#[test]
fn what_parsers_read_differently_is_refused() {
    assert_eq!(refused(r#"{"a":1,"a":2}"#), JsonError::DuplicateMember);
    assert_eq!(refused(r#"{"a":1,"\u0061":2}"#), JsonError::DuplicateMember);
    assert_eq!(taken(r#"{"a":{"a":1},"b":2}"#), json!({"a":{"a":1},"b":2}));
    assert_eq!(refused("{} x"), JsonError::TrailingData);
    assert_eq!(refused("{}{}"), JsonError::TrailingData);
    assert_eq!(refused("\u{feff}{}"), JsonError::Bom);
    assert_eq!(taken("\"\u{feff}\""), json!("\u{feff}"));
    assert_eq!(refused(r#""\uD800""#), JsonError::Surrogate);
    assert_eq!(refused(r#""\uDC00""#), JsonError::Surrogate);
    assert_eq!(refused(r#""\uD800\u0041""#), JsonError::Surrogate);
    assert_eq!(refused(r#""\u0000""#), JsonError::Nul);
    assert_eq!(refused("\"\0\""), JsonError::Nul);
    assert_eq!(refused("\"a\nb\""), JsonError::Syntax);
    assert_eq!(read(b"\"\xff\"", &Limits::default()), Err(JsonError::Utf8));
    for text in ["", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1", "1e", "NaN", "nul", "'a'"] {
        assert_eq!(refused(text), JsonError::Syntax, "{text}");
    }
}

#[test]
fn numbers_are_kept_exactly_or_refused() {
    assert_eq!(taken("18446744073709551615"), json!(u64::MAX));
    assert_eq!(taken("-9223372036854775808"), json!(i64::MIN));
    assert_eq!(refused("18446744073709551616"), JsonError::NumberRange);
    assert_eq!(refused("1e400"), JsonError::NumberRange);
    assert_eq!(refused("1e-400"), JsonError::NumberRange);
    assert_eq!(taken("0e-400"), json!(0.0));
    assert_eq!(refused(&"1".repeat(41)), JsonError::NumberChars);
}

#[test]
fn every_limit_refuses_one_more() {
    let refused = |text: &str| read(text.as_bytes(), &small()).unwrap_err();
    let taken = |text: &str| assert!(read(text.as_bytes(), &small()).is_ok(), "{text}");
    taken("[[[]]]");
    assert_eq!(refused("[[[[]]]]"), JsonError::Depth);
    taken("\"abcd\"");
    assert_eq!(refused("\"abcde\""), JsonError::StringBytes);
    taken("[1,2,3]");
    assert_eq!(refused("[1,2,3,4]"), JsonError::Items);
    taken(r#"{"a":1,"b":2}"#);
    assert_eq!(refused(r#"{"a":1,"b":2,"c":3}"#), JsonError::Members);
    taken("12345");
    assert_eq!(refused("123456"), JsonError::NumberChars);
    taken("[[1,2],[3,4]]");
    assert_eq!(refused("[[1,2],[3,4],[5,6]]"), JsonError::Values);
}

#[test]
fn five_thousand_brackets_are_refused_at_the_limit() {
    assert_eq!(refused(&"[".repeat(5_000)), JsonError::Depth);
}

#[test]
fn a_parameter_number_is_a_json_number() {
    let limits = Limits::default();
    assert_eq!(read_number("12", &limits), Ok(12.into()));
    for text in ["", " 1", "1 ", "0x1", "1,2", "١"] {
        assert!(read_number(text, &limits).is_err(), "{text}");
    }
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[^\u{0}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[^\u{0}]{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_as_the_same(value in arbitrary_json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(read(text.as_bytes(), &Limits::default()), Ok(value));
    }

    #[test]
    fn what_is_taken_serde_json_takes(text in r#"[\[\]{}:,"\\ue0-9a-f.+\-DdCc ]{0,40}"#) {
        if let Ok(ours) = read(text.as_bytes(), &Limits::default()) {
            let theirs: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(ours.is_object(), theirs.is_object());
            if !text.contains(['.', 'e']) {
                prop_assert_eq!(ours, theirs);
            }
        }
    }

    #[test]
    fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let ours = read(&bytes, &Limits::default());
        prop_assert!(ours.is_err() || serde_json::from_slice::<Value>(&bytes).is_ok());
    }
}

//! The strict reader: every refusal beside a near miss that passes, and the comparison with
//! `serde_json`.

use jsonschema::json::{Array, Json, Node as _, Object};
use jsonschema_value::conformance;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Entry, JsonError, TapeJson, read_number};
use crate::limits::Limits;

/// What was read, as a tree to compare with.
fn read(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    super::read(bytes, limits).map(|(tape, text)| tape.view(text).root().to_value().into_owned())
}

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

/// The largest body there is, one text of it over its limit. The best of many runs: others use the machine, too.
#[test]
fn an_endless_text_is_refused_within_a_millisecond() {
    let limits = Limits::default();
    let body = format!(r#"{{"a":"{}"}}"#, "a".repeat(limits.body_bytes_max - 8));
    assert_eq!(body.len(), limits.body_bytes_max);
    let took = |_| {
        let began = std::time::Instant::now();
        assert_eq!(read(body.as_bytes(), &limits), Err(JsonError::StringBytes));
        began.elapsed()
    };
    let best = (0..200).map(took).min().unwrap();
    assert!(best < std::time::Duration::from_millis(1), "{best:?}");
    let longest = format!(r#"{{"a":"{}"}}"#, "a".repeat(limits.string_bytes_max));
    assert!(read(longest.as_bytes(), &limits).is_ok());
}

#[test]
fn a_tape_keeps_the_contract_of_the_schema_engine() {
    let text = conformance::document().to_string();
    let (tape, text) = super::read(text.as_bytes(), &Limits::default()).unwrap();
    conformance::assert_conformance::<TapeJson>(&tape.view(text).root());
    // With escapes, the texts stand beside the body.
    let text = text.replace("string", "s\\u0074ring").replace("nested", "\\u006eested");
    let (tape, text) = super::read(text.as_bytes(), &Limits::default()).unwrap();
    conformance::assert_conformance::<TapeJson>(&tape.view(text).root());
}

#[test]
fn members_are_found_and_names_told_apart_in_objects_of_any_size() {
    for count in [0, 1, 2, 15, 16, 17, 18, 40, 1_000] {
        let name = |index: usize| format!("a common part {:03} of a name", index * 7 % 1_000);
        let members: Vec<String> =
            (0..count).map(|index| format!(r#""{}":[{index},{{}}]"#, name(index))).collect();
        let body = format!("{{{}}}", members.join(","));
        let (tape, text) = super::read(body.as_bytes(), &Limits::default()).unwrap();
        let view = tape.view(text);
        let object = view.root().as_object().unwrap();
        assert_eq!(Object::len(&object), count);
        for index in 0..count {
            let found = Object::get(&object, &TapeJson::prepare_key(&name(index))).unwrap();
            assert_eq!(found.to_value().into_owned(), json!([index, {}]));
        }
        for missing in ["", "a common part", "a common part 999 of a name"] {
            let found = Object::get(&object, &TapeJson::prepare_key(missing));
            assert_eq!(found.is_some(), count == 1_000 && missing.contains("999"), "{missing}");
        }
        for twice in [0, count / 2, count.saturating_sub(1)] {
            let escaped = name(twice).replace('c', "\\u0063");
            let body = format!(r#"{{{},"{escaped}":1}}"#, members.join(","));
            if count > 0 && count < 1_000 {
                assert_eq!(refused(&body), JsonError::DuplicateMember, "{count} {twice}");
            }
        }
    }
}

#[test]
fn a_name_may_stand_in_many_objects() {
    assert_eq!(
        taken(r#"[{"a":{"a":[{"a":1,"b":2}],"b":{}},"b":3},{"b":{"a":4},"a":5}]"#),
        json!([{"a":{"a":[{"a":1,"b":2}],"b":{}},"b":3},{"b":{"a":4},"a":5}])
    );
    assert_eq!(refused(r#"{"a":{"b":1,"c":2},"b":3,"a":4}"#), JsonError::DuplicateMember);
    assert_eq!(refused(r#"[{"a":1},{"b":1,"b":2}]"#), JsonError::DuplicateMember);
    assert_eq!(refused(r#"{"":1,"":2}"#), JsonError::DuplicateMember);
}

#[test]
fn runs_of_text_end_where_they_end() {
    for before in 0..20 {
        for stop in ["\\\"", "\\n", "\u{1f}", "\0", "\u{7f}", "\u{20}", "é", "😀", "\\u00e9"] {
            let text =
                format!("[\"{}{stop}{}\",\"x\"]", "é".repeat(before / 2), "y".repeat(before));
            let theirs = serde_json::from_str::<Value>(&text);
            assert_eq!(read(text.as_bytes(), &Limits::default()).ok(), theirs.ok(), "{text:?}");
        }
    }
}

#[test]
fn heads_of_short_names_are_their_bytes() {
    for name in ["", "a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg"] {
        let mut eight = [b'"'; 8];
        eight[..name.len()].copy_from_slice(name.as_bytes());
        let written = super::scan::short_head(u64::from_le_bytes(eight), name.len());
        assert_eq!(super::head(name.as_bytes()), written, "{name}");
        eight[name.len()..].fill(0);
        assert_eq!(written, u64::from_le_bytes(eight), "{name}");
    }
}

#[test]
fn equal_items_are_found() {
    for (text, unique) in [
        ("[]", true),
        (r#"["a"]"#, true),
        (r#"["a","b","ab",""]"#, true),
        (r#"["a","b","\u0061"]"#, false),
        (r#"["1",1]"#, true),
        ("[1,1.0]", false),
        (r#"[{"a":1,"b":2},{"b":2,"a":1}]"#, false),
    ] {
        let (tape, body) = super::read(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(tape.view(body).root().as_array().unwrap().is_unique(), unique, "{text}");
    }
}

#[test]
fn a_parameter_number_is_a_json_number() {
    let limits = Limits::default();
    assert_eq!(read_number("12", &limits), Ok(Entry::Unsigned(12)));
    assert_eq!(read_number("-12", &limits), Ok(Entry::Signed(-12)));
    assert_eq!(read_number("1.20", &limits), Ok(Entry::Float(1.2)));
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
    fn what_is_written_anew_is_the_same_value(value in arbitrary_json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let limits = Limits::default();
        let (tape, text) = super::read(text.as_bytes(), &limits).unwrap();
        let written = tape.view(text).root().written();
        prop_assert_eq!(read(written.as_bytes(), &limits).unwrap(), value);
        // Once more, it stays as it is.
        let (tape, text) = super::read(written.as_bytes(), &limits).unwrap();
        prop_assert_eq!(&tape.view(text).root().written(), &written);
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
    fn numbers_are_those_that_serde_json_reads(
        text in "-?(0|[1-9][0-9]{0,21})(\\.[0-9]{1,21})?([eE][+-]?[0-9]{1,3})?"
    ) {
        let theirs: Option<Value> = serde_json::from_str(&text).ok();
        match read(text.as_bytes(), &Limits { number_chars_max: 60, ..Limits::default() }) {
            Ok(ours) => {
                let theirs = theirs.unwrap();
                prop_assert_eq!(ours.as_f64().map(f64::to_bits), theirs.as_f64().map(f64::to_bits));
                prop_assert_eq!(ours, theirs);
            }
            // Refused are integers that only a float could hold, and floats that vanish or overflow.
            Err(error) => {
                prop_assert_eq!(error, JsonError::NumberRange);
                let float = theirs.and_then(|number| number.as_f64());
                let beyond = |float: f64| float == 0.0 || float.abs() > 9e18;
                prop_assert!(float.is_none_or(beyond), "{}", text);
            }
        }
    }

    #[test]
    fn a_value_equals_what_serde_json_reads(value in arbitrary_json(), other in arbitrary_json()) {
        let text = value.to_string();
        let (tape, text) = super::read(text.as_bytes(), &Limits::default()).unwrap();
        let view = tape.view(text);
        prop_assert!(view.root().equals_value(&value));
        prop_assert_eq!(view.root().equals_value(&other), jsonschema::json::cmp::equal(&value, &other));
    }

    #[test]
    fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let ours = read(&bytes, &Limits::default());
        prop_assert!(ours.is_err() || serde_json::from_slice::<Value>(&bytes).is_ok());
    }
}

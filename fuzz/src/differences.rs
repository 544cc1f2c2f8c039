//! Our readers of JSON and of queries beside readers that nobody here wrote: the same value, or ours refuses.

use serde_json::{Number, Value};
use validate::fuzzing::{json_value, query_pairs};

/// The first byte says which: a JSON body, or a query.
pub fn validate_differs(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    if first.is_multiple_of(2) {
        let Some(ours) = json_value(rest) else { return };
        let theirs: Value = serde_json::from_slice(rest).expect("another reader takes it");
        assert!(same(&ours, &theirs), "{ours} is {theirs} for serde_json");
    } else if let Ok(text) = std::str::from_utf8(rest) {
        let Some(ours) = query_pairs(text) else { return };
        let theirs = form_urlencoded::parse(rest).into_owned().collect::<Vec<_>>();
        assert_eq!(ours, theirs, "{text}");
    }
}

fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => same_number(ours, theirs),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let alike = |(name, value)| theirs.get(name).is_some_and(|other| same(value, other));
            ours.len() == theirs.len() && ours.iter().all(alike)
        }
        _ => ours == theirs,
    }
}

/// `-0` and `0`, `1` and `1.0` are one number.
fn same_number(ours: &Number, theirs: &Number) -> bool {
    let whole =
        |number: &Number| number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match (whole(ours), whole(theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => ours.as_f64() == theirs.as_f64(),
    }
}

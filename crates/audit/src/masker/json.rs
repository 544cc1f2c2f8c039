//! JSON is masked value by value, so that it stays JSON. Pure.

use serde_json::Value;

use super::rules::Rules;
use super::{DROPPED, redact};

/// What stands for the value of a secret's name.
const SECRET: &str = "[secret]";

/// JSON without what the masker found in it; `None` where the text is no JSON.
pub(super) fn masked(rules: Rules<'_>, text: &str, depth: usize) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let mut value: Value = serde_json::from_str(text).ok()?;
    walk(rules, &mut value, depth.checked_sub(1));
    let out = value.to_string();
    // Values that only say something together: what cannot be masked is dropped.
    Some(if redact(rules, &out).is_some() { Value::from(DROPPED).to_string() } else { out })
}

fn walk(rules: Rules<'_>, value: &mut Value, depth: Option<usize>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            let text = number.to_string();
            if let Some(masked) = redact(rules, &text) {
                *value = Value::from(masked);
            }
        }
        Value::String(text) => {
            let masked = depth.map_or(DROPPED.into(), |depth| super::masked(rules, text, depth));
            if masked != text.as_str() {
                *value = Value::from(masked.into_owned());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(rules, item, depth)),
        Value::Object(members) => {
            let before = std::mem::take(members);
            for (name, mut member) in before {
                if rules.own.name.is_match(&name) && !member.is_null() {
                    member = Value::from(SECRET);
                }
                walk(rules, &mut member, depth);
                let name = depth.map_or(DROPPED.into(), |depth| super::masked(rules, &name, depth));
                members.insert(name.into_owned(), member);
            }
        }
    }
}

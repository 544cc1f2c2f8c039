//! The `format` names that are checked, those that say nothing about a text, and the bounds of
//! the numeric ones. It knows no schema.

use serde_json::{Value, json};

/// Formats that a checker stands behind, ours or the schema engine's.
const KNOWN: [&str; 19] = [
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
    "regex",
    "byte",
    "base64url",
];

/// Formats of the OpenAPI registry that leave a value as free as its type.
const FREE: [&str; 7] =
    ["binary", "password", "float", "double", "html", "commonmark", "media-range"];

/// Formats whose texts have no room for an attack.
const BOUND: [&str; 10] = [
    "date",
    "date-time",
    "time",
    "duration",
    "ipv4",
    "ipv6",
    "uuid",
    "byte",
    "base64url",
    "hostname",
];

pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

pub(crate) fn checks_nothing(name: &str) -> bool {
    FREE.contains(&name)
}

pub(crate) fn is_bound(name: &str) -> bool {
    BOUND.contains(&name)
}

/// `int32` and `int64` as bounds (OpenAPI 3.1, 4.4).
pub(crate) fn number_bounds(name: &str) -> Option<Value> {
    match name {
        "int32" => Some(json!({ "minimum": i32::MIN, "maximum": i32::MAX })),
        "int64" => Some(json!({ "minimum": i64::MIN, "maximum": i64::MAX })),
        _ => None,
    }
}

/// RFC 4648 4, with padding.
pub(crate) fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// RFC 4648 5, padding optional.
pub(crate) fn is_base64url(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() - body.len() <= 2
        && body.len() % 4 != 1
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

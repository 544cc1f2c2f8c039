//! A query read into decoded pairs, and written anew from them, so that the service reads what
//! was checked. It knows no declared parameters.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::limits::Limits;

/// All but the unreserved characters (RFC 3986 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One `name=value`; the value is still as it was sent, for styles that split it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair<'q> {
    pub(crate) name: String,
    pub(crate) raw: &'q str,
}

/// Splits a query. Refused: an empty pair, broken percent-encoding, what exceeds a limit.
pub(crate) fn pairs<'q>(query: &'q str, limits: &Limits) -> Result<Vec<Pair<'q>>, &'static str> {
    if query.len() > limits.query_bytes_max {
        return Err("query_bytes_max");
    }
    pairs_within(query, limits.query_parameters_max, "query_parameters_max", limits)
}

/// The same of a form's body, of at most so many fields.
pub(crate) fn fields<'q>(body: &'q str, limits: &Limits) -> Result<Vec<Pair<'q>>, &'static str> {
    pairs_within(body, limits.members_max, "members_max", limits)
}

fn pairs_within<'q>(
    query: &'q str,
    count_max: usize,
    rule: &'static str,
    limits: &Limits,
) -> Result<Vec<Pair<'q>>, &'static str> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for part in query.split('&') {
        let (name, raw) = part.split_once('=').unwrap_or((part, ""));
        if name.is_empty() {
            return Err("query_syntax");
        }
        if found.len() >= count_max {
            return Err(rule);
        }
        found.push(Pair { name: form_decoded(name, limits)?, raw });
    }
    Ok(found)
}

/// Decodes a part of a query, where `+` is a space (WHATWG URL, application/x-www-form-urlencoded).
pub(crate) fn form_decoded(text: &str, limits: &Limits) -> Result<String, &'static str> {
    if text.contains('+') {
        return decoded(&text.replace('+', " "), limits);
    }
    decoded(text, limits)
}

/// Decodes percent-encoding once. Refused: broken encoding, not UTF-8, NUL, too long.
pub(crate) fn decoded(text: &str, limits: &Limits) -> Result<String, &'static str> {
    let bytes = text.as_bytes();
    let whole = bytes.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(index, _)| {
        let digits = bytes.get(index + 1..index + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !whole {
        return Err("percent_encoding");
    }
    let text: Cow<'_, str> = percent_decode_str(text).decode_utf8().map_err(|_| "utf8")?;
    if text.contains('\0') {
        return Err("nul");
    }
    if text.len() > limits.string_bytes_max {
        return Err("string_bytes_max");
    }
    Ok(text.into_owned())
}

/// Writes decoded text for a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Appends one pair to a query being written; `value` is encoded already.
pub(crate) fn append(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(&encoded(name));
    query.push('=');
    query.push_str(value);
}

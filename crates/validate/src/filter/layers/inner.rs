//! Texts within a text: the strings of a document of JSON, the values of a query. It knows no encodings and no rules.

use serde::de::IgnoredAny;

use crate::filter::marks::Marks;

/// A text within another.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::filter) struct Inner {
    pub(in crate::filter) text: String,
    /// The name of a member.
    pub(in crate::filter) is_name: bool,
}

/// Whether a text could hold others.
pub(in crate::filter) fn may_hold_texts(text: &str, marks: Marks) -> bool {
    marks.has(Marks::EQUALS) || text.trim_start().starts_with(['{', '['])
}

/// The texts within a text, one step deep.
pub(in crate::filter) fn within(text: &str) -> Vec<Inner> {
    let trimmed = text.trim();
    if matches!(trimmed.as_bytes(), [b'{', .., b'}'] | [b'[', .., b']']) {
        if serde_json::from_str::<IgnoredAny>(trimmed).is_ok() {
            return strings(trimmed);
        }
        return Vec::new();
    }
    values(trimmed)
}

/// The strings of a document of JSON.
fn strings(json: &str) -> Vec<Inner> {
    let mut found = Vec::new();
    let mut rest = json;
    while let Some((_, from)) = rest.find('"').and_then(|start| rest.split_at_checked(start)) {
        let Some((literal, behind)) =
            end_of_string(from).and_then(|end| from.split_at_checked(end))
        else {
            break;
        };
        if let Ok(text) = serde_json::from_str(literal) {
            found.push(Inner { text, is_name: behind.trim_start().starts_with(':') });
        }
        rest = behind;
    }
    found
}

/// Where the string that begins here ends.
pub(in crate::filter) fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(end + 2)
}

/// The values of a query, alone or behind a URL.
fn values(text: &str) -> Vec<Inner> {
    let spaced = memchr::memchr3(b' ', b'\n', b'\t', text.as_bytes()).is_some();
    if spaced || memchr::memchr(b'=', text.as_bytes()).is_none() {
        return Vec::new();
    }
    let query = match text.split_once('?') {
        Some((_, query)) => query,
        None if is_query(text) => text,
        None => return Vec::new(),
    };
    let value = |pair: &str| {
        let (_, value) = pair.split_once('=')?;
        (value.len() > 1).then(|| Inner { text: value.to_owned(), is_name: false })
    };
    query.split('&').filter_map(value).collect()
}

/// `name=`, without a URL before it.
fn is_query(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(part)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn strings_and_values_are_found() {
        for (text, expected) in [
            (r#"{"a":"b","c":["\"d\u0027"]}"#, vec!["a", "b", "c", "\"d'"]),
            ("https://x.example/?q=%27a&r=1&s=bc", vec!["%27a", "bc"]),
            ("id=1%27&x=yz", vec!["1%27", "yz"]),
            ("{a: 1}", vec![]),
            ("a = b", vec![]),
            ("x", vec![]),
            ("[1]", vec![]),
        ] {
            let found = within(text);
            let texts: Vec<&str> = found.iter().map(|inner| inner.text.as_str()).collect();
            assert_eq!(texts, expected, "{text}");
        }
        assert!(within(r#"{"a" : "b"}"#)[0].is_name && !within(r#"["a"]"#)[0].is_name);
    }
}

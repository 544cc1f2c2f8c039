//! Other ways to read a text: without control characters, unescaped, folded, base64 decoded. Pure.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::rules::Rules;

/// Layers of escapes that are looked through.
pub(super) const DECODINGS_MAX: usize = 2;
/// Positions at which a base64 group can begin.
const BASE64_OFFSETS: usize = 4;

/// Control, line-separating and direction characters as spaces: no record can be forged or re-ordered.
pub(super) fn flat(text: &str) -> Cow<'_, str> {
    if text.chars().any(disturbs) {
        Cow::Owned(text.chars().map(|c| if disturbs(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One layer of `%41`, `\u0041` and `&#65;` undone; `None` where there is none.
pub(super) fn unescaped(text: &str) -> Option<String> {
    if !text.contains(['%', '\\', '&']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(first) = rest.chars().next() {
        let Some((decoded, used)) = escape(rest) else {
            let mut utf8 = [0; 4];
            bytes.extend_from_slice(first.encode_utf8(&mut utf8).as_bytes());
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        changed = true;
        bytes.extend_from_slice(&decoded);
        rest = rest.get(used..).unwrap_or_default();
    }
    changed.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes of the escape the text begins with, and its length.
fn escape(text: &str) -> Option<(Vec<u8>, usize)> {
    let character = |code: u32| char::from_u32(code).map(|c| c.to_string().into_bytes());
    if let Some(hex) = text.strip_prefix('%').and_then(|rest| rest.get(..2)) {
        return u8::from_str_radix(hex, 16).ok().map(|byte| (vec![byte], 3));
    }
    if let Some(hex) = text.strip_prefix("\\u").and_then(|rest| rest.get(..4)) {
        return u32::from_str_radix(hex, 16).ok().and_then(character).map(|c| (c, 6));
    }
    let number = text.strip_prefix("&#")?;
    let length = number.bytes().take(9).position(|byte| byte == b';')?;
    let digits = number.get(..length)?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    character(code).map(|c| (c, length + 3))
}

/// Look-alike digits, letters, spaces and dashes as ASCII, invisible characters gone; `None` if equal.
pub(super) fn folded(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let folded: String = text.chars().filter_map(fold).collect();
    (folded != text).then_some(folded)
}

fn fold(c: char) -> Option<char> {
    let digit = |zero: char| char::from_digit(u32::from(c) - u32::from(zero), 10);
    match c {
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => None,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => Some(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{660}'..='\u{669}' => digit('\u{660}'),
        '\u{6f0}'..='\u{6f9}' => digit('\u{6f0}'),
        '\u{966}'..='\u{96f}' => digit('\u{966}'),
        other => Some(other),
    }
}

/// Every printable plain text that a base64 run of the text could be.
pub(super) fn base64(rules: &Rules, text: &str) -> impl Iterator<Item = String> {
    rules
        .base64
        .find_iter(text)
        .flat_map(|run| (0..BASE64_OFFSETS).filter_map(move |offset| run.as_str().get(offset..)))
        .filter_map(decoded)
}

fn decoded(run: &str) -> Option<String> {
    // A lone trailing character carries no byte: drop it, as a decoder that stops there would.
    let whole = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
    let run = run.get(..whole)?;
    let bytes = STANDARD_NO_PAD.decode(run).or_else(|_| URL_SAFE_NO_PAD.decode(run)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

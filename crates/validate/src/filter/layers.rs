//! A text and what it becomes when its percent-encodings and width forms are peeled, within
//! limits. It knows no rules but its own.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::rules;

/// Percent-encodings peeled; what is still encoded after that is refused.
const PERCENT_LAYERS_MAX: usize = 2;

/// One reading of a text.
#[derive(Debug)]
pub(super) struct Layer<'t> {
    pub(super) text: Cow<'t, str>,
    /// Whether a percent-encoding was peeled for it.
    pub(super) hidden: bool,
}

/// The text itself and every layer below it.
#[derive(Debug)]
pub(super) struct Layers<'t> {
    first: Layer<'t>,
    below: Vec<Layer<'t>>,
}

impl<'t> Layers<'t> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Layer<'t>> {
        std::iter::once(&self.first).chain(&self.below)
    }
}

/// Reads a text in every way that a service may.
pub(super) fn of(text: &str) -> Result<Layers<'_>, &'static str> {
    let mut below = Vec::new();
    let first = Layer { text: Cow::Borrowed(text), hidden: false };
    if is_plain(text) {
        return Ok(Layers { first, below });
    }
    let plain = folded(text);
    if plain != text {
        below.push(Layer { text: plain.into(), hidden: false });
    }
    let mut current = Cow::Borrowed(text);
    for _ in 0..PERCENT_LAYERS_MAX {
        if !is_encoded(&current) {
            return Ok(Layers { first, below });
        }
        let bytes: Vec<u8> = percent_decode_str(&current).collect();
        // Overlong forms are no UTF-8, and nobody sends them by accident.
        let Ok(next) = String::from_utf8(bytes) else {
            return if has_overlong(&current) {
                Err(rules::ENCODING)
            } else {
                Ok(Layers { first, below })
            };
        };
        below.push(Layer { text: folded(&next).into(), hidden: true });
        current = next.into();
    }
    if is_encoded(&current) { Err(rules::ENCODING) } else { Ok(Layers { first, below }) }
}

/// Whether nothing is below a text: no percent sign, and no byte that full-width forms begin with. Every byte is looked
/// at, so that the processor can do many at once.
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |found, byte| found | (byte == b'%') | (byte == 0xEF))
}

fn is_encoded(text: &str) -> bool {
    text.as_bytes().windows(3).any(|three| match three {
        [b'%', first, second] => first.is_ascii_hexdigit() && second.is_ascii_hexdigit(),
        _ => false,
    })
}

/// `%c0%ae` and the like: two bytes for one of ASCII (RFC 3629 3 forbids them).
fn has_overlong(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["%c0%", "%c1%", "%e0%80", "%e0%81"].iter().any(|form| lower.contains(form))
}

/// Full-width forms (U+FF01 to U+FF5E) as the ASCII that some services fold them to.
fn folded(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
            other => other,
        })
        .collect()
}

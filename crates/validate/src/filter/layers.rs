//! A text and what it becomes when its percent-encodings and width forms are peeled, within
//! limits. It knows no rules but its own.

use percent_encoding::percent_decode_str;

use super::rules;

/// Percent-encodings peeled; what is still encoded after that is refused.
const PERCENT_LAYERS_MAX: usize = 2;

/// One reading of a text.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) text: String,
    /// Whether a percent-encoding was peeled for it.
    pub(super) hidden: bool,
}

/// Whether there is no layer below the text: it has no percent sign, and no byte that full-width forms begin with.
pub(super) fn is_plain(text: &str) -> bool {
    memchr::memchr2(b'%', 0xEF, text.as_bytes()).is_none()
}

/// The text itself and every layer below it.
pub(super) fn of(text: &str) -> Result<Vec<Layer>, &'static str> {
    let mut layers = vec![Layer { text: text.to_owned(), hidden: false }];
    let plain = folded(text);
    if plain != text {
        layers.push(Layer { text: plain, hidden: false });
    }
    let mut current = text.to_owned();
    for _ in 0..PERCENT_LAYERS_MAX {
        if !is_encoded(&current) {
            return Ok(layers);
        }
        let bytes: Vec<u8> = percent_decode_str(&current).collect();
        // Overlong forms are no UTF-8, and nobody sends them by accident.
        let Ok(next) = String::from_utf8(bytes) else {
            return if has_overlong(&current) { Err(rules::ENCODING) } else { Ok(layers) };
        };
        layers.push(Layer { text: folded(&next), hidden: true });
        current = next;
    }
    if is_encoded(&current) { Err(rules::ENCODING) } else { Ok(layers) }
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

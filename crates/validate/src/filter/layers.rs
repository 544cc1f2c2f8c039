//! A text and what it becomes when its encodings are peeled, within limits: percent signs, entities of HTML, escapes of
//! JavaScript and JSON, width and compatibility forms, base64. It knows no rules.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use unicode_normalization::UnicodeNormalization as _;

use super::marks::Marks;

mod entities;
pub(super) mod inner;

/// Peels of one text; what is still percent-encoded after them is refused.
pub(super) const PEELS_MAX: usize = 3;
/// Times that base64 is looked for.
const BASE64_MAX: usize = 2;
/// Characters of base64 below which a text is no hiding place.
const BASE64_BYTES_MIN: usize = 12;

/// One reading of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) text: String,
    /// Whether an encoding was peeled for it.
    pub(super) hidden: bool,
    pub(super) marks: Marks,
}

impl Layer {
    fn new(text: String, hidden: bool) -> Self {
        let marks = Marks::of(&text);
        Self { text, hidden, marks }
    }
}

/// All readings below the first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    pub(super) below: Vec<Layer>,
    /// Overlong UTF-8 was found, or an encoding under more encodings than are peeled.
    pub(super) excessive: bool,
    /// Bytes read to find them.
    pub(super) bytes_read: usize,
}

/// What one peel has found.
#[derive(Debug, Default)]
struct Peel {
    bytes: Vec<u8>,
    /// An encoding, not merely a form of a letter.
    decoded: bool,
    percent: bool,
    overlong: bool,
}

/// Every layer below a text.
pub(super) fn below(text: &str, marks: Marks) -> Layers {
    let mut layers = Layers::default();
    peel_all(text, marks, &mut layers);
    for _ in 0..BASE64_MAX {
        let (deepest, marks) = layers.deepest(text, marks);
        if !may_be_base64(deepest, marks) {
            break;
        }
        let read = deepest.len();
        let decoded = from_base64(deepest);
        layers.bytes_read += read;
        let Some(decoded) = decoded else { break };
        let layer = Layer::new(decoded.clone(), true);
        let marks = layer.marks;
        layers.below.push(layer);
        peel_all(&decoded, marks, &mut layers);
    }
    let (deepest, marks) = layers.deepest(text, marks);
    // A query that was taken for a text: no space, and plus signs between its words.
    if marks.has(Marks::PLUS) && !marks.has(Marks::SPACE) {
        let layer = Layer::new(deepest.replace('+', " "), false);
        layers.below.push(layer);
    }
    layers
}

impl Layers {
    fn deepest<'t>(&'t self, text: &'t str, marks: Marks) -> (&'t str, Marks) {
        self.below.last().map_or((text, marks), |layer| (layer.text.as_str(), layer.marks))
    }
}

fn peel_all(text: &str, marks: Marks, layers: &mut Layers) {
    // What holds none of these is no encoding. It may be base64 all the same.
    if !marks.has(Marks::ESCAPE.or(Marks::FOREIGN)) {
        return;
    }
    let mut current = Cow::Borrowed(text);
    for peel in 0..=PEELS_MAX {
        layers.bytes_read += current.len();
        let Some((next, found)) = peel_once(&current) else { return };
        layers.excessive |= found.overlong;
        if peel == PEELS_MAX {
            layers.excessive |= found.percent;
            return;
        }
        let hidden = found.decoded || layers.below.last().is_some_and(|layer| layer.hidden);
        layers.below.push(Layer::new(next.clone(), hidden));
        current = Cow::Owned(next);
    }
}

/// Each encoding once, in one pass; `None` where that changes nothing.
fn peel_once(text: &str) -> Option<(String, Peel)> {
    let mut peel = Peel::default();
    let mut rest = text.as_bytes();
    while let Some(stop) = memchr::memchr3(b'%', b'&', b'\\', rest) {
        let (run, behind) = rest.split_at_checked(stop)?;
        peel.bytes.extend_from_slice(run);
        let taken = match behind.first() {
            Some(b'%') => percent(behind, &mut peel),
            Some(b'&') => entities::take(behind).map(|(c, taken)| {
                push(&mut peel.bytes, c);
                taken
            }),
            _ => escape(behind).map(|(c, taken)| {
                push(&mut peel.bytes, c);
                taken
            }),
        };
        peel.decoded |= taken.is_some();
        let taken = taken.unwrap_or_else(|| {
            peel.bytes.extend(behind.first());
            1
        });
        rest = behind.get(taken..).unwrap_or_default();
    }
    if !peel.decoded {
        // As it came, but for the forms of its letters.
        let next = if text.is_ascii() { None } else { Some(folded(text)) };
        return next.filter(|next| next != text).map(|next| (next, peel));
    }
    peel.bytes.extend_from_slice(rest);
    let (bytes, overlong) = without_overlong(std::mem::take(&mut peel.bytes));
    peel.overlong = overlong;
    let next = folded(&String::from_utf8_lossy(&bytes));
    (next != text).then_some((next, peel))
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// `%2e` and `%u002e` at the start.
fn percent(rest: &[u8], peel: &mut Peel) -> Option<usize> {
    if let Some(value) = hex(rest.get(1..3)) {
        peel.bytes.push(u8::try_from(value).unwrap_or(b'?'));
        peel.percent = true;
        return Some(3);
    }
    let value =
        rest.get(1).filter(|u| u.eq_ignore_ascii_case(&b'u')).and_then(|_| hex(rest.get(2..6)))?;
    push(&mut peel.bytes, char::from_u32(value).unwrap_or('\u{FFFD}'));
    peel.percent = true;
    Some(6)
}

/// `\u002e`, `\u{2e}` and `\x2e` at the start, and the line ends.
fn escape(rest: &[u8]) -> Option<(char, usize)> {
    let (value, taken) = match rest.get(1)? {
        b'u' if rest.get(2) == Some(&b'{') => {
            let digits = rest.get(3..)?.iter().take(7).position(|byte| *byte == b'}')?;
            (hex(rest.get(3..3 + digits))?, digits + 4)
        }
        b'u' => (hex(rest.get(2..6))?, 6),
        b'x' => (hex(rest.get(2..4))?, 4),
        b'r' if rest.get(2..4) == Some(br"\n") => (u32::from(b'\n'), 4),
        _ => return None,
    };
    Some((char::from_u32(value).unwrap_or('\u{FFFD}'), taken))
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |value, digit| {
        Some(value.checked_mul(16)? + char::from(*digit).to_digit(16)?)
    })
}

/// Two or three bytes for one of ASCII (RFC 3629 3 forbids them) as that one.
fn without_overlong(bytes: Vec<u8>) -> (Vec<u8>, bool) {
    if !bytes.iter().any(|byte| matches!(byte, 0xC0 | 0xC1 | 0xE0)) {
        return (bytes, false);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut found) = (0, false);
    while let Some(byte) = bytes.get(at) {
        let (second, third) = (bytes.get(at + 1).copied(), bytes.get(at + 2).copied());
        let (one, taken) = match (byte, second, third) {
            (0xC0 | 0xC1, Some(second @ 0x80..=0xBF), _) => {
                (((byte & 1) << 6) | (second & 0x3F), 2)
            }
            (0xE0, Some(second @ 0x80..=0x81), Some(third @ 0x80..=0xBF)) => {
                (((second & 1) << 6) | (third & 0x3F), 3)
            }
            _ => (*byte, 1),
        };
        found |= taken > 1;
        out.push(one);
        at += taken;
    }
    (out, found)
}

/// Width and compatibility forms as what services fold them to (NFKC); what is not seen is left out, every space is one.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let seen = |c: &char| !matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}');
    let plain = |c: char| match c {
        '\u{131}' => 'i',
        '\u{17F}' => 's',
        '\u{2215}' | '\u{2044}' => '/',
        '\u{2216}' => '\\',
        '\u{3002}' | '\u{FF61}' => '.',
        // The last byte of these is what a careless conversion keeps of them.
        '\u{560D}' => '\r',
        '\u{560A}' => '\n',
        c if c.is_whitespace() && !c.is_ascii() => ' ',
        c => c,
    };
    text.chars().filter(seen).map(plain).nfkc().map(plain).collect()
}

/// Whether a text could be base64, but for spaces around it: all of it, or what stands behind a comma.
fn may_be_base64(text: &str, marks: Marks) -> bool {
    let around = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_graphic());
    let bytes = text.as_bytes();
    !marks.has(Marks::NOT_BASE64)
        || marks.has(Marks::COMMA)
        || around(bytes.first())
        || around(bytes.last())
}

/// The text under base64, where the whole of it is that and reads as text.
fn from_base64(text: &str) -> Option<String> {
    let body = text.trim().trim_end_matches('=');
    let inner = match memchr::memchr(b',', body.as_bytes()) {
        Some(_) => body.rsplit_once("base64,").map_or(body, |(_, inner)| inner),
        None => body,
    };
    if inner.len() < BASE64_BYTES_MIN || inner.len() % 4 == 1 {
        return None;
    }
    let bytes = match inner.bytes().find(|byte| !byte.is_ascii_alphanumeric()) {
        None | Some(b'+' | b'/') => STANDARD_NO_PAD.decode(inner).ok()?,
        Some(b'-' | b'_') => URL_SAFE_NO_PAD.decode(inner).ok()?,
        Some(_) => return None,
    };
    let text = String::from_utf8(bytes).ok()?;
    let written = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().all(written).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::marks::Marks;
    use super::Layers;

    fn below(text: &str) -> Layers {
        super::below(text, Marks::of(text))
    }

    fn texts(layers: &Layers) -> Vec<&str> {
        layers.below.iter().map(|layer| layer.text.as_str()).collect()
    }

    #[test]
    fn each_encoding_is_peeled_once_at_a_time() {
        for (text, expected) in [
            ("%2527", vec!["%27", "'"]),
            ("&lt;b&#62;&#x3C;", vec!["<b><"]),
            (r"\u003c\x3e\u{27}", vec!["<>'"]),
            ("%u0027", vec!["'"]),
            ("＜ａ＞", vec!["<a>"]),
            ("o\u{200B}r", vec!["or"]),
            ("%c0%af", vec!["/"]),
            ("%e0%80%af%ff", vec!["/\u{FFFD}"]),
            ("c2VsZWN0IG1l", vec!["select me"]),
            ("JTI3IG9yIDElM2Qx", vec!["%27 or 1%3d1", "' or 1=1"]),
            ("1+or+1", vec!["1 or 1"]),
            ("plain", vec![]),
            ("100% & more", vec![]),
        ] {
            assert_eq!(texts(&below(text)), expected, "{text}");
        }
    }

    #[test]
    fn too_many_layers_and_overlong_forms_are_told() {
        assert!(below("%25252527").excessive && below("%c0%ae").excessive);
        assert!(!below("%252527").excessive && !below("%c3%a9").excessive);
    }
}

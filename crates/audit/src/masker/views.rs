//! Other ways to read a text: without control characters, unescaped, folded, and the bytes that its runs of base64 and
//! hexadecimal digits stand for. Pure; it does not know what is looked for.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::rules::Own;

/// Layers of escapes that are looked through.
pub(super) const DECODINGS_MAX: usize = 4;
/// Positions at which a base64 group can begin.
const BASE64_OFFSETS: usize = 4;
/// As lenient as those who decode: bits that nobody needs may be anything.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

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

/// One layer of `%41`, `%u0041`, `\x41`, `\u0041`, `\u{41}`, `\"`, `&#65;` and `&quot;` undone; `None` where there is none.
pub(super) fn unescaped(text: &str) -> Option<Vec<u8>> {
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
    changed.then_some(bytes)
}

/// Entities that have names, as far as they can hide something.
const ENTITIES: [(&str, &str); 16] = [
    ("&amp;", "&"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&nbsp;", " "),
    ("&commat;", "@"),
    ("&colon;", ":"),
    ("&equals;", "="),
    ("&period;", "."),
    ("&comma;", ","),
    ("&plus;", "+"),
    ("&hyphen;", "-"),
    ("&dash;", "-"),
    ("&sol;", "/"),
    ("&lowbar;", "_"),
];
/// Escapes of one character behind a backslash.
const BACKSLASHED: [(&str, &str); 7] = [
    ("\\\"", "\""),
    ("\\'", "'"),
    ("\\\\", "\\"),
    ("\\/", "/"),
    ("\\n", " "),
    ("\\r", " "),
    ("\\t", " "),
];

/// The bytes of the escape the text begins with, and its length.
fn escape(text: &str) -> Option<(Vec<u8>, usize)> {
    let character = |code: u32| char::from_u32(code).map(|c| c.to_string().into_bytes());
    let coded = |prefix: &str, digits: usize| {
        let hex = text.strip_prefix(prefix)?.get(..digits)?;
        let code = u32::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'))?;
        Some((code, prefix.len() + digits))
    };
    match text.as_bytes().first()? {
        b'%' => match coded("%", 2) {
            Some((byte, used)) => u8::try_from(byte).ok().map(|byte| (vec![byte], used)),
            None => coded("%u", 4).and_then(|(code, used)| Some((character(code)?, used))),
        },
        b'\\' => {
            let plain = [coded("\\x", 2), coded("\\u", 4)].into_iter().flatten().next();
            if let Some((code, used)) = plain {
                return Some((character(code)?, used));
            }
            braced(text)
                .and_then(|(code, used)| Some((character(code)?, used)))
                .or_else(|| named(text, &BACKSLASHED))
        }
        b'&' => entity(text)
            .and_then(|(code, used)| Some((character(code)?, used)))
            .or_else(|| named(text, &ENTITIES)),
        _ => None,
    }
}

fn named(text: &str, names: &[(&str, &str)]) -> Option<(Vec<u8>, usize)> {
    let (name, plain) = names.iter().find(|(name, _)| text.starts_with(name))?;
    Some((plain.as_bytes().to_vec(), name.len()))
}

/// `\u{41}`
fn braced(text: &str) -> Option<(u32, usize)> {
    let number = text.strip_prefix("\\u{")?;
    let length = number.bytes().take(7).position(|byte| byte == b'}')?;
    Some((u32::from_str_radix(number.get(..length)?, 16).ok()?, length + 4))
}

/// `&#65;` and `&#x41;`
fn entity(text: &str) -> Option<(u32, usize)> {
    let number = text.strip_prefix("&#")?;
    let length = number.bytes().take(9).position(|byte| byte == b';')?;
    let digits = number.get(..length)?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some((code, length + 3))
}

/// Look-alike digits, letters, spaces and dashes as ASCII, invisible characters gone; `None` if equal.
pub(super) fn folded(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let folded: String = text.chars().filter_map(fold).collect();
    (folded != text).then_some(folded)
}

/// The zero of each script whose ten digits stand in a row (Unicode 16, Nd), beside ASCII and the mathematical ones.
const ZEROS: [u32; 56] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0x2080, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x16a60, 0x1e140, 0x1e950,
];

/// The ASCII digit that a character stands for.
fn digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let value = match code {
        0xb2 | 0xb3 => code - 0xb0,
        0xb9 => 1,
        0x2070 | 0x2074..=0x2079 => code - 0x2070,
        // Circled, in parentheses, with a full stop: 1 to 9.
        0x2460..=0x2468 => code - 0x245f,
        0x2474..=0x247c => code - 0x2473,
        0x2488..=0x2490 => code - 0x2487,
        0x1d7ce..=0x1d7ff => (code - 0x1d7ce) % 10,
        _ => {
            let before = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
            ZEROS.get(before).map(|zero| code - zero).filter(|value| *value < 10)?
        }
    };
    char::from_digit(value, 10)
}

fn fold(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c);
    }
    if let Some(digit) = digit(c) {
        return Some(digit);
    }
    match c {
        '\u{200b}'..='\u{200f}'
        | '\u{2060}'..='\u{2064}'
        | '\u{feff}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{300}'..='\u{36f}' => None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Some('-'),
        '\u{b7}' | '\u{2022}' | '\u{2024}' | '\u{2027}' | '\u{3002}' => Some('.'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        // Mathematical letters: capitals and small ones in turn.
        '\u{1d400}'..='\u{1d6a3}' => {
            let place = (u32::from(c) - 0x1d400) % 52;
            let letter = if place < 26 { 0x41 + place } else { 0x61 + place - 26 };
            char::from_u32(letter)
        }
        space if space.is_whitespace() => Some(' '),
        other => Some(other),
    }
}

/// Everything that a run of hexadecimal digits of the text could be.
pub(super) fn hex(own: &Own, text: &str) -> impl Iterator<Item = Vec<u8>> {
    own.hex.find_iter(text).flat_map(|run| {
        let marked = run.as_str().replace("0x", "").replace("\\x", "");
        let digits: Vec<u32> = marked.chars().filter_map(|c| c.to_digit(16)).collect();
        let byte = |pair: &[u32]| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        [0, 1].map(|from| {
            let digits = digits.get(from..).unwrap_or_default();
            digits.chunks_exact(2).filter_map(byte).collect()
        })
    })
}

/// Everything that a base64 run of the text could be, in either alphabet.
pub(super) fn base64(own: &Own, text: &str) -> impl Iterator<Item = Vec<u8>> {
    own.base64
        .find_iter(text)
        .flat_map(|run| (0..BASE64_OFFSETS).filter_map(move |offset| run.as_str().get(offset..)))
        .filter_map(decoded)
}

fn decoded(run: &str) -> Option<Vec<u8>> {
    // A lone trailing character carries no byte: drop it, as a decoder that stops there would.
    let whole = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
    let standard = |byte: u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let run: Vec<u8> = run.bytes().take(whole).map(standard).collect();
    LENIENT.decode(run).ok()
}

/// The bytes as a text that somebody could have written.
pub(super) fn printable(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

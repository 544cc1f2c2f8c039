//! The inner loops of the reader: where a text ends, what a number is, which names may be the same. It knows no tape
//! and no nesting.

use super::JsonError;
use super::tape::Entry;
use crate::limits::Limits;

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The eight bytes at `at`, the first the lowest.
#[inline]
pub(super) fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|eight| u64::from_le_bytes(*eight))
}

/// The first quote, backslash or control character at or after `at`, else the end.
#[inline]
pub(super) fn text_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(eight) = eight(bytes, at) {
        if let Some(length) = run(eight) {
            return at + length;
        }
        at += 8;
    }
    while !matches!(bytes.get(at), None | Some(b'"' | b'\\' | 0..=0x1F)) {
        at += 1;
    }
    at
}

/// How many of eight bytes stand before a quote, backslash or control character; `None`: there is none.
#[inline]
pub(super) fn run(eight: u64) -> Option<usize> {
    let stops = stops(eight);
    (stops != 0).then_some((stops.trailing_zeros() / 8) as usize)
}

/// The top bit of each of eight bytes that ends a run of text. A byte above the first such one may be marked wrongly:
/// only the lowest mark counts.
fn stops(eight: u64) -> u64 {
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(eight ^ (ONES * u64::from(b'"')));
    let backslashes = zeros(eight ^ (ONES * u64::from(b'\\')));
    let controls = eight.wrapping_sub(ONES * 0x20) & !eight;
    (quotes | backslashes | controls) & TOPS
}

/// Names below this length are told apart by their heads alone.
pub(crate) const HEAD_BYTES: usize = 8;

/// Equal names have equal heads; most others do not, and of two names shorter than [`HEAD_BYTES`] none. No name holds NUL.
#[inline]
pub(crate) fn head(name: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        return u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29);
    }
    // The bytes of the first half and of the last overlap where they are the same.
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | (u64::from(last) << ((name.len() - 4) * 8));
    }
    name.iter().rev().fold(0, |head, byte| (head << 8) | u64::from(*byte))
}

/// The head of a name of `length` bytes below [`HEAD_BYTES`], the first of these eight.
#[inline]
pub(super) fn short_head(eight: u64, length: usize) -> u64 {
    eight & !(u64::MAX << (length * 8))
}

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19,
];

/// Digits that an `u64` holds, whatever they are.
const DIGITS_KEPT: usize = 19;

/// Integers up to here are exact as doubles.
const EXACT_MAX: u64 = 1 << 53;

/// Digits from `at` on: their end, and their value after `value` where there are at most [`DIGITS_KEPT`].
#[inline]
fn digits(bytes: &[u8], at: usize, value: u64) -> (usize, u64) {
    let (mut at, mut value) = (at, value);
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    (at, value)
}

/// The number at `at`, and its end.
#[inline]
pub(super) fn number(text: &str, at: usize, limits: &Limits) -> Result<(Entry, usize), JsonError> {
    let bytes = text.as_bytes();
    let negative = bytes.get(at) == Some(&b'-');
    let start = at + usize::from(negative);
    let (whole_end, value) = digits(bytes, start, 0);
    let whole = whole_end - start;
    if whole == 0 || (whole > 1 && bytes.get(start) == Some(&b'0')) {
        return Err(JsonError::Syntax);
    }
    let (mut end, mut mantissa, mut fraction) = (whole_end, value, 0);
    if bytes.get(end) == Some(&b'.') {
        (end, mantissa) = digits(bytes, whole_end + 1, value);
        fraction = end - whole_end - 1;
        if fraction == 0 {
            return Err(JsonError::Syntax);
        }
    }
    let mut exponent = false;
    if let Some(b'e' | b'E') = bytes.get(end) {
        exponent = true;
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        let from = end + 1 + usize::from(signed);
        (end, _) = digits(bytes, from, 0);
        if end == from {
            return Err(JsonError::Syntax);
        }
    }
    if end - at > limits.number_chars_max {
        return Err(JsonError::NumberChars);
    }
    let kept = whole + fraction <= DIGITS_KEPT;
    let entry = match POWERS.get(fraction) {
        _ if fraction == 0 && !exponent && kept => integer(value, negative)?,
        // Both are exact, so the quotient is the double nearest to what was written.
        Some(power) if kept && !exponent && mantissa <= EXACT_MAX => {
            let float = mantissa as f64 / power;
            Entry::Float(if negative { -float } else { float })
        }
        _ => parsed(text.get(at..end).ok_or(JsonError::Syntax)?, fraction > 0 || exponent)?,
    };
    Ok((entry, end))
}

fn integer(value: u64, negative: bool) -> Result<Entry, JsonError> {
    match (negative, value) {
        (false, value) => Ok(Entry::Unsigned(value)),
        (true, 0) => Ok(Entry::Float(-0.0)),
        (true, value) => {
            let signed = 0_i64.checked_sub_unsigned(value).ok_or(JsonError::NumberRange)?;
            Ok(Entry::Signed(signed))
        }
    }
}

/// The same by the standard library, for numbers of many digits and with exponents.
fn parsed(text: &str, fractional: bool) -> Result<Entry, JsonError> {
    if fractional {
        return float(text);
    }
    text.parse().map(Entry::Unsigned).map_err(|_| JsonError::NumberRange)
}

/// A float that overflows, or that vanishes to zero, is not the number that was sent.
fn float(text: &str) -> Result<Entry, JsonError> {
    let number = text.parse::<f64>().map_err(|_| JsonError::Syntax)?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let vanished = number == 0.0 && mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if vanished || !number.is_finite() {
        return Err(JsonError::NumberRange);
    }
    Ok(Entry::Float(number))
}

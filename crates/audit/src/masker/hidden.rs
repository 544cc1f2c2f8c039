//! Findings that show only when a text is read in another way: unescaped, with look-alikes folded, decoded, unpacked. Such a
//! finding cannot be cut out of the text. Pure; each way has a depth.

use std::borrow::Cow;

use super::packed::{self, Packed};
use super::rules::{Counts, Rules};
use super::views;

/// Layers of base64, hexadecimal digits and packing that are looked through.
const CODED_MAX: usize = 2;

/// Whether another reading shows more than the `seen` findings that are to be cut out anyway.
pub(super) fn betrays(rules: Rules<'_>, text: &str, seen: &Counts) -> bool {
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..views::DECODINGS_MAX {
        if hides(rules, &decoded, seen, CODED_MAX) {
            return true;
        }
        let Some(bytes) = views::unescaped(&decoded) else { return false };
        let next = String::from_utf8_lossy(&bytes).into_owned();
        if unpacks(rules, &bytes, CODED_MAX) == Some(true)
            || latin(&next).is_some_and(|bytes| unpacks(rules, &bytes, CODED_MAX) == Some(true))
            || rules.more(&next, seen)
        {
            return true;
        }
        decoded = Cow::Owned(next);
    }
    hides(rules, &decoded, seen, CODED_MAX)
}

/// Bytes that were written as characters of the same number.
fn latin(text: &str) -> Option<Vec<u8>> {
    let is_likely = text.contains(['\u{8b}', '\u{9c}', '\u{da}']);
    is_likely.then(|| text.chars().map_while(|c| u8::try_from(u32::from(c)).ok()).collect())
}

fn hides(rules: Rules<'_>, text: &str, seen: &Counts, depth: usize) -> bool {
    if views::folded(text).is_some_and(|folded| rules.more(&folded, seen)) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    let mut runs = views::base64(rules.own, text).chain(views::hex(rules.own, text));
    runs.any(|bytes| match unpacks(rules, &bytes, depth) {
        Some(found) => found,
        None => views::printable(bytes).is_some_and(|plain| holds(rules, &plain, depth)),
    })
}

/// Whether something is found in what is packed there; `None` where nothing is packed.
fn unpacks(rules: Rules<'_>, bytes: &[u8], depth: usize) -> Option<bool> {
    match packed::opened(bytes) {
        Packed::No => None,
        Packed::Closed => Some(true),
        Packed::Open(plain) => {
            let plain = String::from_utf8_lossy(&plain);
            Some(holds(rules, &views::flat(&plain), depth))
        }
    }
}

fn holds(rules: Rules<'_>, plain: &str, depth: usize) -> bool {
    rules.any(plain) || hides(rules, plain, &Counts::default(), depth)
}

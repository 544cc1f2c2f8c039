//! The second layer: finds credentials and personal data in a free text and takes them out. Pure and
//! linear in its input. It knows no event; what it cannot localise (a hit in a decoding of the text)
//! it drops whole. Names, addresses and plain words have no pattern: the allow-list is for those.

mod checks;
mod ids;
mod json;
mod rules;
mod views;

use std::borrow::Cow;

use rules::Rules;
use views::Plain;

/// Redaction can uncover a new neighbourhood; more rounds than this and the text is dropped.
const ROUNDS_MAX: usize = 4;
/// Layers of JSON in strings of JSON that are masked one by one.
const NESTED_MAX: usize = 4;
/// Layers of base64 and hexadecimal digits that are looked through.
const CODED_MAX: usize = 2;
/// Stands for a text that was dropped whole.
const DROPPED: &str = "[masked]";

/// The text without credentials and personal data. Each finding becomes its kind in brackets
/// (`[card]`, `[email]`, ...); control and direction characters become spaces. JSON stays JSON. Idempotent.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    masked(text, NESTED_MAX)
}

fn masked(text: &str, depth: usize) -> Cow<'_, str> {
    let Some(rules) = rules::compiled() else {
        // Without its rules the masker cannot vouch for anything.
        return Cow::Borrowed(DROPPED);
    };
    let flat = views::flat(text);
    let Some(first) = redact(rules, &flat) else { return flat };
    if let Some(json) = json::masked(rules, &flat, depth) {
        return Cow::Owned(json);
    }
    let mut current = first;
    for _ in 1..ROUNDS_MAX {
        match redact(rules, &current) {
            None => return Cow::Owned(current),
            Some(next) => current = next,
        }
    }
    Cow::Borrowed(DROPPED)
}

/// One round; `None` where there is nothing to take out.
fn redact(rules: &Rules, text: &str) -> Option<String> {
    if let Some(clean) = rules.apply(text) {
        return Some(clean);
    }
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..views::DECODINGS_MAX {
        if hidden(rules, &decoded) {
            return Some(DROPPED.to_owned());
        }
        match views::unescaped(&decoded) {
            None => return None,
            Some(next) if rules.apply(&next).is_some() => return Some(DROPPED.to_owned()),
            Some(next) => decoded = Cow::Owned(next),
        }
    }
    hidden(rules, &decoded).then(|| DROPPED.to_owned())
}

/// A finding that only shows after folding look-alikes, or in base64 or hexadecimal digits.
fn hidden(rules: &Rules, text: &str) -> bool {
    hides(rules, text, CODED_MAX)
}

fn hides(rules: &Rules, text: &str, depth: usize) -> bool {
    if views::folded(text).is_some_and(|folded| rules.apply(&folded).is_some()) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    views::base64(rules, text).chain(views::hex(rules, text)).any(|plain| match plain {
        Plain::Packed => true,
        Plain::Text(plain) => rules.apply(&plain).is_some() || hides(rules, &plain, depth),
    })
}

#[cfg(test)]
pub(crate) mod tests;

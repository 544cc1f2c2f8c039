//! The second layer: finds credentials and personal data in a free text and takes them out. Pure and
//! linear in its input. It knows no event; what it cannot localise (a hit in a decoding of the text)
//! it drops whole. Names, addresses and plain words have no pattern: the allow-list is for those.

mod checks;
mod rules;
mod views;

use std::borrow::Cow;

use rules::Rules;

/// Redaction can uncover a new neighbourhood; more rounds than this and the text is dropped.
const ROUNDS_MAX: usize = 4;
/// Stands for a text that was dropped whole.
const DROPPED: &str = "[masked]";

/// The text without credentials and personal data. Each finding becomes its kind in brackets
/// (`[card]`, `[email]`, ...); control and direction characters become spaces. Idempotent.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let Some(rules) = rules::compiled() else {
        // Without its rules the masker cannot vouch for anything.
        return Cow::Borrowed(DROPPED);
    };
    let mut current = views::flat(text);
    for _ in 0..ROUNDS_MAX {
        match redact(rules, &current) {
            None => return current,
            Some(next) => current = Cow::Owned(next),
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

/// A finding that only shows after folding look-alikes or in base64.
fn hidden(rules: &Rules, text: &str) -> bool {
    let shows = |text: &str| rules.apply(text).is_some();
    let folded = |text: &str| views::folded(text).is_some_and(|folded| shows(&folded));
    folded(text) || views::base64(rules, text).any(|plain| shows(&plain) || folded(&plain))
}

#[cfg(test)]
pub(crate) mod tests;

//! The second layer: finds credentials and personal data in a free text and takes them out. Pure and
//! linear in its input. It knows no event; what it cannot localise (a hit in another reading of the text)
//! it drops whole. Names, addresses and plain words have no pattern: the allow-list is for those.

mod checks;
mod custom;
mod hidden;
mod ids;
mod json;
mod packed;
mod rules;
mod views;

use std::borrow::Cow;
use std::sync::Arc;

pub use custom::{MaskMistake, MaskRule};
use rules::{Counts, Rule, Rules};

/// Redaction can uncover a new neighbourhood; more rounds than this and the text is dropped.
const ROUNDS_MAX: usize = 4;
/// Layers of JSON in strings of JSON that are masked one by one.
const NESTED_MAX: usize = 4;
/// Stands for a text that was dropped whole.
const DROPPED: &str = "[masked]";

/// The text without credentials and personal data. Each finding becomes its kind in brackets
/// (`[card]`, `[email]`, ...); control and direction characters become spaces. JSON stays JSON. Idempotent.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    by(&[], text)
}

/// [`mask`] with rules of the operator before those of the gateway. Cheap to clone.
#[derive(Clone, Default)]
pub struct Masker(Arc<[Rule]>);

impl Masker {
    /// With those rules, in their order.
    ///
    /// # Errors
    /// A [`MaskMistake`] and the place in the list of the rule that has it.
    pub fn new(rules: &[MaskRule]) -> Result<Self, (usize, MaskMistake)> {
        custom::compiled(rules).map(|rules| Self(rules.into()))
    }

    /// As [`mask`].
    #[must_use]
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        by(&self.0, text)
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.iter().map(|rule| (rule.pattern.as_str(), &rule.label));
        f.debug_map().entries(shown).finish()
    }
}

fn by<'t>(custom: &[Rule], text: &'t str) -> Cow<'t, str> {
    match rules::compiled() {
        Some(own) => masked(Rules { own, custom }, text, NESTED_MAX),
        // Without its rules the masker cannot vouch for anything.
        None => Cow::Borrowed(DROPPED),
    }
}

fn masked<'t>(rules: Rules<'_>, text: &'t str, depth: usize) -> Cow<'t, str> {
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
fn redact(rules: Rules<'_>, text: &str) -> Option<String> {
    let found = rules.apply(text);
    // What has a shape or a name is out; a number may be a piece of something longer that only a decoding shows.
    let betrays = match &found {
        Some(found) => hidden::betrays(rules, &found.shaped, &found.counts),
        None => hidden::betrays(rules, text, &Counts::default()),
    };
    if betrays { Some(DROPPED.to_owned()) } else { found.map(|found| found.clean) }
}

#[cfg(test)]
pub(crate) mod tests;

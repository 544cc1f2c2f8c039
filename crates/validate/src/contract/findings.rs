//! What one reading of a request has found: what it breaks, and the texts that the filter reads beside the values of a
//! body. It knows no contract.

use crate::violation::{Place, Violation};

/// A text for the filter that stands in no tape of a body, and where it was found.
#[derive(Debug)]
pub(crate) struct FreeText {
    pub(crate) place: Place,
    pub(crate) text: String,
    /// A name that the document does not have, rather than a value.
    pub(crate) is_name: bool,
}

/// What one reading has found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<Violation>,
    pub(crate) texts: Vec<FreeText>,
}

impl Findings {
    pub(crate) fn text(&mut self, place: Place, text: &str, is_name: bool) {
        if !text.is_empty() {
            self.texts.push(FreeText { place, text: text.to_owned(), is_name });
        }
    }

    pub(crate) fn refuse(&mut self, place: Place, rule: &'static str) {
        self.violations.push(Violation::new(place, rule));
    }

    /// Something that could not be read is one text for the filter, as it came.
    pub(crate) fn unread(&mut self, place: Place, text: &str) {
        self.text(place, text, false);
    }
}

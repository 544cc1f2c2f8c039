//! What an API does about attacks. It compiles no filter.

use validate::{Actions, FilterSettings};

use crate::config::mistake::{Place, Placed};

/// What happens to requests that look like an attack.
#[derive(Debug, Clone)]
pub struct Filter {
    /// By class of attack.
    pub actions: Actions,
    /// What is let pass although a rule finds it.
    pub exceptions: Vec<FilterException>,
    /// Bytes of one free text.
    pub text_bytes_max: usize,
}

impl Default for Filter {
    fn default() -> Self {
        let FilterSettings { actions, text_bytes_max, .. } = FilterSettings::default();
        Self { actions, exceptions: Vec::new(), text_bytes_max }
    }
}

/// Something that is let pass although a rule finds it.
#[derive(Debug, Clone)]
pub struct FilterException {
    /// Where it is written.
    pub place: Place,
    /// The operations (by operationId) it is about; empty means all.
    pub operations: Vec<Placed<String>>,
    /// The fields, as records show them; at least one.
    pub fields: Vec<String>,
    /// Ids of rules, or names of classes; empty means all.
    pub rules: Vec<String>,
}

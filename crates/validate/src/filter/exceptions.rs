//! What is let pass where: by operation, field and rule, each use counted. It knows no texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::table;
use crate::violation::Place;

/// Something that is let pass although a rule finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// What its uses are counted under: the place where it is written.
    pub id: Arc<str>,
    /// The operation, by its name; none: every one of the API.
    pub operation: Option<String>,
    /// The field as records show it: `query:q`, `body:/note`, `body:/items/*/text` (a star is one step).
    pub field: String,
    /// Ids of rules, or names of classes; none: every one.
    pub rules: Vec<String>,
}

impl Exception {
    fn covers(&self, operation: &str, field: &str, rule: &str) -> bool {
        let class = table::rule(rule).map(|rule| rule.class.as_str());
        let named = |own: &String| own == rule || class == Some(own.as_str());
        self.operation.as_deref().is_none_or(|own| own == operation)
            && (self.rules.is_empty() || self.rules.iter().any(named))
            && is_field(&self.field, field)
    }
}

/// Whether a field is meant by a pattern whose stars stand for one step each.
fn is_field(pattern: &str, field: &str) -> bool {
    let mut wanted = pattern.split('/');
    let mut steps = field.split('/');
    loop {
        match (wanted.next(), steps.next()) {
            (None, None) => return true,
            (Some(wanted), Some(step)) if wanted == "*" || wanted == step => {}
            _ => return false,
        }
    }
}

/// The exceptions of one filter with their counters.
#[derive(Debug)]
pub(super) struct Exceptions(Vec<(Exception, AtomicU64)>);

impl Exceptions {
    pub(super) fn new(all: &[Exception]) -> Self {
        Self(all.iter().map(|one| (one.clone(), AtomicU64::new(0))).collect())
    }

    /// The first exception that lets a hit pass; it is counted.
    pub(super) fn covering(&self, operation: &str, place: &Place, rule: &str) -> Option<Arc<str>> {
        if self.0.is_empty() {
            return None;
        }
        let field = place.to_string();
        let found = self.0.iter().find(|(exception, _)| exception.covers(operation, &field, rule));
        found.map(|(exception, uses)| {
            uses.fetch_add(1, Ordering::Relaxed);
            Arc::clone(&exception.id)
        })
    }

    pub(super) fn uses(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|(_, uses)| uses.load(Ordering::Relaxed))
    }
}

//! What the masker made of texts and callers that come again and again. It holds masked and unmasked text in memory
//! only, bounded, and decides nothing.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::caller::Caller;

/// Texts remembered.
const TEXTS_MAX: usize = 8_192;
/// Longest text remembered, bytes; longer ones are masked each time.
const TEXT_BYTES_MAX: usize = 512;
/// Callers remembered; some 40 MB at most.
const CALLERS_MAX: usize = 100_000;

/// A text after the masker.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) text: Arc<str>,
    /// Whether the masker changed it.
    pub(super) hit: bool,
}

/// Bounded memories; what falls out is masked anew.
pub(super) struct Recall {
    texts: Cache<Box<str>, Seen>,
    callers: Cache<[u8; 32], Arc<Caller>>,
}

impl Recall {
    pub(super) fn new() -> Self {
        Self { texts: Cache::new(TEXTS_MAX), callers: Cache::new(CALLERS_MAX) }
    }

    /// What `mask` makes, or made, of a text.
    pub(super) fn text(&self, text: &str, mask: impl FnOnce(&str) -> Seen) -> Seen {
        if text.len() > TEXT_BYTES_MAX {
            return mask(text);
        }
        if let Some(seen) = self.texts.get(text) {
            return seen;
        }
        let seen = mask(text);
        self.texts.insert(text.into(), seen.clone());
        seen
    }

    /// What `mask` makes, or made, of the facts that have this fingerprint.
    pub(super) fn caller(
        &self,
        fingerprint: Option<&[u8; 32]>,
        mask: impl FnOnce() -> Caller,
    ) -> Arc<Caller> {
        let Some(fingerprint) = fingerprint else { return Arc::new(mask()) };
        if let Some(caller) = self.callers.get(fingerprint) {
            return caller;
        }
        let caller = Arc::new(mask());
        self.callers.insert(*fingerprint, Arc::clone(&caller));
        caller
    }
}

//! Tokens whose signature was checked a moment ago. What is remembered is the result of that check and the facts it
//! covers, never a decision: time and key are looked at again on every hit, scopes and access by the caller. It knows
//! no headers and no routes.

use std::{sync::Arc, time::Duration, time::SystemTime};

use aws_lc_rs::{
    digest::{Context, SHA256, SHA256_OUTPUT_LEN},
    rand,
};
use quick_cache::sync::Cache;

use crate::{keys::Key, principal::Bearer};

/// Tokens remembered of one issuer; some 60 MB at most. Others are verified again, nothing more.
pub(crate) const TOKENS_MAX: usize = 100_000;
/// How long a check is remembered; a token's own `exp` ends it earlier.
const REMEMBERED_MAX: Duration = Duration::from_secs(60);

/// A keyed digest over the whole compact token and the audience it was held against. Without the key nobody can make
/// two tokens meet, and a dump of the memory holds no token.
type Digest = [u8; SHA256_OUTPUT_LEN];

/// What one issuer's tokens were found to be.
pub(crate) struct Memory {
    secret: [u8; 32],
    seen: Cache<Digest, Arc<Remembered>>,
}

/// A good signature and what it covers.
pub(crate) struct Remembered {
    pub(crate) bearer: Arc<Bearer>,
    /// The key that made it: a hit counts only while the issuer still publishes this very key.
    pub(crate) key: Arc<Key>,
    until: SystemTime,
}

/// A place for one token, found or not.
pub(crate) struct Slot(pub(crate) Digest);

impl Memory {
    /// An empty memory with a key of its own; `None` where the system has no randomness.
    pub(crate) fn new() -> Option<Self> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).ok()?;
        Some(Self { secret, seen: Cache::new(TOKENS_MAX) })
    }

    /// Where a token stands that is presented to this audience.
    pub(crate) fn slot(&self, token: &[u8], audience: &str) -> Slot {
        let mut context = Context::new(&SHA256);
        context.update(&self.secret);
        // A length before the text: no token can continue an audience.
        context.update(&(audience.len() as u64).to_le_bytes());
        context.update(audience.as_bytes());
        context.update(token);
        let mut digest = [0; SHA256_OUTPUT_LEN];
        digest.copy_from_slice(context.finish().as_ref());
        Slot(digest)
    }

    /// What was found there, unless too long ago.
    pub(crate) fn recall(&self, slot: &Slot, now: SystemTime) -> Option<Arc<Remembered>> {
        self.seen.get(&slot.0).filter(|found| now < found.until)
    }

    /// Keeps the result of a check.
    pub(crate) fn keep(&self, slot: Slot, bearer: Arc<Bearer>, key: Arc<Key>, now: SystemTime) {
        let longest = now.checked_add(REMEMBERED_MAX).unwrap_or(now);
        let until = bearer.validity.expires_at().min(longest);
        self.seen.insert(slot.0, Arc::new(Remembered { bearer, key, until }));
    }
}

#[cfg(test)]
mod tests;

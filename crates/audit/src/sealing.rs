//! The seal: each boot's events are the leaves of one Merkle tree, and every second, or every thousand events, its checkpoint is
//! signed, kept and published. All of it runs behind the spool, like a sink; no request waits for it. It knows no event but
//! by its bytes.

mod journal;
mod publisher;
mod sealer;

use std::sync::Arc;
use std::time::Duration;

use seal::{Hash, SigningKey};

use journal::Tail;
pub(crate) use journal::{HEADROOM, Journal, PREFIX as JOURNAL_PREFIX};
pub use publisher::{Pin, PinFault, PinSettings};
pub(crate) use publisher::{Publisher, targets};
pub(crate) use sealer::{Sealer, State};

/// Shortest time between two checkpoints by default.
const INTERVAL: Duration = Duration::from_secs(1);

/// The leaf of an event that could not be read before it was sealed: no event has these bytes.
#[must_use]
pub fn lost_leaf() -> Hash {
    Hash::leaf(b"lost")
}

/// How the trail is sealed.
#[derive(Clone)]
pub struct SealSettings {
    /// `GATEWAY/audit/INSTANCE`: its logs are called `NAME/BOOT`.
    pub name: String,
    /// The key of this instance; what it is called itself is of no meaning.
    pub key: Arc<SigningKey>,
    /// A checkpoint is signed so often, also when there is nothing new; or every thousand events.
    pub interval: Duration,
    /// Where checkpoints are put outside of what this instance can change.
    pub pins: Vec<PinSettings>,
}

impl SealSettings {
    /// Every second, without pins.
    #[must_use]
    pub fn new(name: String, key: Arc<SigningKey>) -> Self {
        Self { name, key, interval: INTERVAL, pins: Vec::new() }
    }
}

impl std::fmt::Debug for SealSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealSettings")
            .field("name", &self.name)
            .field("key", self.key.public())
            .field("interval", &self.interval)
            .field("pins", &self.pins)
            .finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;

/// How the log of the boot before ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// In order: everything was sealed, and nothing came after.
    pub(crate) clean: bool,
}

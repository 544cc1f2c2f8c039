//! What a trail needs to start: plain typed settings. It knows no configuration file.

use std::path::PathBuf;

use secrecy::SecretSlice;

use crate::digest::Digesting;
use crate::masker::Masker;
use crate::sealing::SealSettings;
use crate::sink::SinkSettings;

/// Largest spool of one instance by default: 10 GiB.
pub(crate) const SPOOL_BYTES_MAX: u64 = 10 << 30;
/// Largest segment by default: 64 MiB.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// When a record counts as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// `write(2)` has returned: survives the death of the process.
    #[default]
    Written,
    /// `fdatasync(2)` has returned, shared by all who wait: survives power loss.
    Synced,
    /// Accepted by a bounded queue: a killed process loses what is queued.
    Queued,
}

/// Where records wait until every sink has them.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// Created with mode 0700; belongs to one process at a time.
    pub directory: PathBuf,
    /// All segments together, bytes.
    pub size_bytes_max: u64,
    /// One segment, bytes: the unit in which space is given back.
    pub segment_bytes_max: u64,
    /// When a record counts as recorded.
    pub durability: Durability,
}

impl SpoolSettings {
    /// The defaults (10 GiB in segments of 64 MiB, `Written`) in that directory.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            size_bytes_max: SPOOL_BYTES_MAX,
            segment_bytes_max: SEGMENT_BYTES_MAX,
            durability: Durability::default(),
        }
    }
}

/// Everything a [`crate::Trail`] needs.
#[derive(Clone)]
pub struct Settings {
    /// Where records wait.
    pub spool: SpoolSettings,
    /// Name of this gateway instance: the Kafka key.
    pub instance: String,
    /// Key of the pseudonyms (HMAC-SHA-256), 32 bytes or more; destroying it is erasure.
    pub pseudonym_key: SecretSlice<u8>,
    /// Its number, which stands in every value that was made with it: raise it with each new key.
    pub key_number: u16,
    /// What is digested.
    pub digesting: Digesting,
    /// How the records are sealed.
    pub seal: SealSettings,
    /// Finds what may not be in a free text.
    pub masker: Masker,
    /// Who receives the records. With none they stay in the spool until it is full.
    pub sinks: Vec<SinkSettings>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("spool", &self.spool)
            .field("instance", &self.instance)
            .field("key_number", &self.key_number)
            .field("digesting", &self.digesting)
            .field("seal", &self.seal)
            .field("masker", &self.masker)
            .field("sinks", &self.sinks)
            .finish_non_exhaustive()
    }
}

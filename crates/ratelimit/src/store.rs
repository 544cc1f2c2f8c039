//! Where counters live: in this process, or in a Redis that several processes share. It knows limits and keys, not
//! tiers or addresses.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;

use self::memory::Table;
use crate::key::{ClientKey, Network};
use crate::limit::Limit;

/// Keys that one in-process table holds at most, where nothing else is said. A key takes about 100 bytes.
pub const KEYS_MAX: usize = 1_000_000;

/// How long one answer of Redis may take, where nothing else is said.
pub const TIMEOUT: Duration = Duration::from_millis(100);

/// Which store, and how it behaves.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// Counters in this process: gone at its end, shared with nobody.
    Memory {
        /// Keys held at most; [`KEYS_MAX`] is a good value. A full table refuses keys it has not seen.
        keys_max: usize,
    },
    /// Counters in Redis 5 or later, shared by every process that uses the same server and prefix.
    Redis {
        /// `redis://`, `rediss://` or `redis+unix://`, with user, password and database where there are any.
        url: SecretString,
        /// The certificates (PEM) one of which must have signed the server's; required with `rediss://`, where no
        /// other root is trusted.
        ca: Option<PathBuf>,
        /// What happens while the server does not answer.
        on_outage: OnOutage,
        /// How long one request waits for the server, 1 ms to 5 s; [`TIMEOUT`] is a good value.
        timeout: Duration,
        /// What every key begins with: letters, digits and `-_.:`, 1 to 64 of them.
        prefix: String,
    },
}

/// What happens to requests while a shared store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// Each process counts for itself, at the full limits.
    Local,
    /// Nobody passes.
    Refuse,
    /// Everybody passes, uncounted.
    Allow,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The table could hold no key.
    #[error("use a table of no keys: keys_max must be at least 1")]
    KeysMax,
    /// Not a URL of a Redis server. The URL may hold a password, so it is not repeated.
    #[error("read the Redis URL: expected redis://, rediss:// or redis+unix://, without #insecure")]
    Url,
    /// Empty, too long or with characters that have a meaning in keys.
    #[error("use the key prefix: expected 1 to 64 letters, digits or any of -_.:")]
    Prefix,
    /// Out of bounds.
    #[error("use the timeout: expected 1ms to 5s")]
    Timeout,
    /// TLS without a certificate authority to trust.
    #[error("trust a rediss:// server without a CA file")]
    CaMissing,
    /// A CA file that cannot be read or holds no usable certificate.
    #[error("read the CA file {path}: {reason}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Redis was asked for and this build does not have it.
    #[error("use Redis: this build was made without the feature `redis`")]
    NotBuilt,
}

/// The counters. It outlives policies: a reload makes a new [`Limiter`](crate::Limiter) over the same store.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    /// Counters of addresses. Always in this process: they must cost nothing, and hold while everything else is away.
    addresses: Table<Network>,
}

#[derive(Debug)]
enum Engine {
    Memory(Local),
    #[cfg(feature = "redis")]
    Redis {
        remote: redis::Remote,
        local: Local,
        on_outage: OnOutage,
    },
}

/// One request's wish: so much from a rate and, where there is one, from a quota; both or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bill {
    pub(crate) rate: Limit,
    pub(crate) quota: Option<Limit>,
    pub(crate) cost: u32,
}

/// The debts of a key, nanoseconds: after a request that passed, before one that did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Debts {
    pub(crate) rate_ns: u64,
    pub(crate) quota_ns: u64,
}

/// What a backend says to a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Spent(Debts),
    Denied(Debts),
    /// No room for a key not seen before.
    Full,
}

/// The backend did not answer in time, or not sensibly; it has logged why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage;

/// Counts. One call is one atomic step over everything in the bill.
pub(crate) trait Backend {
    fn spend(
        &self,
        key: &ClientKey,
        bill: &Bill,
        now: SystemTime,
    ) -> impl Future<Output = Result<Verdict, Outage>> + Send;
}

/// What the store as a whole says, outages included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Counted { verdict: Verdict, degraded: Option<OnOutage> },
    Uncounted,
    Unavailable,
}

impl Store {
    /// Opens a store. Nothing is connected yet: a server that is away shows at the first request, or at
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    /// Settings out of bounds, or a CA file that cannot be used.
    pub fn open(settings: &StoreSettings) -> Result<Arc<Self>, StoreError> {
        let engine = match settings {
            StoreSettings::Memory { keys_max: 0 } => return Err(StoreError::KeysMax),
            StoreSettings::Memory { keys_max } => Engine::Memory(Local::new(*keys_max)),
            #[cfg(feature = "redis")]
            StoreSettings::Redis { url, ca, on_outage, timeout, prefix } => Engine::Redis {
                remote: redis::Remote::new(url, ca.as_deref(), *timeout, prefix)?,
                local: Local::new(KEYS_MAX),
                on_outage: *on_outage,
            },
            #[cfg(not(feature = "redis"))]
            StoreSettings::Redis { .. } => return Err(StoreError::NotBuilt),
        };
        Ok(Arc::new(Self { engine, addresses: Table::new(KEYS_MAX) }))
    }

    /// Opens the connection before the first request needs it. Says whether the store is usable now; where it is not,
    /// it goes on trying by itself.
    pub async fn connect(&self) -> bool {
        match &self.engine {
            Engine::Memory(_) => true,
            #[cfg(feature = "redis")]
            Engine::Redis { remote, .. } => remote.connect().await,
        }
    }

    /// Whether a shared store is away at the moment and its [`OnOutage`] is in force.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        match &self.engine {
            Engine::Memory(_) => false,
            #[cfg(feature = "redis")]
            Engine::Redis { remote, .. } => remote.is_degraded(),
        }
    }

    pub(crate) fn addresses(&self) -> &Table<Network> {
        &self.addresses
    }

    /// Settles a bill, or falls back as the settings say.
    pub(crate) async fn settle(&self, key: &ClientKey, bill: &Bill, now: SystemTime) -> Answer {
        let (outcome, on_outage, local) = match &self.engine {
            Engine::Memory(local) => (local.spend(key, bill, now).await, OnOutage::Refuse, local),
            #[cfg(feature = "redis")]
            Engine::Redis { remote, local, on_outage } => {
                // Boxed: 14 KiB of Redis client that no other request should carry.
                (Box::pin(remote.spend(key, bill, now)).await, *on_outage, local)
            }
        };
        match (outcome, on_outage) {
            (Ok(verdict), _) => Answer::Counted { verdict, degraded: None },
            (Err(Outage), OnOutage::Local) => Answer::Counted {
                verdict: local.spend_now(key, bill, now),
                degraded: Some(OnOutage::Local),
            },
            (Err(Outage), OnOutage::Refuse) => Answer::Unavailable,
            (Err(Outage), OnOutage::Allow) => Answer::Uncounted,
        }
    }
}

/// The backend in this process.
#[derive(Debug)]
pub(crate) struct Local {
    table: Table<ClientKey>,
}

impl Local {
    fn new(keys_max: usize) -> Self {
        Self { table: Table::new(keys_max) }
    }

    fn spend_now(&self, key: &ClientKey, bill: &Bill, now: SystemTime) -> Verdict {
        self.table.spend(key, bill, nanoseconds(now))
    }
}

impl Backend for Local {
    async fn spend(
        &self,
        key: &ClientKey,
        bill: &Bill,
        now: SystemTime,
    ) -> Result<Verdict, Outage> {
        Ok(self.spend_now(key, bill, now))
    }
}

/// Nanoseconds since 1970; a time before that is 1970, one after 2554 is 2554.
pub(crate) fn nanoseconds(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

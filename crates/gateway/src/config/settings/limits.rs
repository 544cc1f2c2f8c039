//! The limits after all checks. It does not know how they are counted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// How much anyone may spend.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Where the counters of clients live.
    pub store: Store,
    /// Per client address (IPv4 address, IPv6 /64), before any token is looked at.
    pub address: Rate,
    /// What clients get, by tier; at least one.
    pub tiers: BTreeMap<String, Tier>,
    /// The tier of whoever is given none; exists in `tiers`.
    pub default_tier: String,
    /// Connections of clients.
    pub connections: Connections,
    /// The pace of request bodies.
    pub body: BodyPace,
}

/// How many connections there may be, and what each is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Open at the same time. Default 10,000.
    pub max: u32,
    /// Open at the same time by one address (IPv4 address, IPv6 /64). Default 500.
    pub max_per_address: u32,
    /// New ones of one address. Default 100 per second, 500 at once.
    pub new_per_address: Rate,
    /// Requests on one of them; at least 1. Default 100,000.
    pub max_requests: u32,
    /// How long one takes new requests. Default 1 h.
    pub max_age: Duration,
}

/// The least pace of request bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyPace {
    /// Bytes per second; at least 1. Default 240.
    pub min_rate: u32,
    /// How far behind it a body may be. Default 5 s.
    pub grace: Duration,
}

/// So many requests per period, with room for a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests per period; at least 1.
    pub count: u32,
    /// The period.
    pub per: Duration,
    /// Requests that may come at once; at least 1.
    pub burst: u32,
}

/// So many requests per period, spent as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests per period; at least 1.
    pub count: u32,
    /// The period.
    pub per: Duration,
}

/// What a client of this tier gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// The rate.
    pub rate: Rate,
    /// A second, longer limit.
    pub quota: Option<Quota>,
}

/// Where the counters of clients live.
#[derive(Debug, Clone)]
pub enum Store {
    /// In this process.
    Memory,
    /// In Redis, shared with other instances; only ever in a build with the feature `redis`.
    Redis(RedisStore),
}

/// A shared store.
#[derive(Debug, Clone)]
pub struct RedisStore {
    /// `redis:` or `rediss:` URL; secret because it may hold a password.
    pub url: SecretString,
    /// Whether the URL is plain text (`redis:`).
    pub plaintext: bool,
    /// CA certificates (PEM) of Redis; absolute path.
    pub ca: Option<PathBuf>,
    /// What happens while Redis is away. Default `Local`.
    pub on_outage: OnOutage,
    /// How long one decision may wait for Redis. Default 100 ms.
    pub timeout: Duration,
}

/// What happens while the shared store is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOutage {
    /// Every instance counts for itself.
    #[default]
    Local,
    /// Requests are refused.
    Refuse,
    /// Requests are not counted.
    Allow,
}

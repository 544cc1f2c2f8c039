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
    /// The size of request heads.
    pub head: HeadSize,
    /// How long clients are waited for.
    pub wait: Waits,
    /// What brings no work on one connection.
    pub floods: Floods,
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
    /// Requests at the same time on one of HTTP/2 or HTTP/3; at least 1. Default 100.
    pub max_streams: u32,
}

/// The size of request heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadSize {
    /// Bytes of path and query. Default 8 KiB.
    pub target_bytes: u64,
    /// Bytes of one field. Default 16 KiB.
    pub field_bytes: u64,
    /// Fields. Default 100.
    pub fields: u32,
    /// Bytes of all fields, and 32 for each. Default 32 KiB.
    pub bytes: u64,
}

/// How long clients are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// For the end of the handshake. Default 10 s.
    pub handshake: Duration,
    /// For the end of a request head. Default 10 s.
    pub head: Duration,
    /// For the next piece of a request body. Default 15 s.
    pub body: Duration,
    /// For the next request. Default 1 min.
    pub idle: Duration,
    /// For the next piece of an answer to be taken. Default 30 s.
    pub write: Duration,
    /// For a worker: how long requests may wait for theirs until some are turned away. Default 250 ms.
    pub queue: Duration,
}

/// What brings no work on one connection: at once, and in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floods {
    /// Requests taken back. Default 100 and 10.
    pub resets: (u32, u32),
    /// Frames and streams without work. Default 256 and 32.
    pub control: (u32, u32),
    /// Window updates. Default 2,048 and 200.
    pub window_updates: (u32, u32),
    /// CONTINUATION frames of one head. Default 32.
    pub continuations: u32,
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

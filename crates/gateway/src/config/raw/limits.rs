//! The section `limits` as it is written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::scalars::{FilePath, Length, RateText, RedisUrl, Size, Text};
use super::{TIERS_MAX, section};
use crate::config::reader::{Count, Flag, Named, OneOf, Read, Reader, Word};
use crate::config::settings::OnOutage;
use crate::config::tree::{Kind, Node};

/// The most requests that may come at once.
pub(in crate::config) const BURST_MAX: u32 = 1_000_000;
/// The most connections.
const CONNECTIONS_MAX: u32 = 1_000_000;

section! {
    /// How much anyone may spend.
    RawLimits {
        required {}
        optional {
            /// Where the counters of clients live. Default: memory.
            store: RawStore,
            /// Per client address (IPv4 address, IPv6 /64), before any token is looked at.
            /// Default: `{ rate: 50/s, burst: 100 }`.
            address: RawRate,
            /// What clients get, by a name of your choice. Default: one tier `default` with
            /// `{ rate: 50/s, burst: 100 }`.
            tiers: Named<RawTier, TIERS_MAX>,
            /// The tier of clients whose token names none. Default: the only one there is.
            default_tier: Text,
            /// Connections of clients, before any TLS.
            connections: RawConnections,
            /// The pace of request bodies.
            body: RawBody,
            /// The size of request heads.
            head: RawHead,
            /// How long clients are waited for.
            wait: RawWait,
            /// What brings no work on one HTTP/2 or HTTP/3 connection, until that is ended.
            floods: RawFloods,
        }
    }
}

section! {
    /// Connections of clients, on all listeners together. Trusted proxies are exempt from what is
    /// per address; clients behind them count where the PROXY protocol names them.
    RawConnections {
        required {}
        optional {
            /// Connections that may be open at the same time. Default: 10000.
            max: Count<1, CONNECTIONS_MAX>,
            /// Those of one address (IPv4 address, IPv6 /64). Default: 500.
            max_per_address: Count<1, CONNECTIONS_MAX>,
            /// New connections of one address. Default: `{ rate: 100/s, burst: 500 }`.
            new_per_address: RawRate,
            /// Requests on one connection; then its client has to open another one. Default:
            /// 100000.
            max_requests: Count<1, 1_000_000_000>,
            /// How long a connection takes new requests: 1s to 168h. What is under way then is
            /// finished. Default: 1h.
            max_age: Length<1_000, 604_800_000>,
            /// Requests under way at the same time on one HTTP/2 or HTTP/3 connection. Default: 100.
            max_streams: Count<1, 10_000>,
        }
    }
}

section! {
    /// The size of request heads; larger ones are answered 431, longer targets 414.
    RawHead {
        required {}
        optional {
            /// Path and query together: 1KiB to 64KiB. Default: 8KiB.
            target: Size<1_024, 65_536>,
            /// Name and value of one field: 1KiB to 256KiB. Default: 16KiB.
            field: Size<1_024, 262_144>,
            /// Fields of a request. Default: 100.
            fields: Count<8, 1_000>,
            /// Names and values of all fields, and 32 bytes for each: 1KiB to 256KiB.
            /// Default: 32KiB.
            size: Size<1_024, 262_144>,
        }
    }
}

section! {
    /// How long clients are waited for, in each state of a connection, and how long they wait.
    RawWait {
        required {}
        optional {
            /// From the accepted connection to the end of the handshake: 100ms to 5m. Default: 10s.
            handshake: Length<100, 300_000>,
            /// From the first byte of a request head to its last: 100ms to 5m. Default: 10s.
            head: Length<100, 300_000>,
            /// For the next piece of a request body: 100ms to 5m. Default: 15s.
            body: Length<100, 300_000>,
            /// For the next request on an open connection: 100ms to 1h. Default: 1m.
            idle: Length<100, 3_600_000>,
            /// For the client to take the next piece of an answer: 100ms to 5m. Default: 30s.
            write: Length<100, 300_000>,
            /// For a thread of the gateway that has too much to do: 10ms to 1m. Where new requests
            /// would wait longer, a share of them is answered 503, so that the others do not.
            /// Default: 250ms.
            queue: Length<10, 60_000>,
        }
    }
}

section! {
    /// What brings no work on one HTTP/2 or HTTP/3 connection: so much at once, and so much more
    /// in a second. Who goes beyond is told to calm down, and the connection ends.
    RawFloods {
        required {}
        optional {
            /// Requests that the client takes back. Default: 100.
            resets: Count<1, 100_000>,
            /// More of them in a second. Default: 10.
            resets_per_second: Count<1, 100_000>,
            /// Frames and streams without work: PING, SETTINGS, PRIORITY, empty and unknown
            /// frames, unknown streams. Default: 256.
            control: Count<16, 100_000>,
            /// More of them in a second. Default: 32.
            control_per_second: Count<1, 100_000>,
            /// Window updates of HTTP/2, beside two for each piece of an answer. Default: 2048.
            window_updates: Count<16, 100_000>,
            /// More of them in a second. Default: 200.
            window_updates_per_second: Count<1, 100_000>,
            /// CONTINUATION frames of one head of HTTP/2. Default: 32.
            continuations: Count<1, 1_000>,
        }
    }
}

section! {
    /// The pace of request bodies; who falls behind is answered 408.
    RawBody {
        required {}
        optional {
            /// Bytes per second, over the time in which the gateway waits for them. Default: 240.
            min_rate: Count<1, 1_000_000_000>,
            /// How far behind that pace a body may be: 100ms to 5m. Default: 5s.
            grace: Length<100, 300_000>,
        }
    }
}

section! {
    /// A rate and the burst it allows.
    RawRate {
        required {
            /// How many per `s`, `m`, `h` or `day`, such as `50/s`.
            rate: RateText,
            /// How many may come at once.
            burst: Count<1, BURST_MAX>,
        }
        optional {}
    }
}

section! {
    /// What the clients of a tier get.
    RawTier {
        required {
            /// Requests per `s`, `m`, `h` or `day`, such as `50/s`.
            rate: RateText,
            /// Requests that may come at once.
            burst: Count<1, BURST_MAX>,
        }
        optional {
            /// A second, longer limit, such as `10000/day`. Default: none.
            quota: RateText,
        }
    }
}

/// `memory`, or `{ redis: … }`.
#[derive(Debug)]
pub(in crate::config) enum RawStore {
    /// In this process.
    Memory,
    /// In Redis.
    Redis(Box<RawRedisStore>),
}

section! {
    /// Counters in Redis.
    RawRedisStore {
        required {
            /// The Redis to use. Needs a build with the feature `redis`.
            redis: RawRedis,
        }
        optional {}
    }
}

section! {
    /// Redis.
    RawRedis {
        required {
            /// `rediss://host:port`, or `redis:` on this machine. A password in it belongs into
            /// an environment variable: `${REDIS_URL}`.
            url: RedisUrl,
        }
        optional {
            /// PEM file with the CA certificates of Redis. Default: the CAs of the platform.
            ca: FilePath,
            /// Lets the URL be `redis:` to another machine: whoever sits on that network reads
            /// and changes counters. Default: false.
            insecure_plaintext: Flag,
            /// While Redis is away: each instance counts for itself (local), requests are refused
            /// (refuse) or not counted (allow). Default: local.
            on_outage: OneOf<OnOutage>,
            /// How long a decision waits for Redis: 5ms to 1s. Default: 100ms.
            timeout: Length<5, 1_000>,
        }
    }
}

/// The one store that is a single word.
#[derive(Debug, Clone, Copy)]
struct Memory;

impl Word for Memory {
    const WORDS: &'static [(&'static str, Self)] = &[("memory", Self)];
}

impl Read for RawStore {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.kind, Kind::Map(_)) {
            RawRedisStore::read(node, reader).map(|redis| Self::Redis(Box::new(redis)))
        } else {
            OneOf::<Memory>::read(node, reader).map(|_| Self::Memory)
        }
    }
}

impl JsonSchema for RawStore {
    fn schema_name() -> Cow<'static, str> {
        "RawStore".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<OneOf<Memory>>();
        let redis = generator.subschema_for::<RawRedisStore>();
        json_schema!({ "description": "`memory`, or `{ redis: … }`.", "anyOf": [word, redis] })
    }
}

impl Word for OnOutage {
    const WORDS: &'static [(&'static str, Self)] =
        &[("local", Self::Local), ("refuse", Self::Refuse), ("allow", Self::Allow)];
}

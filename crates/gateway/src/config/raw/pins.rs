//! Pins as they are written: places for checkpoints outside of what the instance can change.

use super::scalars::{FilePath, Length, Topic, WebUrl};
use super::{Brokers, RawKafkaTls, RawSecret, section};
use crate::config::reader::Flag;

/// One second.
const EVERY_MIN_MS: u64 = 1_000;
/// A day.
const EVERY_MAX_MS: u64 = 86_400_000;

section! {
    /// A place for checkpoints that this instance cannot change afterwards; exactly one of these names.
    RawPin {
        required {}
        optional {
            /// A file that somebody else keeps.
            file: RawFilePin,
            /// A server of somebody else.
            http: RawHttpPin,
            /// A topic of a cluster of somebody else. Needs a build with the feature `kafka`.
            kafka: RawKafkaPin,
            /// How often the newest checkpoint goes there: 1s to 24h. Default: 10s.
            every: Length<EVERY_MIN_MS, EVERY_MAX_MS>,
        }
    }
}

section! {
    /// JSON lines with a signed note each, appended.
    RawFilePin {
        required {
            /// The file, on a volume that keeps what was written.
            path: FilePath,
        }
        optional {}
    }
}

section! {
    /// Each signed note is the body of a POST (`text/plain`); an answer 2xx says that it is kept.
    RawHttpPin {
        required {
            /// Where to.
            url: WebUrl,
        }
        optional {
            /// PEM file with the CA certificates of the server. Default: the CAs of the platform.
            ca: FilePath,
            /// Secret file with a bearer token. It is read each time. Default: none.
            token: RawSecret,
            /// Lets notes travel in plain text. Default: false.
            insecure_http: Flag,
        }
    }
}

section! {
    /// Each message is a signed note.
    RawKafkaPin {
        required {
            /// Some brokers, `host:port`.
            brokers: Brokers,
            /// The topic, its whole name.
            topic: Topic,
        }
        optional {
            /// TLS to the brokers; needed unless `insecure_plaintext`.
            tls: RawKafkaTls,
            /// Lets notes travel in plain text. Default: false.
            insecure_plaintext: Flag,
        }
    }
}

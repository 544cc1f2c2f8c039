//! The section `audit` as it is written.

use super::scalars::{Authority, FilePath, Size, Text, Topic};
use super::{RawCertificate, RawPin, RawSecret, section};
use crate::config::reader::{Count, Flag, List, Named, OneOf, Word};
use crate::config::settings::{Digests, Durability};

/// The most pins.
const PINS_MAX: usize = 8;
/// The most sinks.
const SINKS_MAX: usize = 8;
/// The most brokers that are named; they tell of the others.
const BROKERS_MAX: usize = 64;
/// Some brokers of a cluster.
pub(in crate::config) type Brokers = List<Authority, BROKERS_MAX>;
/// The most rules of the masker.
const MASKS_MAX: usize = 64;
/// 1 MiB.
const SPOOL_BYTES_MIN: u64 = 1 << 20;
/// 16 TiB.
const SPOOL_BYTES_MAX: u64 = 1 << 44;

section! {
    /// What is recorded and where it goes.
    RawAudit {
        required {}
        optional {
            /// The spool on this machine: every event is here before the answer is complete.
            spool: RawSpool,
            /// Where events are delivered, one kind per item. Default: a file sink under `audit/`.
            sinks: List<RawSink, SINKS_MAX>,
            /// The key of pseudonyms. Default: `audit/pseudonym.key`, made at the first start.
            pseudonym: RawPseudonym,
            /// What keyed digests are made of: nothing (off), targets (headers), or targets and
            /// bodies (bodies). Default: bodies.
            digests: OneOf<Digests>,
            /// How events are sealed against change. Default: as `sallyport`, with a key of its own.
            seal: RawSeal,
            /// What else is masked in log lines and in the texts of events, beside what the gateway
            /// knows itself, by a name of your choice. Default: none.
            mask: Named<RawMask, MASKS_MAX>,
        }
    }
}

section! {
    /// A rule of the masker.
    RawMask {
        required {
            /// A regular expression with a bound: `{1,64}` instead of `+`; no look-around, no
            /// back-references. At most 512 bytes, and it finds at most 1024.
            pattern: Text,
        }
        optional {
            /// What stands for each finding: 1 to 64 of a-z A-Z 0-9 - _ . * [ ]. Default: the
            /// rule's name in brackets.
            replacement: Text,
        }
    }
}

section! {
    /// The spool.
    RawSpool {
        required {}
        optional {
            /// Its directory, made at the first start. Default: `audit/spool`.
            directory: FilePath,
            /// How large it may grow: 1MiB to 16TiB. When the three quarters of proved callers are
            /// full, APIs with `audit: required` answer 503; when the rest is full, refusals are
            /// counted together. Default: 10GiB.
            size: Size<SPOOL_BYTES_MIN, SPOOL_BYTES_MAX>,
            /// When a record counts as kept: handed to the operating system (written), on the disk
            /// (synced) or in a queue of the process (queued). Default: written.
            durability: OneOf<Durability>,
        }
    }
}

section! {
    /// A sink; exactly one of these names.
    RawSink {
        required {}
        optional {
            /// JSON lines in files.
            file: RawFileSink,
            /// JSON lines on standard output: `{}`.
            stdout: RawStdout,
            /// Kafka. Needs a build with the feature `kafka`.
            kafka: RawKafka,
        }
    }
}

section! {
    /// JSON lines in files.
    RawFileSink {
        required {
            /// The directory, made at the first start.
            directory: FilePath,
        }
        optional {}
    }
}

section! {
    /// Nothing to set.
    RawStdout {
        required {}
        optional {}
    }
}

section! {
    /// Kafka.
    RawKafka {
        required {
            /// Some brokers, `host:port`.
            brokers: Brokers,
        }
        optional {
            /// Prefix of the topics: `audit` means `audit.events` and `audit.checkpoints`. Default: audit.
            topics: Topic,
            /// TLS to the brokers; needed unless `insecure_plaintext`.
            tls: RawKafkaTls,
            /// Lets events travel in plain text. Default: false.
            insecure_plaintext: Flag,
        }
    }
}

section! {
    /// TLS to Kafka.
    RawKafkaTls {
        required {
            /// PEM file with the CA certificates of the brokers.
            ca: FilePath,
        }
        optional {
            /// The gateway's own client certificate. Default: none.
            certificate: RawCertificate,
        }
    }
}

section! {
    /// The key of pseudonyms.
    RawPseudonym {
        required {
            /// Secret file with at least 32 random bytes. Make one with `openssl rand 32`.
            key: RawSecret,
        }
        optional {
            /// Its number, which stands in every value made with it (`hm2:`): raise it with each
            /// new key, 1 to 65535. Default: 1.
            number: Count<1, 65_535>,
        }
    }
}

section! {
    /// The seal: signed checkpoints over all events.
    RawSeal {
        required {}
        optional {
            /// Name of the whole gateway, the first part of the names of its logs. Default: sallyport.
            gateway: Topic,
            /// Name of this instance, the third part; no other instance has it. Default: the name of the host.
            instance: Topic,
            /// Secret file with the key of this instance. Make one with `gateway audit key`. Default:
            /// `seal.key` in the directory of the spool, made at the first start.
            key: RawSecret,
            /// Where checkpoints go that this instance cannot change afterwards. Without one, who has the key
            /// of the instance can write its log anew, unseen. Default: none.
            pins: List<RawPin, PINS_MAX>,
        }
    }
}

impl Word for Durability {
    const WORDS: &'static [(&'static str, Self)] =
        &[("written", Self::Written), ("synced", Self::Synced), ("queued", Self::Queued)];
}

impl Word for Digests {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("headers", Self::Headers), ("bodies", Self::Bodies)];
}

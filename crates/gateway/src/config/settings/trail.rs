//! The audit settings after all checks. It does not know what an event looks like.

use std::path::PathBuf;
use std::time::Duration;

use super::{Certificate, Place, SecretFile};

/// What is recorded, where, and where it is delivered.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Where it is written (the whole file where there is no `audit` section).
    pub place: Place,
    /// The spool on this machine.
    pub spool: Spool,
    /// Where events are delivered; at least one.
    pub sinks: Vec<Sink>,
    /// The key of pseudonyms.
    pub pseudonym: Pseudonym,
    /// How events are sealed.
    pub seal: Seal,
    /// What keyed digests are made of.
    pub digests: Digests,
    /// What is masked in free texts.
    pub masker: audit::Masker,
}

/// What keyed digests are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Digests {
    /// Nothing.
    Off,
    /// Targets.
    Headers,
    /// Targets and bodies.
    #[default]
    Bodies,
}

/// The spool on this machine.
#[derive(Debug, Clone)]
pub struct Spool {
    /// Absolute path; made by `run` where it is missing.
    pub directory: PathBuf,
    /// How large it may grow, in bytes. Default 10 GiB.
    pub size_bytes_max: u64,
    /// When a record counts as kept.
    pub durability: Durability,
}

/// When a record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Handed to the operating system: survives the process, not a power cut.
    #[default]
    Written,
    /// On the disk: survives a power cut.
    Synced,
    /// In a queue of this process: may be lost with it.
    Queued,
}

/// Where events are delivered.
#[derive(Debug, Clone)]
pub enum Sink {
    /// JSON lines in a directory; absolute path, made by `run` where it is missing.
    File(PathBuf),
    /// JSON lines on standard output.
    Stdout,
    /// Kafka; only ever in a build with the feature `kafka`.
    Kafka(KafkaSink),
}

/// Kafka as a sink.
#[derive(Debug, Clone)]
pub struct KafkaSink {
    /// Where it is written.
    pub place: Place,
    /// `host:port` of some brokers; at least one.
    pub brokers: Vec<String>,
    /// Prefix of the topics: `audit` means `audit.events` and `audit.checkpoints`.
    pub topics: String,
    /// TLS to the brokers; `None` only with `insecure_plaintext`.
    pub tls: Option<KafkaTls>,
    /// Whether events may travel in plain text.
    pub insecure_plaintext: bool,
}

/// TLS to Kafka.
#[derive(Debug, Clone)]
pub struct KafkaTls {
    /// CA certificates (PEM) of the brokers; absolute path.
    pub ca: PathBuf,
    /// The gateway's client certificate.
    pub certificate: Option<Certificate>,
}

/// The seal.
#[derive(Debug, Clone)]
pub struct Seal {
    /// Where its key is written (the whole file where it is the default).
    pub place: Place,
    /// Name of the whole gateway.
    pub gateway: String,
    /// Name of this instance; `None`: that of the host.
    pub instance: Option<String>,
    /// The key file; absolute path.
    pub key: PathBuf,
    /// Whether `run` makes the file (mode 0600) where it is missing.
    pub create_missing: bool,
    /// Where checkpoints go that this instance cannot change afterwards.
    pub pins: Vec<Pin>,
}

/// A place for checkpoints outside of what the instance can change.
#[derive(Debug, Clone)]
pub struct Pin {
    /// Where it is written.
    pub place: Place,
    /// How often the newest checkpoint goes there.
    pub every: Duration,
    /// Where that is.
    pub at: PinPlace,
}

/// Where a pin is.
#[derive(Debug, Clone)]
pub enum PinPlace {
    /// JSON lines with a signed note each; absolute path.
    File(PathBuf),
    /// The body of a POST.
    Http {
        /// Where to.
        url: String,
        /// CA certificates (PEM) of the server; `None`: those of the platform.
        ca: Option<PathBuf>,
        /// A bearer token.
        token: Option<SecretFile>,
        /// Whether notes may travel in plain text.
        insecure_http: bool,
    },
    /// A topic, by its whole name in `topics`; only ever in a build with the feature `kafka`.
    Kafka(KafkaSink),
}

/// The key of pseudonyms.
#[derive(Debug, Clone)]
pub struct Pseudonym {
    /// Where it is written (the whole file where it is the default).
    pub place: Place,
    /// The key file; absolute path.
    pub key: PathBuf,
    /// Whether `run` makes the file (mode 0600) where it is missing. Only for the default file:
    /// a file named in the configuration must be there.
    pub create_missing: bool,
    /// Its number, in every value made with it.
    pub number: u16,
}

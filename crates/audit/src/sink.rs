//! Who receives the records: a trait and one file per receiver. A sink knows its receiver's protocol, not
//! the spool, and sees nothing but [`Masked`] events.

pub(crate) mod file;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
mod stdout;

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::event::Masked;
use crate::spool::Spool;

/// One event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `metadata.uid`: a duplicate after a crash carries the same.
    pub uid: Uuid,
    /// The event, its place in it.
    pub value: Masked,
    /// Where it stands; `None` for what a version before wrote, which kept no log.
    pub place: Option<Place>,
}

/// A place in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Origin of the log.
    pub log: Arc<str>,
    /// Events before it.
    pub index: u64,
}

/// Why a batch was not taken. It stays in the spool and is offered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SinkFault {
    /// The receiver cannot be reached or written.
    #[error("reach the receiver")]
    Unreachable,
    /// The receiver answered no.
    #[error("deliver: the receiver refused a record")]
    Refused,
    /// The trail is being closed.
    #[error("deliver: the end has begun")]
    Stopping,
}

impl SinkFault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Stopping => "stopping",
        }
    }
}

/// A receiver of records. It runs on a thread of its own and may block, as long as it returns soon
/// after the trail began to close.
pub trait Sink: Send {
    /// Delivers the records in order; how many from the front the receiver now answers for.
    ///
    /// # Errors
    /// A [`SinkFault`] where none was taken; the batch is offered again after a pause.
    fn deliver(&mut self, batch: &[Record]) -> Result<usize, SinkFault>;
}

/// Files of the client side of Kafka's TLS, PEM.
#[derive(Debug, Clone)]
pub struct KafkaTls {
    /// Authorities that may sign the brokers' certificates.
    pub ca: PathBuf,
    /// Our certificate, where the brokers ask for one.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// One receiver.
#[derive(Debug, Clone)]
pub enum SinkSettings {
    /// JSON lines on standard output.
    Stdout,
    /// JSON lines in `audit-events.jsonl`, rotated by size.
    File {
        /// Created with mode 0700.
        directory: PathBuf,
        /// Size at which a file is put aside, bytes.
        rotate_bytes: u64,
    },
    /// A Kafka topic (feature `kafka`).
    Kafka {
        /// `host:port`, one or more.
        brokers: Vec<String>,
        /// Prefix of the topics: `audit` gives `audit.events`.
        topics: String,
        /// TLS to the brokers.
        tls: Option<KafkaTls>,
        /// Plain text to the brokers: without TLS this has to be said.
        insecure_plaintext: bool,
    },
}

/// Why a sink cannot be made; all of it can be seen before anything runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SinkMistake {
    /// Kafka without TLS, and nobody said so.
    #[error("plain text to kafka has to be asked for")]
    PlaintextNotAsked,
    /// Not built in.
    #[error("this build has no kafka")]
    NoKafka,
    /// No broker, an unreadable file, or a topic that cannot be one.
    #[error("the kafka settings are not usable")]
    KafkaSettings,
}

impl SinkSettings {
    /// The name of the sink and of its cursor.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File { .. } => "file",
            Self::Kafka { .. } => "kafka",
        }
    }

    /// The receiver, not yet reached.
    pub(crate) fn make(
        &self,
        instance: &str,
        spool: &Arc<Spool>,
    ) -> Result<Box<dyn Sink>, SinkMistake> {
        Ok(match self {
            Self::Stdout => Box::new(stdout::Stdout),
            Self::File { directory, rotate_bytes } => {
                Box::new(file::File::new(directory.clone(), file::EVENTS, *rotate_bytes))
            }
            #[cfg(feature = "kafka")]
            Self::Kafka { brokers, topics, tls, insecure_plaintext } => {
                let plain = *insecure_plaintext;
                let settings = kafka::settings(brokers, tls.as_ref(), plain)?;
                let topic = format!("{topics}.events");
                let spool = Arc::clone(spool);
                Box::new(kafka::Kafka::new(
                    settings,
                    &topic,
                    instance,
                    Box::new(move || spool.stopping()),
                )?)
            }
            #[cfg(not(feature = "kafka"))]
            Self::Kafka { .. } => {
                tracing::debug!(instance, stopping = spool.stopping(), "no kafka in this build");
                return Err(SinkMistake::NoKafka);
            }
        })
    }
}

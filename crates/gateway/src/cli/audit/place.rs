//! Where an audit trail is: a directory, or the topics of a cluster.

use super::of;
use audit::inspect::Kept;
use audit::sink::KafkaTls;
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};

/// What is looked at.
#[derive(Debug, Args)]
pub(in crate::cli) struct Where {
    /// The directory of a spool or of a file sink.
    directory: Option<PathBuf>,
    /// Some brokers, `HOST:PORT`, instead of a directory: the topics PREFIX.events and PREFIX.checkpoints are read.
    #[arg(long, value_delimiter = ',', conflicts_with = "directory")]
    kafka: Vec<String>,
    /// PREFIX of the topics.
    #[arg(long, default_value = "audit", requires = "kafka")]
    topics: String,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// The way to brokers.
#[derive(Debug, Args)]
pub(in crate::cli) struct Cluster {
    /// PEM file with the CA certificates of the brokers.
    #[arg(long)]
    kafka_ca: Option<PathBuf>,
    /// PEM file with a client certificate for the brokers.
    #[arg(long, requires = "kafka_ca", requires = "kafka_key")]
    kafka_certificate: Option<PathBuf>,
    /// PEM file with its key.
    #[arg(long, requires = "kafka_certificate")]
    kafka_key: Option<PathBuf>,
    /// Speak to the brokers in plain text.
    #[arg(long, conflicts_with = "kafka_ca")]
    insecure_plaintext: bool,
}

impl Where {
    /// What there is.
    pub(super) fn open(&self) -> io::Result<Kept> {
        let kept = match &self.directory {
            Some(directory) => Kept::open(directory),
            None if self.kafka.is_empty() => {
                return Err(io::Error::other("where is it? name a directory, or --kafka"));
            }
            None => self.cluster.open(&self.kafka, &self.topics),
        };
        kept.map_err(|error| self.of(error))
    }

    /// The directory, where it is one.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// An error that names where.
    pub(super) fn of(&self, error: impl std::fmt::Display) -> io::Error {
        match &self.directory {
            Some(directory) => of(directory, error),
            None => io::Error::other(format!("kafka: {error}")),
        }
    }
}

impl Cluster {
    fn tls(&self) -> Option<KafkaTls> {
        let ca = self.kafka_ca.clone()?;
        let (certificate, key) = (self.kafka_certificate.clone(), self.kafka_key.clone());
        Some(KafkaTls { ca, certificate, key })
    }
}

#[cfg(feature = "kafka")]
impl Cluster {
    fn settings(&self, brokers: &[String], topics: &str) -> audit::inspect::TopicsSettings {
        audit::inspect::TopicsSettings {
            brokers: brokers.to_vec(),
            topics: topics.to_owned(),
            tls: self.tls(),
            insecure_plaintext: self.insecure_plaintext,
        }
    }

    fn open(&self, brokers: &[String], topics: &str) -> io::Result<Kept> {
        Kept::topics(&self.settings(brokers, topics))
    }

    /// The notes of a topic, `BROKERS/TOPIC`, each with its place.
    pub(super) fn notes(&self, topic: &str) -> io::Result<Vec<(String, String)>> {
        let form = || io::Error::other("a pin is a file or kafka://HOST:PORT/TOPIC");
        let (brokers, topic) = topic.split_once('/').ok_or_else(form)?;
        let brokers: Vec<String> = brokers.split(',').map(str::to_owned).collect();
        let notes = audit::inspect::notes(&self.settings(&brokers, topic));
        notes.map_err(|error| io::Error::other(format!("the pins of {topic}: {error}")))
    }
}

#[cfg(not(feature = "kafka"))]
impl Cluster {
    fn open(&self, brokers: &[String], topics: &str) -> io::Result<Kept> {
        let (tls, plain) = (self.tls().is_some(), self.insecure_plaintext);
        tracing::debug!(?brokers, topics, tls, plain, "no kafka in this build");
        Err(io::Error::other("this build is without the feature `kafka`"))
    }

    pub(super) fn notes(&self, topic: &str) -> io::Result<Vec<(String, String)>> {
        self.open(&[], topic).map(|_| Vec::new())
    }
}

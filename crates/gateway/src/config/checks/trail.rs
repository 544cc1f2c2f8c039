//! The audit section: a spool, at least one sink and a key, all on without being asked for.

use std::path::Path;

use super::{Checker, on, word};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{RawAudit, RawKafka, RawPseudonym, RawSink, RawSpool};
use crate::config::reader::Given;
use crate::config::settings::{Audit, Durability, KafkaSink, KafkaTls, Pseudonym, Sink, Spool};

/// The spool, where nothing is said.
const SPOOL: &str = "audit/spool";
/// The file sink, where nothing is said. Beside the pseudonym key, not around it: whoever
/// collects events must not collect the key.
const EVENTS: &str = "audit/events";
/// The key of pseudonyms, where nothing is said.
const PSEUDONYM_KEY: &str = "audit/pseudonym.key";
/// The size of the spool in bytes, where nothing is said: 10 GiB.
const SPOOL_BYTES: u64 = 10 << 30;
/// The prefix of the topics, where nothing is said.
const TOPICS: &str = "audit";

impl Checker<'_> {
    /// The audit section, or what holds without one.
    pub(super) fn audit(&mut self, raw: &Given<RawAudit>) -> Audit {
        let written = raw.value();
        let place = raw.get().map_or_else(Place::whole_file, |audit| audit.place.clone());
        let spool = self.spool(&place, written.and_then(|audit| audit.spool.get()));
        let sinks = match written.map(|audit| &audit.sinks) {
            None | Some(Given::Absent) => {
                vec![Sink::File(self.directory(&place, Path::new(EVENTS)))]
            }
            Some(Given::Broken) => Vec::new(),
            Some(Given::Is(list)) => {
                self.not_empty(list, "sink, or leave `sinks` out");
                self.sinks(&list.value.items, &spool)
            }
        };
        let pseudonym = self.pseudonym(&place, written.map(|audit| &audit.pseudonym));
        Audit { place, spool, sinks, pseudonym }
    }

    fn spool(&mut self, audit: &Place, raw: Option<&Placed<RawSpool>>) -> Spool {
        let raw = raw.map(|spool| &spool.value);
        let directory = match raw.and_then(|spool| spool.directory.get()) {
            Some(written) => self.directory(&written.place, &written.value.0),
            None => self.directory(audit, Path::new(SPOOL)),
        };
        Spool {
            directory,
            size_bytes_max: raw
                .and_then(|spool| spool.size.value())
                .map_or(SPOOL_BYTES, |size| size.0),
            durability: raw.map_or_else(Durability::default, |spool| word(&spool.durability)),
        }
    }

    fn sinks(&mut self, items: &[Placed<RawSink>], spool: &Spool) -> Vec<Sink> {
        let mut sinks: Vec<Sink> = Vec::new();
        for item in items {
            let Some(sink) = self.sink(item) else { continue };
            let twice = sinks.iter().any(|other| same(other, &sink));
            if twice {
                self.wrong(&item.place, "is the same as a sink before it");
            }
            if matches!(&sink, Sink::File(directory) if *directory == spool.directory) {
                self.wrong(&item.place, "is the directory of the spool: events need their own");
            }
            sinks.push(sink);
        }
        sinks
    }

    fn sink(&mut self, item: &Placed<RawSink>) -> Option<Sink> {
        let RawSink { file, stdout, kafka } = &item.value;
        let written = [file.is_absent(), stdout.is_absent(), kafka.is_absent()];
        if written.iter().filter(|absent| !**absent).count() != 1 {
            self.wrong(&item.place, "exactly one of `file`, `stdout` and `kafka` is needed");
            return None;
        }
        if let Some(file) = file.value() {
            let written = &file.directory;
            return Some(Sink::File(self.directory(&written.place, &written.value.0)));
        }
        if stdout.get().is_some() {
            return Some(Sink::Stdout);
        }
        kafka.get().map(|kafka| Sink::Kafka(self.kafka(kafka)))
    }

    fn kafka(&mut self, raw: &Placed<RawKafka>) -> KafkaSink {
        let kafka = &raw.value;
        self.feature(&raw.place, cfg!(feature = "kafka"), "kafka");
        self.not_empty(&kafka.brokers, "broker");
        let insecure_plaintext = on(&kafka.insecure_plaintext);
        if kafka.tls.is_absent() && !insecure_plaintext {
            let what = "events would travel in plain text: add `tls: { ca: FILE }`, or say \
                        `insecure_plaintext: true`";
            self.wrong(&raw.place, what);
        }
        KafkaSink {
            place: raw.place.clone(),
            brokers: kafka.brokers.value.items.iter().map(|item| item.value.0.clone()).collect(),
            topics: kafka
                .topics
                .value()
                .map_or_else(|| TOPICS.to_owned(), |topics| topics.0.clone()),
            tls: kafka.tls.value().map(|tls| KafkaTls {
                ca: self.readable(&tls.ca),
                certificate: tls.certificate.get().map(|found| self.certificate(found)),
            }),
            insecure_plaintext,
        }
    }

    fn pseudonym(&mut self, audit: &Place, raw: Option<&Given<RawPseudonym>>) -> Pseudonym {
        if let Some(written) = raw.and_then(Given::value) {
            let secret = self.secret(&written.key);
            return Pseudonym { place: secret.place, key: secret.path, create_missing: false };
        }
        let key = self.absolute(Path::new(PSEUDONYM_KEY));
        self.owner_only(audit, &key);
        Pseudonym { place: audit.clone(), key, create_missing: true }
    }
}

fn same(a: &Sink, b: &Sink) -> bool {
    match (a, b) {
        (Sink::File(a), Sink::File(b)) => a == b,
        (Sink::Stdout, Sink::Stdout) => true,
        (Sink::Kafka(a), Sink::Kafka(b)) => a.brokers == b.brokers && a.topics == b.topics,
        (Sink::File(_) | Sink::Stdout | Sink::Kafka(_), _) => false,
    }
}

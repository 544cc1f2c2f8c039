//! The audit section: a spool, at least one sink and a key, all on without being asked for.

use std::path::{Path, PathBuf};

use super::{Checker, items, on, where_on, word};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{
    Brokers, RawAudit, RawKafka, RawKafkaTls, RawMask, RawPseudonym, RawSeal, RawSink, RawSpool,
};
use crate::config::reader::{Flag, Given, Named};
use crate::config::settings::{
    Audit, Digests, Durability, KafkaSink, KafkaTls, Pseudonym, Seal, Sink, Spool,
};

/// The spool, where nothing is said.
const SPOOL: &str = "audit/spool";
/// The file sink, where nothing is said. Beside the pseudonym key, not around it: whoever
/// collects events must not collect the key.
const EVENTS: &str = "audit/events";
/// The key of pseudonyms, where nothing is said.
const PSEUDONYM_KEY: &str = "audit/pseudonym.key";
/// The key of the seal in the directory of the spool, where nothing is said: that can be written, and nobody collects it.
const SEAL_KEY: &str = "seal.key";
/// The name of the gateway, where nothing is said.
const GATEWAY: &str = "sallyport";
/// The size of the spool in bytes, where nothing is said: 10 GiB.
const SPOOL_BYTES: u64 = 10 << 30;
/// The prefix of the topics, where nothing is said.
const TOPICS: &str = "audit";

impl Checker<'_, '_> {
    /// The audit section, or what holds without one.
    pub(super) fn audit(&mut self, raw: &Given<RawAudit>) -> Audit {
        let written = raw.value();
        let place = raw.get().map_or_else(Place::whole_file, |audit| audit.place.clone());
        let spool = self.spool(&place, written.and_then(|audit| audit.spool.get()));
        let pseudonym = self.pseudonym(&place, written.map(|audit| &audit.pseudonym));
        let seal = self.seal(&place, &spool, written.map(|audit| &audit.seal));
        let keys = [pseudonym.key.clone(), seal.key.clone()];
        let sinks = match written.map(|audit| &audit.sinks) {
            None | Some(Given::Absent) => {
                let sink = Sink::File(self.directory(&place, Path::new(EVENTS)));
                self.apart(&place, &sink, &spool, &keys);
                vec![sink]
            }
            Some(Given::Broken) => Vec::new(),
            Some(Given::Is(list)) => {
                self.not_empty(list, "sink, or leave `sinks` out");
                self.sinks(&list.value.items, &spool, &keys)
            }
        };
        let digests = written.map_or_else(Digests::default, |audit| word(&audit.digests));
        let masker = written.and_then(|audit| self.masker(&audit.mask)).unwrap_or_default();
        Audit { place, spool, sinks, pseudonym, digests, seal, masker }
    }

    /// The rules of the operator. With one that is wrong there are none, and no start.
    fn masker<const MAX: usize>(
        &mut self,
        raw: &Given<Named<RawMask, MAX>>,
    ) -> Option<audit::Masker> {
        let mut rules = Vec::new();
        let mut places = Vec::new();
        for entry in &raw.value()?.entries {
            let Some(rule) = &entry.value else { continue };
            let Some(pattern) = rule.pattern.value() else { continue };
            let marked = rule.replacement.value().map(|text| text.0.clone());
            let replacement = marked.unwrap_or_else(|| format!("[{}]", entry.name));
            rules.push(audit::MaskRule { pattern: pattern.0.clone(), replacement });
            places.push(&entry.place);
        }
        let masker = audit::Masker::new(&rules);
        masker
            .map_err(|(index, mistake)| {
                if let Some(place) = places.get(index) {
                    self.wrong(place, mistake.to_string());
                }
            })
            .ok()
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

    fn sinks(&mut self, items: &[Placed<RawSink>], spool: &Spool, keys: &[PathBuf]) -> Vec<Sink> {
        let mut sinks: Vec<Sink> = Vec::new();
        for item in items {
            let Some(sink) = self.sink(item) else { continue };
            if sinks.iter().any(|other| same(other, &sink)) {
                self.wrong(&item.place, "is the same as a sink before it");
            }
            self.apart(&item.place, &sink, spool, keys);
            sinks.push(sink);
        }
        sinks
    }

    /// Notes a sink whose directory holds more than its events.
    fn apart(&mut self, place: &Place, sink: &Sink, spool: &Spool, keys: &[PathBuf]) {
        let Sink::File(events) = sink else { return };
        if events.starts_with(&spool.directory) || spool.directory.starts_with(events) {
            let what = "shares a directory with the spool: events need one of their own";
            self.wrong(place, what);
        } else if keys.iter().any(|key| key.starts_with(events)) {
            let what = "its directory holds the pseudonym key or that of the seal: whoever collects \
                        events must not collect a key";
            self.wrong(place, what);
        }
    }

    /// A sink. All kinds that are written are looked at, also where there is one too many.
    fn sink(&mut self, item: &Placed<RawSink>) -> Option<Sink> {
        let RawSink { file, stdout, kafka } = &item.value;
        let written = [file.is_absent(), stdout.is_absent(), kafka.is_absent()];
        let file = file.value().and_then(|file| file.directory.get());
        let file = file.map(|path| Sink::File(self.directory(&path.place, &path.value.0)));
        let stdout = stdout.get().map(|_| Sink::Stdout);
        let kafka = kafka.get().and_then(|kafka| self.kafka(kafka)).map(Sink::Kafka);
        if written.iter().filter(|absent| !**absent).count() != 1 {
            self.wrong(&item.place, "exactly one of `file`, `stdout` and `kafka` is needed");
            return None;
        }
        file.or(stdout).or(kafka)
    }

    /// The brokers of a cluster and the way to them; its TLS.
    pub(super) fn cluster(
        &mut self,
        place: &Place,
        (brokers, tls, plaintext): (&Given<Brokers>, &Given<RawKafkaTls>, &Given<Flag>),
        what: &str,
    ) -> Option<Option<KafkaTls>> {
        self.feature(place, cfg!(feature = "kafka"), "kafka");
        if let Some(brokers) = brokers.get() {
            self.not_empty(brokers, "broker");
            self.unique(&brokers.value.items, |broker| broker.0.clone());
        }
        if tls.is_absent() && !on(plaintext) {
            let what = format!(
                "{what} would travel in plain text: add `tls: {{ ca: FILE }}`, or say \
                 `insecure_plaintext: true`"
            );
            self.wrong(place, what);
        }
        if let Some(place) = where_on(plaintext)
            && !tls.is_absent()
        {
            self.wrong(place, "contradicts `tls` beside it: remove one of them");
        }
        self.kafka_tls(tls)
    }

    fn kafka(&mut self, raw: &Placed<RawKafka>) -> Option<KafkaSink> {
        let kafka = &raw.value;
        let way = (&kafka.brokers, &kafka.tls, &kafka.insecure_plaintext);
        let tls = self.cluster(&raw.place, way, "events");
        kafka.brokers.get()?;
        Some(KafkaSink {
            place: raw.place.clone(),
            brokers: items(&kafka.brokers, |broker| broker.0.clone()),
            topics: kafka
                .topics
                .value()
                .map_or_else(|| TOPICS.to_owned(), |topics| topics.0.clone()),
            tls: tls?,
            insecure_plaintext: on(&kafka.insecure_plaintext),
        })
    }

    fn kafka_tls(&mut self, raw: &Given<RawKafkaTls>) -> Option<Option<KafkaTls>> {
        if raw.is_absent() {
            return Some(None);
        }
        let tls = raw.value()?;
        let ca = self.file(&tls.ca);
        let certificate = self.optional_certificate(&tls.certificate)?;
        Some(Some(KafkaTls { ca: ca?, certificate }))
    }

    fn seal(&mut self, audit: &Place, spool: &Spool, raw: Option<&Given<RawSeal>>) -> Seal {
        let raw = raw.and_then(Given::value);
        let gateway = raw.and_then(|seal| seal.gateway.value());
        let gateway = gateway.map_or_else(|| GATEWAY.to_owned(), |name| name.0.clone());
        let instance = raw.and_then(|seal| seal.instance.value()).map(|name| name.0.clone());
        let pins = self.pins(raw, spool);
        if let Some(secret) = raw.and_then(|seal| self.secret(&seal.key)) {
            let (place, key) = (secret.place, secret.path);
            return Seal { place, gateway, instance, key, create_missing: false, pins };
        }
        let key = spool.directory.join(SEAL_KEY);
        if raw.is_none_or(|seal| seal.key.is_absent()) {
            self.owner_only(audit, &key);
        }
        Seal { place: audit.clone(), gateway, instance, key, create_missing: true, pins }
    }

    fn pseudonym(&mut self, audit: &Place, raw: Option<&Given<RawPseudonym>>) -> Pseudonym {
        let number = raw.and_then(Given::value).and_then(|written| written.number.value());
        let number = number.and_then(|count| u16::try_from(count.0).ok()).unwrap_or(1);
        let written = raw.and_then(Given::value).and_then(|written| self.secret(&written.key));
        if let Some(secret) = written {
            let (place, key) = (secret.place, secret.path);
            return Pseudonym { place, key, create_missing: false, number };
        }
        let key = self.absolute(Path::new(PSEUDONYM_KEY));
        if raw.is_none_or(Given::is_absent) {
            self.owner_only(audit, &key);
        }
        Pseudonym { place: audit.clone(), key, create_missing: true, number }
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

//! The pins of the seal: where each is, and that nobody on the way can read what was not meant for them.

use std::time::Duration;

use super::{Checker, items, on, where_on};
use crate::config::mistake::Placed;
use crate::config::raw::{RawHttpPin, RawKafkaPin, RawPin, RawSeal};
use crate::config::settings::{KafkaSink, Pin, PinPlace, Spool};

/// How often a pin gets a checkpoint, where nothing is said.
const EVERY: Duration = Duration::from_secs(10);

impl Checker<'_, '_> {
    pub(super) fn pins(&mut self, raw: Option<&RawSeal>, spool: &Spool) -> Vec<Pin> {
        let Some(list) = raw.and_then(|seal| seal.pins.get()) else { return Vec::new() };
        self.not_empty(list, "pin, or leave `pins` out");
        let mut pins: Vec<Pin> = Vec::new();
        for item in &list.value.items {
            let Some(pin) = self.pin(item) else { continue };
            if pins.iter().any(|other| same(&other.at, &pin.at)) {
                self.wrong(&item.place, "is the same as a pin before it");
            }
            if let PinPlace::File(path) = &pin.at
                && path.starts_with(&spool.directory)
            {
                let what = "is in the directory of the spool: a pin is outside of what this instance \
                            can change";
                self.wrong(&item.place, what);
            }
            pins.push(pin);
        }
        pins
    }

    /// A pin. All kinds that are written are looked at, also where there is one too many.
    fn pin(&mut self, item: &Placed<RawPin>) -> Option<Pin> {
        let RawPin { file, http, kafka, every } = &item.value;
        let written = [file.is_absent(), http.is_absent(), kafka.is_absent()];
        let file = file.value().and_then(|file| file.path.get());
        let file = file.map(|path| PinPlace::File(self.absolute(&path.value.0)));
        let http = http.get().and_then(|http| self.http_pin(http));
        let kafka = kafka.get().and_then(|kafka| self.kafka_pin(kafka)).map(PinPlace::Kafka);
        if written.iter().filter(|absent| !**absent).count() != 1 {
            self.wrong(&item.place, "exactly one of `file`, `http` and `kafka` is needed");
            return None;
        }
        Some(Pin {
            place: item.place.clone(),
            every: every.value().map_or(EVERY, |every| every.0),
            at: file.or(http).or(kafka)?,
        })
    }

    fn http_pin(&mut self, raw: &Placed<RawHttpPin>) -> Option<PinPlace> {
        let RawHttpPin { url, ca, token, insecure_http } = &raw.value;
        let plain = url.get().filter(|url| !url.value.0.starts_with("https:"));
        let insecure = on(insecure_http);
        if let Some(url) = plain.filter(|_| !insecure) {
            let what = "plain HTTP lets whoever is on the way say that a checkpoint is kept: use https, \
                        or say `insecure_http: true`";
            self.wrong(&url.place, what);
        }
        if let Some(place) = where_on(insecure_http)
            && plain.is_none()
            && url.get().is_some()
        {
            self.wrong(place, "without effect: the URL is https; remove it");
        }
        if let Some(ca) = ca.get()
            && plain.is_some()
        {
            self.wrong(&ca.place, "without effect: there is no TLS; remove it");
        }
        let ca = self.optional_file(ca);
        let there = !token.is_absent();
        let token = self.secret(token);
        let url = url.value()?.0.clone();
        let broken = there && token.is_none();
        (!broken).then_some(PinPlace::Http { url, ca: ca?, token, insecure_http: insecure })
    }

    fn kafka_pin(&mut self, raw: &Placed<RawKafkaPin>) -> Option<KafkaSink> {
        let RawKafkaPin { brokers, topic, tls, insecure_plaintext } = &raw.value;
        let tls = self.cluster(&raw.place, (brokers, tls, insecure_plaintext), "notes");
        brokers.get()?;
        Some(KafkaSink {
            place: raw.place.clone(),
            brokers: items(brokers, |broker| broker.0.clone()),
            topics: topic.value()?.0.clone(),
            tls: tls?,
            insecure_plaintext: on(insecure_plaintext),
        })
    }
}

fn same(a: &PinPlace, b: &PinPlace) -> bool {
    match (a, b) {
        (PinPlace::File(a), PinPlace::File(b)) => a == b,
        (PinPlace::Http { url: a, .. }, PinPlace::Http { url: b, .. }) => a == b,
        (PinPlace::Kafka(a), PinPlace::Kafka(b)) => a.brokers == b.brokers && a.topics == b.topics,
        (PinPlace::File(_) | PinPlace::Http { .. } | PinPlace::Kafka(_), _) => false,
    }
}

//! What a configuration permits that is weaker than it could be. Each of these was asked for by
//! name; listing them keeps them from being forgotten.

use super::checks::{is_loopback, wider};
use validate::{Action, Class};

use super::settings::{
    Api, AuditMode, ClientCertificateMode, ClientCertificates, Digests, Durability, Enforcement,
    Issuer, KafkaSink, KeySource, Listener, OnOutage, PinPlace, Plaintext, Profile, Routes,
    Settings, Sink, Store, TlsVersion, Upstream,
};

/// The one `typ` that only access tokens have (RFC 9068 2.1).
const ACCESS_TOKEN: &str = "at+jwt";
/// Request headers that carry credentials; claims about the caller never pass.
const SENSITIVE: &[&str] = &["authorization", "cookie"];

/// Something that is weaker than it could be, in force because the configuration asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakening {
    /// Where it is asked for, as a dotted path such as `apis[0].filter`.
    pub place: String,
    /// What it means.
    pub what: String,
}

/// Gathers weakenings.
#[derive(Default)]
struct Found(Vec<Weakening>);

impl Found {
    fn note(&mut self, holds: bool, place: impl Into<String>, what: impl Into<String>) {
        if holds {
            self.0.push(Weakening { place: place.into(), what: what.into() });
        }
    }
}

/// Every weakening that a configuration asks for, in the order of its sections.
#[must_use]
pub fn weaknesses(settings: &Settings) -> Vec<Weakening> {
    let mut found = Found::default();
    settings.listeners.iter().for_each(|listener| of_listener(listener, &mut found));
    for (name, address) in [("status", settings.status), ("identity", settings.identity)] {
        found.note(
            !address.ip().is_loopback(),
            format!("{name}.address"),
            "plain HTTP that other machines may reach: keep it off public networks",
        );
    }
    settings.issuers.values().for_each(|issuer| of_issuer(issuer, &mut found));
    settings.apis.iter().for_each(|api| of_api(api, &mut found));
    settings.upstreams.values().for_each(|upstream| of_upstream(upstream, &mut found));
    of_limits(settings, &mut found);
    of_audit(settings, &mut found);
    found.note(
        settings
            .telemetry
            .otlp
            .as_ref()
            .is_some_and(|url| !url.starts_with("https:") && !is_loopback(url)),
        "telemetry.otlp",
        "traces travel in plain text",
    );
    found.0
}

fn of_listener(listener: &Listener, found: &mut Found) {
    let place = |name: &str| listener.place.part(name).path.to_string();
    match listener.plaintext {
        None => {}
        Some(Plaintext::Redirect(_)) => found.note(
            true,
            place("redirect"),
            "a client that begins here sends its first request, its token too, in plain text",
        ),
        Some(Plaintext::Serve) if listener.address.ip().to_canonical().is_loopback() => found.note(
            true,
            place("tls"),
            "no TLS: requests and their tokens travel in plain text on this machine",
        ),
        Some(Plaintext::Serve) => found.note(
            true,
            place("insecure_plaintext"),
            "no TLS: whoever is on the network may read and change requests, their tokens too",
        ),
    }
    found.note(
        listener.min_version == TlsVersion::V1_2,
        place("tls.min_version"),
        "TLS 1.2 is accepted",
    );
    found.note(
        !listener.http.h1 && !listener.http.h2,
        place("http"),
        "HTTP/3 alone: a client cannot learn of it here (Alt-Svc comes over TCP), and none gets in \
         where UDP is blocked",
    );
    found.note(
        listener.client_address.insecure_direct,
        place("client_address.insecure_direct"),
        "peers that are no trusted proxies are served: whoever reaches the port goes around them",
    );
    for (index, network) in listener.client_address.trusted_proxies.iter().enumerate() {
        found.note(
            network.prefix_len() == 0,
            place(&format!("client_address.trusted_proxies[{index}]")),
            "every peer is a trusted proxy: whoever connects says who the client is",
        );
    }
    if let Some(clients) = &listener.client_certificates {
        of_clients(clients, found);
    }
    if let Some(forwarded) = &listener.forwarded_certificates {
        found.note(
            forwarded.crl.is_none(),
            forwarded.place.part("crl").path.to_string(),
            "no revocation list: a stolen client certificate is good until it ends",
        );
    }
    for certificate in &listener.certificates {
        found.note(
            certificate.key_readable_by_all,
            certificate.place.part("key").path.to_string(),
            "every user of this machine may read the private key",
        );
    }
}

fn of_clients(clients: &ClientCertificates, found: &mut Found) {
    let place = |name: &str| clients.place.part(name).path.to_string();
    found.note(
        clients.mode == ClientCertificateMode::Optional,
        place("mode"),
        "clients without a certificate get in, too",
    );
    found.note(
        clients.crl.is_none(),
        place("crl"),
        "no revocation list: a stolen client certificate is good until it ends",
    );
    found.note(
        clients.resumption,
        place("resumption"),
        "a client that resumes a session does not prove again that it has its key",
    );
}

fn of_issuer(issuer: &Issuer, found: &mut Found) {
    let place = |name: &str| issuer.place.part(name).path.to_string();
    found.note(
        issuer.insecure_http && !matches!(issuer.keys, KeySource::File(_)),
        place("insecure_http"),
        "keys may be fetched over plain HTTP: whoever can change that traffic can issue tokens",
    );
    let what = "other tokens of this issuer, such as ID tokens, may pass as access tokens";
    match &issuer.tokens.typ {
        Some(typ) => {
            let only = typ.iter().all(|typ| typ.eq_ignore_ascii_case(ACCESS_TOKEN));
            found.note(!only, place("tokens.typ"), what);
        }
        None => found.note(issuer.profile != Profile::Rfc9068, place("profile"), what),
    }
}

fn of_filter(api: &Api, found: &mut Found) {
    let place = || api.place.part("filter").path.to_string();
    let of = |action| {
        Class::ALL.into_iter().filter(move |class| api.filter.actions.of(*class) == action)
    };
    for (action, all, some) in [
        (
            Action::Observe,
            "requests that look like an attack pass and are only recorded",
            "attacks of this class pass and are only recorded",
        ),
        (Action::Off, "nobody looks for attacks", "nobody looks for attacks of this class"),
        (
            Action::Strip,
            "requests that look like an attack may pass changed",
            "requests with attacks of this class may pass changed",
        ),
    ] {
        if of(action).count() == Class::ALL.len() {
            found.note(true, place(), all);
            continue;
        }
        for class in of(action) {
            found.note(true, format!("{}.classes.{}", place(), class.as_str()), some);
        }
    }
    for exception in &api.filter.exceptions {
        let what = format!(
            "the filter lets {} pass in {}",
            if exception.rules.is_empty() {
                "everything".to_owned()
            } else {
                exception.rules.join(", ")
            },
            exception.fields.join(", "),
        );
        found.note(true, exception.place.path.to_string(), what);
    }
}

fn of_api(api: &Api, found: &mut Found) {
    let place = |name: &str| api.place.part(name).path.to_string();
    found.note(
        matches!(api.offer.routes, Routes::Prefix { .. }),
        place("prefix"),
        "everything under the prefix passes without a contract",
    );
    found.note(
        api.validate_request == Enforcement::Observe,
        place("validate.request"),
        "requests that do not fit the document pass and are only recorded",
    );
    for name in wider(&api.offer.bounds) {
        let what = "requests may be larger than they may by default: each costs more to check";
        found.note(true, format!("{}.{name}", place("bounds")), what);
    }
    of_filter(api, found);
    found.note(
        api.audit == AuditMode::BestEffort,
        place("audit"),
        "requests are served even when they cannot be recorded",
    );
    for header in api.pass_headers.iter().filter(|h| SENSITIVE.contains(&h.value.as_str())) {
        let what = format!("the service gets `{}` as the client sent it", header.value);
        found.note(true, header.place.path.to_string(), what);
    }
    if let Some(stream) = &api.offer.stream {
        let place = || stream.place.path.to_string();
        let all = stream.operations.is_empty();
        found.note(all, place(), "bodies pass unread: nobody looks for attacks in them");
        for operation in &stream.operations {
            let what = format!(
                "the bodies of operation `{}` pass unread: nobody looks for attacks in them",
                operation.value
            );
            found.note(true, operation.place.path.to_string(), what);
        }
    }
    for operation in &api.offer.anonymous {
        let what = format!("operation `{}` may be called without a token", operation.value);
        found.note(true, operation.place.path.to_string(), what);
    }
}

fn of_upstream(upstream: &Upstream, found: &mut Found) {
    let place = |name: &str| upstream.place.part(name).path.to_string();
    found.note(
        upstream.insecure_plaintext,
        place("insecure_plaintext"),
        "whoever is on the network may read and change requests to this service",
    );
    found.note(
        upstream.tls.as_ref().is_some_and(|tls| tls.certificate.is_none()),
        place("tls.certificate"),
        "no client certificate: only the assertion in each request tells the service who calls",
    );
    let certificate = upstream.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    found.note(
        certificate.is_some_and(|certificate| certificate.key_readable_by_all),
        place("tls.certificate.key"),
        "every user of this machine may read the private key",
    );
}

fn of_limits(settings: &Settings, found: &mut Found) {
    let Store::Redis(redis) = &settings.limits.store else {
        return;
    };
    let place = "limits.store.redis";
    found.note(redis.plaintext, format!("{place}.url"), "counters travel in plain text");
    let outage = match redis.on_outage {
        OnOutage::Refuse => None,
        OnOutage::Local => Some("while Redis is away, each instance counts for itself"),
        OnOutage::Allow => Some("while Redis is away, clients are not counted"),
    };
    if let Some(what) = outage {
        found.note(true, format!("{place}.on_outage"), what);
    }
}

fn of_audit(settings: &Settings, found: &mut Found) {
    let audit = &settings.audit;
    found.note(
        audit.spool.durability == Durability::Queued,
        "audit.spool.durability",
        "records in the queue are lost with the process, also where an API says `audit: required`",
    );
    found.note(
        audit.digests == Digests::Off,
        "audit.digests",
        "records do not tell which bytes were received, forwarded and answered",
    );
    for sink in &audit.sinks {
        if let Sink::Kafka(kafka) = sink {
            of_kafka(kafka, "events may travel in plain text", found);
        }
    }
    let unkept = "whoever is on the way may keep checkpoints from where they belong, unseen";
    for pin in &audit.seal.pins {
        match &pin.at {
            PinPlace::File(_) => {}
            PinPlace::Http { insecure_http, .. } => {
                let place = pin.place.part("http").part("insecure_http").path.to_string();
                found.note(*insecure_http, place, unkept);
            }
            PinPlace::Kafka(kafka) => of_kafka(kafka, unkept, found),
        }
    }
}

fn of_kafka(kafka: &KafkaSink, plaintext: &'static str, found: &mut Found) {
    let place = |name: &str| kafka.place.part(name).path.to_string();
    found.note(kafka.insecure_plaintext, place("insecure_plaintext"), plaintext);
    let certificate = kafka.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    found.note(
        certificate.is_some_and(|certificate| certificate.key_readable_by_all),
        place("tls.certificate.key"),
        "every user of this machine may read the private key",
    );
}

//! Facts in, one masked OCSF 1.8.0 event out. The event is an allow-list: a closed enum, a number, our own
//! text, an id that hides nothing, a keyed pseudonym, or a masked free text. It does not know where the
//! event goes.

mod api_activity;
mod caller;
pub(crate) mod companion;
mod count;
mod format;
pub(crate) mod intent;
mod known;
pub(crate) mod network;
mod operation;
mod placed;
mod recall;
mod rolled_up;
mod stream;
mod system;
#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

pub(crate) use count::Counts;
pub(crate) use known::Transaction;
pub use operation::Operation;
pub(crate) use placed::rewritten;
pub use placed::{EventPlace, SEQUENCES};
pub(crate) use system::SystemEvent;

use crate::clock;
use crate::digest::Digestion;
use crate::facts::{
    ConnectionFailure, Decision, Finding, Opening, Outcome, SecretInForce, StreamKind, TlsFacts,
};
use crate::json::Object;
use crate::masker::Masker;
use crate::pseudonym::{Kind, Pseudonyms};
use crate::roll_ups::RolledUp;
use companion::Beside;
use format::{Format, Ocsf};
use known::Known;
use operation::own;
use recall::{Recall, Seen};
use secrecy::ExposeSecret as _;
use stream::Opened;

/// Version of the schema (ocsf-schema release 1.8.0).
const OCSF_VERSION: &str = "1.8.0";
/// Capacity an event starts with, bytes: most fit.
const EVENT_BYTES: usize = 2_048;
/// Largest event, bytes; the clipping of every text keeps it below.
pub(crate) const EVENT_BYTES_MAX: usize = 16_384;
/// Longest origin of a log, bytes.
pub(crate) const LOG_BYTES_MAX: usize = 512;
/// Longest free text kept, bytes.
const TEXT_BYTES_MAX: usize = 256;
/// Longest text looked at before it is clipped: a secret cut in half must not escape the masker.
const SCANNED_BYTES_MAX: usize = 4_096;
/// Longest id kept in clear, characters.
const ID_CHARACTERS_MAX: usize = 128;
/// OCSF `integer_t` is 32 bits where consumers store it so.
const INTEGER_MAX: u64 = 0x7fff_ffff;
/// Capacity an intent starts with, bytes: most fit.
const INTENT_BYTES: usize = 768;
/// Digits of a W3C trace id.
const TRACE_DIGITS: usize = 32;

/// An encoded event without secrets: the only thing a sink accepts. Made by the encoder alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked(Vec<u8>);

impl Masked {
    /// One JSON object in UTF-8, without line breaks.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What a spool frame held: it was masked before it was written.
    pub(crate) fn from_spool(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The same, with its place in a log written into it.
    pub(crate) fn from_log(body: &[u8], log: &str, index: u64) -> Self {
        Self(placed::with_place(body, log, index))
    }
}

/// What every event of one boot shares.
pub(crate) struct Encoder {
    log: String,
    pseudonyms: Pseudonyms,
    hits: AtomicU64,
    recall: Recall,
    counts: Counts,
    masker: Masker,
    format: Box<dyn Format>,
}

/// The identity of one event that belongs to no transaction.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'a> {
    pub(crate) uid: &'a str,
    /// Uid of the event that it belongs to.
    pub(crate) correlation: Option<&'a str>,
    /// Milliseconds since 1970.
    pub(crate) logged: u64,
    pub(crate) profiles: &'a [&'a str],
}

/// The profiles of what was allowed or refused.
const CONTROLLED: &[&str] = &["security_control"];
/// `actor` of a caller nobody proved.
const UNAUTHENTICATED: &[u8] = br#""app_uid":"unauthenticated""#;

impl Encoder {
    /// `log` is the origin of this boot's log: an intent names it, so that its transaction can be found from a later boot's.
    pub(crate) fn new(log: &str, pseudonyms: Pseudonyms) -> Self {
        let log = clipped(log, LOG_BYTES_MAX).to_owned();
        let (hits, counts) = (AtomicU64::new(0), Counts::default());
        Self {
            log,
            pseudonyms,
            hits,
            recall: Recall::new(),
            counts,
            masker: Masker::default(),
            format: Box::new(Ocsf),
        }
    }

    /// The origin of this boot's log.
    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    /// The same, with rules of the operator.
    pub(crate) fn masked_by(mut self, masker: Masker) -> Self {
        self.masker = masker;
        self
    }

    /// Events filed, by class.
    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Texts in which the masker found something.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// The opening with its free texts masked.
    pub(crate) fn opening(&self, opening: Opening) -> Opening {
        let trace = |id: &String| {
            id.len() == TRACE_DIGITS
                && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                && id.bytes().any(|b| b != b'0')
        };
        Opening {
            user_agent: opening.user_agent.map(|text| self.free(&text)),
            trace_id: opening.trace_id.filter(trace),
            tls: opening.tls.map(|facts| self.tls(facts)),
            ..opening
        }
    }

    /// The body of an intent: what is known of the transaction.
    pub(crate) fn intent(&self, transaction: &Transaction) -> Vec<u8> {
        let mut out = Vec::with_capacity(INTENT_BYTES);
        intent::encode(&transaction.known(&self.log), &transaction.digests, &mut out);
        out
    }

    /// The event of a transaction that ended so.
    pub(crate) fn event(&self, transaction: &Transaction, outcome: &Outcome) -> Masked {
        let mut out = Vec::with_capacity(EVENT_BYTES);
        self.format.transaction(&transaction.known(&self.log), outcome, &mut out);
        Masked(out)
    }

    /// The event of a transaction whose process died before its end.
    pub(crate) fn unknown(&self, known: &Known<'_>, digests: Digestion) -> Masked {
        let outcome = Outcome {
            status: 0,
            decision: Decision::Unknown,
            request_bytes: 0,
            response_bytes: 0,
            upstream_ms: None,
            duration: std::time::Duration::ZERO,
            digests,
        };
        let mut out = Vec::with_capacity(EVENT_BYTES);
        self.format.transaction(known, &outcome, &mut out);
        Masked(out)
    }

    /// The event of a stream of a transaction that begins.
    pub(crate) fn stream(
        &self,
        transaction: &Transaction,
        (kind, time): (StreamKind, SystemTime),
        uid: &str,
    ) -> Masked {
        let opened =
            Opened { known: transaction.known(&self.log), kind, time: clock::millis(time) };
        Masked(self.format.stream(&opened, uid))
    }

    /// The event of somebody who was not let in as who they said they are.
    pub(crate) fn authentication(&self, beside: &Beside<'_>, uid: &str) -> Masked {
        Masked(self.format.authentication(beside, uid))
    }

    /// The event of a rule that was hit.
    pub(crate) fn finding(&self, beside: &Beside<'_>, finding: &Finding, uid: &str) -> Masked {
        Masked(self.format.finding(beside, finding, uid))
    }

    /// The event of records that were counted together.
    pub(crate) fn rolled_up(&self, rolled: &RolledUp, uid: &str) -> Masked {
        Masked(self.format.rolled_up(rolled, uid))
    }

    /// The event of a connection that never became a request.
    pub(crate) fn connection(&self, failure: &ConnectionFailure, uid: &str) -> Masked {
        let tls = failure.tls.clone().map(|facts| self.tls(facts));
        Masked(self.format.connection(&ConnectionFailure { tls, ..failure.clone() }, uid))
    }

    /// The event of something that happened to the gateway itself.
    pub(crate) fn system(&self, event: &SystemEvent, uid: &str) -> Masked {
        let versions =
            event.secrets().iter().map(|secret| self.version(secret)).collect::<Vec<_>>();
        Masked(self.format.system(event, &versions, uid))
    }

    /// `NAME=hm1:...`: another content has another version, and nobody without the key can guess the content by it.
    fn version(&self, secret: &SecretInForce) -> String {
        let content = secret.content.expose_secret();
        let version = self.pseudonyms.of_bytes(Kind::Secret, &secret.name, content);
        format!("{}={version}", own(&secret.name))
    }

    /// A free text of the client: masked, then clipped.
    pub(crate) fn free(&self, text: &str) -> Arc<str> {
        self.masked(clipped(text, SCANNED_BYTES_MAX)).text
    }

    /// A text after the masker; every hit counts, also a remembered one.
    fn masked(&self, text: &str) -> Seen {
        let seen = self.recall.text(text, |text| {
            let masked = self.masker.mask(text);
            Seen { hit: masked != text, text: clipped(&masked, TEXT_BYTES_MAX).into() }
        });
        if seen.hit {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        seen
    }

    /// An id: in clear where it has the grammar of one and hides nothing, else a pseudonym.
    pub(crate) fn id(&self, kind: Kind, issuer: &str, value: &str) -> String {
        if self.is_clear(value) { value.to_owned() } else { self.hidden(kind, issuer, value) }
    }

    /// Whether it has the grammar of an id and hides nothing.
    fn is_clear(&self, value: &str) -> bool {
        value.len() <= ID_CHARACTERS_MAX
            && !value.is_empty()
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:@-".contains(&b))
            && !self.masked(value).hit
    }

    /// Always a pseudonym.
    pub(crate) fn hidden(&self, kind: Kind, issuer: &str, value: &str) -> String {
        self.pseudonyms.of(kind, issuer, value)
    }

    /// TLS facts with the server name as an id.
    pub(crate) fn tls(&self, facts: TlsFacts) -> TlsFacts {
        let sni = facts.sni.map(|name| match self.is_clear(&name) {
            true => name,
            false => self.hidden(Kind::Host, "", &name).into(),
        });
        TlsFacts { sni, ..facts }
    }
}

fn metadata(event: &mut Object<'_>, stamp: Stamp<'_>) {
    // The first member of every event, and its uid the first in it: the place of the event goes before it.
    event.object("metadata", |metadata| {
        metadata.text("uid", stamp.uid);
        metadata.some_text("correlation_uid", stamp.correlation);
        metadata.text("version", OCSF_VERSION);
        metadata.number("logged_time", stamp.logged);
        metadata.texts("profiles", stamp.profiles.iter().copied());
        metadata.object("product", product);
    });
}

/// An event class: uid, caption; its category is the thousands of the uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Class(u64, &'static str);

pub(crate) const API_ACTIVITY: Class = Class(6003, "API Activity");
pub(crate) const AUTHENTICATION: Class = Class(3002, "Authentication");
pub(crate) const DETECTION_FINDING: Class = Class(2004, "Detection Finding");
pub(crate) const ENTITY_MANAGEMENT: Class = Class(3004, "Entity Management");
pub(crate) const APPLICATION_LIFECYCLE: Class = Class(6002, "Application Lifecycle");
pub(crate) const NETWORK_ACTIVITY: Class = Class(4001, "Network Activity");
pub(crate) const HTTP_ACTIVITY: Class = Class(4002, "HTTP Activity");

/// The identifiers of every event.
fn classify(event: &mut Object<'_>, class: Class, activity: (u64, &str)) {
    let category = class.0 / 1000;
    let category_name = match category {
        2 => "Findings",
        3 => "Identity & Access Management",
        4 => "Network Activity",
        _ => "Application Activity",
    };
    event.pair(("category_uid", "category_name"), (category, category_name));
    event.pair(("class_uid", "class_name"), (class.0, class.1));
    event.pair(("activity_id", "activity_name"), activity);
    event.pair(
        ("type_uid", "type_name"),
        (class.0 * 100 + activity.0, &format!("{}: {}", class.1, activity.1)),
    );
}

fn product(product: &mut Object<'_>) {
    product.text("name", "Sallyport");
    product.text("vendor_name", "Sallyport");
    product.text("version", env!("CARGO_PKG_VERSION"));
}

fn endpoint(event: &mut Object<'_>, key: &'static str, address: IpAddr, port: Option<u16>) {
    event.object(key, |endpoint| {
        endpoint.address("ip", address);
        endpoint.some_number("port", port.map(u64::from));
    });
}

/// The longest prefix of at most so many bytes that ends between characters.
fn clipped(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

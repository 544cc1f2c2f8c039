//! The record of one request, from its first byte to its last: audit entry, metrics, trace.
//!
//! A record files itself when it drops, so a client that hangs up still leaves one. It decides
//! nothing but this: where no record can be kept, an API that demands one does not answer.

use crate::clock;
use crate::metrics::{Answered, Metrics};
use crate::passage::{Ended, Passed};
use crate::pipeline::Permit;
use crate::refusal::Refusal;
use crate::reply::{self, Reply};
use crate::routes::Route;
use crate::telemetry::{Finished, Telemetry, Trace};
use audit::facts::{
    ANONYMOUS, Binding, ConnectionFailure, Decision, Outcome, PrincipalFacts, StreamKind,
};
use audit::{Digest, Entry, Part, Recorded, SpoolFault, Trail};
use authn::Principal;
use bytes::Bytes;
use edge::{ClientCertificate, Exchange};
use http::Response;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub mod body;
mod broken;
mod digests;
mod findings;
mod opening;

pub use body::RecordedBody;
use digests::Digests;
use opening::{opening, tls_facts};

/// Where every record goes.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The audit trail.
    pub trail: Arc<Trail>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Traces.
    pub telemetry: Arc<Telemetry>,
}

/// Proof that the intent is on record, or that this API does not ask for it. Only this module can
/// make one.
#[derive(Debug)]
pub struct Intent(());

/// The record of one request.
#[derive(Debug)]
pub struct Record {
    ledger: Ledger,
    /// `None` where the spool had no room for it.
    entry: Option<Entry>,
    /// Filled in once, when the record is closed.
    closed: bool,
    route: Option<Arc<Route>>,
    transaction: String,
    trace: Trace,
    started: SystemTime,
    protocol: &'static str,
    method: http::Method,
    is_grpc: bool,
    outcome: Draft,
    /// What a body that passes unread comes to.
    passed: Option<Arc<Passed>>,
    digests: Digests,
}

/// What is known of the outcome so far.
#[derive(Debug, Default)]
struct Draft {
    status: u16,
    request_bytes: u64,
    response_bytes: u64,
    upstream: Option<Duration>,
}

impl Ledger {
    /// Opens the record of a request and reserves its room in the spool.
    #[must_use]
    pub fn open(&self, exchange: &Exchange) -> Record {
        let started = clock::now();
        let trace = self.telemetry.begin();
        let entry = self.trail.begin(opening(exchange, started, &trace)).ok();
        let transaction = entry
            .as_ref()
            .map_or_else(|| uuid::Uuid::now_v7().to_string(), |e| e.transaction().to_owned());
        Record {
            ledger: self.clone(),
            entry,
            closed: false,
            route: None,
            transaction,
            trace,
            started,
            protocol: protocol(exchange.head.version),
            method: exchange.head.method.clone(),
            is_grpc: reply::is_grpc(&exchange.head.headers),
            outcome: Draft::default(),
            passed: None,
            digests: Digests::of(exchange, &self.trail),
        }
    }

    /// Records a connection that never became a request.
    pub fn broken(&self, failure: &edge::Failure) {
        self.metrics.broken(failure.kind.reason());
        let quic = failure.http == Some(http::Version::HTTP_3);
        self.trail.connection_failed(ConnectionFailure {
            time: clock::now(),
            client: failure.client,
            local: failure.local,
            transport: if quic { "udp" } else { "tcp" },
            kind: broken::kind(failure.kind),
            reason: failure.kind.reason(),
            tls: failure.tls.as_ref().map(tls_facts),
            finding: findings::failed(failure.kind),
        });
    }
}

impl Record {
    /// The transaction id: always ours.
    #[must_use]
    pub fn transaction(&self) -> &str {
        &self.transaction
    }

    /// The trace context for the upstream (W3C `traceparent`).
    #[must_use]
    pub fn trace_parent(&self) -> String {
        self.trace.parent()
    }

    /// Notes which operation was asked for.
    pub fn knows_route(&mut self, route: &Arc<Route>) {
        if let Some(entry) = &mut self.entry {
            entry.knows_route(route.record.clone());
        }
        self.route = Some(route.clone());
    }

    /// Notes the certificate of the client that a proxy passed on.
    pub fn knows_certificate(&mut self, certificate: &ClientCertificate) {
        if let Some(entry) = &mut self.entry {
            entry.knows_certificate(Arc::clone(certificate.thumbprint()));
        }
    }

    /// Notes who asks.
    pub fn knows(&mut self, principal: &Principal) {
        let Some(entry) = &mut self.entry else { return };
        entry.knows_principal(&PrincipalFacts {
            fingerprint: principal.fingerprint(),
            issuer: principal.issuer().unwrap_or_default(),
            client: principal.client(),
            tenant: principal.tenant(),
            subject: principal.subject(),
            tier: principal.tier().unwrap_or_default(),
            method: match principal.method() {
                authn::Method::Bearer => "bearer",
                authn::Method::Anonymous => ANONYMOUS,
            },
            key_id: principal.key_id(),
            token_id: principal.token_id(),
            bound_to: principal.certificate().map(Binding::Certificate),
        });
    }

    /// Notes a finding that the configuration lets pass.
    pub fn observed(&mut self, stage: &'static str, reason: &'static str) {
        self.ledger.metrics.observed();
        if let Some(entry) = &mut self.entry {
            entry.observed(stage, reason);
        }
    }

    /// Notes an exception of the filter that let something pass.
    pub fn excepted(&mut self, api: &Arc<str>, used: &validate::Excepted) {
        self.ledger.metrics.excepted(api, &used.exception);
        self.observed("excepted", used.rule);
    }

    /// Notes an answer that was read whole.
    pub fn says(&mut self, answer: &[u8]) {
        self.outcome.response_bytes = answer.len() as u64;
        self.digests.answers(answer, &self.ledger.trail);
    }

    /// Notes members that were taken out of an answer: what passes has no finding.
    pub fn dropped(&mut self, members: usize) {
        self.ledger.metrics.members_dropped(members);
        if let Some(entry) = &mut self.entry {
            entry.observed("response", "members_dropped");
        }
    }

    /// Notes a body that was received whole.
    pub fn receives(&mut self, body: &[u8]) {
        self.outcome.request_bytes = body.len() as u64;
        self.digests.receives(body, &self.ledger.trail);
    }

    /// The digests of a body that passes unread: as received, and as forwarded.
    #[must_use]
    pub fn passage_digests(&self) -> Option<(Digest, Digest)> {
        let trail = &self.ledger.trail;
        trail.digest(Part::Received).zip(trail.digest(Part::Forwarded))
    }

    /// Notes how long the service took.
    pub fn forwarded(&mut self, upstream: Duration) {
        self.outcome.upstream = Some(upstream);
    }

    /// Notes that the body passes unread, which the event says.
    pub fn passes(&mut self, passed: Arc<Passed>) {
        self.passed = Some(passed);
        if let Some(entry) = &mut self.entry {
            entry.observed("stream", "unread");
        }
    }

    /// Why the gateway ended what passes unread, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.passed.as_ref()?.ended()
    }

    /// Puts the intent on record, before the first byte goes inside.
    ///
    /// # Errors
    /// [`Refusal::Unrecordable`] where the API demands a record and there is no room for it.
    pub async fn intends(&mut self, permit: &Permit) -> Result<Intent, Refusal> {
        if permit.found.stream.is_none() {
            self.digests.forwards(permit.clean.body(), &self.ledger.trail);
        }
        if !permit.found.audit_required {
            return Ok(Intent(()));
        }
        let entry = self.entry.as_mut().ok_or(Refusal::Unrecordable)?;
        entry.knows_digests(self.digests.so_far());
        entry.intends().await.map_err(|_| Refusal::Unrecordable)?;
        Ok(Intent(()))
    }

    /// Puts on record that a stream begins, once, before what it is about goes out.
    ///
    /// # Errors
    /// [`Refusal::Unrecordable`] where the API demands a record and it cannot be written.
    pub async fn opens(&mut self, kind: StreamKind) -> Result<(), Refusal> {
        let required = self.must_be_recorded();
        let Some(entry) = &mut self.entry else { return Ok(()) };
        let filed = match entry.opens(kind, clock::now()) {
            Ok(recorded) if required => recorded.await,
            Ok(recorded) => recorded.now(),
            Err(fault) => Err(fault),
        };
        let filed = self.told(filed);
        if required { filed.map_err(|_| Refusal::Unrecordable) } else { Ok(()) }
    }

    /// What a stream of this request is where it is nothing more particular.
    #[must_use]
    pub const fn stream_kind(&self) -> StreamKind {
        if self.is_grpc { StreamKind::Grpc } else { StreamKind::Body }
    }

    /// Puts a refusal on record, then answers it.
    pub async fn refuse(mut self, refusal: &Refusal) -> Reply {
        let has_room = self.entry.as_ref().is_some_and(Entry::has_room);
        let unrecordable = !has_room && self.must_be_recorded();
        let refusal = if unrecordable { &Refusal::Unrecordable } else { refusal };
        let answer = self.answer(refusal);
        // A gRPC call hears it as its `grpc-status`.
        self.outcome.status = refusal.status().as_u16();
        self.says(answer.body());
        if let (Some(entry), Some(finding)) = (&mut self.entry, findings::refused(refusal)) {
            entry.finds(finding);
        }
        let (stage, reason) = (refusal.stage(), refusal.reason());
        let decision = if refusal.is_fault() {
            Decision::Failed { stage, reason }
        } else {
            Decision::Refused { stage, reason, detail: refusal.detail() }
        };
        let closed = self.close(decision).await;
        if closed.is_err() && self.must_be_recorded() {
            return reply::whole(self.answer(&Refusal::Unrecordable));
        }
        reply::whole(answer)
    }

    fn answer(&self, refusal: &Refusal) -> Response<Bytes> {
        // What is redirected has not reached anything that speaks gRPC.
        if self.is_grpc && !matches!(refusal, Refusal::Redirected(_)) {
            reply::grpc(refusal, &self.transaction)
        } else {
            reply::problem(refusal, &self.transaction)
        }
    }

    /// Whether this request may only be answered with a record: an API says so, or none is known.
    fn must_be_recorded(&self) -> bool {
        self.route.as_ref().is_none_or(|route| route.audit_required)
    }

    /// Notes the status that will be answered.
    pub const fn answers(&mut self, status: u16) {
        self.outcome.status = status;
    }

    /// Puts the outcome on record. Done once; later calls do nothing.
    ///
    /// # Errors
    /// A [`SpoolFault`] where it could not be written.
    pub async fn close(&mut self, decision: Decision) -> Result<(), SpoolFault> {
        let filed = match self.file(&decision)? {
            Some(recorded) => recorded.await,
            None => Ok(()),
        };
        self.told(filed)
    }

    /// Files the outcome; what is returned resolves when it is on record. `None` where there is nothing to wait for.
    /// A record that cannot be written stops only who demands one: else it is counted, and the trail tells the gap.
    fn file(&mut self, decision: &Decision) -> Result<Option<Recorded>, SpoolFault> {
        let required = self.must_be_recorded();
        let outcome = self.finish(decision);
        let (Some(entry), Some(outcome)) = (&mut self.entry, outcome) else { return Ok(None) };
        let filed = match entry.close_now(outcome) {
            Ok(recorded) if required => return Ok(Some(recorded)),
            Ok(recorded) => recorded.now(),
            Err(fault) => Err(fault),
        };
        let filed = self.told(filed);
        if required { filed.map(|()| None) } else { Ok(None) }
    }

    /// Counts a record that could not be written.
    fn told(&self, filed: Result<(), SpoolFault>) -> Result<(), SpoolFault> {
        if filed.is_err() {
            self.ledger.metrics.unrecorded();
        }
        filed
    }

    /// Files the outcome where nobody waits for it.
    fn file_now(&mut self, decision: &Decision) -> Result<(), SpoolFault> {
        let filed = self.file(decision)?.map_or(Ok(()), Recorded::now);
        self.told(filed)
    }

    /// Files the record of an answer that the service broke off after its head.
    pub fn breaks(mut self, reason: &'static str) {
        let decision = match self.ended().map(Refusal::from) {
            Some(refusal) => {
                Decision::Refused { stage: refusal.stage(), reason: refusal.reason(), detail: None }
            }
            None => Decision::Failed { stage: "upstream", reason },
        };
        if self.file_now(&decision).is_err() {
            tracing::error!(transaction = %self.transaction, "a broken answer left no record");
        }
    }

    /// Counts and traces the end; the outcome for the entry, the first time.
    fn finish(&mut self, decision: &Decision) -> Option<Outcome> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        if let Some(passed) = &self.passed {
            self.outcome.request_bytes = passed.bytes();
        }
        let passed = self.passed.as_ref().and_then(|passed| passed.digested());
        let now = clock::now();
        let took = now.duration_since(self.started).unwrap_or_default();
        let (label, route) = (label(decision), self.route.as_deref());
        let api = route.map_or_else(|| "none".into(), |route| route.api.clone());
        if self.entry.is_none() {
            self.ledger.metrics.unrecorded();
        }
        self.ledger.metrics.answered(
            &Answered {
                api,
                status: self.outcome.status,
                decision: label.clone(),
                protocol: self.protocol,
            },
            took,
        );
        self.ledger.telemetry.end(&Finished {
            trace: &self.trace,
            method: self.method.as_str(),
            template: route.map(|route| &*route.template),
            status: self.outcome.status,
            decision: &label,
            started: self.started,
            ended: now,
        });
        Some(Outcome {
            status: self.outcome.status,
            decision: decision.clone(),
            request_bytes: self.outcome.request_bytes,
            response_bytes: self.outcome.response_bytes,
            upstream_ms: self.outcome.upstream.map(milliseconds),
            duration: took,
            digests: self.digests.finish(passed),
        })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.file_now(&Decision::Aborted).is_err() {
            tracing::error!(transaction = %self.transaction, "an aborted request left no record");
        }
    }
}

/// `stage.reason`, or the one word that says it all; a metric label.
fn label(decision: &Decision) -> Cow<'static, str> {
    match decision {
        Decision::Allowed => "allowed".into(),
        Decision::Aborted => "aborted".into(),
        Decision::Unknown => "unknown".into(),
        Decision::Refused { stage, reason, .. } | Decision::Failed { stage, reason } => {
            format!("{stage}.{reason}").into()
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The name of an HTTP version, as events and metrics have it.
#[must_use]
pub const fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_2 => "HTTP/2",
        http::Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

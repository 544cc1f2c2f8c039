//! Counters and histograms, in Prometheus' text format. Labels come from closed sets only:
//! names of the configuration and of the document, statuses, reasons.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Upper bounds of the latency histogram, in seconds (OpenTelemetry's advice for HTTP).
const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// One class of answers.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Answered {
    /// The API, or `none`.
    pub api: Arc<str>,
    /// The status that was answered; 0 where the client was gone.
    pub status: u16,
    /// `stage.reason`, or `allowed`.
    pub decision: Cow<'static, str>,
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`.
    pub protocol: &'static str,
}

/// One class of connections that never became a request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Broken {
    /// What happened.
    pub reason: &'static str,
}

/// One named state of a dependency.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Dependency {
    /// Which: `audit`, `seal`, `limits`, `issuer:NAME`, `sink:NAME`, `seal:PLACE`.
    pub name: String,
}

/// One class of audit events.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct EventClass {
    /// Its OCSF uid, for example 6003.
    pub class: u64,
}

/// One exception of the filter.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ExceptionUsed {
    /// The API.
    pub api: Arc<str>,
    /// Where it is written: `apis[0].filter.exceptions[1]`, or `createOrder/x-filter[0]` of the document.
    pub exception: Arc<str>,
}

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    answered: Family<Answered, Counter>,
    duration: Histogram,
    broken: Family<Broken, Counter>,
    unrecorded: Counter,
    observed: Counter,
    exceptions: Family<ExceptionUsed, Counter>,
    members_dropped: Counter,
    reloads: Counter,
    reloads_refused: Counter,
    up: Family<Dependency, Gauge>,
    backlog: Family<Dependency, Gauge>,
    spool_bytes: Gauge,
    shed: Gauge,
    events: Family<EventClass, Counter>,
    events_left_out: Counter,
    rolled_up: Counter,
    masked: Counter,
    sealed: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("sallyport")),
            answered: Family::default(),
            duration: Histogram::new(BUCKETS),
            broken: Family::default(),
            unrecorded: Counter::default(),
            observed: Counter::default(),
            exceptions: Family::default(),
            members_dropped: Counter::default(),
            reloads: Counter::default(),
            reloads_refused: Counter::default(),
            up: Family::default(),
            backlog: Family::default(),
            spool_bytes: Gauge::default(),
            shed: Gauge::default(),
            events: Family::default(),
            events_left_out: Counter::default(),
            rolled_up: Counter::default(),
            masked: Counter::default(),
            sealed: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut guard = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let r = &mut *guard;
        r.register("requests", "Requests answered", self.answered.clone());
        r.register(
            "request_duration_seconds",
            "First byte in to last byte out",
            self.duration.clone(),
        );
        r.register("connections_broken", "Connections that became no request", self.broken.clone());
        r.register("requests_unrecorded", "Requests that left no record", self.unrecorded.clone());
        r.register(
            "requests_observed",
            "Requests passed in spite of a finding",
            self.observed.clone(),
        );
        r.register(
            "filter_exceptions_used",
            "Findings of the filter that an exception let pass, by exception",
            self.exceptions.clone(),
        );
        r.register(
            "answer_members_dropped",
            "Members that no schema names, dropped from answers",
            self.members_dropped.clone(),
        );
        r.register("reloads", "Policies put in force", self.reloads.clone());
        r.register("reloads_refused", "Policies refused at reload", self.reloads_refused.clone());
        r.register("dependency_up", "1 where a dependency works", self.up.clone());
        r.register("audit_backlog", "Events not yet acknowledged by a sink", self.backlog.clone());
        r.register(
            "requests_shed_ppm",
            "New requests turned away by the most crowded worker, in millionths",
            self.shed.clone(),
        );
        r.register("audit_spool_bytes", "Bytes in the audit spool", self.spool_bytes.clone());
        r.register("audit_events", "Audit events filed, by class", self.events.clone());
        r.register(
            "audit_records_rolled_up",
            "Records of callers whom nobody proved that were counted together, for want of room",
            self.rolled_up.clone(),
        );
        r.register(
            "audit_events_left_out",
            "Events beside others that their source had caused enough of",
            self.events_left_out.clone(),
        );
        r.register("audit_pii_caught", "Texts that the masker changed", self.masked.clone());
        let sealed = "When the last checkpoint was signed, seconds since 1970";
        r.register("audit_sealed_timestamp_seconds", sealed, self.sealed.clone());
    }

    /// Counts one answer.
    pub fn answered(&self, class: &Answered, took: Duration) {
        self.answered.get_or_create(class).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts one connection that became no request.
    pub fn broken(&self, reason: &'static str) {
        self.broken.get_or_create(&Broken { reason }).inc();
    }

    /// Counts one request that left no record: passed under `audit: best_effort`, else not answered.
    pub fn unrecorded(&self) {
        self.unrecorded.inc();
    }

    /// Counts one request that passed in spite of a finding (`observe`).
    pub fn observed(&self) {
        self.observed.inc();
    }

    /// Counts one use of an exception of the filter.
    pub fn excepted(&self, api: &Arc<str>, exception: &Arc<str>) {
        let class = ExceptionUsed { api: Arc::clone(api), exception: Arc::clone(exception) };
        self.exceptions.get_or_create(&class).inc();
    }

    /// Counts members that were taken out of an answer.
    pub fn members_dropped(&self, members: usize) {
        self.members_dropped.inc_by(members as u64);
    }

    /// Counts one reload.
    pub fn reloaded(&self, accepted: bool) {
        if accepted {
            self.reloads.inc()
        } else {
            self.reloads_refused.inc()
        };
    }

    /// Notes whether a dependency works.
    pub fn dependency(&self, name: &str, up: bool) {
        self.up.get_or_create(&Dependency { name: name.to_owned() }).set(i64::from(up));
    }

    /// Notes how much waits for a sink, in events.
    pub fn backlog(&self, sink: &str, events: u64) {
        let label = Dependency { name: sink.to_owned() };
        self.backlog.get_or_create(&label).set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// Notes how many events were filed, left out, and held something for the masker. They are counted elsewhere.
    pub fn audited(&self, health: &audit::Health) {
        let set = |counter: &Counter, to: u64| {
            counter.inner().store(to, std::sync::atomic::Ordering::Relaxed);
        };
        for (class, count) in &health.events {
            set(&self.events.get_or_create(&EventClass { class: *class }), *count);
        }
        set(&self.events_left_out, health.left_out);
        set(&self.rolled_up, health.rolled_up);
        set(&self.masked, health.masked_hits);
    }

    /// Notes the size of the spool, in bytes.
    pub fn spool_bytes(&self, bytes: u64) {
        self.spool_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Notes the share of new requests that is turned away, in millionths.
    pub fn shed(&self, share: u32) {
        self.shed.set(i64::from(share));
    }

    /// Notes when the last checkpoint was signed, seconds since 1970.
    pub fn sealed(&self, time_s: u64) {
        self.sealed.set(i64::try_from(time_s).unwrap_or(i64::MAX));
    }

    /// All of it, as `application/openmetrics-text`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let guard = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing into a String cannot fail; an error would leave the text short, not wrong.
        if encode(&mut out, &guard).is_err() {
            out.clear();
        }
        out
    }
}

//! Class 6003, API Activity: the one event of each transaction.

use super::{API_ACTIVITY, EVENT_BYTES, Encoder, INTEGER_MAX, Masked, Stamp};
use super::{TEXT_BYTES_MAX, classify, clipped, endpoint};
use crate::clock;
use crate::facts::{Decision, Method, Opening, Outcome, PrincipalFacts, RouteFacts};
use crate::json::Object;
use crate::pseudonym::Kind;
use std::sync::Arc;

/// `actor.app_uid` of a caller nobody proved: the class requires an actor even on a 401.
const UNAUTHENTICATED: &str = "unauthenticated";
/// `api.operation` of what no contract declares.
const UNMATCHED: &str = "unmatched";
/// Digits of a W3C trace id.
const TRACE_DIGITS: usize = 32;

/// Who called, already masked.
pub(crate) struct Caller {
    issuer: Arc<str>,
    client: Option<String>,
    tenant: Option<String>,
    subject: Option<String>,
    tier: Arc<str>,
    method: &'static str,
    key_id: Option<String>,
    token_id: Option<String>,
}

/// A transaction as far as it is known; every text in it is masked.
pub(crate) struct Transaction {
    /// Transaction id: the event's uid and correlation uid.
    pub(crate) uid: String,
    pub(crate) sequence: u64,
    pub(crate) opening: Opening,
    pub(crate) route: Option<RouteFacts>,
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) observed: Vec<String>,
    /// An intent is on record: the request was let in.
    pub(crate) intended: bool,
}

impl Encoder {
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

    /// The principal with its ids in clear or as pseudonyms.
    pub(crate) fn caller(&self, facts: &PrincipalFacts<'_>) -> Arc<Caller> {
        self.recall.caller(facts.fingerprint, || self.masked_caller(facts))
    }

    fn masked_caller(&self, facts: &PrincipalFacts<'_>) -> Caller {
        let issuer = facts.issuer;
        let id = |kind, value: Option<&str>| value.map(|value| self.id(kind, issuer, value));
        let subject = facts.subject.map(|subject| {
            if facts.client == Some(subject) {
                self.id(Kind::Client, issuer, subject)
            } else {
                self.hidden(Kind::Subject, issuer, subject)
            }
        });
        Caller {
            issuer: self.free(issuer),
            client: id(Kind::Client, facts.client),
            tenant: id(Kind::Tenant, facts.tenant),
            subject,
            tier: self.free(facts.tier),
            method: facts.method,
            key_id: id(Kind::Key, facts.key_id),
            token_id: facts.token_id.map(|id| self.hidden(Kind::Token, issuer, id)),
        }
    }

    /// The event of a transaction that ended so.
    pub(crate) fn api_activity(&self, transaction: &Transaction, outcome: &Outcome) -> Masked {
        let opening = &transaction.opening;
        let start = clock::millis(opening.time);
        let duration = clock::duration_millis(outcome.duration);
        let stamp = Stamp {
            uid: &transaction.uid,
            correlation: Some(&transaction.uid),
            sequence: Some(transaction.sequence),
            logged: start.saturating_add(duration),
            trace: opening.trace_id.is_some(),
            controlled: true,
        };
        Masked(Object::build(EVENT_BYTES, |event| {
            classify(event, API_ACTIVITY, activity(opening.method));
            event.number("time", start);
            event.number("start_time", start);
            event.number("end_time", stamp.logged);
            event.number("duration", duration);
            verdict(event, transaction, outcome);
            self.metadata(event, stamp);
            actor(event, transaction.caller.as_deref());
            api(event, transaction, outcome.status);
            endpoint(event, "src_endpoint", opening.client_address, opening.client_port);
            endpoint(event, "dst_endpoint", opening.local.ip(), Some(opening.local.port()));
            http(event, transaction, outcome);
            if let Some(trace) = &opening.trace_id {
                event.object("trace", |object| object.text("uid", trace));
            }
            unmapped(event, transaction, outcome);
        }))
    }
}

fn activity(method: Method) -> (u64, &'static str) {
    match method {
        Method::Post => (1, "Create"),
        Method::Get | Method::Head => (2, "Read"),
        Method::Put | Method::Patch => (3, "Update"),
        Method::Delete => (4, "Delete"),
        Method::Options => (99, "Options"),
        Method::Trace => (99, "Trace"),
        Method::Connect => (99, "Connect"),
        Method::Other => (99, "Other"),
    }
}

/// An OCSF identifier and its caption.
type Pair = (u64, &'static str);

/// Severity, status, action and disposition of a decision.
fn judged(intended: bool, status: u16, decision: &Decision) -> [Pair; 4] {
    let let_in = if intended { (1, "Allowed") } else { (0, "Unknown") };
    match decision {
        Decision::Allowed if status < 400 => {
            [(1, "Informational"), (1, "Success"), (1, "Allowed"), (1, "Allowed")]
        }
        Decision::Allowed => [(1, "Informational"), (2, "Failure"), (1, "Allowed"), (1, "Allowed")],
        Decision::Refused { stage: "filter", .. } => {
            [(3, "Medium"), (2, "Failure"), (2, "Denied"), (2, "Blocked")]
        }
        Decision::Refused { .. } if matches!(status, 401 | 403) => {
            [(2, "Low"), (2, "Failure"), (2, "Denied"), (26, "Unauthorized")]
        }
        Decision::Refused { .. } => [(2, "Low"), (2, "Failure"), (2, "Denied"), (25, "Rejected")],
        Decision::Failed { .. } if intended => {
            [(3, "Medium"), (2, "Failure"), (1, "Allowed"), (27, "Error")]
        }
        Decision::Failed { .. } => [(3, "Medium"), (2, "Failure"), (2, "Denied"), (27, "Error")],
        Decision::Aborted => [(1, "Informational"), (99, "Aborted"), let_in, (0, "Unknown")],
        Decision::Unknown => [(3, "Medium"), (0, "Unknown"), let_in, (0, "Unknown")],
    }
}

fn verdict(event: &mut Object<'_>, transaction: &Transaction, outcome: &Outcome) {
    let [severity, status, action, disposition] =
        judged(transaction.intended, outcome.status, &outcome.decision);
    event.pair(("severity_id", "severity"), severity);
    event.pair(("status_id", "status"), status);
    event.pair(("action_id", "action"), action);
    event.pair(("disposition_id", "disposition"), disposition);
    if outcome.status != 0 {
        event.text("status_code", &outcome.status.to_string());
    }
    match &outcome.decision {
        Decision::Allowed => {}
        Decision::Refused { stage, reason, .. } | Decision::Failed { stage, reason } => {
            event.text("status_detail", &format!("{stage}.{reason}"));
            if *stage == "filter" {
                event.object("firewall_rule", |rule| rule.text("name", reason));
            }
        }
        Decision::Aborted => event.text("status_detail", "client.aborted"),
        Decision::Unknown => event.text("status_detail", "audit.outcome_unknown"),
    }
}

fn actor(event: &mut Object<'_>, caller: Option<&Caller>) {
    event.object("actor", |actor| {
        let client = caller.and_then(|caller| caller.client.as_deref());
        let Some(caller) = caller else {
            actor.text("app_uid", UNAUTHENTICATED);
            return;
        };
        if client.is_none() && caller.subject.is_none() {
            // An API may allow callers nobody proved: the method says so.
            actor.text("app_uid", caller.method);
            return;
        }
        actor.some_text("app_uid", client);
        if let Some(subject) = &caller.subject {
            actor.object("user", |user| {
                user.text("uid", subject);
                if let Some(tenant) = &caller.tenant {
                    user.object("org", |org| org.text("uid", tenant));
                }
            });
        }
        actor.object("session", |session| {
            session.text("issuer", &caller.issuer);
            session.some_text("uid", caller.token_id.as_deref());
            session.some_text("credential_uid", caller.key_id.as_deref());
        });
    });
}

fn api(event: &mut Object<'_>, transaction: &Transaction, status: u16) {
    event.object("api", |api| {
        let route = transaction.route.as_ref();
        let operation = route.map_or(UNMATCHED, |route| own(&route.operation));
        api.text("operation", operation);
        if let Some(route) = route {
            api.object("service", |service| service.text("name", own(&route.api)));
        }
        api.object("request", |request| request.text("uid", &transaction.uid));
        if status != 0 {
            api.object("response", |response| response.number("code", u64::from(status)));
        }
    });
}

fn http(event: &mut Object<'_>, transaction: &Transaction, outcome: &Outcome) {
    let opening = &transaction.opening;
    event.object("http_request", |request| {
        request.some_text("http_method", opening.method.name());
        request.text("version", opening.http_version);
        request.some_text("user_agent", opening.user_agent.as_deref());
        request.number("body_length", outcome.request_bytes.min(INTEGER_MAX));
        if let Some(route) = &transaction.route {
            request.object("url", |url| {
                url.text("path", own(&route.template));
                url.text("scheme", if opening.tls.is_some() { "https" } else { "http" });
            });
        }
    });
    if outcome.status != 0 {
        event.object("http_response", |response| {
            response.number("code", u64::from(outcome.status));
            response.number("body_length", outcome.response_bytes.min(INTEGER_MAX));
            response.some_number("latency", outcome.upstream_ms.map(|ms| ms.min(INTEGER_MAX)));
        });
    }
}

/// What OCSF 1.8 has no place for in this class; a fixed set of keys.
fn unmapped(event: &mut Object<'_>, transaction: &Transaction, outcome: &Outcome) {
    event.object("unmapped", |unmapped| {
        unmapped.number("request_bytes", outcome.request_bytes);
        unmapped.number("response_bytes", outcome.response_bytes);
        if let Some(route) = &transaction.route {
            unmapped.text("upstream", own(&route.upstream));
            unmapped.text("audit", if route.audit_required { "required" } else { "best_effort" });
        }
        if let Some(caller) = &transaction.caller {
            unmapped.text("proof", caller.method);
            unmapped.text("tier", &caller.tier);
            unmapped.some_text("tenant", caller.tenant.as_deref());
        }
        if let Some(tls) = &transaction.opening.tls {
            unmapped.text("tls_version", tls.version);
            unmapped.some_text("tls_cipher", tls.cipher);
            unmapped.some_text("tls_sni", tls.sni.as_deref());
        }
        if let Decision::Refused { detail: Some(detail), .. } = &outcome.decision {
            unmapped.text("detail", own(detail));
        }
        if !transaction.observed.is_empty() {
            unmapped.texts("observed", transaction.observed.iter().map(String::as_str));
        }
    });
}

/// A text of our own documents: only its length is bounded.
fn own(text: &str) -> &str {
    clipped(text, TEXT_BYTES_MAX)
}

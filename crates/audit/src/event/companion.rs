//! Events beside a transaction or a failed connection: class 3002 for a 401, class 2004 for a finding. They name the event
//! that they belong to by `metadata.correlation_uid` and hold no text of the request. Whether there is one more is not
//! decided here.

use std::net::{IpAddr, SocketAddr};

use super::known::Known;
use super::{AUTHENTICATION, CONTROLLED, DETECTION_FINDING, EVENT_BYTES, INTEGER_MAX, Stamp};
use super::{classify, endpoint, metadata};
use crate::facts::{Finding, FindingKind, Severity};
use crate::json::Object;

/// What a companion says of the event it belongs to.
pub(crate) struct Beside<'a> {
    /// Uid of the event it belongs to.
    pub(crate) correlation: &'a str,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) client: (IpAddr, Option<u16>),
    pub(crate) local: SocketAddr,
    /// First members of `api`: JSON.
    pub(crate) api: Option<&'a [u8]>,
    /// `stage.reason`.
    pub(crate) detail: String,
    /// Status answered; 0 where there was none.
    pub(crate) status: u16,
    /// How many of its kind were left out before it.
    pub(crate) left_out: u64,
}

impl<'a> Beside<'a> {
    /// Beside a transaction that ended so.
    pub(crate) fn of(known: &Known<'a>, ended: u64, status: u16, detail: String) -> Self {
        Self {
            correlation: known.uid,
            time: ended,
            client: known.client,
            local: known.local,
            api: known.operation.map(|operation| operation.api),
            detail,
            status,
            left_out: 0,
        }
    }

    /// How often it happened, where others before it left no event.
    fn count(&self) -> Option<u64> {
        (self.left_out > 0).then(|| self.left_out.saturating_add(1).min(INTEGER_MAX))
    }
}

/// Class 3002: somebody was not let in as who they said they are.
pub(super) fn authentication(beside: &Beside<'_>, uid: &str) -> Vec<u8> {
    Object::build(EVENT_BYTES, |event| {
        metadata(event, stamp(beside, uid));
        classify(event, AUTHENTICATION, (1, "Logon"));
        event.number("time", beside.time);
        event.pair(("severity_id", "severity"), (2, "Low"));
        event.pair(("status_id", "status"), (2, "Failure"));
        event.text("status_code", &beside.status.to_string());
        event.text("status_detail", &beside.detail);
        event.some_number("count", beside.count());
        event.pair(("action_id", "action"), (2, "Denied"));
        event.pair(("disposition_id", "disposition"), (26, "Unauthorized"));
        event.pair(("auth_protocol_id", "auth_protocol"), (6, "OAUTH 2.0"));
        event.pair(("logon_type_id", "logon_type"), (3, "Network"));
        event.boolean("is_remote", true);
        // The class requires a user: nobody was proved.
        event.object("user", |user| user.text("uid", "unauthenticated"));
        endpoint(event, "src_endpoint", beside.client.0, beside.client.1);
        let local = beside.local;
        endpoint(event, "dst_endpoint", local.ip(), Some(local.port()));
    })
}

/// Class 2004: a rule was hit. The rule and its class, never what hit it.
pub(super) fn finding(beside: &Beside<'_>, finding: &Finding, uid: &str) -> Vec<u8> {
    let (severity, disposition) = judged(finding);
    Object::build(EVENT_BYTES, |event| {
        metadata(event, stamp(beside, uid));
        classify(event, DETECTION_FINDING, (1, "Create"));
        event.number("time", beside.time);
        event.pair(("severity_id", "severity"), severity);
        event.pair(("status_id", "status"), (1, "New"));
        event.text("status_detail", &beside.detail);
        event.some_number("count", beside.count());
        event.pair(("action_id", "action"), (2, "Denied"));
        event.pair(("disposition_id", "disposition"), disposition);
        event.object("firewall_rule", |rule| rule.text("uid", finding.rule));
        event.object("finding_info", |info| {
            info.text("uid", uid);
            info.text("title", finding.title());
            info.texts("types", [format!("CWE-{}", finding.cwe).as_str()]);
            info.number("created_time", beside.time);
            info.object("analytic", |analytic| {
                analytic.pair(("type_id", "type"), (1, "Rule"));
                analytic.text("uid", finding.rule);
            });
        });
        event.list("evidences", |evidence| {
            endpoint(evidence, "src_endpoint", beside.client.0, beside.client.1);
            endpoint(evidence, "dst_endpoint", beside.local.ip(), Some(beside.local.port()));
            if let Some(api) = beside.api {
                evidence.object("api", |object| object.raw(api));
            }
        });
    })
}

fn stamp<'a>(beside: &Beside<'a>, uid: &'a str) -> Stamp<'a> {
    Stamp { uid, correlation: Some(beside.correlation), logged: beside.time, profiles: CONTROLLED }
}

/// Severity and disposition.
const fn judged(finding: &Finding) -> ((u64, &'static str), (u64, &'static str)) {
    let severity = match finding.severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    };
    let disposition = match finding.kind {
        FindingKind::Block | FindingKind::Ban => (2, "Blocked"),
        FindingKind::Flood => (25, "Rejected"),
    };
    (severity, disposition)
}

//! Class 6003, API Activity: the one event of each transaction. Most of it is the same each time: that is copied, and
//! only the rest is encoded.

use super::known::Known;
use super::{INTEGER_MAX, UNAUTHENTICATED};
use crate::clock;
use crate::facts::{Decision, Method, Outcome};
use crate::json::{address, inner, number, string, strings};

/// `api.operation` of what no contract declares.
const UNMATCHED: &[u8] = br#""operation":"unmatched""#;
/// What follows the metadata in every event of the class.
const HEAD: &str = r#","category_uid":6,"category_name":"Application Activity","class_uid":6003,"class_name":"API Activity","#;

/// Appends the event of a transaction that ended so.
pub(super) fn encode(known: &Known<'_>, outcome: &Outcome, out: &mut Vec<u8>) {
    let duration = clock::duration_millis(outcome.duration);
    let end = known.start.saturating_add(duration);
    metadata(out, known, end);
    out.extend_from_slice(HEAD.as_bytes());
    raw(out, activity(known.method));
    let before = out.len();
    named(out, r#","time":"#, known.start);
    let digits = before + r#","time":"#.len()..out.len();
    raw(out, r#","start_time":"#);
    out.extend_from_within(digits);
    named(out, r#","end_time":"#, end);
    named(out, r#","duration":"#, duration);
    verdict(out, known.intended, outcome);
    actor(out, known);
    api(out, known, outcome.status);
    endpoint(out, r#","src_endpoint":{"ip":"#, known.client.0, known.client.1);
    endpoint(out, r#","dst_endpoint":{"ip":"#, known.local.ip(), Some(known.local.port()));
    http(out, known, outcome);
    if let Some(trace) = known.trace {
        texted(out, r#","trace":{"uid":"#, trace);
        out.push(b'}');
    }
    unmapped(out, known, outcome);
    out.push(b'}');
}

fn raw(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

fn named(out: &mut Vec<u8>, before: &str, value: u64) {
    raw(out, before);
    number(out, value);
}

fn texted(out: &mut Vec<u8>, before: &str, value: &str) {
    raw(out, before);
    string(out, value);
}

/// `activity_id`, `activity_name`, `type_uid`, `type_name`.
const fn activity(method: Method) -> &'static str {
    macro_rules! activity {
        ($id:literal, $type:literal, $name:literal) => {
            concat!(
                r#""activity_id":"#,
                $id,
                r#","activity_name":""#,
                $name,
                r#"","type_uid":"#,
                $type,
                r#","type_name":"API Activity: "#,
                $name,
                "\"",
            )
        };
    }
    match method {
        Method::Post => activity!(1, 600301, "Create"),
        Method::Get | Method::Head => activity!(2, 600302, "Read"),
        Method::Put | Method::Patch => activity!(3, 600303, "Update"),
        Method::Delete => activity!(4, 600304, "Delete"),
        Method::Options => activity!(99, 600399, "Options"),
        Method::Trace => activity!(99, 600399, "Trace"),
        Method::Connect => activity!(99, 600399, "Connect"),
        Method::Other => activity!(99, 600399, "Other"),
    }
}

/// Severity, status, action and disposition of a decision.
fn judged(intended: bool, status: u16, decision: &Decision) -> &'static str {
    macro_rules! judged {
        ($severity:tt, $status:tt, $action:tt, $disposition:tt) => {
            judged!(@ $severity $status $action $disposition)
        };
        (@ ($a:literal $severity:literal) ($b:literal $status:literal)
           ($c:literal $action:literal) ($d:literal $disposition:literal)) => {
            concat!(
                r#","severity_id":"#, $a, r#","severity":""#, $severity,
                r#"","status_id":"#, $b, r#","status":""#, $status,
                r#"","action_id":"#, $c, r#","action":""#, $action,
                r#"","disposition_id":"#, $d, r#","disposition":""#, $disposition, "\"",
            )
        };
    }
    match decision {
        Decision::Allowed if status < 400 => {
            judged!((1 "Informational"), (1 "Success"), (1 "Allowed"), (1 "Allowed"))
        }
        Decision::Allowed => {
            judged!((1 "Informational"), (2 "Failure"), (1 "Allowed"), (1 "Allowed"))
        }
        Decision::Refused { stage: "filter", .. } => {
            judged!((3 "Medium"), (2 "Failure"), (2 "Denied"), (2 "Blocked"))
        }
        Decision::Refused { .. } if matches!(status, 401 | 403) => {
            judged!((2 "Low"), (2 "Failure"), (2 "Denied"), (26 "Unauthorized"))
        }
        Decision::Refused { .. } => {
            judged!((2 "Low"), (2 "Failure"), (2 "Denied"), (25 "Rejected"))
        }
        Decision::Failed { .. } if intended => {
            judged!((3 "Medium"), (2 "Failure"), (1 "Allowed"), (27 "Error"))
        }
        Decision::Failed { .. } => judged!((3 "Medium"), (2 "Failure"), (2 "Denied"), (27 "Error")),
        Decision::Aborted if intended => {
            judged!((1 "Informational"), (99 "Aborted"), (1 "Allowed"), (0 "Unknown"))
        }
        Decision::Aborted => {
            judged!((1 "Informational"), (99 "Aborted"), (0 "Unknown"), (0 "Unknown"))
        }
        Decision::Unknown if intended => {
            judged!((3 "Medium"), (0 "Unknown"), (1 "Allowed"), (0 "Unknown"))
        }
        Decision::Unknown => judged!((3 "Medium"), (0 "Unknown"), (0 "Unknown"), (0 "Unknown")),
    }
}

fn verdict(out: &mut Vec<u8>, intended: bool, outcome: &Outcome) {
    raw(out, judged(intended, outcome.status, &outcome.decision));
    if outcome.status != 0 {
        named(out, r#","status_code":""#, u64::from(outcome.status));
        out.push(b'"');
    }
    match &outcome.decision {
        Decision::Allowed => {}
        Decision::Refused { stage, reason, .. } | Decision::Failed { stage, reason } => {
            raw(out, r#","status_detail":""#);
            inner(out, stage);
            out.push(b'.');
            inner(out, reason);
            out.push(b'"');
            if *stage == "filter" {
                texted(out, r#","firewall_rule":{"name":"#, reason);
                out.push(b'}');
            }
        }
        Decision::Aborted => raw(out, r#","status_detail":"client.aborted""#),
        Decision::Unknown => raw(out, r#","status_detail":"audit.outcome_unknown""#),
    }
}

fn metadata(out: &mut Vec<u8>, known: &Known<'_>, logged: u64) {
    texted(out, r#"{"metadata":{"uid":"#, known.uid);
    texted(out, r#","correlation_uid":"#, known.uid);
    texted(out, r#","version":"#, super::OCSF_VERSION);
    named(out, r#","logged_time":"#, logged);
    raw(
        out,
        match known.trace {
            Some(_) => r#","profiles":["security_control","trace"]"#,
            None => r#","profiles":["security_control"]"#,
        },
    );
    raw(
        out,
        concat!(
            r#","product":{"name":"Sallyport","vendor_name":"Sallyport","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}}"#
        ),
    );
}

fn actor(out: &mut Vec<u8>, known: &Known<'_>) {
    raw(out, r#","actor":{"#);
    out.extend_from_slice(known.caller.map_or(UNAUTHENTICATED, |caller| caller.actor));
    out.push(b'}');
}

fn api(out: &mut Vec<u8>, known: &Known<'_>, status: u16) {
    raw(out, r#","api":{"#);
    out.extend_from_slice(known.operation.map_or(UNMATCHED, |operation| operation.api));
    texted(out, r#","request":{"uid":"#, known.uid);
    if status == 0 {
        raw(out, "}}");
    } else {
        named(out, r#"},"response":{"code":"#, u64::from(status));
        raw(out, "}}");
    }
}

fn endpoint(out: &mut Vec<u8>, before: &str, ip: std::net::IpAddr, port: Option<u16>) {
    raw(out, before);
    address(out, ip);
    if let Some(port) = port {
        named(out, r#","port":"#, u64::from(port));
    }
    out.push(b'}');
}

fn http(out: &mut Vec<u8>, known: &Known<'_>, outcome: &Outcome) {
    texted(out, r#","http_request":{"version":"#, known.http_version);
    if let Some(name) = known.method.name() {
        texted(out, r#","http_method":"#, name);
    }
    if let Some(agent) = known.user_agent {
        texted(out, r#","user_agent":"#, agent);
    }
    named(out, r#","body_length":"#, outcome.request_bytes.min(INTEGER_MAX));
    if let Some(operation) = known.operation {
        raw(out, r#","url":{"path":"#);
        out.extend_from_slice(operation.path);
        let encrypted = known.tls.is_some();
        raw(out, if encrypted { r#","scheme":"https"}"# } else { r#","scheme":"http"}"# });
    }
    out.push(b'}');
    if outcome.status != 0 {
        named(out, r#","http_response":{"code":"#, u64::from(outcome.status));
        named(out, r#","body_length":"#, outcome.response_bytes.min(INTEGER_MAX));
        if let Some(ms) = outcome.upstream_ms {
            named(out, r#","latency":"#, ms.min(INTEGER_MAX));
        }
        out.push(b'}');
    }
}

/// What OCSF 1.8 has no place for in this class; a fixed set of keys.
fn unmapped(out: &mut Vec<u8>, known: &Known<'_>, outcome: &Outcome) {
    named(out, r#","unmapped":{"request_bytes":"#, outcome.request_bytes);
    named(out, r#","response_bytes":"#, outcome.response_bytes);
    let encoded = [known.operation.map(|known| known.unmapped), known.caller.map(|c| c.unmapped)];
    for members in encoded.into_iter().flatten() {
        out.push(b',');
        out.extend_from_slice(members);
    }
    if let Some(tls) = &known.tls {
        texted(out, r#","tls_version":"#, tls.version);
        for (name, value) in [
            (r#","tls_cipher":"#, tls.cipher),
            (r#","tls_sni":"#, tls.sni),
            (r#","tls_client_certificate":"#, tls.client_certificate),
        ] {
            if let Some(value) = value {
                texted(out, name, value);
            }
        }
    }
    let digests = &outcome.digests;
    for (name, digest) in [
        (r#","digest_target":"#, &digests.target),
        (r#","digest_received":"#, &digests.received),
        (r#","digest_forwarded":"#, &digests.forwarded),
        (r#","digest_response":"#, &digests.response),
    ] {
        if let Some(digest) = digest {
            texted(out, name, digest.as_str());
        }
    }
    if let Decision::Refused { detail: Some(detail), .. } = &outcome.decision {
        texted(out, r#","detail":"#, super::own(detail));
    }
    if outcome.decision == Decision::Unknown {
        // It is filed in the log of a later boot than the one in which it began.
        texted(out, r#","begun_in":"#, known.log);
    }
    if !known.observed.is_empty() {
        raw(out, r#","observed":"#);
        strings(out, known.observed.iter().copied());
    }
    out.push(b'}');
}

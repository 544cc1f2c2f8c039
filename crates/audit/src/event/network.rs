//! Classes 4001 and 4002: connections that never became a request.

use super::{CONTROLLED, Class, EVENT_BYTES, HTTP_ACTIVITY, NETWORK_ACTIVITY, Stamp};
use super::{classify, endpoint, metadata};
use crate::clock;
use crate::facts::{ConnectionFailure, FailureKind};
use crate::json::Object;

/// Class, activity and the prefix of the reason.
pub(crate) fn placed(kind: FailureKind) -> (Class, (u64, &'static str), &'static str) {
    match kind {
        FailureKind::Tls => (NETWORK_ACTIVITY, (4, "Fail"), "tls"),
        FailureKind::Refused => (NETWORK_ACTIVITY, (5, "Refuse"), "connection"),
        FailureKind::Http { .. } => (HTTP_ACTIVITY, (0, "Unknown"), "http"),
    }
}

/// The event of a connection that never became a request.
pub(super) fn encode(failure: &ConnectionFailure, uid: &str) -> Vec<u8> {
    let (class, activity, prefix) = placed(failure.kind);
    let time = clock::millis(failure.time);
    let stamp = Stamp { uid, correlation: Some(uid), logged: time, profiles: CONTROLLED };
    Object::build(EVENT_BYTES, |event| {
        metadata(event, stamp);
        classify(event, class, activity);
        event.number("time", time);
        event.pair(("severity_id", "severity"), (2, "Low"));
        event.pair(("status_id", "status"), (2, "Failure"));
        event.text("status_detail", &format!("{prefix}.{}", failure.reason));
        event.pair(("action_id", "action"), (2, "Denied"));
        event.pair(("disposition_id", "disposition"), (25, "Rejected"));
        endpoint(event, "src_endpoint", failure.client.ip(), Some(failure.client.port()));
        endpoint(event, "dst_endpoint", failure.local.ip(), Some(failure.local.port()));
        event.object("connection_info", |connection| {
            connection.pair(("direction_id", "direction"), (1, "Inbound"));
            connection.text("protocol_name", failure.transport);
        });
        if let FailureKind::Http { status } = failure.kind {
            // The class wants a request or a response; 0 says that nothing was answered.
            event.object("http_response", |http| http.number("code", u64::from(status)));
        }
        if let Some(tls) = &failure.tls {
            event.object("tls", |object| {
                object.text("version", tls.version);
                object.some_text("cipher", tls.cipher);
                object.some_text("sni", tls.sni.as_deref());
            });
            if let Some(thumbprint) = &tls.client_certificate {
                event.object("unmapped", |object| {
                    object.text("tls_client_certificate", thumbprint);
                });
            }
        }
    })
}

//! Class 4001, Network Activity, with the activity Open: a stream of a transaction begins. Its end, with sizes and duration, is the
//! 6003 of that transaction, which it names. It holds what that one will, as far as it is known.

use super::known::Known;
use super::{EVENT_BYTES, NETWORK_ACTIVITY, Stamp, UNAUTHENTICATED, classify, endpoint, metadata};
use crate::facts::StreamKind;
use crate::json::Object;

/// What is known of a stream that begins.
pub(crate) struct Opened<'a> {
    pub(crate) known: Known<'a>,
    pub(crate) kind: StreamKind,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
}

/// The event of a stream that begins.
pub(super) fn encode(opened: &Opened<'_>, uid: &str) -> Vec<u8> {
    let Opened { known, kind, time } = opened;
    let profiles: &[&str] = match known.trace {
        Some(_) => &["host", "security_control", "trace"],
        None => &["host", "security_control"],
    };
    let stamp = Stamp { uid, correlation: Some(known.uid), logged: *time, profiles };
    Object::build(EVENT_BYTES, |event| {
        metadata(event, stamp);
        classify(event, NETWORK_ACTIVITY, (1, "Open"));
        event.number("time", *time);
        event.number("start_time", known.start);
        event.pair(("severity_id", "severity"), (1, "Informational"));
        event.pair(("status_id", "status"), (1, "Success"));
        event.text("status_detail", "stream.opened");
        event.pair(("action_id", "action"), (1, "Allowed"));
        event.pair(("disposition_id", "disposition"), (1, "Allowed"));
        event.object("actor", |actor| {
            actor.raw(known.caller.map_or(UNAUTHENTICATED, |caller| caller.actor));
        });
        endpoint(event, "src_endpoint", known.client.0, known.client.1);
        endpoint(event, "dst_endpoint", known.local.ip(), Some(known.local.port()));
        event.object("connection_info", |connection| {
            connection.pair(("direction_id", "direction"), (1, "Inbound"));
            let transport = if known.http_version == "HTTP/3" { "udp" } else { "tcp" };
            connection.text("protocol_name", transport);
        });
        if let Some(trace) = known.trace {
            event.object("trace", |object| object.text("uid", trace));
        }
        event.object("unmapped", |unmapped| {
            unmapped.text("stream", kind.name());
            unmapped.text("http_version", known.http_version);
            if let Some(operation) = &known.operation {
                unmapped.json("path", operation.path);
                unmapped.raw(operation.unmapped);
            }
            if let Some(caller) = &known.caller {
                unmapped.raw(caller.unmapped);
            }
        });
    })
}

#[cfg(test)]
mod tests;

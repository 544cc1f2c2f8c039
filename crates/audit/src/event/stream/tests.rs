//! The event of a stream that begins: valid, joined to its transaction, and with who it is.

use std::time::{Duration, UNIX_EPOCH};

use crate::event::Transaction;
use crate::event::tests::{checked, encoder, opening, transaction};
use crate::facts::{Opening, StreamKind};

#[test]
fn a_stream_that_begins_is_valid_and_names_its_transaction() {
    let encoder = encoder();
    let kinds = [StreamKind::WebSocket, StreamKind::Grpc, StreamKind::Events, StreamKind::Body];
    let time = UNIX_EPOCH + Duration::from_millis(1_790_000_000_200);
    for (kind, name) in kinds.into_iter().zip(["websocket", "grpc", "events", "body"]) {
        let full = transaction(&encoder, opening());
        let bare = Opening { tls: None, trace_id: None, client_port: None, ..opening() };
        let bare = Transaction { route: None, caller: None, ..transaction(&encoder, bare) };
        for (transaction, caller) in [(full, "orders-web"), (bare, "unauthenticated")] {
            let event = encoder.stream(&transaction, (kind, time), "uid");
            let event = checked("network_activity", event.as_bytes());
            assert_eq!(event["metadata"]["uid"], "uid");
            assert_eq!(event["metadata"]["correlation_uid"], transaction.uid.as_str());
            assert_eq!(event["activity_name"], "Open");
            assert_eq!(event["status_detail"], "stream.opened");
            assert_eq!(event["time"], 1_790_000_000_200_u64);
            assert_eq!(event["start_time"], 1_790_000_000_123_u64);
            assert_eq!(event["unmapped"]["stream"], name);
            assert_eq!(event["actor"]["app_uid"], caller);
            let path = transaction.route.is_some().then_some("/orders/{id}");
            assert_eq!(event["unmapped"]["path"].as_str(), path);
        }
    }
}

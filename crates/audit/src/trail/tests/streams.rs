//! A stream leaves one record where it begins, beside the one of its transaction.

use super::*;
use crate::facts::StreamKind;

async fn open_stream(trail: &Arc<Trail>) -> Entry {
    let mut entry = trail.begin(opening()).expect("room");
    entry.knows_route(route());
    entry.intends().await.expect("on record");
    for _ in 0..2 {
        let opened = entry.opens(StreamKind::WebSocket, started()).expect("filed");
        opened.await.expect("on record");
    }
    entry
}

#[tokio::test]
async fn a_stream_opens_once_and_ends_with_the_record_of_its_transaction() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    let mut entry = open_stream(&trail).await;
    let transaction = entry.transaction().to_owned();
    entry.close(outcome(101, Decision::Allowed)).await.expect("on record");
    drop(entry);
    let counted = trail.health().events.into_iter().find(|(class, _)| *class == 4001);
    assert_eq!(counted, Some((4001, 1)));
    assert!(trail.close(LIMIT).await);
    assert_eq!(trail.health().reserved_bytes, 0);
    let events = events(directory.path());
    let classes: Vec<_> = events.iter().map(|event| event["class_uid"].clone()).collect();
    assert_eq!(classes, [4001, 6003]);
    for event in &events {
        assert_eq!(event["metadata"]["correlation_uid"], transaction.as_str());
    }
    assert_ne!(events[0]["metadata"]["uid"], events[1]["metadata"]["uid"]);
    let observed = events[1]["unmapped"]["observed"].to_string();
    assert!(observed.contains("stream.opened"), "{observed}");
}

#[tokio::test]
async fn a_stream_whose_process_died_ends_as_unknown() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    let entry = open_stream(&trail).await;
    let copy = snapshot(directory.path());
    assert!(open(copy.path()).close(LIMIT).await);
    let events = events(copy.path());
    let details: Vec<_> = events.iter().map(|event| event["status_detail"].clone()).collect();
    assert_eq!(details, ["stream.opened", "audit.outcome_unknown"]);
    assert_eq!(events[1]["metadata"]["uid"], entry.transaction());
}

//! Finding one transaction's event among others.

use super::super::directory::Directory;
use super::{Event, Events, events_of};

const REFUSED: &str = r#"{"class_uid":6003,"metadata":{"uid":"e1","correlation_uid":"t1"},"action":"Denied","status_detail":"token.signature","http_response":{"code":401}}"#;
const ALLOWED: &str =
    r#"{"class_uid":6003,"metadata":{"uid":"t2"},"action":"Allowed","http_response":{"code":200}}"#;
const SIGN_ON: &str = r#"{"class_uid":3002,"metadata":{"uid":"e3","correlation_uid":"t1"}}"#;

#[test]
fn the_event_of_the_transaction_is_found_and_no_other() {
    let text = [ALLOWED, SIGN_ON, REFUSED].join("\n");
    let refused = Event { status: Some(401), decision: "token.signature".to_owned() };
    assert_eq!(events_of(&text, "t1"), [refused]);
    let allowed = Event { status: Some(200), decision: "allowed".to_owned() };
    assert_eq!(events_of(&text, "t2"), [allowed]);
    assert_eq!(events_of(&text, "t3"), []);
}

#[test]
fn half_a_line_is_no_event_yet() {
    let (half, _) = REFUSED.split_at(60);
    assert_eq!(events_of(half, "t1"), []);
}

#[tokio::test]
async fn rotated_files_are_read_and_a_missing_directory_is_empty() {
    let directory = Directory::create().expect("a directory");
    let events = Events::new(directory.path().join("events"));
    assert_eq!(events.text().await.expect("nothing yet"), "");
    directory.write_public("events/audit-events.jsonl", &format!("{ALLOWED}\n")).expect("written");
    directory
        .write_public("events/audit-events.jsonl.1", &format!("{REFUSED}\n"))
        .expect("written");
    directory.write_public("events/cursor", &format!("{REFUSED}\n")).expect("written");
    assert_eq!(events.of("t1").await.expect("found").status, Some(401));
    assert_eq!(events.count("t1").await.expect("counted"), 1);
}

//! Events beside others: one for each 401 and each finding, joined by the uid, and no more than a source may cause.

use super::*;
use crate::facts::{ConnectionFailure, FailureKind, Finding, FindingKind, Severity};

/// Events of a source in one window: what a 401 and a blocked request may cause.
const BUDGET: usize = 32;

fn refused(stage: &'static str, reason: &'static str) -> Decision {
    Decision::Refused { stage, reason, detail: None }
}

fn of_class(events: &[Value], class: u64) -> Vec<&Value> {
    events.iter().filter(|event| event["class_uid"] == class).collect()
}

#[tokio::test]
async fn a_401_and_a_finding_have_an_event_beside_theirs() {
    let directory = tempfile::tempdir().expect("a directory");
    let trail = open(directory.path());
    let finding =
        Finding { kind: FindingKind::Block, rule: "sqli", cwe: 89, severity: Severity::High };
    let rows = [
        (401, refused("token", "absent"), None, Some(3002)),
        (403, refused("filter", "sqli"), Some(finding), Some(2004)),
        (403, refused("scope", "missing"), None, None),
        (200, Decision::Allowed, Some(finding), None),
        (401, Decision::Allowed, None, None),
    ];
    let mut expected = Vec::new();
    for (status, decision, finding, class) in rows {
        let mut entry = trail.begin(opening()).expect("room");
        if let Some(finding) = finding {
            entry.finds(finding);
        }
        expected.extend(class.map(|class| (class, entry.transaction().to_owned())));
        entry.close(outcome(status, decision)).await.expect("on record");
    }
    assert!(trail.close(LIMIT).await);
    let events = events(directory.path());
    assert_eq!(of_class(&events, 6003).len(), 5);
    let beside: Vec<_> = events.iter().filter(|event| event["class_uid"] != 6003).collect();
    let found: Vec<_> = beside
        .iter()
        .map(|event| (event["class_uid"].as_u64().expect("a class"), joined(event)))
        .collect();
    assert_eq!(found, expected);
    let counted: Vec<_> = trail.health().events.into_iter().filter(|(_, n)| *n > 0).collect();
    // The log begins with one of the gateway itself.
    assert_eq!(counted, [(2004, 1), (3002, 1), (6002, 1), (6003, 5)]);
}

fn joined(event: &Value) -> String {
    event["metadata"]["correlation_uid"].as_str().expect("a uid").to_owned()
}

#[tokio::test]
async fn a_flood_causes_no_more_than_its_own_records() {
    let directory = tempfile::tempdir().expect("a directory");
    let trail = open(directory.path());
    for _ in 0..2 * BUDGET {
        let mut entry = trail.begin(opening()).expect("room");
        entry.close(outcome(401, refused("token", "absent"))).await.expect("on record");
        trail.connection_failed(ConnectionFailure {
            time: started(),
            client: "203.0.113.7:1".parse().expect("an address"),
            local: "192.0.2.1:8443".parse().expect("an address"),
            transport: "tcp",
            kind: FailureKind::Http { status: 0 },
            reason: "http2_reset_flood",
            tls: None,
            finding: Some(Finding {
                kind: FindingKind::Flood,
                rule: "http2_reset_flood",
                cwe: 770,
                severity: Severity::Medium,
            }),
        });
    }
    assert!(trail.close(LIMIT).await);
    let events = events(directory.path());
    assert_eq!(of_class(&events, 6003).len(), 2 * BUDGET);
    assert_eq!(of_class(&events, 4002).len(), 2 * BUDGET);
    assert_eq!(of_class(&events, 3002).len(), BUDGET);
    assert_eq!(of_class(&events, 2004).len(), 1);
    assert_eq!(joined(of_class(&events, 2004)[0]), joined(of_class(&events, 4002)[0]));
    assert_eq!(trail.health().left_out as usize, BUDGET + 2 * BUDGET - 1);
}

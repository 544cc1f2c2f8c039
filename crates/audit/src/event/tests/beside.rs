//! Events beside transactions, and those of the gateway itself: valid, joined, and without a value.

use std::time::{Duration, UNIX_EPOCH};

use secrecy::SecretSlice;
use serde_json::json;

use super::super::companion::Beside;
use super::super::{Encoder, SystemEvent};
use super::{checked, encoder, former, opening, transaction};
use crate::facts::{Finding, FindingKind, Lifecycle, SecretInForce, Severity};

fn beside(encoder: &Encoder, check: impl FnOnce(Beside<'_>)) {
    let transaction = transaction(encoder, opening());
    let known = transaction.known("log");
    check(Beside::of(&known, 1_790_000_000_130, 401, "token.expired".to_owned()));
}

#[test]
fn an_authentication_that_failed_is_valid() {
    let encoder = encoder();
    beside(&encoder, |beside| {
        for (left_out, count) in [(0, json!(null)), (3, json!(4))] {
            let beside = Beside { left_out, detail: beside.detail.clone(), ..beside };
            let event =
                checked("authentication", encoder.authentication(&beside, "uid").as_bytes());
            assert_eq!(event["count"], count);
            assert_eq!(event["status_detail"], "token.expired");
            assert_eq!(event["status_code"], "401");
            assert_eq!(event["metadata"]["correlation_uid"], beside.correlation);
            assert_eq!(event["metadata"]["uid"], "uid");
        }
    });
}

#[test]
fn every_finding_is_valid() {
    let encoder = encoder();
    let kinds = [FindingKind::Block, FindingKind::Flood, FindingKind::Ban];
    let severities = [(Severity::Low, 2), (Severity::Medium, 3), (Severity::High, 4)];
    for (kind, (severity, number)) in kinds.into_iter().zip(severities) {
        for api in [true, false] {
            beside(&encoder, |beside| {
                let beside = Beside { api: beside.api.filter(|_| api), ..beside };
                let finding = Finding { kind, rule: "sqli", cwe: 89, severity };
                let event = encoder.finding(&beside, &finding, "uid");
                let event = checked("detection_finding", event.as_bytes());
                assert_eq!(event["severity_id"], number);
                assert_eq!(event["finding_info"]["types"], json!(["CWE-89"]));
                assert_eq!(event["finding_info"]["analytic"]["uid"], "sqli");
                assert_eq!(event["evidences"][0]["api"].is_object(), api);
                assert_eq!(event["evidences"][0]["src_endpoint"]["ip"], "203.0.113.7");
            });
        }
    }
}

#[test]
fn every_event_begins_with_its_metadata_and_its_uid() {
    let encoder = encoder();
    let own = transaction(&encoder, opening());
    let outcome = super::outcome(200, crate::facts::Decision::Allowed);
    let stopped = SystemEvent::Lifecycle(Lifecycle::Stopped { time: UNIX_EPOCH });
    let mut events = vec![encoder.event(&own, &outcome), encoder.system(&stopped, "uid")];
    beside(&encoder, |beside| events.push(encoder.authentication(&beside, "uid")));
    for event in events {
        let begins = event.as_bytes().starts_with(br#"{"metadata":{"uid":""#);
        assert!(begins, "{}", String::from_utf8_lossy(event.as_bytes()));
    }
}

#[test]
fn every_system_event_is_valid() {
    let time = UNIX_EPOCH;
    let policy = || "sha256:0011".to_owned();
    let cause = || Some("cause".to_owned());
    let secrets = || {
        let content = SecretSlice::from(b"hunter2".to_vec());
        vec![SecretInForce { name: "redis".to_owned(), content }]
    };
    let name = || "issuer:main".to_owned();
    let asked = Lifecycle::ReloadAsked { time, policy: policy() };
    let refused =
        Lifecycle::ReloadRefused { time, policy: policy(), reason: "mistakes", cause: None };
    let reloaded =
        Lifecycle::Reloaded { time, policy: policy(), secrets: secrets(), cause: cause() };
    let up = Lifecycle::DependencyUp { time, name: name(), away: Duration::from_secs(3) };
    let of = SystemEvent::Lifecycle;
    let rows = [
        (of(Lifecycle::Started { time, policy: policy(), secrets: secrets() }), 3, 1),
        (of(Lifecycle::Stopped { time }), 4, 1),
        (of(reloaded), 8, 1),
        (of(refused), 8, 2),
        (of(Lifecycle::DependencyDown { time, name: name() }), 99, 2),
        (of(up), 99, 1),
        (of(asked), 3, 1),
        (SystemEvent::Gap { time, missing: 3 }, 99, 2),
        (SystemEvent::LogBegun { time, former: None }, 99, 1),
        (SystemEvent::LogBegun { time, former: Some(former(true)) }, 99, 1),
        (SystemEvent::LogBegun { time, former: Some(former(false)) }, 99, 2),
        (SystemEvent::Repaired { time, torn_bytes: 5, damaged: 0 }, 99, 1),
        (SystemEvent::Repaired { time, torn_bytes: 0, damaged: 2 }, 99, 2),
    ];
    for (event, activity, status) in rows {
        let entity = event.class().0 == 3004;
        let class = if entity { "entity_management" } else { "application_lifecycle" };
        let found = checked(class, encoder().system(&event, "uid").as_bytes());
        assert_eq!(
            (&found["activity_id"], &found["status_id"]),
            (&json!(activity), &json!(status))
        );
        assert!(!found.to_string().contains("hunter2"), "{found}");
        if let SystemEvent::Lifecycle(Lifecycle::Reloaded { .. }) = event {
            assert_eq!(found["metadata"]["correlation_uid"], "cause");
        }
    }
}

#[test]
fn another_content_is_another_version_of_a_secret() {
    let version = |content: &[u8]| {
        let content = SecretSlice::from(content.to_vec());
        let secrets = vec![SecretInForce { name: "redis".to_owned(), content }];
        let policy = "sha256:0011".to_owned();
        let started = Lifecycle::Started { time: UNIX_EPOCH, policy, secrets };
        let event = encoder().system(&SystemEvent::Lifecycle(started), "uid");
        let event = checked("application_lifecycle", event.as_bytes());
        event["unmapped"]["secrets"][0].as_str().expect("a version").to_owned()
    };
    assert!(version(b"a").starts_with("redis=hm1:"));
    assert_eq!(version(b"a"), version(b"a"));
    assert_ne!(version(b"a"), version(b"b"));
}

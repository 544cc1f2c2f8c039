//! A flood of callers whom nobody proved: counted beyond their account, and nobody else hears of it.

use super::*;

/// More than there is room for.
const FLOOD: u64 = 2_000;

fn refused() -> Decision {
    Decision::Refused { stage: "token", reason: "absent", detail: None }
}

/// A trail whose receiver takes nothing.
fn crowded(directory: &Path) -> Arc<Trail> {
    let mut settings = settings(directory);
    settings.spool.size_bytes_max = 4 * SIZE_BYTES_MIN;
    let away = std::iter::repeat_n(Err(SinkFault::Unreachable), 10_000);
    open_scripted(settings, away).0
}

/// How many records the events stand for.
fn records(events: &[Value], detail: &str) -> u64 {
    let of = events.iter().filter(|event| event["status_detail"] == detail);
    of.map(|event| event["count"].as_u64().unwrap_or(1)).sum()
}

#[tokio::test]
async fn a_flood_of_strangers_is_counted_and_stops_nobody() {
    let directory = TempDir::new().expect("a folder");
    let trail = crowded(directory.path());
    for _ in 0..FLOOD {
        let mut entry = trail.begin(opening()).expect("room");
        entry.close(outcome(401, refused())).await.expect("on record, or counted");
    }
    // One that would be let in without a credential has no room either.
    let mut anonymous = trail.begin(opening()).expect("room");
    anonymous.knows_principal(&PrincipalFacts {
        method: crate::facts::ANONYMOUS,
        client: None,
        subject: None,
        ..principal()
    });
    assert_eq!(anonymous.intends().await, Err(SpoolFault::NoRoom));
    assert!(anonymous.has_room(), "its refusal is counted with others");
    let unavailable = Decision::Failed { stage: "audit", reason: "unavailable" };
    anonymous.close(outcome(503, unavailable)).await.expect("counted");
    let served = serve(&trail).await;
    let health = trail.health();
    assert!(health.rolled_up > FLOOD / 2, "{health:?}");
    assert_eq!((health.gaps, health.reserved_bytes, health.spool_ok), (0, 0, true));
    let (others, most) = trail.spool.others();
    assert!(others <= most && others > most / 2, "{others} of {most}");
    trail.close(Duration::ZERO).await;
    drop((anonymous, trail));
    assert!(open(directory.path()).close(LIMIT).await);
    let events = events(directory.path());
    assert_eq!(records(&events, "token.absent"), FLOOD + beside(&events));
    assert_eq!(records(&events, "audit.unavailable"), 1);
    assert!(events.iter().any(|event| event["metadata"]["uid"] == served.as_str()));
    let rolled = events.iter().filter(|event| event["activity_name"] == "Rolled Up");
    let networks: Vec<_> = rolled.map(|event| event["unmapped"]["network"].clone()).collect();
    assert!(!networks.is_empty() && networks.iter().all(|network| network == "203.0.113.0/24"));
}

/// Events of class 3002 beside those that have an event of their own: they have the same reason.
fn beside(events: &[Value]) -> u64 {
    let of = events.iter().filter(|event| event["class_uid"] == 3002);
    of.map(|event| event["count"].as_u64().unwrap_or(1)).sum()
}

#[tokio::test]
async fn a_flood_of_proved_callers_leaves_the_rest_its_room() {
    let directory = TempDir::new().expect("a folder");
    let trail = crowded(directory.path());
    let mut answered = 0;
    loop {
        let mut entry = trail.begin(opening()).expect("room");
        entry.knows_principal(&principal());
        if entry.intends().await.is_err() {
            break;
        }
        entry.close(outcome(200, Decision::Allowed)).await.expect("its room was reserved");
        answered += 1;
    }
    assert!(answered > 50, "{answered}");
    let mut entry = trail.begin(opening()).expect("room");
    entry.close(outcome(401, refused())).await.expect("on record");
    assert_eq!(trail.health().rolled_up, 0, "there was room for it");
}

#[tokio::test]
async fn connections_that_fail_are_counted_too() {
    let directory = TempDir::new().expect("a folder");
    let trail = crowded(directory.path());
    for _ in 0..FLOOD {
        trail.connection_failed(failure());
    }
    assert!(trail.health().rolled_up > FLOOD / 2);
    assert_eq!(trail.health().gaps, 0);
    trail.close(Duration::ZERO).await;
    drop(trail);
    assert!(open(directory.path()).close(LIMIT).await);
    let events = events(directory.path());
    assert_eq!(records(&events, "tls.handshake_timeout"), FLOOD);
}

fn failure() -> ConnectionFailure {
    ConnectionFailure {
        time: started(),
        client: "[2001:db8::7]:40000".parse().expect("an address"),
        local: "192.0.2.1:8443".parse().expect("an address"),
        transport: "tcp",
        kind: FailureKind::Tls,
        reason: "handshake_timeout",
        tls: None,
        finding: None,
    }
}

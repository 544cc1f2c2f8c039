//! The whole way: one event per transaction, whatever happens to the entry, the process or the receiver.

mod accounts;
mod beside;
mod sealed;
mod streams;
mod unknown;

pub(crate) use sealed::three_boots;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::UNIX_EPOCH;

use secrecy::SecretSlice;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::digest::Digesting;
use crate::event::tests::{checked, opening, outcome, principal, route};
use crate::facts::{Decision, FailureKind, PrincipalFacts};
use crate::settings::SpoolSettings;
use crate::sink::{Record, SinkFault, SinkSettings};

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
/// Names the folder for the process that is killed.
const CHILD: &str = "AUDIT_TEST_CHILD_FOLDER";

fn settings(directory: &Path) -> Settings {
    Settings {
        spool: SpoolSettings::new(directory.join("spool")),
        instance: "edge-1".to_owned(),
        pseudonym_key: SecretSlice::from(vec![7; 32]),
        key_number: 1,
        digesting: Digesting::Bodies,
        seal: crate::sealing::tests::settings(),
        masker: crate::Masker::default(),
        sinks: vec![SinkSettings::File { directory: directory.join("log"), rotate_bytes: 1 << 30 }],
    }
}

fn started() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn open(directory: &Path) -> Arc<Trail> {
    Trail::open(settings(directory), started()).expect("a trail")
}

fn events(directory: &Path) -> Vec<Value> {
    let text = fs::read_to_string(directory.join("log/audit-events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter(|line| !begins_a_log(line.as_bytes()));
    lines.map(|line| checked(class(line), line.as_bytes())).collect()
}

/// Each boot files one such event first; `sealed.rs` is about it.
fn begins_a_log(event: &[u8]) -> bool {
    String::from_utf8_lossy(event).contains(r#""status_detail":"audit.log_begun"#)
}

fn class(line: &str) -> &'static str {
    let event: Value = serde_json::from_str(line).expect("json");
    match event["class_uid"].as_u64() {
        Some(6003) => "api_activity",
        Some(6002) => "application_lifecycle",
        Some(4001) => "network_activity",
        Some(3002) => "authentication",
        Some(2004) => "detection_finding",
        _ => "http_activity",
    }
}

async fn serve(trail: &Arc<Trail>) -> String {
    let mut entry = trail.begin(opening()).expect("room");
    entry.knows_route(route());
    entry.knows_principal(&principal());
    entry.observed("validate", "response");
    entry.intends().await.expect("on record");
    entry.close(outcome(200, Decision::Allowed)).await.expect("on record");
    entry.transaction().to_owned()
}

/// The records as a process killed at this moment leaves them; no receiver has seen any.
fn snapshot(directory: &Path) -> TempDir {
    let copy = TempDir::new().expect("a folder");
    fs::create_dir(copy.path().join("spool")).expect("a folder");
    for entry in fs::read_dir(directory.join("spool")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "spool") {
            let name = path.file_name().expect("a name");
            fs::copy(&path, copy.path().join("spool").join(name)).expect("copied");
        }
    }
    copy
}

/// A receiver that follows a script and hands on what it took.
struct Scripted {
    script: VecDeque<Result<usize, SinkFault>>,
    taken: mpsc::Sender<Record>,
}

impl Sink for Scripted {
    fn deliver(&mut self, batch: &[Record]) -> Result<usize, SinkFault> {
        let count = self.script.pop_front().unwrap_or(Ok(usize::MAX))?.min(batch.len());
        for record in batch[..count].iter().filter(|r| !begins_a_log(r.value.as_bytes())) {
            self.taken.send(record.clone()).expect("the test listens");
        }
        Ok(count)
    }
}

fn open_scripted(
    settings: Settings,
    script: impl IntoIterator<Item = Result<usize, SinkFault>>,
) -> (Arc<Trail>, mpsc::Receiver<Record>) {
    let (taken, receiver) = mpsc::channel();
    let sink = Scripted { script: script.into_iter().collect(), taken };
    let maker: Maker = Box::new(move |_| Ok(Box::new(sink)));
    let makers = vec![("scripted".to_owned(), maker)];
    (Trail::open_with(settings, started(), makers).expect("a trail"), receiver)
}

#[tokio::test]
async fn one_event_per_transaction_exactly_once_across_restarts() {
    let directory = TempDir::new().expect("a folder");
    let mut served = Vec::new();
    for _ in 0..3 {
        let trail = open(directory.path());
        for _ in 0..50 {
            served.push(serve(&trail).await);
        }
        assert!(trail.close(LIMIT).await);
        assert_eq!(trail.health().sinks[0].backlog_events, 0);
        assert_eq!(trail.health().reserved_bytes, 0);
    }
    let events = events(directory.path());
    let found: Vec<_> =
        events.iter().map(|e| e["metadata"]["uid"].as_str().expect("a uid")).collect();
    assert_eq!(found, served);
    assert_eq!(events[49]["metadata"]["sequence"], 50, "behind the beginning of its log");
}

#[tokio::test]
async fn every_durability_records() {
    for durability in [Durability::Written, Durability::Synced, Durability::Queued] {
        let directory = TempDir::new().expect("a folder");
        let mut settings = settings(directory.path());
        settings.spool.durability = durability;
        let trail = Trail::open(settings, started()).expect("a trail");
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let trail = Arc::clone(&trail);
                tokio::spawn(async move { serve(&trail).await })
            })
            .collect();
        for task in tasks {
            task.await.expect("served");
        }
        let mut entry = trail.begin(opening()).expect("room");
        let recorded = entry.close_now(outcome(200, Decision::Allowed)).expect("accepted");
        assert_eq!(recorded.is_done(), durability != Durability::Synced);
        let owned: std::pin::Pin<Box<dyn Future<Output = _> + Send + 'static>> = Box::pin(recorded);
        assert_eq!(owned.await, Ok(()));
        assert!(trail.close(LIMIT).await, "{durability:?}");
        assert_eq!(events(directory.path()).len(), 41, "{durability:?}");
    }
}

#[tokio::test]
async fn a_dropped_entry_is_aborted_and_a_closed_one_is_not_closed_again() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    drop(trail.begin(opening()).expect("room"));
    let mut entry = trail.begin(opening()).expect("room");
    entry.close(outcome(200, Decision::Allowed)).await.expect("on record");
    let again = entry.close(outcome(500, Decision::Aborted)).await;
    assert_eq!(again, Err(SpoolFault::Closed));
    drop(entry);
    assert!(trail.close(LIMIT).await);
    let events = events(directory.path());
    let details: Vec<_> = events.iter().map(|event| event["status"].as_str()).collect();
    assert_eq!(details, [Some("Aborted"), Some("Success")]);
}

#[tokio::test]
async fn an_intent_without_an_outcome_becomes_unknown_exactly_once() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    let done = serve(&trail).await;
    let mut open_entry = trail.begin(opening()).expect("room");
    open_entry.knows_route(route());
    open_entry.intends().await.expect("on record");
    let unspoken = trail.begin(opening()).expect("room");
    let copy = snapshot(directory.path());
    for _ in 0..3 {
        assert!(open(copy.path()).close(LIMIT).await);
    }
    let events = events(copy.path());
    let found: Vec<_> = events
        .iter()
        .map(|event| (event["metadata"]["uid"].as_str(), event["status_id"].as_u64()))
        .collect();
    let expected = [(Some(&*done), Some(1)), (Some(open_entry.transaction()), Some(0))];
    for row in expected {
        assert_eq!(found.iter().filter(|found| **found == row).count(), 1, "{row:?} {found:?}");
    }
    assert_eq!(events.len(), 2, "what was not intended did not run");
    drop(unspoken);
}

#[test]
#[ignore = "runs as the child of the next test"]
fn killed_with_intents_open() {
    let Some(directory) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let trail = open(&directory);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        serve(&trail).await;
        let mut entries = Vec::new();
        for _ in 0..20 {
            let mut entry = trail.begin(opening()).expect("room");
            entry.intends().await.expect("on record");
            entries.push(entry);
        }
        std::process::abort();
    });
}

#[tokio::test]
async fn a_killed_process_leaves_unknowns() {
    let directory = TempDir::new().expect("a folder");
    let this = std::env::current_exe().expect("this test");
    let status = Command::new(this)
        .args(["--exact", "trail::tests::killed_with_intents_open", "--ignored"])
        .env(CHILD, directory.path())
        .output()
        .expect("the child ran")
        .status;
    assert!(!status.success(), "it was killed");
    assert!(open(directory.path()).close(LIMIT).await);
    let events = events(directory.path());
    let mut uids: Vec<_> =
        events.iter().map(|event| event["metadata"]["uid"].to_string()).collect();
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), 21);
    let unknown: Vec<_> = events.iter().filter(|event| event["status_id"] == 0).collect();
    assert_eq!(unknown.len(), 20);
    assert_eq!(unknown[0]["status_detail"], "audit.outcome_unknown");
}

#[tokio::test]
async fn a_faulty_receiver_gets_each_record_in_order_in_the_end() {
    let directory = TempDir::new().expect("a folder");
    let script = [
        Err(SinkFault::Unreachable),
        Ok(1),
        Err(SinkFault::Refused),
        Ok(0),
        Ok(2),
        Err(SinkFault::Unreachable),
    ];
    let (trail, taken) = open_scripted(settings(directory.path()), script);
    let mut served = Vec::new();
    for _ in 0..10 {
        served.push(serve(&trail).await);
    }
    let found: Vec<_> =
        (0..10).map(|_| taken.recv_timeout(LIMIT).expect("delivered").uid.to_string()).collect();
    assert_eq!(found, served);
    assert!(trail.close(LIMIT).await);
    assert!(taken.try_recv().is_err(), "nothing twice");
    assert_eq!(trail.health().sinks[0].fault, None);
}

#[tokio::test]
async fn what_is_not_delivered_waits_for_the_next_start() {
    let directory = TempDir::new().expect("a folder");
    let away = std::iter::repeat_n(Err(SinkFault::Unreachable), 1_000);
    let (trail, taken) = open_scripted(settings(directory.path()), away);
    serve(&trail).await;
    assert!(!trail.close(Duration::from_millis(50)).await);
    let health = trail.health();
    assert_eq!((health.sinks[0].backlog_events, health.spool_ok), (2, true));
    drop((trail, taken));
    let (trail, taken) = open_scripted(settings(directory.path()), []);
    taken.recv_timeout(LIMIT).expect("delivered");
    assert!(trail.close(LIMIT).await);
}

#[tokio::test]
async fn a_full_spool_refuses_counts_and_tells() {
    let directory = TempDir::new().expect("a folder");
    let mut settings = settings(directory.path());
    settings.spool.size_bytes_max = SIZE_BYTES_MIN;
    let trail = Trail::open(settings, started()).expect("a trail");
    let proved = || {
        let mut entry = trail.begin(opening()).expect("nobody needs room yet");
        entry.knows_principal(&principal());
        entry
    };
    let mut entries = Vec::new();
    let mut refused = proved();
    while refused.has_room() {
        entries.push(std::mem::replace(&mut refused, proved()));
    }
    // What is left of the room still takes refusals; whoever is let in is not.
    let (mut written, decision) =
        (0, || Decision::Failed { stage: "audit", reason: "unavailable" });
    while refused.close(outcome(503, decision())).await.is_ok() {
        written += 1;
        refused = proved();
        assert_eq!(refused.intends().await, Err(SpoolFault::NoRoom));
    }
    assert_eq!(trail.health().gaps, 1);
    assert_eq!(trail.health().rolled_up, 0);
    for entry in &mut entries {
        entry.close(outcome(200, Decision::Allowed)).await.expect("its room was reserved");
    }
    serve(&trail).await;
    assert!(trail.close(LIMIT).await);
    let events = events(directory.path());
    let gaps: Vec<_> = events.iter().filter(|e| e["status_detail"] == "audit.gap").collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["count"], 1);
    assert_eq!(events.len(), entries.len() + written + 2);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_stored_holds_no_room_and_delivers_nothing_twice() {
    let directory = TempDir::new().expect("a folder");
    let settings = || {
        let mut settings = settings(directory.path());
        settings.spool.size_bytes_max = 4 * SIZE_BYTES_MIN;
        settings
    };
    // What a full disk does to a cursor: no new file.
    fs::create_dir_all(directory.path().join("spool/file.cursor.new")).expect("in the way");
    let trail = Trail::open(settings(), started()).expect("a trail");
    let mut served = Vec::new();
    // Several times what the spool can hold.
    for _ in 0..1_000 {
        let deadline = std::time::Instant::now() + LIMIT;
        while trail.health().sinks[0].backlog_events > 50 {
            assert!(std::time::Instant::now() < deadline, "room comes back");
            tokio::task::yield_now().await;
        }
        served.push(serve(&trail).await);
    }
    assert_eq!(trail.health().sinks[0].fault, Some("cursor"), "and it is told");
    assert!(trail.close(LIMIT).await);
    let found: Vec<_> = events(directory.path())
        .iter()
        .map(|event| event["metadata"]["uid"].as_str().expect("a uid").to_owned())
        .collect();
    assert_eq!(found, served);
    drop(trail);
    // The near miss: nothing in the way. What is still there comes again, under the same uids.
    fs::remove_dir(directory.path().join("spool/file.cursor.new")).expect("out of the way");
    let trail = Trail::open(settings(), started()).expect("a trail");
    assert!(trail.close(LIMIT).await);
    let again = events(directory.path());
    assert!(again[found.len()..].iter().all(|event| {
        event["metadata"]["uid"].as_str().is_some_and(|uid| found.iter().any(|old| old == uid))
    }));
    assert_eq!(trail.health().sinks[0].fault, None);
}

#[tokio::test]
async fn what_is_no_request_is_recorded_too() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    trail.lifecycle(Lifecycle::Started {
        time: started(),
        policy: "sha256:00".to_owned(),
        secrets: Vec::new(),
    });
    trail.connection_failed(ConnectionFailure {
        time: started(),
        client: "203.0.113.7:1".parse().expect("an address"),
        local: "192.0.2.1:8443".parse().expect("an address"),
        transport: "tcp",
        kind: FailureKind::Tls,
        reason: "handshake",
        tls: None,
        finding: None,
    });
    assert!(trail.close(LIMIT).await);
    let found: Vec<_> =
        events(directory.path()).iter().map(|event| event["class_uid"].as_u64()).collect();
    assert_eq!(found, [Some(6002), Some(4001)]);
}

#[tokio::test]
async fn a_repair_is_an_event() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    serve(&trail).await;
    assert!(trail.close(LIMIT).await);
    drop(trail);
    let segment = directory.path().join("spool/00000000000000000001.spool");
    let mut bytes = fs::read(&segment).expect("bytes");
    bytes.extend_from_slice(&[9, 9, 9]);
    fs::write(&segment, bytes).expect("written");
    let trail = open(directory.path());
    assert_eq!(trail.health().torn_bytes, 3);
    assert!(trail.close(LIMIT).await);
    let events = events(directory.path());
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["unmapped"]["torn_bytes"], 3);
}

#[test]
fn bad_settings_stop_the_start() {
    let directory = TempDir::new().expect("a folder");
    let good = || settings(directory.path());
    let short = Settings { pseudonym_key: SecretSlice::from(vec![1; 31]), ..good() };
    assert!(matches!(Trail::open(short, started()), Err(TrailError::PseudonymKey)));
    let mut small = good();
    small.spool.size_bytes_max = SIZE_BYTES_MIN - 1;
    assert!(matches!(Trail::open(small, started()), Err(TrailError::TooSmall)));
    let plain = SinkSettings::Kafka {
        brokers: vec!["localhost:1".to_owned()],
        topics: "audit".to_owned(),
        tls: None,
        insecure_plaintext: false,
    };
    let plain = Settings { sinks: vec![plain], ..good() };
    assert!(matches!(Trail::open(plain, started()), Err(TrailError::Sink { .. })));
    let trail = Trail::open(good(), started()).expect("a trail");
    assert!(matches!(Trail::open(good(), started()), Err(TrailError::Spool(_))));
    drop(trail);
    assert!(Trail::open(good(), started()).is_ok());
}

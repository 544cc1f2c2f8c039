//! What is left in the spool of an instance that is gone is delivered by another; and events are looked at as they are kept.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::client::{Client, PROTOCOLS, Protocol, request};
use crate::parts::process::wait_until;
use crate::sealed::{audit, text, verify};
use crate::site::{LIMIT, Site};
use crate::world::{usual, world};

/// Rounds over all protocols.
const ROUNDS: usize = 4;

fn drained(site: &Site) -> Vec<Value> {
    let Ok(entries) = fs::read_dir(site.path("events/drained")) else { return Vec::new() };
    let folders = entries.map(|entry| entry.expect("an entry").path());
    let texts = folders.map(|f| fs::read_to_string(f.join("audit-events.jsonl")).expect("events"));
    let events = texts.collect::<String>();
    events.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
}

/// The receiver was away and the instance was killed: another delivers its spool, whole, sealed, each event once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphaned_spool_is_drained() {
    let world = world(&usual());
    let site = &world.site;
    // No file can be where a folder is.
    let in_the_way = site.path("events/audit-events.jsonl");
    fs::create_dir_all(&in_the_way).expect("a folder");
    let mut gateway = site.start();
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let mut transactions = Vec::new();
    for _ in 0..ROUNDS {
        for protocol in PROTOCOLS {
            let asked = request("GET", "/orders", Some(&world.token()), "");
            let answer = client.send(protocol, asked).await;
            assert_eq!(answer.status, 200, "{}", gateway.log());
            transactions.push(answer.transaction().to_owned());
        }
    }
    let drain = |folder: &str| audit(site, &["drain", folder, "--config", "gateway.yaml"]);
    let refused = drain("spool");
    assert_eq!(refused.status.code(), Some(1), "its owner is alive: {refused:?}");
    gateway.process.kill();
    fs::rename(site.path("spool"), site.path("orphan")).expect("moved");
    fs::remove_dir(&in_the_way).expect("out of the way");
    // Another instance works here meanwhile, with the same configuration.
    let mut other = site.start();
    let client = Client::new(&site.authority.ca_pem(), other.address);
    let asked = request("GET", "/orders", Some(&world.token()), "");
    let own = client.send(Protocol::H2, asked).await.transaction().to_owned();

    let told = text(&drain("orphan"));
    assert!(told.contains("file: 0 events are left") && told.contains("orphan: drained"), "{told}");
    site.await_event_of(&own);
    for transaction in &transactions {
        let found = drained(site).iter().filter(|e| e["metadata"]["uid"] == **transaction).count();
        assert_eq!(found, 1, "{transaction}");
    }
    assert!(site.transactions().iter().all(|event| event["metadata"]["uid"] == *own));
    // Its last checkpoint is out with it.
    other.process.signal("TERM");
    assert!(other.process.wait(2 * LIMIT).success(), "{}", other.log());
    let keys = ["orphan/seal.key", "spool/seal.key"];
    let keys = keys.map(|file| text(&audit(site, &["public", file])).trim().to_owned());
    let (code, report) = verify(site, "events", &["--key", &keys[0], "--key", &keys[1]]);
    assert_eq!(code, Some(0), "{report:#}");
    let logs = report["logs"].as_array().expect("logs").len();
    assert!(
        logs >= 3,
        "the log of the dead one, that of its draining, that of the other: {report:#}"
    );
    // Once more is no more than a log that begins and ends.
    let before = drained(site).len();
    text(&drain("orphan"));
    let more = drained(site);
    assert!(more[before..].iter().all(|e| e["status_detail"] == "audit.log_begun"), "{more:#?}");
}

/// `tail` and `query` print events as they are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_looked_at() {
    let world = world(&usual());
    let site = &world.site;
    let gateway = site.start();
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let good = request("GET", "/orders", Some(&world.token()), "");
    let first = client.send(Protocol::H1, good).await.transaction().to_owned();
    let refused = client.send(Protocol::H2, request("GET", "/orders", None, "")).await;
    assert_eq!(refused.status, 401);
    site.await_event_of(&first);
    site.await_event_of(refused.transaction());
    let query =
        |arguments: &[&str]| text(&audit(site, &[&["query", "events"], arguments].concat()));
    let one = query(&["--where", "status_detail=token.*", "--where", "class_uid=6003"]);
    assert_eq!(one.lines().count(), 1, "{one}");
    let kept = fs::read_to_string(site.path("events/audit-events.jsonl")).expect("events");
    assert!(kept.contains(&one) && one.contains(refused.transaction()), "as it is kept, whole");
    assert_eq!(query(&["--where", "metadata.uid=nobody", "--count"]), "0\n");
    assert_eq!(query(&["--until", "2020-01-01T00:00:00Z", "--count"]), "0\n");
    assert_eq!(query(&["--since", "2020-01-01T00:00:00Z", "--limit", "2"]).lines().count(), 2);
    let last = text(&audit(site, &["tail", "events", "-n", "2"]));
    let lines: Vec<_> = kept.lines().collect();
    assert!(last.lines().eq(lines[lines.len() - 2..].iter().copied()), "{last}");

    let mut follower = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["audit", "tail", "spool", "--follow", "-n", "0", "--where", "class_uid=6003"])
        .current_dir(site.path("."))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the gateway runs");
    let mut heard = BufReader::new(follower.stdout.take().expect("its output")).lines();
    // It may begin behind what is sent now: until it has heard something, something is sent.
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || heard.next().map(|line| sender.send(line.expect("text"))));
    let mut sent = Vec::new();
    let mut line = None;
    for _ in 0..1_000 {
        let asked = request("GET", "/orders", Some(&world.token()), "");
        sent.push(client.send(Protocol::H1, asked).await.transaction().to_owned());
        line = lines.recv_timeout(std::time::Duration::from_millis(300)).ok();
        if line.is_some() {
            break;
        }
    }
    let line = line.expect("an event is heard");
    assert!(sent.iter().any(|transaction| line.contains(transaction)), "{line}");
    follower.kill().expect("it runs until it is ended");
    wait_until("its end", LIMIT, || follower.try_wait().expect("a child").is_some());
}

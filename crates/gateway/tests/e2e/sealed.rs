//! What the binary leaves is proved by the binary, and what is done to it is found.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::process::wait_until;
use crate::parts::{INSTALL, cache};
use crate::site::{LIMIT, Site};
use crate::world::{usual, world};

/// Rounds over all protocols in each boot.
const ROUNDS: usize = 5;

/// `gateway audit` in the folder of the site.
pub(crate) fn audit(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.arg("audit").args(arguments).current_dir(site.path("."));
    command.output().expect("the gateway runs")
}

/// What it said, where it was good.
pub(crate) fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// The exit code and the report of a check.
pub(crate) fn verify(site: &Site, folder: &str, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["verify", folder, "--json"], more].concat();
    let output = audit(site, &arguments);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|_| panic!("{output:?}")))
}

/// Two boots, the first killed: their logs are proved, by key, by roster and pin, also in the spool; a removed event is located.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_of_two_boots_are_proved_and_a_removed_event_is_located() {
    let world = world(&usual());
    let site = &world.site;
    let mut transactions = Vec::new();
    for _ in 0..2 {
        let mut gateway = site.start();
        let client = Client::new(&site.authority.ca_pem(), gateway.address);
        for _ in 0..ROUNDS {
            for protocol in PROTOCOLS {
                let asked = request("GET", "/orders", Some(&world.token()), "");
                let answer = client.send(protocol, asked).await;
                assert_eq!(answer.status, 200, "{}", gateway.log());
                transactions.push(answer.transaction().to_owned());
            }
        }
        // The delivery is in order: the last is there with all before it.
        site.await_event_of(transactions.last().expect("one"));
        gateway.process.kill();
    }
    // The third seals what the second left, and goes in order.
    let mut gateway = site.start();
    wait_until("the third log is sealed", LIMIT, || sealed_logs(site) == 3);
    gateway.process.signal("TERM");
    gateway.process.wait(LIMIT);

    let key = public_key(site);
    let (code, report) = verify(site, "events", &["--key", &key]);
    assert_eq!((code, &report["clean"]), (Some(0), &json!(true)), "{report:#}");
    let logs = report["logs"].as_array().expect("logs");
    let ended: Vec<_> = logs.iter().map(|log| log["ended"] == true).collect();
    assert_eq!(ended, [false, false, true]);
    let count = |log: &Value, name: &str| log[name].as_u64().expect("a number");
    let events: u64 = logs.iter().map(|log| count(log, "events") + count(log, "repeats")).sum();
    assert_eq!(events, site.events().len() as u64);
    assert_eq!(verify(site, "spool", &["--key", &key]).0, Some(0));

    by_roster(site, &key);
    by_proof(site, &key, &transactions[4]);
    by_go(site, &key, &transactions[4]);

    let events = site.path("events/audit-events.jsonl");
    let all = fs::read_to_string(&events).expect("events");
    let removed = format!(r#""uid":"{}""#, transactions[7]);
    let kept: String = all.split_inclusive('\n').filter(|line| !line.contains(&removed)).collect();
    fs::write(&events, kept).expect("written");
    let (code, report) = verify(site, "events", &["--key", &key]);
    let found = &report["findings"];
    assert_eq!((code, found.as_array().map(Vec::len)), (Some(1), Some(1)), "{report:#}");
    let place: Value = all
        .lines()
        .find(|line| line.contains(&removed))
        .map(|line| serde_json::from_str(line).expect("json"))
        .expect("the event");
    assert_eq!(found[0]["kind"], "removed");
    assert_eq!(found[0]["index"], place["metadata"]["sequence"]);
    assert_eq!(found[0]["log"], place["metadata"]["log_name"]);
}

/// The public key of the instance of a site.
pub(crate) fn public_key(site: &Site) -> String {
    text(&audit(site, &["public", "spool/seal.key"])).trim().to_owned()
}

fn sealed_logs(site: &Site) -> usize {
    let text = fs::read_to_string(site.path("events/audit-checkpoints.jsonl")).unwrap_or_default();
    let logs = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["note"].as_str()?.lines().next()?.to_owned())
    });
    logs.collect::<std::collections::BTreeSet<_>>().len()
}

/// With the roster of a fleet: good; an instance without a log is missed; another fleet's is refused.
fn by_roster(site: &Site, key: &str) {
    let fleet = text(&audit(site, &["key", "shop", "fleet.key"]));
    let other = text(&audit(site, &["key", "shop/audit/other", "other.key"]));
    let fleet = fleet.trim();
    let write = |name: &str, members: &[&str]| {
        let roster = [&["roster", "--fleet-key", "fleet.key"], members].concat();
        fs::write(site.path(name), text(&audit(site, &roster))).expect("written");
    };
    write("roster", &[key]);
    write("longer", &[key, other.trim()]);
    let pin = "events/audit-checkpoints.jsonl";
    let with = |fleet: &str, roster: &str| {
        verify(site, "events", &["--fleet-key", fleet, "--roster", roster, "--pin", pin])
    };
    let (code, report) = with(fleet, "roster");
    assert_eq!(code, Some(0), "{report:#}");
    assert!(report["logs"][0]["pinned"].is_u64(), "{report:#}");
    let (code, report) = with(fleet, "longer");
    assert_eq!((code, &report["findings"][0]["kind"]), (Some(1), &json!("instance_missing")));
    // A copy beside the events is taken where none is given.
    let copy = ["verify", "events", "--fleet-key", fleet];
    assert_eq!(audit(site, &copy).status.code(), Some(2));
    fs::copy(site.path("roster"), site.path("events/roster")).expect("copied");
    assert_eq!(audit(site, &copy).status.code(), Some(0));
    fs::remove_file(site.path("events/roster")).expect("removed");
    let by = ["verify", "events", "--fleet-key", other.trim(), "--roster", "roster"];
    assert_eq!(audit(site, &by).status.code(), Some(2));
}

/// Go's own packages for transparency logs come to the same: every checkpoint, every event, a proof; and they see a change.
fn by_go(site: &Site, key: &str, transaction: &str) {
    let program = cache().join("go/bin/sumdb");
    assert!(program.is_file(), "no sumdb: {INSTALL}");
    let sumdb = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(site.path("."));
        command.output().expect("it runs")
    };
    let checkpoints = "events/audit-checkpoints.jsonl";
    let told = text(&sumdb(&["tree", key, "events/audit-events.jsonl", checkpoints]));
    assert!(told.starts_with("logs 3 checkpoints ") && !told.contains("events 0"), "{told}");
    let all = fs::read_to_string(site.path("events/audit-events.jsonl")).expect("events");
    fs::write(site.path("changed"), all.replacen("\"status_id\":1", "\"status_id\":2", 1))
        .expect("written");
    let changed = sumdb(&["tree", key, "changed", checkpoints]);
    assert!(
        !changed.status.success()
            && String::from_utf8_lossy(&changed.stderr).contains("another root"),
        "{changed:?}"
    );
    fs::write(site.path("proof"), text(&audit(site, &["prove", transaction, "events"])))
        .expect("written");
    let told = text(&sumdb(&["proof", key, "proof"]));
    assert!(told.starts_with("event "), "{told}");
    let proof = fs::read_to_string(site.path("proof")).expect("a proof");
    fs::write(site.path("proof"), proof.replacen("index ", "index 1", 1)).expect("written");
    assert!(!sumdb(&["proof", key, "proof"]).status.success());
}

/// One event goes to a third party.
fn by_proof(site: &Site, key: &str, transaction: &str) {
    let proof = text(&audit(site, &["prove", transaction, "events"]));
    fs::write(site.path("proof"), &proof).expect("written");
    let check = ["verify", "--proof", "proof", "--key", key];
    assert!(text(&audit(site, &check)).contains(transaction));
    fs::write(site.path("proof"), proof.replacen("index ", "index 1", 1)).expect("written");
    assert_eq!(audit(site, &check).status.code(), Some(1));
}

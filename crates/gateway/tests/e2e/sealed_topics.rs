//! The same proof over real topics: what a crash delivered twice passes, a removed record is found and located.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::kafka::{Kafka, Message};
use crate::parts::process::wait_until;
use crate::sealed::{audit, public_key, text, verify};
use crate::site::{LIMIT, WIDE_LIMITS};
use crate::world::{World, world};

/// Rounds over all protocols in each boot.
const ROUNDS: usize = 4;

fn sinks(kafka: &Kafka) -> String {
    format!(
        "{WIDE_LIMITS}audit:
  spool: {{ directory: spool }}
  sinks: [{{ kafka: {{ brokers: ['{}'], topics: audit, insecure_plaintext: true }} }}]
  pseudonym: {{ key: {{ file: pseudonym }} }}
",
        kafka.brokers()
    )
}

fn place(message: &Message) -> Value {
    let event: Value = serde_json::from_str(&message.payload).expect("json");
    event["metadata"].clone()
}

/// Two boots, the first killed before it noted what it had delivered.
async fn two_boots(world: &World, kafka: &Kafka) -> Vec<String> {
    let site = &world.site;
    let mut transactions = Vec::new();
    for boot in 0..2 {
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
        let last = transactions.last().expect("one");
        wait_until("the events on the topic", LIMIT, || {
            kafka.read("audit.events").iter().any(|message| message.payload.contains(last))
        });
        if boot == 0 {
            gateway.process.kill();
            // As if it had died between the broker's word and its own note of it.
            drop(fs::remove_file(site.path("spool/kafka.cursor")));
        } else {
            gateway.process.signal("TERM");
            assert!(gateway.process.wait(2 * LIMIT).success(), "{}", gateway.log());
        }
    }
    transactions
}

/// Two boots, the first killed before it noted what it had delivered: its log comes again. Then a copy with one record less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_proved_and_a_removed_record_is_located() {
    let kafka = Kafka::start(2);
    for topic in ["audit.events", "audit.checkpoints", "cut.events", "cut.checkpoints"] {
        kafka.create_topic(topic);
    }
    let world = world(&sinks(&kafka));
    let site = &world.site;
    let transactions = two_boots(&world, &kafka).await;
    let key = public_key(site);
    let brokers = kafka.brokers();
    let by = ["--kafka", &*brokers, "--insecure-plaintext", "--key", &*key, "--json"];
    let check = |more: &[&str]| {
        let output = audit(site, &[&["verify"], &by[..], more].concat());
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), report)
    };
    let (code, report) = check(&[]);
    assert_eq!(code, Some(0), "{report:#}");
    let logs = report["logs"].as_array().expect("logs");
    assert_eq!((logs.len(), &logs[1]["ended"]), (2, &json!(true)), "{report:#}");
    assert!(logs[0]["repeats"].as_u64() > Some(3 * ROUNDS as u64), "it came again: {report:#}");
    looked_at(&world.site, &by[..3], &key, &transactions[5]);

    // One record of the second log is not in the copy.
    let (events, gone) = (kafka.read("audit.events"), &transactions[3 * ROUNDS + 4]);
    let removed = events.iter().position(|message| message.payload.contains(gone)).expect("one");
    let missing = place(&events[removed]);
    let rest: Vec<_> =
        events.iter().enumerate().filter(|(n, _)| *n != removed).map(|(_, m)| m).collect();
    kafka.write("cut.events", &rest);
    kafka.write("cut.checkpoints", &kafka.read("audit.checkpoints").iter().collect::<Vec<_>>());
    let (code, report) = check(&["--topics", "cut"]);
    let found = report["findings"].as_array().expect("findings");
    assert_eq!(
        (code, found.len(), &found[0]["kind"]),
        (Some(1), 1, &json!("removed")),
        "{report:#}"
    );
    assert_eq!(
        (&found[0]["index"], &found[0]["log"]),
        (&missing["sequence"], &missing["log_name"])
    );
    let at = found[0]["at"].as_str().expect("a place");
    assert!(at.starts_with("cut.events/"), "{at}");
    let none = [&["verify"], &by[..], &["--topics", "absent"]].concat();
    assert_eq!(audit(site, &none).status.code(), Some(2), "what is not there is not good");
}

/// Query and proof over the topics.
fn looked_at(site: &crate::site::Site, by: &[&str], key: &str, transaction: &str) {
    let wanted = format!("metadata.uid={transaction}");
    let told = text(&audit(site, &[&["query"], by, &["--where", &wanted]].concat()));
    assert!(told.lines().count() >= 2, "it was delivered twice");
    assert!(told.lines().all(|line| line.contains(transaction)), "{told}");
    let proof = text(&audit(site, &[&["prove", transaction], by].concat()));
    fs::write(site.path("proof"), proof).expect("written");
    let good = text(&audit(site, &["verify", "--proof", "proof", "--key", key]));
    assert!(good.contains(transaction));
    let (code, _) = verify(site, "spool", &["--key", key]);
    assert_eq!(code, Some(0), "and what is left in the spool is good, too");
}

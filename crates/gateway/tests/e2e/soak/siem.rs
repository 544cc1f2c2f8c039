//! A SIEM takes every event: a consumer reads the topic into a real OpenSearch, whose mapping refuses what it does not know.
//! What came twice is one document, and nothing is missing between the first and the last of a log.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::client::PROTOCOLS;
use crate::parts::opensearch::OpenSearch;

use super::crowd::Crowd;
use super::kill::start_again;
use super::{Dice, Stand, TOPIC, Witness, account};

/// Answers on each protocol before the process is killed, and after.
const ANSWERS: usize = 150;
const INDEX: &str = "audit-events-campaign";
const TEMPLATE: &str = include_str!("../../../../../config/opensearch/audit-events.json");
/// Documents of one bulk request.
const BULK: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_siem_takes_every_event() {
    let dice = Dice::new();
    let stand = Stand::new();
    let _witness = Witness::new(&dice, &stand);
    let node = OpenSearch::start();
    let tokens = stand.tokens().await;
    let mut gateway = stand.site.start();
    gateway.await_all_up();
    let crowd = Crowd::begin(&stand.site, &gateway, &tokens);
    for protocol in PROTOCOLS {
        crowd.await_answers(protocol, ANSWERS);
    }
    crowd.shut();
    // What was under way becomes Unknown, what was delivered last may come again, and a log ends unclean.
    gateway.process.kill();
    gateway = start_again(&stand.site);
    // No HTTP at all: events of connections.
    for _ in 0..9 {
        no_tls(gateway.address);
    }
    crowd.open();
    for protocol in PROTOCOLS {
        crowd.await_answers(protocol, ANSWERS);
    }
    let told = crowd.end().await;
    stand.finish(gateway);
    let [topic, _] = account::settle(&stand, &told, true);

    let made = node.call("PUT", "/_index_template/audit-events", TEMPLATE);
    assert_eq!(made["acknowledged"], true, "{made}");
    let messages = stand.kafka.read(TOPIC);
    let again = index(&node, messages.iter().map(|message| message.payload.as_str()).collect());
    assert_eq!(again, topic.again, "what came again is one document");
    let count = |query: Value| {
        let answer =
            node.call("GET", &format!("/{INDEX}/_count"), &json!({ "query": query }).to_string());
        answer["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    };
    let events = (messages.len() - again) as u64;
    assert_eq!(count(json!({ "match_all": {} })), events);
    let answered = told.iter().filter(|told| told.answer.is_ok()).count() as u64;
    assert!(count(json!({ "term": { "class_uid": 6003 } })) >= answered);
    // What an analyst asks.
    let injections = json!({ "bool": { "filter": [
        { "term": { "class_uid": 2004 } }, { "term": { "evidences.src_endpoint.ip": "127.0.0.0/8" } },
        { "range": { "time": { "gte": "now-1h" } } } ] } });
    assert!(count(injections) > 0);
    let refused = json!({ "bool": { "filter": [
        { "term": { "api.response.code": 401 } }, { "prefix": { "status_detail": "token." } } ] } });
    assert!(count(refused) > 0);
    gapless(&node, events);
    super::report(&format!("{events} events, {again} came again, {} asked", told.len()));
}

/// Something else than TLS.
fn no_tls(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent bytes");
    // An alert, a reset or nothing: the event counts.
    stream.read_to_end(&mut Vec::new()).ok();
}

/// Indexes the events, each under its uid; how many were there already. Nothing else may be refused.
fn index(node: &OpenSearch, events: Vec<&str>) -> usize {
    let mut again = 0;
    for events in events.chunks(BULK) {
        let mut bulk = String::new();
        for event in events {
            let read: Value = serde_json::from_str(event).expect("an event");
            bulk.push_str(&json!({ "create": { "_id": read["metadata"]["uid"] } }).to_string());
            bulk.extend(["\n", event, "\n"]);
        }
        let answer = node.call("POST", &format!("/{INDEX}/_bulk?refresh=true"), &bulk);
        for item in answer["items"].as_array().unwrap_or_else(|| panic!("{answer}")) {
            let done = &item["create"];
            match done["status"].as_u64() {
                Some(201) => {}
                Some(409) => again += 1,
                _ => panic!("{}", done["error"]),
            }
        }
    }
    again
}

/// A plain query finds what is missing: each log has as many events as its last place says.
fn gapless(node: &OpenSearch, events: u64) {
    let asked = json!({ "size": 0, "aggs": { "logs": {
        "terms": { "field": "metadata.log_name", "size": 100 },
        "aggs": { "last": { "max": { "field": "metadata.sequence" } } } } } });
    let answer = node.call("GET", &format!("/{INDEX}/_search"), &asked.to_string());
    let logs = answer["aggregations"]["logs"]["buckets"].as_array().expect("logs");
    assert_eq!(logs.len(), 2, "one log a boot: {logs:?}");
    let mut all = 0;
    for log in logs {
        let count = log["doc_count"].as_u64().expect("a count");
        let last = log["last"]["value"].as_f64().expect("a place");
        assert_eq!(count as f64, last + 1.0, "{log}");
        all += count;
    }
    assert_eq!(all, events);
}

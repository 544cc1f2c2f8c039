//! Synthetic secrets of every kind in every place of a request and in every encoding: none of them reaches the spool, the events,
//! the log, the metrics, the topics of Kafka or the traces. Drawn from a seed; a planted leak shows that the search would find one.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};

use crate::client::{Client, PROTOCOLS};
use crate::parts::collector;
use crate::parts::kafka::{Kafka, Message};
use crate::parts::process::wait_until;
use crate::plain;
use crate::site::LIMIT;
use crate::world::{usual, world};
use planted::{CODINGS, Coded, Draw, KINDS, coded};

/// The masker's own list.
#[path = "../../../audit/src/masker/tests/planted.rs"]
mod planted;

/// Secrets of the short form: each kind in each encoding once, places in turn.
const SHORT: usize = KINDS.len() * CODINGS;
/// Secrets of the long form.
const LONG: usize = 10_000;
/// Where events go.
const TOPIC: &str = "audit.events";
/// The name of a span.
const TEMPLATE: &str = "POST /orders";
/// Bytes of a secret that may not be seen anywhere; a shorter secret may not be seen whole.
const WINDOW_BYTES: usize = 12;
/// A shorter text is found by chance among the digits of times.
const WINDOW_BYTES_MIN: usize = 9;
const SEED: u64 = 20_261_126;

/// A text as a part of a target.
fn in_target(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("into memory");
        }
        out
    })
}

/// The header of a place, where the place is one.
fn header(place: usize) -> Option<&'static str> {
    let names = [
        "user-agent",
        "referer",
        "cookie",
        "authorization",
        "x-request-id",
        "x-api-key",
        "traceparent",
        "tracestate",
        "x-forwarded-for",
        "forwarded",
        "accept-language",
        "x-anything",
        "if-none-match",
        "origin",
    ];
    names.get(place).copied()
}

/// Places of a request.
const PLACES: usize = 23;

/// A request that has the text in that place.
fn planted(place: usize, text: &str, token: &str) -> Request<Bytes> {
    let place = place % PLACES;
    let (mut target, mut body, mut method) = ("/orders".to_owned(), Bytes::new(), "GET");
    let json = |value: serde_json::Value| Bytes::from(value.to_string());
    match place {
        14 => target = format!("/{}", in_target(text)),
        15 => target = format!("/orders/{}", in_target(text)),
        16 => target = format!("/orders?limit={}", in_target(text)),
        17 => target = format!("/orders?{}=1", in_target(text)),
        18 => body = json(serde_json::json!({ "item": text, "quantity": 1 })),
        19 => body = json(serde_json::json!({ "item": "a", "quantity": 1, "note": text })),
        20 => body = json(serde_json::json!({ "item": "a", "quantity": 1, text: true })),
        21 => body = Bytes::from(format!("{{\"item\": \"{text}")),
        22 => body = json(serde_json::json!({ "item": [text], "quantity": text })),
        _ => {}
    }
    if !body.is_empty() {
        method = "POST";
    }
    let mut request = Request::builder().method(method).uri(target).body(body).expect("a request");
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(token) = HeaderValue::from_str(&format!("Bearer {token}")) {
        headers.insert("authorization", token);
    }
    if let Some(name) = header(place)
        && let Ok(value) = HeaderValue::from_bytes(text.as_bytes())
    {
        headers.insert(HeaderName::from_static(name), value);
    }
    request
}

/// Pieces of all that was planted, drawn bytes of each, as they are and as they were sent; by their length.
#[derive(Default)]
struct Search(BTreeMap<usize, HashSet<Vec<u8>>>);

impl Search {
    /// The end of a text and its middle.
    fn add(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let length = bytes.len().min(WINDOW_BYTES);
        let last = bytes.len() - length;
        for from in [last, last / 2] {
            let piece = bytes.get(from..from + length).expect("within");
            if length >= WINDOW_BYTES_MIN {
                self.0.entry(length).or_default().insert(piece.to_vec());
            }
        }
    }

    fn finds(&self, text: &[u8]) -> Option<String> {
        let found = |(length, pieces): (&usize, &HashSet<Vec<u8>>)| {
            text.windows(*length).find(|window| pieces.contains(*window))
        };
        Some(self.0.iter().find_map(found)?.escape_ascii().to_string())
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let read =
        |path: std::path::PathBuf| Some((path.display().to_string(), std::fs::read(&path).ok()?));
    entries.filter_map(|entry| read(entry.expect("an entry").path())).collect()
}

async fn no_secret_is_left(count: usize) {
    let kafka = Kafka::start(1);
    kafka.create_topic(TOPIC);
    kafka.create_topic("audit.checkpoints");
    let (collector, spans) = collector::start();
    let sink = format!(
        "sinks: [{{ kafka: {{ brokers: ['{}'], topics: audit, insecure_plaintext: true }} }}, ",
        kafka.brokers()
    );
    let telemetry = format!("telemetry: {{ otlp: 'http://127.0.0.1:{collector}' }}\n");
    let world = world(&format!("{}{telemetry}", usual().replace("sinks: [", &sink)));
    let mut gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let (mut draw, mut search) = (Draw(SEED), Search::default());
    let (mut answered, mut codings) = (0, HashSet::new());
    for index in 0..count {
        let secret = KINDS[index % KINDS.len()].1(&mut draw);
        let Coded { coding, text, core } = coded(&secret, index / KINDS.len());
        codings.insert(coding);
        search.add(&secret.core);
        search.add(&core);
        search.add(&in_target(&core));
        let protocol = PROTOCOLS[index % PROTOCOLS.len()];
        // What no client library sends counts as not sent.
        let sent = client.try_send(protocol, planted(index / 7, &text, &token)).await;
        answered += usize::from(sent.is_ok());
    }
    assert!(answered * 10 > count * 8, "{answered} of {count} were answered");
    assert_eq!(codings.len(), CODINGS, "each encoding was sent");
    wait_until("all events", LIMIT, || world.site.transactions().len() >= answered);
    let messages = kafka.read_at_least(TOPIC, answered, LIMIT);
    let metrics = plain::ask(gateway.status, "GET", "/metrics").body;
    let log = gateway.log.clone();
    let spool = files(&world.site.path("spool"));
    gateway.process.signal("TERM");
    assert!(gateway.process.wait(LIMIT).success(), "{}", gateway.log());
    let mut outputs = files(&world.site.path("events"));
    outputs.extend(spool);
    outputs.push(("log".to_owned(), std::fs::read(&log).expect("the log")));
    outputs.push(("metrics".to_owned(), metrics.into_bytes()));
    for Message { key, payload, .. } in messages {
        let message = format!("{} {payload}", key.unwrap_or_default());
        outputs.push((TOPIC.to_owned(), message.into_bytes()));
    }
    let spans: Vec<u8> = spans.try_iter().flatten().collect();
    let told = spans.windows(TEMPLATE.len()).any(|window| window == TEMPLATE.as_bytes());
    assert!(told, "spans of requests arrived: {} bytes", spans.len());
    outputs.push(("traces".to_owned(), spans));
    for (name, content) in &outputs {
        assert_eq!(search.finds(content), None, "in {name}, seed {SEED}");
    }
    // The search sees what is there: the last secret, put behind an event.
    let (_, mut events) = outputs.swap_remove(0);
    events.extend_from_slice(KINDS[0].1(&mut Draw(SEED)).core.as_bytes());
    assert!(search.finds(&events).is_some(), "a planted leak is found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_every_kind_in_every_place_and_encoding_reach_nothing() {
    no_secret_is_left(SHORT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_ten_thousand_secrets_reach_nothing() {
    no_secret_is_left(LONG).await;
}

//! Synthetic secrets of 25 kinds in every place of a request and in 20 encodings: none of them reaches the spool, the events,
//! the log, standard output or the metrics. Drawn from a seed; a planted leak shows that the search would find one.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};

use crate::client::{Client, PROTOCOLS};
use crate::parts::process::wait_until;
use crate::plain;
use crate::site::LIMIT;
use crate::world::{usual, world};

/// Secrets of the short form: each kind in each encoding once, places in turn.
const SHORT: usize = 500;
/// Secrets of the long form.
const LONG: usize = 10_000;
/// Bytes of a secret that may not be seen anywhere.
const WINDOW_BYTES: usize = 12;
const SEED: u64 = 20_261_126;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn from(&mut self, alphabet: &[u8], count: usize) -> String {
        let one =
            |draw: &mut Self| char::from(alphabet[(draw.next() % alphabet.len() as u64) as usize]);
        (0..count).map(|_| one(self)).collect()
    }

    fn digits(&mut self, count: usize) -> String {
        self.from(b"0123456789", count)
    }

    fn key(&mut self, count: usize) -> String {
        let rest =
            self.from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", count);
        format!("aB7{rest}")
    }

    fn word(&mut self, count: usize) -> String {
        self.from(b"bcdfghjklmnpqrstvwxz", count)
    }
}

/// A secret of that kind, with many drawn bytes at its end.
fn secret(kind: usize, draw: &mut Draw) -> String {
    match kind % 25 {
        0 => format!("4{}", draw.digits(15)),
        1 => format!("55{}", draw.digits(14)),
        2 => format!("37{}", draw.digits(13)),
        3 => format!("DE{}", draw.digits(20)),
        4 => format!("GB29NWBK{}", draw.digits(14)),
        5 => format!("9{}{}", draw.digits(2), draw.digits(10)),
        6 => draw.digits(14),
        7 => format!("{}-{}", draw.digits(9), draw.digits(7)),
        8 => format!("{}@{}.example", draw.word(8), draw.word(9)),
        9 => format!("+4917{}", draw.digits(11)),
        10 => format!("eyJhbGciOiJFUzI1NiJ9.eyJ{}.{}", draw.key(20), draw.key(30)),
        11 => format!("Bearer {}", draw.key(30)),
        12 => format!("Basic {}", STANDARD.encode(draw.key(20))),
        13 => format!("AKIA{}", draw.from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        14 => format!("ghp_{}", draw.key(33)),
        15 => format!("sk_live_{}", draw.key(24)),
        16 => format!("xoxb-{}", draw.key(24)),
        17 => draw.from(b"0123456789abcdef", 40),
        18 => draw.key(32),
        19 => format!("-----BEGIN PRIVATE KEY-----{}", draw.key(40)),
        20 => format!("password={}", draw.word(16)),
        21 => format!("postgres://app:{}@db.internal", draw.word(16)),
        22 => format!("hvs.{}", draw.key(24)),
        23 => format!("AIza{}", draw.key(32)),
        _ => format!("glpat-{}", draw.key(20)),
    }
}

fn hex(text: &str, before: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "{before}{byte:02x}").expect("into memory");
        out
    })
}

fn percent(text: &str) -> String {
    hex(text, "%")
}

fn digits_from(text: &str, zero: u32) -> String {
    let other =
        |c: char| c.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(c);
    text.chars().map(other).collect()
}

fn each(text: &str, write: impl Fn(u32) -> String) -> String {
    text.chars().map(|c| write(u32::from(c))).collect()
}

fn encoded(coding: usize, text: &str) -> String {
    match coding % 20 {
        0 => text.to_owned(),
        1 => percent(text),
        2 => percent(&percent(text)),
        3 => STANDARD.encode(text),
        4 => URL_SAFE_NO_PAD.encode(text),
        5 => STANDARD.encode(format!("x{text}")),
        6 => STANDARD.encode(STANDARD.encode(text)),
        7 => hex(text, ""),
        8 => hex(text, " "),
        9 => hex(text, "\\x"),
        10 => each(text, |c| format!("\\u{c:04x}")),
        11 => each(text, |c| format!("&#{c};")),
        12 => each(text, |c| format!("&#x{c:x};")),
        13 => each(text, |c| {
            let wide = if (0x21..=0x7e).contains(&c) { c + 0xfee0 } else { c };
            char::from_u32(wide).map(String::from).unwrap_or_default()
        }),
        14 => digits_from(text, 0x660),
        15 => digits_from(text, 0x966),
        16 => digits_from(text, 0x1d7ce),
        17 => text.chars().flat_map(|c| [c, '\u{200b}']).collect(),
        18 => serde_json::json!({ "note": text }).to_string(),
        _ => format!("the caller sent {text} twice"),
    }
}

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

/// Pieces of all that was planted, drawn bytes of each, as they are and as they were sent.
#[derive(Default)]
struct Search(HashSet<Vec<u8>>);

impl Search {
    fn add(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let last = bytes.len().saturating_sub(WINDOW_BYTES);
        for from in [last, last.saturating_sub(WINDOW_BYTES / 2)] {
            if let Some(piece) = bytes.get(from..from + WINDOW_BYTES) {
                self.0.insert(piece.to_vec());
            }
        }
    }

    fn finds(&self, text: &[u8]) -> Option<String> {
        let found = text.windows(WINDOW_BYTES).find(|window| self.0.contains(*window))?;
        Some(found.escape_ascii().to_string())
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let read =
        |path: std::path::PathBuf| Some((path.display().to_string(), std::fs::read(&path).ok()?));
    entries.filter_map(|entry| read(entry.expect("an entry").path())).collect()
}

async fn no_secret_is_left(count: usize) {
    let world = world(&usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let (mut draw, mut search) = (Draw(SEED), Search::default());
    let mut answered = 0;
    for index in 0..count {
        let secret = secret(index, &mut draw);
        let text = encoded(index / 25, &secret);
        search.add(&secret);
        search.add(&text);
        search.add(&in_target(&text));
        let protocol = PROTOCOLS[index % PROTOCOLS.len()];
        // What no client library sends counts as not sent.
        let sent = client.try_send(protocol, planted(index / 7, &text, &token)).await;
        answered += usize::from(sent.is_ok());
    }
    assert!(answered * 10 > count * 8, "{answered} of {count} were answered");
    wait_until("all events", LIMIT, || world.site.transactions().len() >= answered);
    let mut outputs = files(&world.site.path("events"));
    outputs.extend(files(&world.site.path("spool")));
    outputs.push(("log".to_owned(), std::fs::read(&gateway.log).expect("the log")));
    let metrics = plain::ask(gateway.status, "GET", "/metrics").body;
    outputs.push(("metrics".to_owned(), metrics.into_bytes()));
    for (name, content) in &outputs {
        assert_eq!(search.finds(content), None, "in {name}, seed {SEED}");
    }
    // The search sees what is there: the last secret, put behind an event.
    let (_, mut events) = outputs.swap_remove(0);
    events.extend_from_slice(secret(0, &mut Draw(SEED)).as_bytes());
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

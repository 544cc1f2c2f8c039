//! Requests that are none, made by hand: each leaves exactly one event, and that is on record before the answer: the
//! gateway is killed as soon as the answer is there, and the next start still tells of it.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::tls;
use crate::parts::process::wait_until;
use crate::site::{Gateway, HOST, LIMIT};
use crate::world::{World, reason, usual, world};

/// GET https /a of `localhost` (RFC 7541 6.1, 6.2.2).
const GET: &[u8] = b"\x82\x87\x04\x02/a\x01\x09localhost";

struct Case {
    alpn: &'static [u8],
    sent: Vec<u8>,
    /// What the answer has to hold, somewhere.
    answer: Vec<u8>,
    class: u64,
    /// What the record says the client was told.
    status: u64,
    reason: &'static str,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, stream.to_be_bytes().as_slice(), payload].concat()
}

/// The preface, SETTINGS, and one request in as many frames as it needs.
fn h2(block: &[u8]) -> Vec<u8> {
    let mut sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, b"")].concat();
    let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let ends_head = if index + 1 == pieces.len() { 4 } else { 0 };
        let (kind, flags) = if index == 0 { (1, 1 | ends_head) } else { (9, ends_head) };
        sent.extend(frame(kind, flags, 1, piece));
    }
    sent
}

fn cases() -> Vec<Case> {
    let h1 = |sent: &str, status: &str, reason| Case {
        alpn: b"http/1.1",
        sent: sent.as_bytes().to_vec(),
        answer: format!("HTTP/1.1 {status} ").into_bytes(),
        class: 6003,
        status: status.parse().unwrap(),
        reason,
    };
    let large = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    // `x`, never indexed, of 100,000 bytes (RFC 7541 6.2.3).
    let bomb = [GET, b"\x10\x01x\x7f\xa1\x8c\x06", &vec![b'a'; 100_000]].concat();
    let over_h2 = |block: &[u8], answer, status, reason| Case {
        alpn: b"h2",
        sent: h2(block),
        answer,
        class: 4002,
        status,
        reason,
    };
    vec![
        h1("\u{1}garbage\r\n\r\n", "400", "edge.request_line"),
        h1("GET / HTTP/1.1\nhost: localhost\n\n", "400", "edge.line_ending"),
        h1("GET / HTTP/1.1\r\nhost : localhost\r\n\r\n", "400", "edge.field_syntax"),
        h1("GET / HTTP/4.2\r\nhost: localhost\r\n\r\n", "505", "edge.http_version"),
        h1(&large, "431", "edge.field_bytes"),
        // A `:status`: the engine resets the stream.
        over_h2(&[GET, b"\x88"].concat(), frame(3, 0, 1, &[0, 0, 0, 1]), 0, "http.http2_stream"),
        // The engine answers 431 by itself: HEADERS that end head and stream.
        over_h2(&bomb, vec![1, 5, 0, 0, 0, 1], 431, "http.head_too_large"),
    ]
}

async fn connect(world: &World, gateway: &Gateway, alpn: &[u8]) -> TlsStream<TcpStream> {
    let config = tls(&world.site.authority.ca_pem(), alpn);
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

/// Reads until the answer is there.
async fn await_answer(stream: &mut TlsStream<TcpStream>, answer: &[u8]) {
    let mut heard = Vec::new();
    let found = |heard: &[u8]| heard.windows(answer.len()).any(|part| part == answer);
    while !found(&heard) {
        let mut room = [0; 4096];
        let read = tokio::time::timeout(LIMIT, stream.read(&mut room)).await.unwrap().unwrap_or(0);
        assert_ne!(read, 0, "no answer: {:?}", heard.escape_ascii().to_string());
        heard.extend(&room[..read]);
    }
}

/// The events of broken and other requests; a copy after a kill carries the same id.
fn recorded(world: &World) -> Vec<Value> {
    let mut seen = HashSet::new();
    let mut events = world.site.events();
    events.retain(|event| {
        matches!(event["class_uid"].as_u64(), Some(4001 | 4002 | 6003))
            && seen.insert(event["metadata"]["uid"].clone())
    });
    events
}

fn found(world: &World, case: &Case) -> usize {
    let is = |event: &&Value| {
        event["class_uid"] == case.class
            && event["http_response"]["code"] == case.status
            && reason(event) == case.reason
    };
    recorded(world).iter().filter(is).count()
}

/// Each broken request leaves exactly one event, and before its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_leave_one_event_each_before_the_answer() {
    let world = world(&usual());
    let cases = cases();
    for case in &cases {
        let mut gateway = world.site.start();
        let mut stream = connect(&world, &gateway, case.alpn).await;
        stream.write_all(&case.sent).await.ok();
        await_answer(&mut stream, &case.answer).await;
        gateway.process.kill();
    }
    let _gateway = world.site.start();
    wait_until("an event of each broken request", LIMIT, || {
        cases.iter().all(|case| found(&world, case) > 0)
    });
    for case in &cases {
        assert_eq!(found(&world, case), 1, "{}: {:#?}", case.reason, recorded(&world));
    }
    assert_eq!(recorded(&world).len(), cases.len(), "no event beside those");
}

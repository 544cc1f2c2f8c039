//! Traces: a finished request arrives at an OTLP/HTTP collector, under the trace id that the audit event names.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::client::{Client, Protocol, request};
use crate::issuer::Issuer;
use crate::parts::free_port;
use crate::site::{FILE_SINK, LIMIT, Site, WIDE_LIMITS};

/// A collector: hands every request's bytes over, answers 200.
fn collector() -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            socket.set_read_timeout(Some(LIMIT)).unwrap();
            let (mut all, mut piece) = (Vec::new(), [0; 4096]);
            while !whole(&all)
                && let Ok(count @ 1..) = socket.read(&mut piece)
            {
                all.extend_from_slice(&piece[..count]);
            }
            drop(
                socket.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                ),
            );
            if sender.send(all).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

/// Whether these bytes are a request with all of its body; packets come when they come.
pub(crate) fn whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let fields = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = fields.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.expect("a length").trim().parse().expect("a number");
    bytes.len() >= head + 4 + length
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_arrives_at_the_collector() {
    let (collector, spans) = collector();
    let site = Site::new();
    let issuer = Issuer::new(&site);
    let nobody = ([127, 0, 0, 1], free_port()).into();
    let rest =
        format!("{WIDE_LIMITS}{FILE_SINK}telemetry: {{ otlp: 'http://127.0.0.1:{collector}' }}\n");
    site.configure(&Issuer::configuration(), nobody, &rest);
    let mut gateway = site.start();
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let token = issuer.token("shop", "read:orders");
    let answer = client.send(Protocol::H2, request("GET", "/orders", Some(&token), "")).await;
    assert_eq!(answer.status, 502);
    let event = site.await_event_of(answer.transaction());
    gateway.process.signal("TERM");
    assert!(gateway.process.wait(LIMIT).success(), "{}", gateway.log());
    let span = spans.recv_timeout(LIMIT).expect("a span");
    let text = String::from_utf8_lossy(&span);
    assert!(text.starts_with("POST /v1/traces "), "{text}");
    assert!(text.contains("GET /orders") && text.contains("sallyport"), "{text}");
    assert!(!text.contains(&token), "no token in a trace");
    // The trace id stands in the span as 16 raw bytes.
    let id = u128::from_str_radix(event["trace"]["uid"].as_str().unwrap(), 16).unwrap();
    assert!(span.windows(16).any(|bytes| bytes == id.to_be_bytes()), "{event:#}");
}

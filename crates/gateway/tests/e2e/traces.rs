//! Traces: a finished request arrives at an OTLP/HTTP collector, under the trace id that the audit event names.

use crate::client::{Client, Protocol, request};
use crate::issuer::Issuer;
use crate::parts::collector;
use crate::parts::free_port;
use crate::site::{FILE_SINK, LIMIT, Site, WIDE_LIMITS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_arrives_at_the_collector() {
    let (collector, spans) = collector::start();
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

//! Header fields that say who somebody is, where he comes from or what he really wants, sent by a client: none reaches
//! the service, in whatever spelling, and what the gateway says in their place is its own.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{Arrived, Stage};
use crate::client::{Client, PROTOCOLS, Protocol, request};

/// Names that services believe, as the folding of all their spellings: letters, digits and `-`.
const PROTECTED: [&str; 52] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-user",
    "x-forwarded-client-cert",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-http-host-override",
    "proxy",
    "proxy-authorization",
    "proxy-connection",
    "x-gateway-assertion",
    "x-gateway-user",
    "x-user",
    "x-userinfo",
    "x-user-id",
    "x-remote-user",
    "remote-user",
    "x-authenticated-user",
    "x-auth-request-user",
    "x-consumer-id",
    "x-credential-identifier",
    "x-jwt-payload",
    "x-client-cert",
    "client-cert",
    "ssl-client-verify",
    "x-ssl-client-dn",
    "x-request-id",
    "x-envoy-internal",
    "x-middleware-subrequest",
    "traceparent",
    "tracestate",
    "baggage",
    "x-b3-traceid",
    "via",
    "authorization",
    "cookie",
    "accept-encoding",
];
/// What the gateway says itself.
const OWN: [&str; 12] = [
    "host",
    "x-request-id",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "via",
    "traceparent",
    "content-length",
    "content-type",
    "x-gateway-assertion",
    "accept",
];
/// What a client writes into every field here.
const SPOOF: &str = "198.51.100.66";

fn fold(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect()
}

/// Nothing of the client's is in it, and no name twice.
fn assert_clean(what: &str, arrived: &Arrived) {
    assert!(!arrived.head.contains(SPOOF), "{what}: {}", arrived.head);
    let mut names = BTreeSet::new();
    for line in arrived.head.lines().skip(1).filter(|line| !line.is_empty()) {
        let name = fold(line.split(':').next().unwrap());
        assert!(OWN.contains(&name.as_str()), "{what}: {line}");
        assert!(names.insert(name), "{what}, twice: {line}");
    }
    assert_eq!(arrived.field("x-forwarded-for"), Some("127.0.0.1"), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_claim_of_a_client_reaches_the_service() {
    let stage = Stage::new(Vec::new());
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    for protocol in PROTOCOLS {
        for name in PROTECTED {
            if protocol != Protocol::H1 && name == "proxy-connection" {
                continue;
            }
            let mut sent = request("GET", "/api/open", None, "");
            let name = HeaderName::try_from(name).unwrap();
            sent.headers_mut().append(&name, HeaderValue::from_static(SPOOF));
            sent.headers_mut().append(&name, HeaderValue::from_static(SPOOF));
            let answer = client.send(protocol, sent).await;
            let what = format!("{protocol:?} {name}");
            if name == http::header::AUTHORIZATION {
                // What is no token is refused, also where none is asked for.
                assert_eq!(answer.status, 400, "{what}");
                stage.saw(&what, &[]);
                continue;
            }
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
            assert_clean(&what, &stage.saw(&what, &["GET /api/open"])[0]);
        }
    }
}

/// Names are tokens (RFC 9110 5.1), but what is no letter, digit or `-` in one has no honest use: refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_are_refused() {
    let stage = Stage::new(Vec::new());
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    let names = [
        "x_forwarded_for",
        "x.forwarded.for",
        "x-forwarded_for",
        "x!user",
        "x.user",
        "x_gateway_assertion",
        "x~real~ip",
        "x|client|cert",
        "x'user",
        "x#user",
        "x$user",
        "x%user",
        "x&user",
        "x*user",
        "x+user",
        "x^user",
        "x`user",
        "content_length",
        "transfer_encoding",
        "x_tenant",
    ];
    for protocol in PROTOCOLS {
        for name in names {
            let mut sent = request("GET", "/api/open", None, "");
            let value = HeaderValue::from_static(SPOOF);
            sent.headers_mut().insert(HeaderName::try_from(name).unwrap(), value);
            let what = format!("{protocol:?} {name}");
            assert_eq!(client.send(protocol, sent).await.status, 400, "{what}");
            stage.saw(&what, &[]);
        }
        let mut sent = request("GET", "/api/open", None, "");
        sent.headers_mut().insert("x-tenant", HeaderValue::from_static("one"));
        assert_eq!(client.send(protocol, sent).await.status, 200, "near miss: {protocol:?}");
        let arrived = stage.saw("near miss", &["GET /api/open"]);
        assert_eq!(arrived[0].field("x-tenant"), Some("one"), "{protocol:?}");
    }
}

/// CVE-2022-31813, CVE-2022-1388: a client names fields in `connection` so that they are taken away on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_takes_no_field_of_the_gateway_away() {
    let stage = Stage::new(Vec::new());
    for names in
        ["close, X-Forwarded-For", "x-gateway-assertion, x-request-id, forwarded, via, host"]
    {
        let sent = format!(
            "GET /api/open HTTP/1.1\r\nhost: localhost\r\nconnection: {names}\r\n\r\n\
             GET /api/open HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        );
        stage.raw_h1(names, sent.as_bytes()).await;
        let arrived = stage.recorder.take();
        for name in ["x-forwarded-for", "x-gateway-assertion", "x-request-id", "forwarded", "via"] {
            assert!(arrived[0].field(name).is_some(), "{names}: {name}\n{}", arrived[0].head);
        }
        assert_clean(names, &arrived[0]);
    }
    // What passes otherwise and is named there is for the next hop only.
    for (connection, passes) in [("x-tenant", None), ("x-other", Some("one"))] {
        let sent = format!(
            "GET /api/open HTTP/1.1\r\nhost: localhost\r\nx-tenant: one\r\nconnection: close, {connection}\r\n\r\n"
        );
        stage.raw_h1(connection, sent.as_bytes()).await;
        let arrived = stage.saw(connection, &["GET /api/open"]);
        assert_eq!(arrived[0].field("x-tenant"), passes, "{connection}");
    }
}

/// CVE-2026-2836 is about caches, which this gateway has none of: the same path is asked for each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_from_a_cache() {
    let stage = Stage::new(vec![
        b"HTTP/1.1 200 OK\r\ncache-control: public, max-age=3600\r\ncontent-length: 2\r\n\r\n{}",
    ]);
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    let path = super::Recorder::answer(0);
    for protocol in PROTOCOLS {
        for _ in 0..2 {
            let sent: http::Request<Bytes> = request("GET", &path, None, "");
            assert_eq!(client.send(protocol, sent).await.status, 200);
            stage.saw("a cacheable answer", &[&format!("GET {path}")]);
        }
    }
}

//! Behind a load balancer: rules, limits and records are about the client that the balancer names, and nobody else can
//! name one. Limits at the door leave an event and a metric.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, PROTOCOLS, request, tls};
use crate::parts::process::wait_until;
use crate::site::{FILE_SINK, Gateway, HOST, LIMIT, Site};
use crate::world::{World, reason, service, usual, world};

/// The only network that the API lets in.
const INSIDE: &str = "    access:\n      - { networks: [192.0.2.0/24] }\n";
const ON_TCP: &str = "    http: [1, 2]\n";

/// A world behind proxies: this section of its listener, and what ends its configuration.
fn behind(section: &str, versions: &str, rest: &str) -> World {
    let world = world(rest);
    let section = format!("{versions}    client_address: {section}\n");
    world.site.amend("    http: [1, 2, 3]\n", &section);
    world.site.amend("    access:\n", INSIDE);
    world
}

fn forwarded(token: &str, lines: &[&str]) -> Request<Bytes> {
    let mut request = request("GET", "/orders", Some(token), "");
    for line in lines {
        request.headers_mut().append("x-forwarded-for", line.parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_is_whom_a_trusted_proxy_names() {
    let mut world = behind("{ trusted_proxies: [127.0.0.0/8] }", "    http: [1, 2, 3]\n", &usual());
    world.service = service(&world.site, &["x-forwarded-for", "forwarded"]);
    let configuration = std::fs::read_to_string(world.site.path("gateway.yaml")).unwrap();
    let endpoint = configuration.split("endpoints: [").nth(1).unwrap().split(']').next().unwrap();
    world.site.amend(endpoint, &format!("https://{}", world.service.address()));
    let gateway = world.site.start();
    gateway.await_all_up();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let cases: [(&[&str], u16, &str, &str); 5] = [
        (&["192.0.2.7"], 200, "192.0.2.7", ""),
        (&["203.0.113.9, 192.0.2.7"], 200, "192.0.2.7", ""),
        (&["192.0.2.7, 203.0.113.9"], 403, "203.0.113.9", "access.denied"),
        (&[], 400, "127.0.0.1", "edge.client_address_missing"),
        (&["192.0.2.7", "unknown"], 400, "127.0.0.1", "edge.client_address_syntax"),
    ];
    for protocol in PROTOCOLS {
        for (lines, status, address, told) in cases {
            let answer = client.send(protocol, forwarded(&token, lines)).await;
            assert_eq!(answer.status, status, "{protocol:?} {lines:?}: {}", gateway.log());
            let event = world.site.await_event_of(answer.transaction());
            assert_eq!(event["src_endpoint"]["ip"], address, "{protocol:?} {lines:?}");
            if address != "127.0.0.1" {
                assert_eq!(event["src_endpoint"]["port"], Value::Null, "the proxy's port");
            }
            if !told.is_empty() {
                assert!(reason(&event).starts_with(told), "{protocol:?} {lines:?}: {event}");
            }
        }
    }
    let seen = world.service.await_seen(2 * PROTOCOLS.len());
    for seen in &seen {
        assert_eq!(seen.fields["x-forwarded-for"], "192.0.2.7");
        assert!(seen.fields["forwarded"].starts_with("for=192.0.2.7;"), "{:?}", seen.fields);
    }
}

/// Clients behind one proxy do not spend each other's limit, and requests of nobody spend none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_behind_a_proxy_has_its_own_limit() {
    let limits = "limits:\n  address: { rate: 1/h, burst: 2 }\n";
    let world = behind(
        "{ trusted_proxies: [127.0.0.0/8] }",
        "    http: [1, 2, 3]\n",
        &format!("{limits}{FILE_SINK}"),
    );
    let gateway = world.site.start();
    gateway.await_all_up();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    for (number, protocol) in PROTOCOLS.into_iter().enumerate() {
        let (mine, other) = (format!("192.0.2.{number}"), format!("192.0.2.1{number}"));
        let spoofed = format!("{other}, {mine}");
        for expected in [200, 200, 429] {
            let answer = client.send(protocol, forwarded(&token, &[&spoofed])).await;
            assert_eq!(answer.status, expected, "{protocol:?}");
        }
        for _ in 0..4 {
            let answer = client.send(protocol, forwarded(&token, &[])).await;
            assert_eq!(answer.status, 400, "{protocol:?}");
        }
        let answer = client.send(protocol, forwarded(&token, &[&other])).await;
        assert_eq!(answer.status, 200, "{protocol:?}");
    }
}

/// A TLS connection behind a PROXY header.
async fn introduced(
    site: &Site,
    gateway: &Gateway,
    header: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut socket = TcpStream::connect(gateway.address).await?;
    socket.write_all(header).await?;
    let config = tls(&site.authority.ca_pem(), b"http/1.1");
    let name = ServerName::try_from(HOST).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// Asks for the orders; the whole answer, in lower case.
async fn orders(stream: &mut TlsStream<TcpStream>, token: &str) -> String {
    let request = format!(
        "GET /orders HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\n\
         x-forwarded-for: 203.0.113.9\r\nforwarded: for=203.0.113.9\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LIMIT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer.to_lowercase()
}

fn transaction(answer: &str) -> &str {
    let after = answer.split("x-request-id: ").nth(1).expect("an id");
    after.split("\r\n").next().expect("an id")
}

/// Waits for an event of a broken connection; its reason is `prefix.word`, the metric's is the word.
fn await_cut(world: &World, gateway: &Gateway, cut: &str) -> Value {
    let mut found = None;
    wait_until("the event of a cut", LIMIT, || {
        found = world.site.events().into_iter().find(|event| reason(event) == cut);
        found.is_some()
    });
    let label = format!("reason=\"{}\"", cut.split('.').nth(1).unwrap());
    let counted = gateway.metric(&["sallyport_connections_broken_total", &label]);
    assert!(counted >= 1.0, "{cut} is not counted");
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_protocol_names_the_client() {
    let limits = "limits:\n  connections: { max_per_address: 1 }\n";
    let section = "{ trusted_proxies: [127.0.0.0/8], from: proxy-protocol }";
    let world = behind(section, ON_TCP, &format!("{limits}{FILE_SINK}"));
    let gateway = world.site.start();
    gateway.await_all_up();
    let (site, token) = (&world.site, world.token());
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x12\x67\x01\xbb";
    for (header, status, address) in [
        (v2.as_slice(), 200, "192.0.2.7"),
        (b"PROXY TCP4 192.0.2.8 127.0.0.1 4711 443\r\n", 200, "192.0.2.8"),
        (b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n", 403, "203.0.113.9"),
    ] {
        let mut stream = introduced(site, &gateway, header).await.expect("a handshake");
        let answer = orders(&mut stream, &token).await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        let event = site.await_event_of(transaction(&answer));
        assert_eq!(event["src_endpoint"]["ip"], address);
        assert_eq!(event["src_endpoint"]["port"], 4711);
    }
    // A second connection of the same client, and one that is introduced by nobody.
    let held = introduced(site, &gateway, b"PROXY TCP4 192.0.2.9 127.0.0.1 1 443\r\n").await;
    assert!(held.is_ok());
    let second = introduced(site, &gateway, b"PROXY TCP4 192.0.2.9 127.0.0.1 2 443\r\n").await;
    assert!(second.is_err());
    let event = await_cut(&world, &gateway, "connection.address_connections");
    assert_eq!(event["src_endpoint"]["ip"], "192.0.2.9");
    assert!(introduced(site, &gateway, b"").await.is_err());
    await_cut(&world, &gateway, "connection.proxy_header");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_beside_the_proxies_is_hung_up_on() {
    let world = behind("{ trusted_proxies: [198.51.100.0/24] }", ON_TCP, &usual());
    let gateway = world.site.start();
    gateway.await_all_up();
    assert!(introduced(&world.site, &gateway, b"").await.is_err());
    let event = await_cut(&world, &gateway, "connection.untrusted_peer");
    assert_eq!(event["src_endpoint"]["ip"], "127.0.0.1");
    assert_eq!(world.site.transactions().len(), 0);
    // Whom to believe changes at a reload: who came before goes on as it began.
    world.site.amend("198.51.100.0/24", "127.0.0.0/8");
    gateway.process.signal("HUP");
    wait_until("the reload", LIMIT, || gateway.metric(&["sallyport_reloads_total"]) == 1.0);
    let deadline = Instant::now() + LIMIT;
    while introduced(&world.site, &gateway, b"").await.is_err() {
        assert!(Instant::now() < deadline, "{}", gateway.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_at_the_door_leave_an_event_and_a_metric() {
    let limits = "limits:
  connections:
    max_requests: 1
    new_per_address: { rate: 1/h, burst: 9 }
  body: { min_rate: 1000000, grace: 100ms }
";
    let world = world(&format!("{limits}{FILE_SINK}"));
    let gateway = world.site.start();
    gateway.await_all_up();
    let token = world.token();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
    );
    let mut stream = introduced(&world.site, &gateway, b"").await.expect("a handshake");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LIMIT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let event = world.site.await_event_of(transaction(&answer.to_lowercase()));
    assert_eq!(reason(&event), "schema.body_too_slow");
    let slow = ["sallyport_requests_total", "decision=\"schema.body_too_slow\""];
    assert!(gateway.metric(&slow) >= 1.0);
    await_cut(&world, &gateway, "http.request_limit");
    // The bucket of this address runs dry: it has nine tokens, and probes of the start took some.
    let dry = async {
        while introduced(&world.site, &gateway, b"").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, dry).await.unwrap();
    await_cut(&world, &gateway, "connection.address_rate");
}

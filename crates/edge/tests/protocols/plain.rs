//! Listeners without TLS: the same reading of a request, the same limits at the door, the same word of proxies as over
//! TLS, HTTP/1 only; and listeners that send clients to https.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use edge::{
    AddressSource, BindError, BodyPace, ClientAddress, FailureKind, Limits, ListenerSettings,
    Plaintext, Server, Settings, TlsVersion, Versions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::rest;
use super::service::{DEADLINE, House, certificate, house_plain};

const GET: &str = "GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
/// The beginning of a ClientHello.
const HELLO: &[u8] = b"\x16\x03\x01\0\x2e\x01\0\0\x2a\x03\x03\r\n\r\n";

fn serving(limits: Limits) -> House {
    house_plain(limits, ClientAddress::default(), Plaintext::Serve)
}

fn behind(network: &str, from: AddressSource) -> ClientAddress {
    ClientAddress { trusted_proxies: vec![network.parse().unwrap()], from, insecure_direct: false }
}

/// Sends bytes and reads to the end of the connection; nothing where it is hung up on.
async fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.ok();
    let mut heard = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut heard)).await.unwrap().ok();
    String::from_utf8(heard).unwrap()
}

fn statuses(heard: &str) -> Vec<&str> {
    heard.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_tls_has_the_same_reading() {
    let house = serving(Limits::default());
    let heard = say(house.address(), GET.as_bytes()).await;
    assert!(heard.ends_with("\r\n\r\nGET localhost /a - "), "{heard}");
    for header in ["alt-svc", "strict-transport-security"] {
        assert!(!heard.to_lowercase().contains(header), "{heard}");
    }
    let host = "host: localhost\r\nconnection: close\r\n\r\n";
    for (request, expected) in [
        // No handshake named a host that could differ.
        ("GET /a HTTP/1.1\r\nhost: other.example\r\nconnection: close\r\n\r\n".into(), "200 /a"),
        (format!("GET http://localhost/a HTTP/1.1\r\n{host}"), "200 /a"),
        (format!("GET https://localhost/a HTTP/1.1\r\n{host}"), "400 scheme"),
        (format!("GET http://other.example/a HTTP/1.1\r\n{host}"), "400 host_mismatch"),
        ("GET /a HTTP/1.1\r\nconnection: close\r\n\r\n".into(), "400 host_missing"),
        (format!("GET /a/../b HTTP/1.1\r\n{host}"), "400 path_dots"),
        (format!("GET /a HTTP/1.1\r\ntransfer-encoding: x\r\n{host}"), "400 transfer_encoding"),
        (format!("GET /a HTTP/1.1\nx: y\r\n{host}"), "400 line_ending"),
        // HTTP/2 without TLS, by knowledge and by upgrade: the first is refused, the second is not heard.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), "505 http_version"),
        (
            "GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, http2-settings, close\r\n\
             upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
                .into(),
            "200 /a",
        ),
    ] {
        let heard = say(house.address(), request.as_bytes()).await;
        let (status, reason) = expected.split_once(' ').unwrap();
        assert_eq!(statuses(&heard), [status], "{request}: {heard}");
        assert!(heard.contains(reason), "{request}: {heard}");
    }
    // TLS where none is spoken is no request.
    let heard = say(house.address(), HELLO).await;
    assert_eq!(statuses(&heard), ["400"], "{heard}");
    // A probe that leaves without a byte is nothing.
    drop(TcpStream::connect(house.address()).await.unwrap());
    rest(house).await;
}

/// Every limit of a TLS connection over TCP, on a plain one.
#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_without_tls() {
    let short = Duration::from_millis(100);
    let slow_head = Limits { header_timeout: short, ..Limits::default() };
    let heard_of = async |limits: Limits, sent: &[u8]| {
        let house = serving(limits);
        let heard = say(house.address(), sent).await;
        (house, heard)
    };
    let (house, heard) = heard_of(slow_head, b"GET /a HTTP/1.1\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 408 ") && heard.ends_with("head_timed_out"), "{heard}");
    rest(house).await;

    let idle = Limits { idle_timeout: short, ..Limits::default() };
    let (house, heard) = heard_of(idle, b"").await;
    assert_eq!(heard, "");
    let failure = house.echo.failure().await;
    assert_eq!((failure.kind, failure.tls), (FailureKind::ConnectionIdle, None));
    rest(house).await;

    let one = Limits { connection_requests_max: NonZeroU64::MIN, ..Limits::default() };
    let two = [GET.replace("connection: close\r\n", ""), GET.into()].concat();
    let (house, heard) = heard_of(one, two.as_bytes()).await;
    assert_eq!(statuses(&heard), ["200"], "{heard}");
    let failure = house.echo.failure().await;
    assert_eq!((failure.kind, failure.tls), (FailureKind::RequestLimit, None));
    rest(house).await;

    let small = Limits { header_bytes_max: 200, ..Limits::default() };
    let large = GET.replace("host:", &format!("x: {}\r\nhost:", "y".repeat(200)));
    let (house, heard) = heard_of(small, large.as_bytes()).await;
    assert_eq!(statuses(&heard), ["431"], "{heard}");
    assert_eq!(statuses(&say(house.address(), GET.as_bytes()).await), ["200"]);
    rest(house).await;

    let pace = BodyPace { bytes_per_second: NonZeroU32::MAX, grace: short };
    let quick = Limits { body_pace_min: pace, ..Limits::default() };
    let half = "POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf";
    let (house, heard) = heard_of(quick, half.as_bytes()).await;
    assert!(heard.ends_with("body is too slow"), "{heard}");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_without_tls() {
    for (limits, kind) in [
        (Limits { connections_max: 1, ..Limits::default() }, FailureKind::ConnectionLimit),
        (
            Limits { address_connections_max: 1, ..Limits::default() },
            FailureKind::AddressConnections,
        ),
    ] {
        let house = serving(limits);
        let mut held = TcpStream::connect(house.address()).await.unwrap();
        held.write_all(GET.replace("connection: close\r\n", "").as_bytes()).await.unwrap();
        // It is counted once it is answered.
        timeout(DEADLINE, held.read_exact(&mut [0_u8; 12])).await.unwrap().unwrap();
        assert_eq!(say(house.address(), GET.as_bytes()).await, "");
        let failure = house.echo.failure().await;
        assert_eq!((failure.kind, failure.tls), (kind, None));
        drop(held);
        let served = async {
            while say(house.address(), GET.as_bytes()).await.is_empty() {
                house.echo.failure().await;
            }
        };
        timeout(DEADLINE, served).await.unwrap();
        rest(house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_are_believed_without_tls_as_with_it() {
    let whose = GET.replace("/a", "/client");
    let forwarded = |line: &str| whose.replace("host:", &format!("{line}\r\nhost:"));
    let rules = behind("127.0.0.0/8", AddressSource::XForwardedFor);
    let house = house_plain(Limits::default(), rules, Plaintext::Serve);
    for (line, expected) in [
        ("x-forwarded-for: spoofed, 192.0.2.7", "192.0.2.7 false behind 127.0.0.1"),
        ("x-forwarded-for: unknown", "client_address_syntax"),
        ("x: y", "client_address_missing"),
    ] {
        let heard = say(house.address(), forwarded(line).as_bytes()).await;
        assert!(heard.ends_with(expected), "{line}: {heard}");
    }
    rest(house).await;

    let rules = behind("127.0.0.0/8", AddressSource::ProxyProtocol);
    let house = house_plain(Limits::default(), rules.clone(), Plaintext::Serve);
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x12\x67\0\x50";
    for header in [v2.as_slice(), b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n"] {
        let heard = say(house.address(), &[header, whose.as_bytes()].concat()).await;
        assert!(heard.ends_with("192.0.2.7 true behind 127.0.0.1"), "{heard}");
    }
    for header in [whose.as_str(), "PROXY UNKNOWN\r\n", "PROXY TCP4 192.0.2.7 127.0.0.1 1 x\r\n"] {
        assert_eq!(say(house.address(), header.as_bytes()).await, "", "{header}");
        assert_eq!(house.echo.failure().await.kind, FailureKind::ProxyHeader, "{header}");
    }
    rest(house).await;

    // A header that does not come to its end: there is no handshake that could have failed.
    let hasty = Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() };
    let house = house_plain(hasty, rules, Plaintext::Serve);
    assert_eq!(say(house.address(), b"PROXY TCP4").await, "");
    assert_eq!(house.echo.failure().await.kind, FailureKind::ProxyHeader);
    rest(house).await;

    let elsewhere = behind("192.0.2.0/24", AddressSource::XForwardedFor);
    let house = house_plain(Limits::default(), elsewhere, Plaintext::Serve);
    let spoofed = forwarded("x-forwarded-for: 192.0.2.7");
    assert_eq!(say(house.address(), spoofed.as_bytes()).await, "");
    assert_eq!(house.echo.failure().await.kind, FailureKind::UntrustedPeer);
    rest(house).await;
}

/// What is answered there is the matter of the service, which is told; the connection ends with its first answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_redirects_ends_with_its_first_answer() {
    let house = house_plain(Limits::default(), ClientAddress::default(), Plaintext::Redirect(8443));
    let get = GET.replace("connection: close\r\n", "").replace("/a", "/redirects");
    let post = "POST /redirects HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60\r\n\r\n";
    for request in [get.as_str(), post, &get.replace("GET", "HEAD")] {
        let heard = say(house.address(), [request, &get].concat().as_bytes()).await;
        assert_eq!(statuses(&heard), ["200"], "{request}: {heard}");
        let is_head = request.starts_with("HEAD");
        assert!(is_head || heard.ends_with("to 8443"), "{request}: {heard}");
        assert!(heard.to_lowercase().contains("connection: close"), "{request}: {heard}");
    }
    rest(house).await;
    let house = serving(Limits::default());
    let heard = say(house.address(), [get.as_str(), GET].concat().as_bytes()).await;
    assert_eq!(statuses(&heard), ["200", "200"], "{heard}");
    assert!(heard.contains("to nobody"), "{heard}");
    rest(house).await;
}

#[tokio::test]
async fn a_plain_listener_has_no_certificates_and_one_version() {
    let mut house = serving(Limits::default());
    let (certificate, _) = certificate(&["localhost"]);
    let refused = |http, certificates| {
        let listener = ListenerSettings {
            address: "127.0.0.1:0".parse().unwrap(),
            http,
            forwarded_certificates: None,
            plaintext: Some(Plaintext::Serve),
            certificates,
            min_version: TlsVersion::V1_3,
            client_certificates: None,
            client_address: ClientAddress::default(),
        };
        let (listeners, limits) = (vec![listener], Limits::default());
        let settings = Settings { listeners, limits, workers: None };
        matches!(Server::bind(settings, Arc::clone(&house.echo)), Err(BindError::Plaintext(_)))
    };
    let only_h1 = Versions { h1: true, h2: false, h3: false };
    assert!(refused(Versions { h2: true, ..only_h1 }, Vec::new()));
    assert!(refused(Versions { h3: true, ..only_h1 }, Vec::new()));
    assert!(refused(only_h1, vec![certificate.clone()]));
    assert!(!refused(only_h1, Vec::new()));
    // A reload brings none, and none is taken.
    house.swap(|_| {});
    let brought = house.change(|listener| listener.certificates = vec![certificate]);
    assert!(matches!(brought, Err(BindError::Plaintext(_))), "{brought:?}");
    assert_eq!(statuses(&say(house.address(), GET.as_bytes()).await), ["200"]);
    rest(house).await;
}

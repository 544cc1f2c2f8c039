//! Loopback tests of the whole edge: real sockets, real TLS, every protocol in one table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic, in its helpers, too"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use edge::{BindError, Drained, FailureKind, Limits};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod authority;
mod certificates;
mod client;
mod crowd;
mod h1;
mod h2;
mod leave;
mod limits;
mod listeners;
mod passed;
mod plain;
mod proxies;
#[cfg(feature = "http3")]
mod quic;
mod service;
mod staple;

use h2::{PREFACE, frame};

use client::{ALL, Peer, Protocol, connect, send, tls};
use service::{BODY_BYTES_MAX, DEADLINE, House, certificate, house};

fn get(target: &str) -> Request<Bytes> {
    Request::builder().uri(target).body(Bytes::new()).unwrap()
}

fn post(target: &str, body: Bytes) -> Request<Bytes> {
    let builder = Request::builder().method("POST").uri(target);
    builder.header("content-length", body.len()).body(body).unwrap()
}

fn peer(house: &House) -> Peer {
    Peer { address: house.address(), name: "localhost", root: house.root.clone(), config: None }
}

async fn rest(house: House) -> Drained {
    let House { server, echo, .. } = house;
    let drained = server.drain(DEADLINE).await;
    echo.nothing_filed().await;
    drained
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_on_every_protocol() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        let answer = send(protocol, &peer, get("https://localhost/%61?x=1")).await.unwrap();
        assert_eq!(answer.status, 200, "{protocol:?}");
        assert_eq!(answer.text(), "GET localhost /a x=1 ", "{protocol:?}");
        let announced = answer.headers.get("alt-svc").map(|value| value.to_str().unwrap());
        if cfg!(feature = "http3") && matches!(protocol, Protocol::H1 | Protocol::H2) {
            let expected = format!("h3=\":{}\"; ma=3600", peer.address.port());
            assert_eq!(announced, Some(expected.as_str()), "{protocol:?}");
        } else {
            assert_eq!(announced, None, "{protocol:?}");
        }
    }
    assert_eq!(rest(house).await.cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_up_to_its_limit() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        let fits = Bytes::from(vec![b'x'; BODY_BYTES_MAX]);
        let answer = send(protocol, &peer, post("https://localhost/a", fits.clone())).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{protocol:?}");
        assert!(answer.body.ends_with(&fits), "{protocol:?}");
        let large = Bytes::from(vec![b'x'; BODY_BYTES_MAX + 1]);
        let answer = send(protocol, &peer, post("https://localhost/a", large)).await.unwrap();
        assert_eq!(answer.status, 413, "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_than_the_handshakes_is_misdirected() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        let answer = send(protocol, &peer, get("https://other.example/a")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text()), (421, "misdirected"), "{protocol:?}");
        let peer = Peer { name: "other.example", ..peer.clone() };
        let answer = send(protocol, &peer, get("https://other.example/a")).await.unwrap();
        assert_eq!(answer.status, 200, "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_reach_the_service_with_their_reason() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        for (target, status, reason) in [
            ("https://localhost/a/../b", 400, "path_dots"),
            ("https://localhost/a%2fb", 400, "path_separator"),
        ] {
            let answer = send(protocol, &peer, get(target)).await.unwrap();
            let found = (answer.status.as_u16(), answer.text());
            assert_eq!(found, (status, reason), "{protocol:?} {target}");
        }
        let long = format!("https://localhost/{}", "a".repeat(8192));
        let answer = send(protocol, &peer, get(&long)).await.unwrap();
        assert_eq!(answer.status, 414, "{protocol:?}");
        let mut many = get("https://localhost/");
        for number in 0..101 {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            many.headers_mut().insert(name, "v".parse().unwrap());
        }
        let answer = send(protocol, &peer, many).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text()), (431, "field_count"), "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_server_name_ends_the_handshake_and_is_filed_once() {
    let house = house(Limits::default());
    let peer = Peer { name: "unknown.example", ..peer(&house) };
    for &protocol in ALL {
        assert!(send(protocol, &peer, get("https://unknown.example/")).await.is_err());
        let failure = house.echo.failure().await;
        assert_eq!(failure.kind, FailureKind::TlsServerName, "{protocol:?}");
        assert_eq!(failure.local, peer.address, "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_tls_are_filed_once() {
    let house = house(Limits::default());
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap().ok();
    assert_eq!(house.echo.failure().await.kind, FailureKind::NotTls);
    // A probe that says nothing is no failure.
    drop(TcpStream::connect(house.address()).await.unwrap());
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_protocol_is_refused() {
    let house = house(Limits::default());
    let config = tls(&house.root, &["acme-tls/1"]);
    assert!(connect(house.address(), "localhost", config).await.is_err());
    assert_eq!(house.echo.failure().await.kind, FailureKind::TlsProtocol);
    rest(house).await;
}

/// Sends bytes after the handshake; the answer as far as it came.
async fn raw(house: &House, alpn: &str, bytes: &[u8]) -> String {
    let config = tls(&house.root, &[alpn]);
    let mut stream = connect(house.address(), "localhost", config).await.unwrap();
    // The server may hang up before it has read everything.
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap().ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_after_the_handshake_is_filed_once() {
    let house = house(Limits::default());
    raw(&house, "h2", b"garbage that is no preface at all\r\n\r\n").await;
    let failure = house.echo.failure().await;
    assert_eq!(failure.kind, FailureKind::Http2Protocol);
    assert_eq!(failure.tls.unwrap().alpn, Some("h2"));
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_head_is_filed_and_a_whole_one_is_not() {
    let house = house(Limits::default());
    let config = tls(&house.root, &["http/1.1"]);
    let mut stream = connect(house.address(), "localhost", config.clone()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(house.echo.failure().await.kind, FailureKind::HeadTruncated);
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(raw(&house, "http/1.1", request).await.starts_with("HTTP/1.1 200 "));
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_idle_connections_end() {
    let house = house(Limits {
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = raw(&house, "http/1.1", request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(house.echo.failure().await.kind, FailureKind::ConnectionIdle);
    assert_eq!(raw(&house, "http/1.1", b"").await, "");
    assert_eq!(house.echo.failure().await.kind, FailureKind::ConnectionIdle);
    // CVE-2023-43622: a client that has said hello and no more.
    for hello in [b"".as_slice(), PREFACE, &[PREFACE, &frame(4, 0, 0, b"")].concat()] {
        raw(&house, "h2", hello).await;
        assert_eq!(house.echo.failure().await.kind, FailureKind::ConnectionIdle);
        house.echo.nothing_filed().await;
    }
    let slow = raw(&house, "http/1.1", b"GET / HTTP/1.1\r\nhost:").await;
    assert!(slow.starts_with("HTTP/1.1 408 ") && slow.ends_with("head_timed_out"), "{slow}");
    raw(&house, "h2", &[PREFACE, &frame(4, 0, 0, b""), &frame(1, 0, 1, b"\x82")].concat()).await;
    assert_eq!(house.echo.failure().await.kind, FailureKind::HeadTimedOut);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_body_times_out() {
    let house = house(Limits { body_timeout: Duration::from_millis(100), ..Limits::default() });
    let head = b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab";
    let answer = raw(&house, "http/1.1", head).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("body timed out"), "{answer}");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_takes_too_long_is_filed() {
    let limits = Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() };
    let house = house(limits);
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    stream.write_all(&[22, 3, 1]).await.unwrap();
    assert_eq!(house.echo.failure().await.kind, FailureKind::HandshakeTimedOut);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_admitted_is_hung_up_on() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        house.echo.admits.store(false, Ordering::SeqCst);
        assert!(send(protocol, &peer, get("https://localhost/")).await.is_err(), "{protocol:?}");
        house.echo.admits.store(true, Ordering::SeqCst);
        assert!(send(protocol, &peer, get("https://localhost/")).await.is_ok(), "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_filed() {
    let house = house(Limits { connections_max: 1, ..Limits::default() });
    let peer = peer(&house);
    let config = tls(&house.root, &["http/1.1"]);
    let held = connect(house.address(), "localhost", config).await.unwrap();
    for &protocol in ALL {
        assert!(send(protocol, &peer, get("https://localhost/")).await.is_err(), "{protocol:?}");
        assert_eq!(house.echo.failure().await.kind, FailureKind::ConnectionLimit, "{protocol:?}");
    }
    drop(held);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_what_is_under_way() {
    for &protocol in ALL {
        let house = house(Limits::default());
        let peer = peer(&house);
        let sent = tokio::spawn({
            let peer = peer.clone();
            async move { send(protocol, &peer, get("https://localhost/slow")).await }
        });
        timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
        let echo = Arc::clone(&house.echo);
        let drained = tokio::spawn(rest(house));
        // The listener is gone before the request is released.
        let closed = async { while TcpStream::connect(peer.address).await.is_ok() {} };
        timeout(DEADLINE, closed).await.unwrap();
        echo.release.notify_one();
        assert_eq!(sent.await.unwrap().unwrap().text(), "slow", "{protocol:?}");
        let drained = timeout(DEADLINE, drained).await.unwrap().unwrap();
        assert_eq!(drained, Drained { finished: 1, cut: 0 }, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_cuts_at_its_limit() {
    for &protocol in ALL {
        let house = house(Limits::default());
        let peer = peer(&house);
        let sent =
            tokio::spawn(async move { send(protocol, &peer, get("https://localhost/hang")).await });
        timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
        let drained = house.server.drain(Duration::from_millis(100)).await;
        assert_eq!(drained, Drained { finished: 0, cut: 1 }, "{protocol:?}");
        assert!(sent.await.unwrap().is_err(), "{protocol:?}");
        timeout(DEADLINE, house.echo.dropped.notified()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_is_never_complete() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        let answer = send(protocol, &peer, get("https://localhost/break")).await;
        assert!(answer.is_err(), "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_its_request() {
    let house = house(Limits::default());
    for &protocol in ALL {
        let peer = peer(&house);
        let sent =
            tokio::spawn(async move { send(protocol, &peer, get("https://localhost/hang")).await });
        timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
        sent.abort();
        let dropped = timeout(DEADLINE, house.echo.dropped.notified()).await;
        assert!(dropped.is_ok(), "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_swapped_at_the_next_handshake() {
    let mut house = house(Limits::default());
    let (fresh, root) = certificate(&["localhost"]);
    let old = peer(&house);
    let new = Peer { root, ..old.clone() };
    assert!(send(Protocol::H1, &new, get("https://localhost/")).await.is_err());
    assert_eq!(house.echo.failure().await.kind, FailureKind::TlsAlert);
    let none = house.change(|listener| listener.certificates = Vec::new());
    assert!(matches!(none, Err(BindError::NoCertificate(_))), "{none:?}");
    house.swap(|listener| listener.certificates = vec![fresh]);
    for &protocol in ALL {
        assert!(send(protocol, &new, get("https://localhost/")).await.is_ok(), "{protocol:?}");
    }
    rest(house).await;
}

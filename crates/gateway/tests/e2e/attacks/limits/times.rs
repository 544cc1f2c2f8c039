//! Limits of time: how long a client is waited for, in each state of a connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{Outcomes, Sent, TAIL, Told, filed, hold, seen};
use crate::attacks::Stage;
use crate::attacks::h2::outcomes;
use crate::attacks::h3::get;
use crate::attacks::wire::{frame, preface, statuses};
use crate::client::{PROTOCOLS, Protocol, tls};
use crate::site::{HOST, LIMIT};

pub(super) const NAMES: [&str; 7] = [
    "time of a handshake",
    "time of a head",
    "time between two pieces of a body",
    "pace of a body",
    "how far behind its pace a body may be",
    "time without a request",
    "time to take a piece of an answer",
];

/// Short times, yet long enough for the other rows on a busy machine. Nothing but what a row waits for may be cut.
const HANDSHAKE: &str = "  wait: { handshake: 3s }\n";
const HEAD: &str = "  wait: { head: 2s }\n";
const BODY: &str = "  wait: { body: 1s }\n";
const IDLE: &str = "  wait: { idle: 2s }\n";
const WRITE: &str = "  wait: { write: 2s }\n";
const RATE: &str = "  body: { min_rate: 1000000000, grace: 1s }\n";
const GRACE: &str = "  body: { min_rate: 1, grace: 500ms }\n";
/// How long the first flight of a client may take to be complete.
const FLIGHT: Duration = Duration::from_millis(500);

/// Begins a handshake and leaves it at that.
async fn half_handshake(stage: &Stage, protocol: Protocol) -> Told {
    if protocol == Protocol::H3 {
        return half_quic(stage).await;
    }
    let mut socket = TcpStream::connect(stage.gateway.address).await.unwrap();
    // The head of a record of a ClientHello.
    socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await.unwrap();
    let mut heard = Vec::new();
    timeout(LIMIT, socket.read_to_end(&mut heard)).await.expect("no end").ok();
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    Told::HungUp
}

/// The first flight of a QUIC client arrives, and nothing else of it. What the gateway says then is encrypted, so what is
/// looked at is that it answered, and what it filed.
async fn half_quic(stage: &Stage) -> Told {
    let hole = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = tls(&stage.site.authority.ca_pem(), b"h3");
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(std::sync::Arc::new(crypto)));
    let connecting = endpoint.connect(hole.local_addr().unwrap(), HOST).unwrap();
    let relay = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut room = vec![0; 2048];
    let mut flight = 0;
    while let Ok(received) = timeout(FLIGHT, hole.recv_from(&mut room)).await {
        let count = received.unwrap().0;
        relay.send_to(&room[..count], stage.gateway.address).await.unwrap();
        flight += 1;
        if flight >= 2 {
            break;
        }
    }
    assert!(flight > 0, "the client said nothing");
    timeout(LIMIT, relay.recv_from(&mut room)).await.expect("no answer").unwrap();
    drop(connecting);
    Told::HungUp
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_handshakes() {
    let stage = Stage::limited(Vec::new(), HANDSHAKE);
    for protocol in PROTOCOLS {
        let over = half_handshake(&stage, protocol);
        hold(&stage, NAMES[0], protocol, over, stage.is_served(protocol)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_slow_heads() {
    let stage = Stage::limited(Vec::new(), HEAD);
    for protocol in PROTOCOLS {
        let over = async {
            match protocol {
                Protocol::H1 => {
                    let heard = stage.raw_h1(NAMES[1], b"GET / HTTP/1.1\r\nhost:").await;
                    statuses(&heard).first().map_or(Told::Closed, |status| Told::Status(*status))
                }
                Protocol::H2 => {
                    let sent = [preface(), frame(1, 1, 1, b"\x82")].concat();
                    let enough = |all: &Outcomes| all.goodbye.is_some();
                    seen(&outcomes(&stage.exchange_h2(NAMES[1], &sent, enough).await))
                }
                Protocol::H3 => {
                    let quic = stage.quic().await;
                    let whole = get(TAIL);
                    quic.told(NAMES[1], &whole[..whole.len() / 2], false).await
                }
            }
        };
        hold(&stage, NAMES[1], protocol, over, stage.is_served(protocol)).await;
    }
}

/// A body that does not end, and one that does.
async fn slow_bodies(name: &str, limits: &str) {
    let stage = Stage::limited(Vec::new(), limits);
    for protocol in PROTOCOLS {
        let over = Sent::post(vec![("content-length", "9")], b"{", false);
        let near = Sent::post(vec![("content-length", "2")], b"{}", true);
        let near = async { stage.told(name, protocol, &near).await == Told::Status(200) };
        hold(&stage, name, protocol, stage.told(name, protocol, &over), near).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_slow_bodies() {
    slow_bodies(NAMES[2], BODY).await;
    slow_bodies(NAMES[3], RATE).await;
    slow_bodies(NAMES[4], GRACE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_idle_connections() {
    let stage = Stage::limited(Vec::new(), IDLE);
    for protocol in PROTOCOLS {
        let over = async {
            match protocol {
                Protocol::H1 => {
                    assert!(stage.raw_h1(NAMES[5], b"").await.is_empty(), "nothing was asked");
                    Told::Closed
                }
                Protocol::H2 => {
                    let enough = |all: &Outcomes| all.goodbye.is_some();
                    let heard = stage.exchange_h2(NAMES[5], &preface(), enough).await;
                    outcomes(&heard).goodbye.map_or(Told::Closed, |_| Told::Goodbye)
                }
                Protocol::H3 => {
                    let quic = stage.quic().await;
                    timeout(LIMIT, quic.connection.closed()).await.expect("no end");
                    Told::Closed
                }
            }
        };
        hold(&stage, NAMES[5], protocol, over, stage.is_served(protocol)).await;
    }
}

/// Asks for 32 MiB and takes nothing until the gateway has given up.
async fn take_nothing(stage: &Stage, protocol: Protocol) -> Told {
    const REASON: &str = "http.write_timed_out";
    let large = Sent::get("/api/open/large");
    let before = filed(stage, REASON);
    let given_up = async || {
        while filed(stage, REASON) == before {
            tokio::time::sleep(super::PAUSE).await;
        }
    };
    match protocol {
        Protocol::H1 => {
            let mut stream = stage.connect(b"http/1.1").await;
            stream.write_all(&large.h1()).await.unwrap();
            timeout(LIMIT, given_up()).await.expect("it never gives up");
            let mut heard = Vec::new();
            timeout(LIMIT, stream.read_to_end(&mut heard)).await.expect("no end").ok();
            assert!(heard.len() < crate::attacks::recorder::LARGE_BYTES, "a whole answer");
            Told::Closed
        }
        Protocol::H2 => {
            // No window for any stream.
            let window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
            let sent = [preface(), window, large.h2(1)].concat();
            let enough = |all: &Outcomes| all.ended.contains(&1) || all.goodbye.is_some();
            let heard = stage.exchange_h2(NAMES[6], &sent, enough).await;
            let all = outcomes(&heard);
            assert_eq!(all.told(), [200], "the answer had begun");
            if all.ended.contains(&1) && all.goodbye.is_none() { Told::Reset } else { seen(&all) }
        }
        Protocol::H3 => {
            let quic = stage.quic().await;
            let (mut send, mut recv) = quic.connection.open_bi().await.unwrap();
            send.write_all(&large.h3()).await.unwrap();
            send.finish().unwrap();
            timeout(LIMIT, given_up()).await.expect("it never gives up");
            match timeout(LIMIT, recv.read_to_end(usize::MAX)).await.expect("no end") {
                Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(_))) => Told::Reset,
                other => panic!("{:?}", other.map(|bytes| bytes.len())),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_slow_readers() {
    let stage = Stage::limited(Vec::new(), WRITE);
    for protocol in PROTOCOLS {
        let over = take_nothing(&stage, protocol);
        hold(&stage, NAMES[6], protocol, over, stage.is_served(protocol)).await;
    }
}

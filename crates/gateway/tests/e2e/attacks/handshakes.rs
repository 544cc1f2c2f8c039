//! Hostile handshakes: each row is told off with an alert or hung up on, at once, and leaves exactly one event and one more in
//! the metric. What is merely unusual is answered. Raw records here; what comes behind a finished handshake is said by tlslite.

mod hello;
mod rows;
mod strangers;

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Stage;
use crate::client::tls;
use crate::parts::authority::Usage;
use crate::parts::process::wait_until;
use crate::site::LIMIT;
use crate::world::{reason, usual, world};
use hello::{
    ALERT, GROUPS, HANDSHAKE, Hello, KEY_SHARES, POINT, X25519, X25519_MLKEM768, groups, shares,
};
use rows::{ABORTED, Row, rows};

/// What a client hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// An alert with this description (RFC 8446 6), and the end.
    Alert(u8),
    /// A ServerHello.
    Hello,
    /// A HelloRetryRequest.
    Retry,
    /// The end.
    End,
}

/// Bytes that the gateway reads of a handshake at once.
const READ_BYTES: usize = 4096;
/// The random number of a HelloRetryRequest begins so (RFC 8446 4.1.3).
const RETRY: [u8; 4] = [0xcf, 0x21, 0xad, 0x74];

/// What the first record says, once it is whole.
fn heard(bytes: &[u8]) -> Option<Heard> {
    let (head, rest) = bytes.split_first_chunk::<5>()?;
    let body = rest.get(..usize::from(u16::from_be_bytes([head[3], head[4]])))?;
    Some(match (head[0], body) {
        (ALERT, [_, description]) => Heard::Alert(*description),
        (HANDSHAKE, [2, _, _, _, 3, 3, random @ ..]) if random.starts_with(&RETRY) => Heard::Retry,
        (HANDSHAKE, [2, ..]) => Heard::Hello,
        other => panic!("no answer of TLS: {other:?}"),
    })
}

/// Says what a row says. Whoever gets a ServerHello says the rest and waits for the end, or goes.
async fn say(stage: &Stage, row: &Row) -> Heard {
    let mut socket = TcpStream::connect(stage.gateway.address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    // The gateway may have heard enough before the last byte.
    socket.write_all(&row.sent).await.ok();
    if row.is_over {
        socket.shutdown().await.ok();
    }
    let mut bytes = Vec::new();
    let answer = loop {
        if let Some(answer) = heard(&bytes) {
            break answer;
        }
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return Heard::End;
        }
    };
    if row.reason == ABORTED {
        return answer;
    }
    socket.write_all(&row.then).await.ok();
    // Every connection that is not left by its client has to end.
    while socket.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
    answer
}

/// The reasons of broken handshakes on record, and the count of the metric.
fn broken(stage: &Stage) -> (Vec<String>, f64) {
    let mut events = stage.site.events();
    events.retain(|event| event["class_uid"] == 4001);
    (
        events.iter().map(reason).collect(),
        stage.gateway.metric(&["connections_broken_total", "reason="]),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_handshakes_end_at_once() {
    let stage = Stage::new(Vec::new());
    stage.probe("before").await;
    let mut wrong = Vec::new();
    for row in rows() {
        let before = broken(&stage);
        let saying = timeout(LIMIT, say(&stage, &row));
        let heard = saying.await.unwrap_or_else(|_| panic!("{}: no end", row.name));
        let mut after = broken(&stage);
        wait_until(&format!("{}: an event", row.name), LIMIT, || {
            after = broken(&stage);
            after.0.len() > before.0.len() && after.1 > before.1
        });
        let told = &after.0[before.0.len()..];
        // What a closed socket leaves unread takes the alert with it.
        let heard =
            if heard == Heard::End && row.sent.len() > READ_BYTES { row.heard } else { heard };
        if heard != row.heard || told != [row.reason] || after.1 != before.1 + 1.0 {
            wrong.push(format!("{}: {heard:?}, {told:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.probe("after").await;
    assert!(!stage.gateway.log().contains("panicked"), "{}", stage.gateway.log());
}

/// Who offers first the group that a quantum computer does not open gets it. The library follows the client's order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hybrid_group_is_taken() {
    let stage = Stage::new(Vec::new());
    // An encapsulation key of ML-KEM-768 with nothing but zeros, and a key of X25519 (draft-ietf-tls-ecdhe-mlkem).
    let hybrid = [[0; 1184].as_slice(), &POINT].concat();
    let both = Hello::good()
        .with(GROUPS, groups(&[X25519_MLKEM768, X25519]))
        .with(KEY_SHARES, shares(&[(X25519_MLKEM768, &hybrid), (X25519, &POINT)]));
    for (sent, group) in [(both, X25519_MLKEM768), (Hello::good(), X25519)] {
        let mut socket = TcpStream::connect(stage.gateway.address).await.unwrap();
        socket.write_all(&sent.record()).await.unwrap();
        let mut bytes = Vec::new();
        while heard(&bytes).is_none() {
            assert_ne!(socket.read_buf(&mut bytes).await.unwrap(), 0, "an end");
        }
        assert_eq!(heard(&bytes), Some(Heard::Hello));
        // The share that was chosen: the kind of the extension, two bytes of its length, and the group.
        let chosen = |part: &[u8]| {
            part.starts_with(&KEY_SHARES.to_be_bytes()) && part.ends_with(&group.to_be_bytes())
        };
        assert!(bytes.windows(6).any(chosen), "{group:x}");
    }
}

/// The certificate is the one of the name that was asked for: exactly that before any wildcard, which is one label.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_chosen_by_name() {
    const ONE: &str = "certificates: [{ chain: edge.pem, key: edge.key }";
    let world = world(&usual());
    let (at, authority) = (world.site.folder.path(), &world.site.authority);
    let exact = authority.issue("exact", &["exact.wild.example"], &[], Usage::Server);
    let wild = authority.issue("wild", &["*.wild.example"], &[], Usage::Server);
    exact.write(at, "exact");
    wild.write(at, "wild");
    let more = ", { chain: wild.pem, key: wild.key }, { chain: exact.pem, key: exact.key }";
    world.site.amend(ONE, &format!("{ONE}{more}"));
    let gateway = world.site.start();
    let connector = TlsConnector::from(Arc::new(tls(&authority.ca_pem(), b"http/1.1")));
    for (name, issued) in [
        ("exact.wild.example", Some(&exact)),
        ("EXACT.wild.example", Some(&exact)),
        ("a.wild.example", Some(&wild)),
        ("A.Wild.Example", Some(&wild)),
        ("a.b.wild.example", None),
        ("wild.example", None),
    ] {
        let socket = TcpStream::connect(gateway.address).await.unwrap();
        let shaken = connector.connect(ServerName::try_from(name).unwrap(), socket).await;
        let shown =
            shaken.ok().map(|stream| stream.get_ref().1.peer_certificates().unwrap()[0].clone());
        assert_eq!(shown, issued.map(|issued| issued.chain()[0].clone()), "{name}");
    }
}

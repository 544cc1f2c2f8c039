//! The attacks of the storms. Each goes on until its time is over and tells how many connections the gateway ended for it.

use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::attacks::floods::{Flood, Frames, bombs, floods, head};
use crate::attacks::h2::outcomes;
use crate::attacks::h3::get;
use crate::attacks::wire::{frame, frame3, hpack, preface, pseudo, qpack};
use crate::attacks::{Stage, TAIL};
use crate::site::LIMIT;

/// An attack.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// Whether the gateway has to end it; else it holds what a client may hold.
    pub(super) is_flood: bool,
    pub(super) call: Call,
}

type Ended<'a> = Pin<Box<dyn Future<Output = u64> + 'a>>;
type Call = for<'a> fn(&'a Stage, Instant) -> Ended<'a>;

/// Connections that are held open by one attacker.
const HELD: usize = 100;
/// Streams of a connection whose answers nobody takes.
const STREAMS: u32 = 50;
/// Time between two bytes of who is slow.
const DRIP: Duration = Duration::from_millis(100);
/// H3_REQUEST_CANCELLED (RFC 9114 8.1).
const CANCELLED: u32 = 0x10c;

/// A flood of HTTP/2 frames of `floods`, by its place there.
macro_rules! frames {
    ($at:literal, $name:literal) => {
        Attack {
            name: $name,
            is_flood: true,
            call: |stage, until| Box::pin(again(until, move || frames_h2(stage, $at))),
        }
    };
}

pub(super) const ATTACKS: [Attack; 29] = [
    frames!(0, "h2 PING"),
    frames!(1, "h2 SETTINGS"),
    frames!(2, "h2 PRIORITY"),
    frames!(3, "h2 empty DATA"),
    frames!(4, "h2 empty padded DATA"),
    frames!(5, "h2 empty CONTINUATION"),
    frames!(6, "h2 CONTINUATION"),
    frames!(7, "h2 cookie crumbs"),
    frames!(8, "h2 WINDOW_UPDATE"),
    frames!(9, "h2 unknown frames"),
    frames!(10, "h2 rapid reset"),
    frames!(11, "h2 MadeYouReset, window updates of 0"),
    frames!(12, "h2 MadeYouReset, bad requests"),
    Attack {
        name: "h2 PING, ACKs unread",
        is_flood: true,
        call: |stage, until| Box::pin(again(until, move || unread(stage))),
    },
    Attack {
        name: "h2 HPACK bombs",
        is_flood: false,
        call: |stage, until| Box::pin(again(until, move || hpack_bombs(stage))),
    },
    Attack {
        name: "h2 zero windows",
        is_flood: false,
        call: |stage, until| Box::pin(zero_windows(stage, until)),
    },
    Attack {
        name: "h1 slow heads",
        is_flood: false,
        call: |stage, until| {
            let head = "GET / HTTP/1.1\r\nhost: localhost\r\nx-a: ";
            Box::pin(drips(stage, b"http/1.1", head.into(), until))
        },
    },
    Attack {
        name: "h2 slow heads",
        is_flood: false,
        call: |stage, until| {
            Box::pin(drips(
                stage,
                b"h2",
                [preface(), vec![0, 0x3f, 0, 1, 0, 0, 0, 0, 1]].concat(),
                until,
            ))
        },
    },
    Attack {
        name: "h1 slow bodies",
        is_flood: false,
        call: |stage, until| {
            let head = "POST /api/open HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
            content-length: 100000\r\n\r\n";
            Box::pin(drips(stage, b"http/1.1", head.into(), until))
        },
    },
    Attack {
        name: "h1 slow readers",
        is_flood: false,
        call: |stage, until| {
            let head = "GET /api/open/large HTTP/1.1\r\nhost: localhost\r\n\r\n";
            Box::pin(holds(stage, b"http/1.1", head.into(), HELD / 4, until))
        },
    },
    Attack {
        name: "idle connections",
        is_flood: false,
        call: |stage, until| Box::pin(holds(stage, b"http/1.1", Vec::new(), 2 * HELD, until)),
    },
    Attack {
        name: "TLS handshakes, full",
        is_flood: false,
        call: |stage, until| Box::pin(again(until, move || full_handshakes(stage))),
    },
    Attack {
        name: "TLS handshakes, half",
        is_flood: false,
        call: |stage, until| Box::pin(again(until, move || half_handshakes(stage))),
    },
    Attack {
        name: "QUIC noise",
        is_flood: false,
        call: |stage, until| Box::pin(again(until, move || noise(stage))),
    },
    Attack {
        name: "h3 slow heads",
        is_flood: false,
        call: |stage, until| {
            let head = get(TAIL);
            Box::pin(holds_h3(stage, head[..head.len() / 2].to_vec(), until))
        },
    },
    Attack {
        name: "h3 slow bodies",
        is_flood: false,
        call: |stage, until| {
            let head = frame3(1, &qpack(&pseudo("POST", "/api/open")));
            Box::pin(holds_h3(stage, [head, frame3(0, b"{")].concat(), until))
        },
    },
    Attack {
        name: "h3 slow readers",
        is_flood: false,
        call: |stage, until| Box::pin(holds_h3(stage, get("/api/open/large"), until)),
    },
    Attack {
        name: "h3 rapid reset",
        is_flood: true,
        call: |stage, until| {
            Box::pin(again(until, move || async { u64::from(rapid_resets_h3(stage, 2_000).await) }))
        },
    },
    Attack {
        name: "h3 unknown streams and control frames",
        is_flood: true,
        call: |stage, until| Box::pin(again(until, move || h3_control(stage))),
    },
];

/// One attack after another.
async fn again<F: Future<Output = u64>>(until: Instant, attack: impl Fn() -> F) -> u64 {
    let mut ended = 0;
    while ended == 0 || Instant::now() < until {
        ended += attack().await;
        if Instant::now() >= until {
            break;
        }
    }
    ended
}

/// Whether the gateway said why it ended a flood.
fn is_ended(code: Option<u32>) -> u64 {
    u64::from(code.is_none_or(|code| code != 0))
}

async fn frames_h2(stage: &Stage, at: usize) -> u64 {
    is_ended(stage.flood_h2(floods().swap_remove(at), true).await)
}

async fn unread(stage: &Stage) -> u64 {
    let frames: Frames = Box::new(|_| frame(6, 0, 0, &[0; 8]));
    let flood = Flood { name: "unread ACKs", before: Vec::new(), count: 300_000, frames };
    is_ended(stage.flood_h2(flood, false).await)
}

async fn hpack_bombs(stage: &Stage) -> u64 {
    let heard = stage.told_h2(&bombs(), 50).await;
    assert!(!heard.contains(&200), "{heard:?}");
    1
}

/// Requests that are taken back, so many; whether the connection has ended.
pub(super) async fn rapid_resets_h2(stage: &Stage, count: u32) -> bool {
    let frames: Vec<u8> = (0..count)
        .flat_map(|n| {
            [head(2 * n + 1, 5), frame(3, 0, 2 * n + 1, &CANCELLED.to_be_bytes())].concat()
        })
        .collect();
    let last = 2 * count + 1;
    let behind = frame(1, 5, last, &hpack(&pseudo("GET", TAIL)));
    let sent = [preface(), frames, behind].concat();
    let enough =
        |all: &crate::attacks::h2::Outcomes| all.goodbye.is_some() || all.ended.contains(&last);
    let all = outcomes(&stage.exchange_h2("rapid reset", &sent, enough).await);
    !all.streams.contains_key(&last)
}

/// The same over HTTP/3.
pub(super) async fn rapid_resets_h3(stage: &Stage, count: u32) -> bool {
    let quic = stage.quic().await;
    for _ in 0..count {
        let Ok((mut send, mut recv)) = quic.connection.open_bi().await else { return true };
        if send.write_all(&get("/api/open/flood")).await.is_err() {
            return true;
        }
        recv.stop(CANCELLED.into()).ok();
        send.reset(CANCELLED.into()).ok();
    }
    let behind = quic.ask_with("rapid reset", &get(TAIL), true).await;
    let is_ended = behind != crate::attacks::h3::Outcome::Status(200);
    quic.connection.close(0x100_u32.into(), b"");
    is_ended
}

async fn h3_control(stage: &Stage) -> u64 {
    let mut quic = stage.quic().await;
    let many = [0x21, 0].repeat(10_000);
    while quic.control.write_all(&many).await.is_ok() {}
    quic.ended("control frames").await;
    let quic = stage.quic().await;
    while let Ok(mut stream) = quic.connection.open_uni().await {
        stream.write_all(&[0x21]).await.ok();
    }
    quic.ended("unknown streams").await;
    2
}

/// Answers of 32 MiB each for which there is no window.
async fn zero_windows(stage: &Stage, until: Instant) -> u64 {
    let mut sent = [preface(), frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])].concat();
    for number in 0..STREAMS {
        sent.extend(frame(1, 5, 2 * number + 1, &hpack(&pseudo("GET", "/api/open/large"))));
    }
    holds(stage, b"h2", sent, 2, until).await
}

/// Connections that send this and take nothing, until the time is over.
async fn holds(stage: &Stage, alpn: &[u8], sent: Vec<u8>, count: usize, until: Instant) -> u64 {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = stage.connect(alpn).await;
        stream.write_all(&sent).await.ok();
        held.push(stream);
    }
    tokio::time::sleep_until(until.into()).await;
    0
}

/// Requests of one HTTP/3 connection that send this and take nothing, until the time is over.
async fn holds_h3(stage: &Stage, sent: Vec<u8>, until: Instant) -> u64 {
    let quic = stage.quic().await;
    let mut held = Vec::new();
    for _ in 0..STREAMS {
        let (mut send, recv) = quic.connection.open_bi().await.unwrap();
        send.write_all(&sent).await.unwrap();
        held.push((send, recv));
    }
    tokio::time::sleep_until(until.into()).await;
    quic.connection.close(CANCELLED.into(), b"");
    0
}

/// Connections that send this and then a byte now and then, until the time is over.
async fn drips(stage: &Stage, alpn: &[u8], sent: Vec<u8>, until: Instant) -> u64 {
    let mut held = Vec::new();
    for _ in 0..HELD {
        let mut stream = stage.connect(alpn).await;
        stream.write_all(&sent).await.ok();
        held.push(stream);
    }
    while Instant::now() < until {
        for stream in &mut held {
            // One that was ended is done.
            stream.write_all(b"x").await.ok();
        }
        tokio::time::sleep(DRIP).await;
    }
    0
}

async fn full_handshakes(stage: &Stage) -> u64 {
    let mut stream = stage.connect(b"http/1.1").await;
    stream.shutdown().await.ok();
    1
}

/// A ClientHello that is cut short, and one that nobody finishes.
async fn half_handshakes(stage: &Stage) -> u64 {
    for rest in [&[1, 0, 1, 0][..], &[2, 0, 0, 0]] {
        let mut socket = TcpStream::connect(stage.gateway.address).await.unwrap();
        socket.write_all(&[0x16, 3, 1, 2, 0]).await.ok();
        socket.write_all(rest).await.ok();
    }
    let mut socket = TcpStream::connect(stage.gateway.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.ok();
    let mut heard = Vec::new();
    timeout(LIMIT, socket.read_to_end(&mut heard)).await.expect("no end").ok();
    1
}

async fn noise(stage: &Stage) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..100_u32 {
        let mut datagram = [number.to_le_bytes()[0]; 1200];
        // A long header, Initial, version 1, connection ids of 8 bytes (RFC 9000 17.2.2).
        datagram[..6].copy_from_slice(&[0xc0, 0, 0, 0, 1, 8]);
        datagram[14] = 8;
        datagram[23] = 0;
        datagram[24..26].copy_from_slice(&[0x44, 0x90]);
        socket.send_to(&datagram, stage.gateway.address).await.unwrap();
    }
    1
}

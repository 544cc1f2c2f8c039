//! Floods: each is ended by the gateway, not survived, while its memory stays where it was and others are served.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::h2::outcomes;
use super::h3::get;
use super::recorder::LARGE_BYTES;
use super::wire::{frame, hpack, preface, pseudo};
use super::{Stage, TAIL};
use crate::client::{Client, PROTOCOLS, Protocol, request};
use crate::parts::process::wait_until;
use crate::site::LIMIT;
use crate::world::reason;

/// KiB that a flood may cost.
const GROWN_KIB_MAX: u64 = 16 * 1024;
/// How long an honest request may take beside one.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of one write.
const PIECE_BYTES: usize = 64 * 1024;

impl Stage {
    /// Sends frames until the gateway hangs up: how many were sent, and the code of its GOAWAY.
    pub(super) async fn flood_h2(&self, flood: Flood, reads: bool) -> Option<u32> {
        let Flood { name, before, count, mut frames } = flood;
        let (mut read, mut write) = tokio::io::split(self.connect(b"h2").await);
        let send = async {
            write.write_all(&[preface(), before].concat()).await.ok();
            let mut piece = Vec::new();
            for number in 0..count {
                piece.extend(frames(number));
                if piece.len() >= PIECE_BYTES || number + 1 == count {
                    if write.write_all(&piece).await.is_err() {
                        return true;
                    }
                    piece.clear();
                }
            }
            write.flush().await.ok();
            false
        };
        let hear = async {
            let mut heard = Vec::new();
            read.read_to_end(&mut heard).await.ok();
            heard
        };
        let both = async {
            if reads {
                let (_, heard) = tokio::join!(send, hear);
                heard
            } else {
                // Nothing is read until the gateway hangs up, or all is sent.
                send.await;
                hear.await
            }
        };
        let heard = timeout(LIMIT, both).await;
        outcomes(&heard.unwrap_or_else(|_| panic!("{name}: no end"))).goodbye
    }

    /// Honest requests are served, soon.
    pub(super) async fn probe(&self, name: &str) {
        let client = Client::new(&self.site.authority.ca_pem(), self.gateway.address);
        for protocol in PROTOCOLS {
            let began = Instant::now();
            let answer = client.send(protocol, request("GET", TAIL, None, "")).await;
            assert_eq!(answer.status, 200, "{name} {protocol:?}");
            assert!(began.elapsed() < PROBE_LIMIT, "{name} {protocol:?}: {:?}", began.elapsed());
        }
    }
}

pub(super) fn head(stream: u32, flags: u8) -> Vec<u8> {
    frame(1, flags, stream, &hpack(&pseudo("GET", "/api/open/flood")))
}

pub(super) type Frames = Box<dyn FnMut(u32) -> Vec<u8>>;

/// One flood: what comes before, and then how many of which frames.
pub(super) struct Flood {
    pub(super) name: &'static str,
    pub(super) before: Vec<u8>,
    pub(super) count: u32,
    pub(super) frames: Frames,
}

pub(super) fn floods() -> Vec<Flood> {
    let open = frame(1, 4, 1, &hpack(&pseudo("POST", "/api/open")));
    let begun = frame(1, 1, 1, &hpack(&pseudo("GET", "/api/open/flood")));
    let crumbs = |number: u32| {
        // The cookie of 1 byte, in as many crumbs as fit; the block never ends.
        frame(
            if number == 0 { 1 } else { 9 },
            u8::from(number == 0),
            1,
            &hpack(&[("cookie", "a"); 1_000]),
        )
    };
    let all: Vec<(&str, Vec<u8>, u32, Frames)> = vec![
        ("CVE-2019-9512 PING", Vec::new(), 300_000, Box::new(|_| frame(6, 0, 0, &[0; 8]))),
        ("CVE-2019-9515 SETTINGS", Vec::new(), 100_000, Box::new(|_| frame(4, 0, 0, b""))),
        (
            "CVE-2019-9513 PRIORITY",
            Vec::new(),
            100_000,
            Box::new(|n| frame(2, 0, n % 5_000 * 2 + 3, &[0, 0, 0, 1, 9])),
        ),
        ("CVE-2019-9518 empty DATA", open.clone(), 200_000, Box::new(|_| frame(0, 0, 1, b""))),
        ("RUSTSEC-2026-0258 empty padded DATA", open, 200_000, Box::new(|_| frame(0, 8, 1, &[0]))),
        (
            "CVE-2019-9518 empty CONTINUATION",
            begun.clone(),
            200_000,
            Box::new(|_| frame(9, 0, 1, b"")),
        ),
        (
            "CVE-2024-27316 CONTINUATION of 64 MiB",
            begun,
            4_096,
            Box::new(|_| frame(9, 0, 1, &hpack(&[("x-a", &"b".repeat(16_000))]))),
        ),
        ("CVE-2026-49975 cookie crumbs", Vec::new(), 2_000, Box::new(crumbs)),
        ("WINDOW_UPDATE", Vec::new(), 200_000, Box::new(|_| frame(8, 0, 0, &[0, 0, 0, 1]))),
        ("unknown frames", Vec::new(), 200_000, Box::new(|_| frame(0x77, 0, 0, b"x"))),
        (
            "CVE-2023-44487 rapid reset",
            Vec::new(),
            20_000,
            Box::new(|n| [head(2 * n + 1, 5), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()),
        ),
        (
            "CVE-2025-8671 window updates of 0",
            Vec::new(),
            20_000,
            Box::new(|n| [head(2 * n + 1, 5), frame(8, 0, 2 * n + 1, &[0; 4])].concat()),
        ),
        (
            "CVE-2025-8671 bad requests",
            Vec::new(),
            20_000,
            Box::new(|n| frame(1, 5, 2 * n + 1, &hpack(&[(":method", "GET"), ("x", "y")]))),
        ),
    ];
    let flood = |(name, before, count, frames)| Flood { name, before, count, frames };
    all.into_iter().map(flood).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_h2_are_ended() {
    let stage = Stage::new(Vec::new());
    stage.probe("before").await;
    stage.recorder.take();
    let before = stage.resident_kib();
    for flood in floods() {
        let name = flood.name;
        let code = stage.flood_h2(flood, true).await;
        assert!(code.is_none_or(|code| code != 0), "{name}: {code:?}");
        let served = stage.recorder.take().len();
        assert!(served <= 250, "{name}: {served} requests reached the service");
    }
    let ping: Frames = Box::new(|_| frame(6, 0, 0, &[0; 8]));
    let name = "CVE-2019-9512 unread ACKs";
    let flood = Flood { name, before: Vec::new(), count: 300_000, frames: ping };
    stage.flood_h2(flood, false).await;
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < GROWN_KIB_MAX, "{grown} KiB");
    stage.probe("after").await;
}

/// An entry of one byte into the table, then 32,000 references to it, on 50 streams, and no window for any answer.
pub(super) fn bombs() -> Vec<u8> {
    let mut block = hpack(&pseudo("GET", "/api/open/flood"));
    block.extend(b"\x40\x01x\x01y");
    block.extend([0xbe; 32_000]);
    let bomb = move |number: u32| {
        let stream = 2 * number + 1;
        let mut pieces = block.chunks(16_000).peekable();
        let mut frames = frame(1, 1, stream, pieces.next().unwrap());
        while let Some(piece) = pieces.next() {
            frames.extend(frame(9, if pieces.peek().is_none() { 4 } else { 0 }, stream, piece));
        }
        frames
    };
    let window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    [preface(), window, (0..50).flat_map(bomb).collect::<Vec<u8>>()].concat()
}

/// Many small header fields, again and again by reference (CVE-2026-49975, CVE-2026-47774), and empty ones (CVE-2019-9516).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_of_header_fields_are_refused() {
    let stage = Stage::new(Vec::new());
    stage.probe("before").await;
    stage.recorder.take();
    let before = stage.resident_kib();
    let heard = stage.told_h2(&bombs(), 50).await;
    let served = heard.iter().filter(|status| **status == 200).count();
    assert_eq!(served, 0, "{heard:?}");
    // 20 requests of 5,000 empty fields.
    let fields = [pseudo("GET", "/api/open/flood").as_slice(), &[("x", ""); 5_000]].concat();
    let block = hpack(&fields);
    let mut sent = preface();
    for number in 0..20 {
        let mut pieces = block.chunks(16_000).peekable();
        sent.extend(frame(1, 1, 2 * number + 1, pieces.next().unwrap()));
        while let Some(piece) = pieces.next() {
            let flags = if pieces.peek().is_none() { 4 } else { 0 };
            sent.extend(frame(9, flags, 2 * number + 1, piece));
        }
    }
    let heard = stage.told_h2(&sent, 20).await;
    assert!(heard.iter().all(|status| *status == 431), "{heard:?}");
    stage.saw("bombs", &[]);
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < GROWN_KIB_MAX, "{grown} KiB");
    stage.probe("after").await;
}

impl Stage {
    /// The statuses that these streams are told, once so many have heard or the connection ends.
    pub(super) async fn told_h2(&self, sent: &[u8], count: usize) -> Vec<u16> {
        let (mut read, mut write) = tokio::io::split(self.connect(b"h2").await);
        let hear = async {
            let mut heard = Vec::new();
            let mut room = vec![0; PIECE_BYTES];
            while outcomes(&heard).streams.len() < count {
                match read.read(&mut room).await {
                    Ok(0) | Err(_) => break,
                    Ok(more) => heard.extend(&room[..more]),
                }
            }
            heard
        };
        let both = async { tokio::join!(write.write_all(sent), hear).1 };
        outcomes(&timeout(LIMIT, both).await.unwrap()).told()
    }
}

/// CVE-2019-9511, CVE-2019-9517: answers of 32 MiB that nobody takes, and that are taken a byte at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_not_taken_are_not_kept() {
    /// Frames in flight are of the service's connections, too: some 400 KiB each.
    const KEPT_KIB_MAX: u64 = 16 * 1024;
    let stage = Stage::new(Vec::new());
    stage.probe("before").await;
    let before = stage.resident_kib();
    let mut held = Vec::new();
    for dribbles in [false, true] {
        let mut stream = stage.connect(b"h2").await;
        let mut sent = [preface(), frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])].concat();
        let streams: Vec<u32> = (0..50).map(|number| 2 * number + 1).collect();
        for id in &streams {
            sent.extend(frame(1, 5, *id, &hpack(&pseudo("GET", "/api/open/large"))));
        }
        stream.write_all(&sent).await.unwrap();
        let mut heard = Vec::new();
        let mut room = vec![0; PIECE_BYTES];
        let all = async {
            while outcomes(&heard).told().len() < streams.len() {
                let count = stream.read(&mut room).await.unwrap();
                assert_ne!(count, 0, "the end before all have begun");
                heard.extend(&room[..count]);
            }
        };
        timeout(LIMIT, all).await.unwrap();
        if dribbles {
            for _ in 0..20 {
                let more = streams.iter().flat_map(|id| frame(8, 0, *id, &[0, 0, 0, 1]));
                stream.write_all(&more.collect::<Vec<_>>()).await.unwrap();
            }
        }
        stage.probe("beside answers that are not taken").await;
        held.push(stream);
    }
    let grown = stage.resident_kib().saturating_sub(before);
    let announced = u64::try_from(100 * LARGE_BYTES / 1024).unwrap();
    assert!(grown < KEPT_KIB_MAX, "{grown} of {announced} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_h3_are_ended() {
    const EXCESSIVE_LOAD: u64 = 0x107;
    let stage = Stage::new(Vec::new());
    stage.probe("before").await;
    let before = stage.resident_kib();
    // CVE-2019-9512 and -9515 have no other counterpart than frames of the control stream.
    let mut quic = stage.quic().await;
    let many = [0x21, 0].repeat(10_000);
    while quic.control.write_all(&many).await.is_ok() {}
    assert_eq!(quic.ended("control frames").await, EXCESSIVE_LOAD);
    // CVE-2025-7054, the nearest: streams of no known type.
    let quic = stage.quic().await;
    let mut opened = 0;
    while let Ok(mut stream) = quic.connection.open_uni().await {
        stream.write_all(&[0x21]).await.ok();
        opened += 1;
        assert!(opened < 2_000, "no end");
    }
    assert_eq!(quic.ended("unknown streams").await, EXCESSIVE_LOAD);
    stage.recorder.take();
    // CVE-2023-44487.
    let quic = stage.quic().await;
    let mut opened = 0;
    while let Ok((mut send, mut recv)) = quic.connection.open_bi().await {
        opened += 1;
        assert!(opened < 20_000, "no end");
        if send.write_all(&get("/api/open/flood")).await.is_err() {
            break;
        }
        recv.stop(0x10c_u32.into()).ok();
        send.reset(0x10c_u32.into()).ok();
    }
    assert_eq!(quic.ended("rapid reset").await, EXCESSIVE_LOAD);
    let served = stage.recorder.take().len();
    assert!(served <= 250, "{served} requests reached the service");
    // Each flood left one event.
    let filed = || -> Vec<String> {
        let events = stage.site.events();
        // Beside it there is a finding of each kind (OCSF 2004).
        let ended = events.iter().filter(|event| event["class_uid"] == 4002);
        let mut reasons: Vec<String> = ended.map(reason).collect();
        reasons.retain(|reason| reason.contains("flood"));
        reasons.sort();
        reasons
    };
    let floods = ["http.http3_control_flood", "http.http3_control_flood", "http.http3_reset_flood"];
    wait_until("an event of each flood", LIMIT, || filed().len() >= floods.len());
    assert_eq!(filed(), floods);
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < GROWN_KIB_MAX, "{grown} KiB");
    stage.probe("after").await;
}

/// Datagrams that are no QUIC, or Initials of nobody (RUSTSEC-2024-0373, CVE-2026-31812, CVE-2026-14456), and records that
/// are no TLS (RUSTSEC-2024-0336).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_stops_nobody() {
    let stage = Stage::new(Vec::new());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        // A generator of George Marsaglia's (xorshift): the same bytes each time.
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .take(length)
        .collect()
    };
    for number in 0..900_usize {
        let mut datagram = noise(1_200);
        if number % 3 > 0 {
            // A long header, Initial, version 1, connection ids of 8 bytes (RFC 9000 17.2.2).
            datagram[0] = 0xc0 | (datagram[0] & 0x0f);
            datagram[1..5].copy_from_slice(&[0, 0, 0, 1]);
            datagram[5] = 8;
            datagram[14] = 8;
        }
        if number % 3 > 1 {
            // No token, and a length that fits.
            datagram[23] = 0;
            datagram[24..26].copy_from_slice(&[0x44, 0x90]);
        }
        socket.send_to(&datagram, stage.gateway.address).await.unwrap();
    }
    for number in 0..200_usize {
        let mut socket = tokio::net::TcpStream::connect(stage.gateway.address).await.unwrap();
        // Handshake records, some cut short, some with an alert of closing behind.
        let mut record = vec![0x16, 3, 1, 2, 0];
        record.extend(noise(if number % 2 == 0 { 512 } else { 100 }));
        record.extend([0x15, 3, 3, 0, 2, 1, 0]);
        socket.write_all(&record).await.ok();
        drop(socket);
    }
    stage.probe("after noise").await;
}

/// A gzip stream of half a mebibyte that would be 64 MiB of zeros (RFC 1951 3.2.6: one literal, then runs of 258 bytes).
fn bomb() -> Vec<u8> {
    const RUNS: usize = 64 * 1024 * 1024 / 258;
    // The last block, of fixed codes; a zero; runs of length code 285 at distance 1; the end of the block.
    let run = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    let mut bits: Vec<u8> = vec![1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0];
    bits.extend(run.repeat(RUNS));
    bits.extend([0; 7]);
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    let mut stream = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
    stream.extend(bits.chunks(8).map(byte));
    stream
}

/// CVE-2026-48044, CVE-2026-42587: nothing is ever decompressed here; a coded body does not pass as what it claims to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_body_is_decompressed() {
    /// A quarter of what one of the bodies would take.
    const KEPT_KIB_MAX: u64 = 16 * 1024;
    /// Each worker has pages of its own for blocks of that size and keeps them: until it has held some, memory grows.
    const WARM: usize = 2;
    let stage = Stage::new(Vec::new());
    let bomb = bomb();
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    let mut before = 0;
    for round in 0..=WARM {
        if round == WARM {
            before = stage.resident_kib();
        }
        for coding in ["", "gzip", "br", "zstd", "gzip, gzip"] {
            for protocol in PROTOCOLS {
                coded(&stage, &client, protocol, coding, &bomb).await;
            }
        }
    }
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < KEPT_KIB_MAX, "{grown} KiB");
}

/// A body that claims this coding is refused, or arrives as it is where nothing is claimed.
async fn coded(stage: &Stage, client: &Client, protocol: Protocol, coding: &str, bomb: &[u8]) {
    let mut sent = request("POST", "/api/open", None, "{}");
    *sent.body_mut() = bomb.to_vec().into();
    if !coding.is_empty() {
        sent.headers_mut().insert("content-encoding", coding.parse().unwrap());
    }
    let answer = client.send(protocol, sent).await;
    assert!([200, 415].contains(&answer.status.as_u16()), "{protocol:?} {coding}: {answer:?}");
    let arrived = stage.recorder.take();
    assert_eq!(arrived.len(), usize::from(answer.status == 200), "{protocol:?} {coding}");
    for arrived in arrived {
        assert!(arrived.body == bomb, "the very bytes, or none");
        assert_eq!(arrived.field("content-encoding"), None, "and no claim about them");
    }
}

//! What only a hand-made HTTP/3 client sends.

use edge::{FailureKind, Limits};
use tokio::time::timeout;

use super::client::{self, Peer};
use super::service::{DEADLINE, House, house};
use super::{peer, rest};

/// A request to `https://localhost` as a HEADERS frame.
fn headers(method: &str, path: &str) -> Vec<u8> {
    headers_of(&[
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ])
}

/// A HEADERS frame of literal fields.
fn headers_of(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0, 0];
    for (name, value) in fields {
        // RFC 9204 4.5.6: literal field line with literal name, no Huffman; names shorter than 7 fit the prefix.
        if name.len() < 7 {
            block.push(0x20 | u8::try_from(name.len()).unwrap());
        } else {
            block.extend([0x27, u8::try_from(name.len() - 7).unwrap()]);
        }
        block.extend(name.bytes());
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.bytes());
    }
    // A two-byte length (RFC 9000 16).
    let length = u16::try_from(block.len()).unwrap() | 0x4000;
    let mut frame = vec![1];
    frame.extend(length.to_be_bytes());
    frame.extend(block);
    frame
}

/// Sends bytes on a request stream, with the control stream in front.
async fn raw(peer: &Peer, bytes: &[u8], finish: bool) -> Vec<u8> {
    let (_endpoint, quic) = client::h3::connect(peer).await.unwrap();
    let mut control = quic.open_uni().await.unwrap();
    control.write_all(&[0, 4, 0]).await.unwrap();
    let (mut send, mut recv) = quic.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    if finish {
        send.finish().unwrap();
    }
    let answer = timeout(DEADLINE, recv.read_to_end(64 * 1024)).await.unwrap();
    quic.close(0x100_u32.into(), b"");
    answer.unwrap_or_default()
}

fn contains(answer: &[u8], text: &str) -> bool {
    answer.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_followed_frame_by_frame() {
    let house: House = house(Limits::default());
    let peer = peer(&house);
    let with = |frames: &[u8]| [headers("POST", "/a").as_slice(), frames].concat();
    let whole = raw(&peer, &with(&[0, 2, b'o', b'k']), true).await;
    assert!(contains(&whole, "POST localhost /a - ok"));
    let empty_between = raw(&peer, &with(&[0, 1, b'o', 0, 0, 0, 1, b'k']), true).await;
    assert!(contains(&empty_between, "POST localhost /a - ok"));
    let truncated = raw(&peer, &with(&[0, 4]), true).await;
    assert!(contains(&truncated, "body is malformed"));
    let truncated = raw(&peer, &with(&[0, 4, b'o', b'k']), true).await;
    assert!(contains(&truncated, "body is malformed"));
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_streams_are_filed_once() {
    let house = house(Limits::default());
    let peer = peer(&house);
    raw(&peer, &[0, 1, b'x'], false).await;
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http3Protocol);
    raw(&peer, &headers("GET", "a\x01"), true).await;
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http3Stream);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_may_not_pass_is_answered_by_the_service() {
    let house: House = house(Limits::default());
    let peer = peer(&house);
    let twice = headers_of(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/a"),
        (":path", "/b"),
        (":authority", "localhost"),
    ]);
    let upper = headers_of(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/a"),
        (":authority", "localhost"),
        ("X-A", "1"),
    ]);
    for (bytes, reason) in [
        // HEADERS of 1 GiB - 1, of which nothing more ever comes.
        (vec![1, 0xbf, 0xff, 0xff, 0xff], "field_bytes"),
        (twice, "pseudo_field"),
        (upper, "field_name"),
    ] {
        let answer = raw(&peer, &bytes, false).await;
        assert!(contains(&answer, reason), "{reason}: {answer:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_the_answer_cancels_its_request() {
    let house = house(Limits::default());
    let (_endpoint, quic) = client::h3::connect(&peer(&house)).await.unwrap();
    let mut control = quic.open_uni().await.unwrap();
    control.write_all(&[0, 4, 0]).await.unwrap();
    let (mut send, mut recv) = quic.open_bi().await.unwrap();
    send.write_all(&headers("GET", "/hang")).await.unwrap();
    send.finish().unwrap();
    timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
    recv.stop(0x10c_u32.into()).unwrap();
    timeout(DEADLINE, house.echo.dropped.notified()).await.unwrap();
    quic.close(0x100_u32.into(), b"");
    rest(house).await;
}

/// A connection with its control stream.
async fn open(peer: &Peer) -> (quinn::Endpoint, quinn::Connection, quinn::SendStream) {
    let (endpoint, quic) = client::h3::connect(peer).await.unwrap();
    let mut control = quic.open_uni().await.unwrap();
    control.write_all(&[0, 4, 0]).await.unwrap();
    (endpoint, quic, control)
}

/// The code that ended a connection.
async fn ended(quic: &quinn::Connection) -> u64 {
    let closed = timeout(DEADLINE, quic.closed()).await.unwrap();
    let code = if let quinn::ConnectionError::ApplicationClosed(close) = &closed {
        Some(close.error_code.into_inner())
    } else {
        None
    };
    code.ok_or(closed).unwrap()
}

const EXCESSIVE_LOAD: u64 = 0x107;
const ID_ERROR: u64 = 0x108;

#[tokio::test(flavor = "multi_thread")]
async fn floods_are_ended() {
    let house = house(Limits::default());
    let peer = peer(&house);
    // Unknown frames and MAX_PUSH_ID, without end.
    for frame in [[0x21, 0].as_slice(), &[0x0d, 1, 7]] {
        let (_endpoint, quic, mut control) = open(&peer).await;
        let many = frame.repeat(10_000);
        while control.write_all(&many).await.is_ok() {}
        assert_eq!(ended(&quic).await, EXCESSIVE_LOAD);
        assert_eq!(house.echo.failure().await.kind, FailureKind::Http3ControlFlood);
    }
    // Streams of no known type: the connection ends within 2,000 of them.
    let (_endpoint, quic, _control) = open(&peer).await;
    let mut opened = 0;
    while let Ok(mut stream) = quic.open_uni().await {
        // Stopped already, or the end of the connection.
        stream.write_all(&[0x21]).await.ok();
        opened += 1;
        assert!(opened < 2_000, "no end");
    }
    assert_eq!(ended(&quic).await, EXCESSIVE_LOAD);
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http3ControlFlood);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_flood_passes() {
    let house = house(Limits::default());
    let (_endpoint, quic, mut control) = open(&peer(&house)).await;
    control.write_all(&[0x21, 0].repeat(200)).await.unwrap();
    for _ in 0..50 {
        let (mut send, _recv) = quic.open_bi().await.unwrap();
        send.write_all(&headers("POST", "/a")).await.unwrap();
        send.reset(0x10c_u32.into()).unwrap();
    }
    let (mut send, mut recv) = quic.open_bi().await.unwrap();
    send.write_all(&headers("GET", "/a")).await.unwrap();
    send.finish().unwrap();
    let answer = timeout(DEADLINE, recv.read_to_end(64 * 1024)).await.unwrap().unwrap();
    assert!(contains(&answer, "GET localhost /a"), "{answer:?}");
    quic.close(0x100_u32.into(), b"");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_are_ended() {
    let house = house(Limits::default());
    let peer = peer(&house);
    // Taken back by a reset of the request, and by a stop of its answer.
    for stops in [false, true] {
        let (_endpoint, quic, _control) = open(&peer).await;
        let mut opened = 0;
        while let Ok((mut send, mut recv)) = quic.open_bi().await {
            opened += 1;
            assert!(opened < 20_000, "no end");
            let sent = send.write_all(&headers("POST", "/hang")).await;
            if sent.is_err() {
                break;
            }
            if stops {
                recv.stop(0x10c_u32.into()).ok();
            }
            send.reset(0x10c_u32.into()).ok();
        }
        assert_eq!(ended(&quic).await, EXCESSIVE_LOAD);
        assert_eq!(house.echo.failure().await.kind, FailureKind::Http3ResetFlood);
    }
    // Requests that are broken so that we have to reset them count as well (CVE-2025-8671).
    let (_endpoint, quic, _control) = open(&peer).await;
    let (mut broken, mut kind) = (0, FailureKind::Http3Stream);
    while let Ok((mut send, mut recv)) = quic.open_bi().await {
        send.write_all(&headers("GET", "a\x01")).await.ok();
        recv.read_to_end(64 * 1024).await.ok();
        kind = house.echo.failure().await.kind;
        if kind != FailureKind::Http3Stream {
            break;
        }
        broken += 1;
        assert!(broken < 20_000, "no end");
    }
    assert_eq!(ended(&quic).await, EXCESSIVE_LOAD);
    if kind == FailureKind::Http3Stream {
        kind = house.echo.failure().await.kind;
    }
    assert_eq!(kind, FailureKind::Http3ResetFlood);
    assert!(broken > 100, "{broken}");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn push_ids_are_followed() {
    let house = house(Limits::default());
    let peer = peer(&house);
    // CANCEL_PUSH of what never was, and a MAX_PUSH_ID that falls.
    for frames in [[0x03, 1, 0].as_slice(), &[0x0d, 1, 7, 0x0d, 1, 6]] {
        let (_endpoint, quic, mut control) = open(&peer).await;
        control.write_all(frames).await.unwrap();
        assert_eq!(ended(&quic).await, ID_ERROR);
        assert_eq!(house.echo.failure().await.kind, FailureKind::Http3Protocol);
    }
    rest(house).await;
}

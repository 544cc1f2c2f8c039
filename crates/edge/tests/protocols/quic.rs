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

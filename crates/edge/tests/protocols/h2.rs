//! What only a hand-made HTTP/2 client sends. What the engine answers or resets by itself is filed, once, before the
//! client hears of it, and floods are ended, not survived.

use edge::{FailureKind, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::client::{connect, tls};
use super::rest;
use super::service::{DEADLINE, House, house};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// GET https /a, authority `localhost` (RFC 7541 6.1, 6.2.2).
const GET: &[u8] = b"\x82\x87\x04\x02/a\x01\x09localhost";

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(1, 5, stream, block)
}

/// A frame: kind, flags, stream, payload.
type Frame = (u8, u8, u32, Vec<u8>);

async fn open(house: &House) -> TlsStream<TcpStream> {
    let mut stream =
        connect(house.address(), "localhost", tls(&house.root, &["h2"])).await.unwrap();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b"")].concat()).await.unwrap();
    stream
}

async fn next(stream: &mut TlsStream<TcpStream>) -> Option<Frame> {
    let mut head = [0; 9];
    timeout(DEADLINE, stream.read_exact(&mut head)).await.unwrap().ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    timeout(DEADLINE, stream.read_exact(&mut payload)).await.unwrap().ok()?;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], id, payload))
}

/// The first frame of these kinds; `None` at the end of the connection.
async fn first(stream: &mut TlsStream<TcpStream>, kinds: &[u8]) -> Option<Frame> {
    loop {
        let frame = next(stream).await?;
        if kinds.contains(&frame.0) {
            return Some(frame);
        }
    }
}

/// Sends until the server hangs up; the error code of its GOAWAY.
async fn flood(house: &House, before: &[u8], frames: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    let stream = open(house).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let before = before.to_vec();
    let sent = async {
        write.write_all(&before).await.ok();
        for number in 0..200_000 {
            if write.write_all(&frames(number)).await.is_err() {
                return;
            }
        }
    };
    let heard = async {
        let mut all = Vec::new();
        read.read_to_end(&mut all).await.ok();
        all
    };
    let heard = async {
        tokio::pin!(sent);
        tokio::pin!(heard);
        tokio::select! {
            heard = &mut heard => heard,
            () = &mut sent => heard.await,
        }
    };
    let all = timeout(DEADLINE, heard).await.unwrap();
    let mut rest = all.as_slice();
    let mut code = None;
    while let Some((head, more)) = rest.split_first_chunk::<9>() {
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
        if head[3] == 7 && more.len() >= 8 {
            code = Some(u32::from_be_bytes([more[4], more[5], more[6], more[7]]));
        }
        rest = more.get(length..).unwrap_or_default();
    }
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_answers_by_itself_is_filed_once() {
    let house = house(Limits { streams_max: 1, ..Limits::default() });
    let mut large = GET.to_vec();
    // `x`, never indexed, of 100,000 bytes.
    large.extend(b"\x10\x01x\x7f\xa1\x8c\x06");
    large.extend(vec![b'a'; 100_000]);
    let pieces: Vec<&[u8]> = large.chunks(16_000).collect();
    let mut head = frame(1, 1, 1, pieces[0]);
    for (index, piece) in pieces.iter().enumerate().skip(1) {
        let last = index + 1 == pieces.len();
        head.extend(frame(9, if last { 4 } else { 0 }, 1, piece));
    }
    let mut stream = open(&house).await;
    stream.write_all(&head).await.unwrap();
    let (kind, _, id, _) = first(&mut stream, &[1, 3]).await.unwrap();
    assert_eq!((kind, id), (1, 1));
    assert_eq!(house.echo.filed().await.kind, FailureKind::HeadTooLarge);
    drop(stream);

    // A `:status`, and a second `:path`.
    for extra in [b"\x88".as_slice(), b"\x84"] {
        let mut stream = open(&house).await;
        stream.write_all(&request(1, &[GET, extra].concat())).await.unwrap();
        let (kind, _, id, _) = first(&mut stream, &[1, 3]).await.unwrap();
        assert_eq!((kind, id), (3, 1));
        assert_eq!(house.echo.filed().await.kind, FailureKind::Http2Stream);
        // The connection goes on.
        stream.write_all(&request(3, GET)).await.unwrap();
        let (kind, _, id, _) = first(&mut stream, &[1, 3]).await.unwrap();
        assert_eq!((kind, id), (1, 3));
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_beyond_the_limit_is_refused_and_filed() {
    let house = house(Limits { streams_max: 1, ..Limits::default() });
    let mut stream = open(&house).await;
    let hang = b"\x82\x87\x04\x05/hang\x01\x09localhost";
    stream.write_all(&request(1, hang)).await.unwrap();
    timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
    // Both ends have to know the limit before it can be held.
    stream.write_all(&frame(4, 1, 0, b"")).await.unwrap();
    stream.write_all(&request(3, GET)).await.unwrap();
    let (kind, _, id, payload) = first(&mut stream, &[1, 3]).await.unwrap();
    assert_eq!((kind, id, payload), (3, 3, vec![0, 0, 0, 7]));
    assert_eq!(house.echo.filed().await.kind, FailureKind::StreamLimit);
    drop(stream);
    timeout(DEADLINE, house.echo.dropped.notified()).await.unwrap();
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_after_the_last_one_are_refused_and_a_client_that_goes_on_is_cut() {
    let limits = Limits {
        connection_requests_max: std::num::NonZeroU64::MIN,
        streams_max: 2,
        ..Limits::default()
    };
    let house = house(limits);
    let mut stream = open(&house).await;
    stream.write_all(&request(1, GET)).await.unwrap();
    let (kind, _, id, _) = first(&mut stream, &[1, 3]).await.unwrap();
    assert_eq!((kind, id), (1, 1));
    assert_eq!(house.echo.filed().await.kind, FailureKind::RequestLimit);
    // This client hears no GOAWAY and answers no PING.
    for id in [3, 5] {
        stream.write_all(&request(id, GET)).await.unwrap();
        let refused = first(&mut stream, &[1, 3]).await.unwrap();
        assert_eq!(refused, (3, 0, id, vec![0, 0, 0, 7]));
    }
    stream.write_all(&request(7, GET)).await.unwrap();
    assert_eq!(first(&mut stream, &[1, 3]).await, None);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_of_the_protocol_is_filed_once() {
    let house = house(Limits::default());
    // DATA on an idle stream, a PING of 7 bytes, a window that overflows.
    for broken in
        [frame(0, 0, 1, b"x"), frame(6, 0, 0, &[0; 7]), frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])]
    {
        let mut stream = open(&house).await;
        stream.write_all(&broken).await.unwrap();
        let (_, _, _, payload) = first(&mut stream, &[7]).await.unwrap();
        assert_ne!(payload[4..8], [0; 4]);
        assert_eq!(house.echo.filed().await.kind, FailureKind::Http2Protocol);
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_are_ended() {
    const ENHANCE_YOUR_CALM: Option<u32> = Some(11);
    let house = house(Limits::default());
    let kind = |kind| move |_: u32| frame(kind, 0, 0, &[0; 8]);
    assert_eq!(flood(&house, b"", kind(6)).await, ENHANCE_YOUR_CALM);
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http2ControlFlood);
    assert_eq!(flood(&house, b"", |_| frame(4, 0, 0, b"")).await, ENHANCE_YOUR_CALM);
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http2ControlFlood);
    let priority = |number| frame(2, 0, number * 2 + 1, &[0, 0, 0, 0, 9]);
    assert_eq!(flood(&house, b"", priority).await, ENHANCE_YOUR_CALM);
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http2ControlFlood);
    let post = b"\x83\x87\x04\x05/hang\x01\x09localhost";
    let empty = |_| frame(0, 0, 1, b"");
    assert_eq!(flood(&house, &frame(1, 4, 1, post), empty).await, ENHANCE_YOUR_CALM);
    // The engine has a budget of its own for these, which may end first.
    let kind = house.echo.failure().await.kind;
    let known = [FailureKind::Http2ControlFlood, FailureKind::Http2Protocol];
    assert!(known.contains(&kind), "{kind:?}");
    let update = |_| frame(8, 0, 0, &[0, 0, 0, 1]);
    assert_eq!(flood(&house, b"", update).await, ENHANCE_YOUR_CALM);
    assert_eq!(house.echo.failure().await.kind, FailureKind::Http2WindowFlood);
    let continuation = |_| frame(9, 0, 1, b"");
    assert_eq!(flood(&house, &frame(1, 1, 1, GET), continuation).await, ENHANCE_YOUR_CALM);
    // The engine counts these, too: which of the two is first depends on the pieces they come in.
    let kind = house.echo.failure().await.kind;
    let known = [FailureKind::Http2ContinuationFlood, FailureKind::Http2Protocol];
    assert!(known.contains(&kind), "{kind:?}");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_are_ended() {
    let house = house(Limits::default());
    let burst = |number: u32| {
        let stream = number * 2 + 1;
        [request(stream, GET), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
    };
    flood(&house, b"", burst).await;
    let kind = house.echo.failure().await.kind;
    assert!(matches!(kind, FailureKind::Http2ResetFlood | FailureKind::Http2Protocol), "{kind:?}");
    rest(house).await;
}

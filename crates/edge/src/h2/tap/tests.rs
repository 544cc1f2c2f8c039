//! The tap over a stream in memory: what is held back, what leaves, and what ends a connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::h2::follow::tests::frame;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn after(bytes: &[u8]) -> (DuplexStream, Tap<DuplexStream>, Arc<Watch>) {
    let (mut client, server) = duplex(64 * 1024);
    let watch = Watch::new();
    let mut tap = Tap::new(server, Arc::clone(&watch), &Limits::default());
    assert!(watch.is_silent());
    let all = [PREFACE, bytes].concat();
    client.write_all(&all).await.unwrap();
    let mut room = vec![0; all.len()];
    tap.read_exact(&mut room).await.unwrap();
    assert_eq!(room, all);
    assert!(!watch.is_silent());
    (client, tap, watch)
}

/// How much of it leaves now.
async fn leaves(tap: &mut Tap<DuplexStream>, bytes: &[u8]) -> usize {
    tokio::select! {
        biased;
        written = tap.write(bytes) => written.unwrap(),
        () = tokio::task::yield_now() => 0,
    }
}

#[tokio::test]
async fn what_the_engine_says_about_an_unseen_request_waits_for_its_record() {
    let begun = frame(follow::HEADERS, follow::END_HEADERS, 1, b"x");
    let (_client, mut tap, watch) = after(&begun).await;
    let ping = frame(0x6, 0, 0, &[0; 8]);
    let reset = frame(follow::RST_STREAM, 0, 1, &[0, 0, 0, 1]);
    // What stands before it leaves.
    assert_eq!(leaves(&mut tap, &[ping.as_slice(), &reset].concat()).await, ping.len());
    assert_eq!(leaves(&mut tap, &reset).await, 0);
    assert!(watch.holds());
    assert_eq!(watch.suspect(), Some(FailureKind::Http2Stream));
    watch.cleared();
    assert_eq!(leaves(&mut tap, &reset).await, reset.len());
    assert!(!watch.holds());
}

#[tokio::test]
async fn a_refused_stream_and_a_head_too_large_have_their_own_names() {
    for (answer, kind) in [
        (frame(follow::RST_STREAM, 0, 1, &[0, 0, 0, 7]), FailureKind::StreamLimit),
        (frame(follow::HEADERS, 5, 1, b"x"), FailureKind::HeadTooLarge),
    ] {
        let begun = frame(follow::HEADERS, follow::END_HEADERS, 1, b"x");
        let (_client, mut tap, watch) = after(&begun).await;
        assert_eq!(leaves(&mut tap, &answer).await, 0);
        assert_eq!(watch.suspect(), Some(kind));
    }
}

#[tokio::test]
async fn the_answer_to_a_request_leaves() {
    let begun = frame(follow::HEADERS, follow::END_HEADERS, 1, b"x");
    let (_client, mut tap, watch) = after(&begun).await;
    let answer = frame(follow::HEADERS, follow::END_HEADERS, 1, b"x");
    // The engine hands the request on only after it has begun to write.
    assert_eq!(leaves(&mut tap, &answer).await, 0);
    watch.surfaced(1);
    assert_eq!(watch.suspect(), None);
    watch.cleared();
    assert_eq!(leaves(&mut tap, &answer).await, answer.len());
    // Trailers begin no stream.
    let (_client, mut tap, watch) = after(&[begun.as_slice(), &begun].concat()).await;
    watch.surfaced(1);
    assert_eq!(leaves(&mut tap, &answer).await, answer.len());
}

#[tokio::test]
async fn a_goodbye_because_of_an_error_is_filed_once() {
    let (_client, mut tap, watch) = after(b"").await;
    let graceful = frame(follow::GOAWAY, 0, 0, &[0; 8]);
    assert_eq!(leaves(&mut tap, &graceful).await, graceful.len());
    let error = frame(follow::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(leaves(&mut tap, &error).await, 0);
    assert_eq!(watch.suspect(), Some(FailureKind::Http2Protocol));
    assert_eq!(watch.suspect(), None);
    watch.cleared();
    assert_eq!(leaves(&mut tap, &error).await, error.len());
    assert!(watch.is_filed());
}

#[tokio::test]
async fn a_flood_is_kept_from_the_engine() {
    let (mut client, mut tap, watch) = after(b"").await;
    let reset = frame(follow::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    client.write_all(&reset.repeat(1000)).await.unwrap();
    let mut room = vec![0; 64 * 1024];
    let seen = tokio::select! {
        biased;
        read = tap.read(&mut room) => Some(read.unwrap()),
        () = tokio::task::yield_now() => None,
    };
    assert_eq!(seen, None);
    assert_eq!(watch.violation(), Some(FailureKind::Http2ResetFlood));
    watch.filed();
    assert_eq!(watch.violation(), None);
}

//! What only a hand-made HTTP/1 client sends. Every answer comes from the service: the engine never writes its own.

use std::time::Duration;

use edge::{FailureKind, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{connect, tls};
use super::service::house;
use super::{raw, rest};

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_answered_by_the_service() {
    let house = house(Limits::default());
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(16 * 1024));
    for (request, expected, reason) in [
        (b"\x01\x02garbage\r\n\r\n".as_slice(), "400", "request_line"),
        (b"GET /\r\n", "400", "request_line"),
        (b"\r\nGET / HTTP/1.1\r\n\r\n", "400", "request_line"),
        (b"GET / HTTP/3.0\r\n\r\n", "505", "http_version"),
        (b"GET / HTTP/1.1\nhost: localhost\n\n", "400", "line_ending"),
        (b"GET / HTTP/1.1\r\nhost: localhost\rx: y\r\n\r\n", "400", "line_ending"),
        (b"GET / HTTP/1.1\r\nhost : localhost\r\n\r\n", "400", "field_syntax"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", "400", "field_syntax"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n", "400", "field_value"),
        (
            b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
            "400",
            "field_repeated",
        ),
        (
            b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
            "transfer_encoding",
        ),
        (large.as_bytes(), "431", "field_bytes"),
        (long.as_bytes(), "414", "target_too_long"),
    ] {
        let answer = raw(&house, "http/1.1", request).await;
        let told = (status(&answer), answer.ends_with(reason));
        assert_eq!(told, (expected, true), "{:?}: {answer}", request.escape_ascii().to_string());
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_never_answers_by_itself() {
    let house = house(Limits::default());
    for byte in 0_u8..=255 {
        let requests = [
            [b"GET /a".as_slice(), &[byte], b" HTTP/1.1\r\nhost: localhost\r\n\r\n"].concat(),
            [b"GET /a?b=".as_slice(), &[byte], b" HTTP/1.1\r\nhost: localhost\r\n\r\n"].concat(),
            [
                b"GET https://localhost/a".as_slice(),
                &[byte],
                b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
            ]
            .concat(),
            [b"GE".as_slice(), &[byte], b" / HTTP/1.1\r\nhost: localhost\r\n\r\n"].concat(),
            [b"GET / HTTP/1.1\r\nhost: localhost\r\nx".as_slice(), &[byte], b"y: z\r\n\r\n"]
                .concat(),
            [b"GET / HTTP/1.1\r\nhost: localhost\r\nx: y".as_slice(), &[byte], b"\r\n\r\n"]
                .concat(),
            [b"GET / HTTP/1.1\r\nhost: local".as_slice(), &[byte], b"host\r\n\r\n"].concat(),
        ];
        for request in requests {
            let mut request = request;
            // So that each connection ends by itself.
            let end = request.len() - 2;
            request.splice(end..end, b"connection: close\r\n".iter().copied());
            let answer = raw(&house, "http/1.1", &request).await;
            // The service's answers have a body; the engine's own have none.
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            assert!(!body.is_empty(), "{:?}: {answer}", request.escape_ascii().to_string());
        }
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_two_readings_is_malformed_and_hides_no_request() {
    let house = house(Limits::default());
    let head = "POST /a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunks in [
        "3;x=y\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "2;\nxx\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\ncontent-length: 3\r\n\r\n",
    ] {
        let request = format!("{head}{chunks}GET /hidden HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answer = raw(&house, "http/1.1", request.as_bytes()).await;
        assert_eq!(status(&answer), "400", "{chunks:?}: {answer}");
        assert!(answer.ends_with("body is malformed"), "{chunks:?}: {answer}");
    }
    let last = "GET /b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let request = format!("{head}3\r\nabc\r\n0\r\nx: y\r\n\r\n{last}");
    let answer = raw(&house, "http/1.1", request.as_bytes()).await;
    assert!(answer.contains("POST localhost /a - abc"), "{answer}");
    assert!(answer.ends_with("GET localhost /b - "), "{answer}");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_request_behind_a_good_one_gets_the_second_answer() {
    let house = house(Limits::default());
    let requests = b"GET /a HTTP/1.1\r\nhost: localhost\r\n\r\nGET /b HTTP/1.1\nhost: x\n\n";
    let answer = raw(&house, "http/1.1", requests).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("GET localhost /a - HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("line_ending"), "{answer}");
    rest(house).await;
}

/// Longer than a connection needs to come to rest.
const LONG_IDLE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_at_rest_serves_on_and_then_ends_as_idle() {
    let limits = Limits { idle_timeout: Duration::from_secs(3), ..Limits::default() };
    let house = house(limits);
    let mut stream =
        connect(house.address(), "localhost", tls(&house.root, &["http/1.1"])).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
        tokio::time::sleep(LONG_IDLE).await;
    }
    // A head in two pieces, the first of which wakes the connection.
    stream.write_all(b"GET / HT").await.unwrap();
    tokio::task::yield_now().await;
    stream.write_all(b"TP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut rest_of_it = Vec::new();
    stream.read_to_end(&mut rest_of_it).await.unwrap();
    assert!(rest_of_it.starts_with(b"HTTP/1.1 200 "));
    assert_eq!(house.echo.failure().await.kind, FailureKind::ConnectionIdle);
    house.echo.nothing_filed().await;
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_a_connection_at_rest() {
    let house = house(Limits::default());
    let mut stream =
        connect(house.address(), "localhost", tls(&house.root, &["http/1.1"])).await.unwrap();
    tokio::time::sleep(LONG_IDLE).await;
    rest(house).await;
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_hears_the_answer_and_no_reset() {
    let house = house(Limits::default());
    let tls = tls(&house.root, &["http/1.1"]);
    let mut stream = connect(house.address(), "localhost", tls).await.unwrap();
    let body = vec![b'x'; 3 * 1024 * 1024];
    let head =
        format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 413 "));
    rest(house).await;
}

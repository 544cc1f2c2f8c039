//! `Expect: 100-continue`, on every protocol: leave is given when the service reads the body, and never for a request that is
//! answered without.

use std::future::poll_fn;

use bytes::Bytes;
use edge::Limits;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::client::{connect, tls};
use super::service::{DEADLINE, House, house};
use super::{raw, rest};

const BODY: Bytes = Bytes::from_static(b"four");

fn waiting(path: &str, expected: &str) -> Request<()> {
    let request = Request::post(format!("https://localhost{path}"));
    request.header("content-length", 4).header("expect", expected).body(()).unwrap()
}

/// What a service is asked, whether leave is given, and the status.
const CASES: [(&str, &str, bool, u16); 4] = [
    ("/a", "100-continue", true, 200),
    ("/client", "100-continue", false, 200),
    ("/..", "100-continue", false, 400),
    ("/a", "200-ok", false, 400),
];

#[tokio::test(flavor = "multi_thread")]
async fn leave_is_given_over_h1_when_the_body_is_read() {
    let house = house(Limits::default());
    for (path, expected, is_given, status) in CASES {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\nexpect: {expected}\r\n\r\n"
        );
        let mut stream =
            connect(house.address(), "localhost", tls(&house.root, &["http/1.1"])).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut heard = vec![0; 12];
        timeout(DEADLINE, stream.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(heard == b"HTTP/1.1 100", is_given, "{path} {expected}");
        if is_given {
            stream.write_all(&BODY).await.unwrap();
            let mut rest = [0; 25];
            timeout(DEADLINE, stream.read_exact(&mut rest)).await.unwrap().unwrap();
            assert_eq!(&rest, b" Continue\r\n\r\nHTTP/1.1 200", "{path}");
            continue;
        }
        assert!(heard.ends_with(status.to_string().as_bytes()), "{path} {expected}");
        // The body is not waited for: the connection ends.
        timeout(DEADLINE, stream.read_to_end(&mut heard)).await.unwrap().ok();
        assert!(!String::from_utf8(heard).unwrap().contains("100 Continue"), "{path} {expected}");
    }
    // A body that is sent at once is a body where it is read, and never a second request.
    let hidden = "GET /client HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (path, expected) in [("/a", "100-continue"), ("/client", "100-continue"), ("/a", "x")] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nexpect: {expected}\r\n\
             connection: close\r\n\r\n{hidden}",
            hidden.len()
        );
        let answer = raw(&house, "http/1.1", request.as_bytes()).await;
        let finals = answer.matches("HTTP/1.1 ").count() - answer.matches("HTTP/1.1 100").count();
        assert_eq!(finals, 1, "{path} {expected}: {answer}");
        assert!(!answer.contains("behind 127.0.0.1") || path == "/client", "{path}: {answer}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leave_is_given_over_h2_when_the_body_is_read() {
    let house = house(Limits::default());
    for (path, expected, is_given, status) in CASES {
        let stream =
            connect(house.address(), "localhost", tls(&house.root, &["h2"])).await.unwrap();
        let (client, connection) = ::h2::client::handshake(stream).await.unwrap();
        let driver = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let (mut answer, mut body) = client.send_request(waiting(path, expected), false).unwrap();
        let given = poll_fn(|cx| answer.poll_informational(cx));
        let given = timeout(DEADLINE, given).await.unwrap();
        let given = given.map(|given| given.unwrap().status().as_u16());
        assert_eq!(given, is_given.then_some(100), "{path} {expected}");
        if is_given {
            body.send_data(BODY, true).unwrap();
        }
        let answer = timeout(DEADLINE, answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), status, "{path} {expected}");
        driver.abort();
    }
    rest(house).await;
}

#[cfg(feature = "http3")]
#[tokio::test(flavor = "multi_thread")]
async fn leave_is_given_over_h3_when_the_body_is_read() {
    let house = house(Limits::default());
    for case in CASES {
        timeout(DEADLINE, over_h3(&house, case)).await.unwrap();
    }
    rest(house).await;
}

#[cfg(feature = "http3")]
async fn over_h3(house: &House, (path, expected, is_given, status): (&str, &str, bool, u16)) {
    let (_endpoint, quic) = super::client::h3::connect(&super::peer(house)).await.unwrap();
    let (mut driver, mut sender) =
        ::h3::client::new(h3_quinn::Connection::new(quic.clone())).await.unwrap();
    let driver = tokio::spawn(async move {
        poll_fn(|cx| driver.poll_close(cx)).await;
    });
    let mut stream = sender.send_request(waiting(path, expected)).await.unwrap();
    let mut answer = stream.recv_response().await.unwrap();
    assert_eq!(answer.status() == 100, is_given, "{path} {expected}");
    if is_given {
        stream.send_data(BODY).await.unwrap();
        stream.finish().await.unwrap();
        answer = stream.recv_response().await.unwrap();
    }
    assert_eq!(answer.status(), status, "{path} {expected}");
    quic.close(0x100_u32.into(), b"");
    driver.abort();
}

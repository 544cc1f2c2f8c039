//! The limits at the door, each on every protocol: what is over the limit is cut and filed once with its reason, what is
//! just within it passes.

use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use bytes::Bytes;
use edge::{BodyPace, ConnectionRate, FailureKind, Limits};
use futures_util::StreamExt;
use http::{Request, Version};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;

use super::client::{ALL, Error, Peer, Protocol, connect, send, tls};
use super::service::{DEADLINE, House, house};
use super::{get, peer, raw, rest};

/// Time between two bytes of a slow body.
const DRIP: Duration = Duration::from_millis(10);
/// Long enough for a request to be under way before it is over, on a loaded machine, too.
const AGE: Duration = Duration::from_secs(1);

fn version(protocol: Protocol) -> Version {
    match protocol {
        Protocol::H1 => Version::HTTP_11,
        Protocol::H2 => Version::HTTP_2,
        #[cfg(feature = "http3")]
        Protocol::H3 => Version::HTTP_3,
    }
}

/// Asks until there is an answer: room is made when the server sees that others left.
async fn eventually_served(protocol: Protocol, peer: &Peer, house: &House) {
    let served = async {
        while send(protocol, peer, get("https://localhost/a")).await.is_err() {
            house.echo.failure().await;
        }
    };
    timeout(DEADLINE, served).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections() {
    for &protocol in ALL {
        let house = house(Limits { address_connections_max: 2, ..Limits::default() });
        let peer = peer(&house);
        let config = tls(&house.root, &["http/1.1"]);
        let held = connect(house.address(), "localhost", config.clone()).await.unwrap();
        assert!(send(protocol, &peer, get("https://localhost/a")).await.is_ok(), "{protocol:?}");
        let second = async {
            loop {
                match connect(house.address(), "localhost", config.clone()).await {
                    Ok(stream) => return stream,
                    // The connection that was served is not seen to be gone yet.
                    Err(_) => drop(house.echo.failure().await),
                }
            }
        };
        let second = timeout(DEADLINE, second).await.unwrap();
        assert!(send(protocol, &peer, get("https://localhost/a")).await.is_err(), "{protocol:?}");
        let failure = house.echo.failure().await;
        assert_eq!(failure.kind, FailureKind::AddressConnections, "{protocol:?}");
        assert!(failure.client.ip().is_loopback(), "{protocol:?}");
        drop((held, second));
        eventually_served(protocol, &peer, &house).await;
        rest(house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_opens_connections_so_fast() {
    let rate = |count, per| ConnectionRate {
        count: NonZeroU32::new(count).unwrap(),
        per: Duration::from_secs(per),
        burst: NonZeroU32::new(2).unwrap(),
    };
    for &protocol in ALL {
        let house = house(Limits { address_connections_rate: rate(1, 3600), ..Limits::default() });
        let peer = peer(&house);
        for attempt in 0..4 {
            let served = send(protocol, &peer, get("https://localhost/a")).await;
            assert_eq!(served.is_ok(), attempt < 2, "{protocol:?} {attempt}");
            if attempt >= 2 {
                let kind = house.echo.failure().await.kind;
                assert_eq!(kind, FailureKind::AddressRate, "{protocol:?}");
            }
        }
        rest(house).await;
    }
    for &protocol in ALL {
        let house = house(Limits { address_connections_rate: rate(20, 1), ..Limits::default() });
        let peer = peer(&house);
        for _ in 0..4 {
            eventually_served(protocol, &peer, &house).await;
        }
        rest(house).await;
    }
}

/// Asks one after the other on one connection until it ends; how many answers came, at most `max`.
async fn ask_on_one(protocol: Protocol, peer: &Peer, max: usize) -> usize {
    let request = || get("https://localhost/a");
    let mut answers = 0;
    match protocol {
        Protocol::H1 => {
            let stream = connect(peer.address, peer.name, tls(&peer.root, &["http/1.1"])).await;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream.unwrap())).await.unwrap();
            tokio::spawn(connection);
            while answers < max && sender.ready().await.is_ok() {
                let mut request = request().map(Full::new);
                *request.uri_mut() = "/a".parse().unwrap();
                request.headers_mut().insert("host", "localhost".parse().unwrap());
                let Ok(answer) = sender.send_request(request).await else { break };
                answer.into_body().collect().await.unwrap();
                answers += 1;
            }
        }
        Protocol::H2 => {
            let stream = connect(peer.address, peer.name, tls(&peer.root, &["h2"])).await;
            let io = TokioIo::new(stream.unwrap());
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            while answers < max && sender.ready().await.is_ok() {
                let Ok(answer) = sender.send_request(request().map(Full::new)).await else { break };
                answer.into_body().collect().await.unwrap();
                answers += 1;
            }
        }
        #[cfg(feature = "http3")]
        Protocol::H3 => {
            let (_endpoint, quic) = super::client::h3::connect(peer).await.unwrap();
            let (mut driver, mut sender) =
                ::h3::client::new(h3_quinn::Connection::new(quic.clone())).await.unwrap();
            let driver = tokio::spawn(async move {
                std::future::poll_fn(|cx| driver.poll_close(cx)).await;
            });
            while answers < max && super::client::h3::exchange(&mut sender, request()).await.is_ok()
            {
                answers += 1;
            }
            quic.close(0x100_u32.into(), b"");
            driver.abort();
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_so_many_requests() {
    for &protocol in ALL {
        let connection_requests_max = NonZeroU64::new(3).unwrap();
        let house = house(Limits { connection_requests_max, ..Limits::default() });
        let peer = peer(&house);
        assert_eq!(ask_on_one(protocol, &peer, 2).await, 2, "{protocol:?}");
        house.echo.nothing_filed().await;
        assert_eq!(ask_on_one(protocol, &peer, 9).await, 3, "{protocol:?}");
        let failure = house.echo.failure().await;
        assert_eq!(failure.kind, FailureKind::RequestLimit, "{protocol:?}");
        assert_eq!(failure.http, Some(version(protocol)));
        rest(house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_says_so_whatever_was_sent_behind_its_request() {
    let connection_requests_max = NonZeroU64::new(2).unwrap();
    let house = house(Limits { connection_requests_max, ..Limits::default() });
    let requests = "GET /a HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let answers = raw(&house, "http/1.1", requests.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
    assert_eq!(house.echo.failure().await.kind, FailureKind::RequestLimit);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_grows_so_old_and_finishes_what_is_under_way() {
    for &protocol in ALL {
        let connection_age_max = AGE;
        let house = house(Limits { connection_age_max, ..Limits::default() });
        let peer = peer(&house);
        let sent =
            tokio::spawn(async move { send(protocol, &peer, get("https://localhost/slow")).await });
        timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
        let failure = house.echo.failure().await;
        assert_eq!(failure.kind, FailureKind::ConnectionAge, "{protocol:?}");
        assert_eq!(failure.http, Some(version(protocol)));
        house.echo.release.notify_one();
        assert_eq!(sent.await.unwrap().unwrap().text(), "slow", "{protocol:?}");
        rest(house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_ends_with_its_age() {
    for &protocol in ALL {
        let connection_age_max = AGE;
        let house = house(Limits { connection_age_max, ..Limits::default() });
        let peer = peer(&house);
        // Without a bound of its own the client asks until the connection ends.
        let asked = timeout(DEADLINE, ask_on_one(protocol, &peer, usize::MAX)).await.unwrap();
        assert!(asked > 0, "{protocol:?}");
        assert_eq!(house.echo.failure().await.kind, FailureKind::ConnectionAge, "{protocol:?}");
        rest(house).await;
    }
}

type SlowBody = UnsyncBoxBody<Bytes, Infallible>;

/// A body of so many bytes, one at a time.
fn dripping(bytes: usize) -> SlowBody {
    let drops = futures_util::stream::iter(0..bytes).then(|_| async {
        tokio::time::sleep(DRIP).await;
        Ok(Frame::data(Bytes::from_static(b"x")))
    });
    StreamBody::new(drops).boxed_unsync()
}

/// Sends a slow body and reads the status and the answer.
async fn drip(protocol: Protocol, peer: &Peer, bytes: usize) -> Result<(u16, String), Error> {
    let builder = Request::post("https://localhost/a").header("content-length", bytes);
    let mut request = builder.body(dripping(bytes))?;
    let answer = match protocol {
        Protocol::H1 => {
            let stream = connect(peer.address, peer.name, tls(&peer.root, &["http/1.1"])).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            *request.uri_mut() = "/a".parse()?;
            request.headers_mut().insert("host", "localhost".parse()?);
            sender.send_request(request).await?
        }
        Protocol::H2 => {
            let stream = connect(peer.address, peer.name, tls(&peer.root, &["h2"])).await?;
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        }
        #[cfg(feature = "http3")]
        Protocol::H3 => return super::client::h3::drip(peer, request).await,
    };
    let status = answer.status().as_u16();
    let text = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(text.to_vec())?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_keeps_a_pace() {
    let pace = |bytes_per_second, grace| BodyPace {
        bytes_per_second: NonZeroU32::new(bytes_per_second).unwrap(),
        grace: Duration::from_millis(grace),
    };
    for &protocol in ALL {
        // No gap between two bytes is long.
        let strict = house(Limits { body_pace_min: pace(100_000, 200), ..Limits::default() });
        let told = drip(protocol, &peer(&strict), 1000).await.unwrap();
        assert_eq!(told, (400, "body is too slow".to_owned()), "{protocol:?}");
        rest(strict).await;
        let patient = house(Limits { body_pace_min: pace(1, 20_000), ..Limits::default() });
        let told = drip(protocol, &peer(&patient), 20).await.unwrap();
        assert_eq!((told.0, told.1.ends_with(&"x".repeat(20))), (200, true), "{protocol:?}");
        rest(patient).await;
    }
}

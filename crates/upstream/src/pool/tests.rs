//! Exchanges with a service that speaks HTTP/1.1 by hand, so that each byte comes when the test says so.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use self::world::{Counted, OK, World, get, head, request, until, within};
use super::{IDLE_AGE_MAX, IDLE_MAX, Shelves};
use crate::body::BodyFault;
use crate::fault::Fault;
use crate::settings::TlsSettings;
use crate::testing::{NAME, Pki};
use crate::tls::Tls;

mod world;

#[tokio::test]
async fn an_exchange_is_one_task_that_is_woken_by_its_answer_alone() {
    static POLLS: AtomicUsize = AtomicUsize::new(0);
    let world = Arc::new(World::new().await);
    let mut peer = world.first_exchange().await;
    let before = Handle::current().metrics().num_alive_tasks();
    let asking = world.clone();
    let ask = async move { asking.ask(get("/")).await };
    let ask = tokio::spawn(Counted(Box::pin(ask), &POLLS));
    peer.head().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 1);
    peer.say(OK).await;
    assert_eq!(within(ask).await.unwrap().unwrap(), "ok");
    let polls = POLLS.load(Ordering::SeqCst);
    assert_eq!(polls, 4, "to ask and with the whole answer, each after letting others go first");
}

#[tokio::test]
async fn answers_of_every_length_leave_the_connection_free() {
    let world = World::new().await;
    let mut peer = world.first_exchange().await;
    for (method, answer, body) in [
        (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", ""),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", ""),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", ""),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            "abc",
        ),
        (
            Method::GET,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nd",
            "d",
        ),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\ne",
            "e",
        ),
    ] {
        let (read, _) =
            tokio::join!(world.ask(request(method, "/", Bytes::new())), peer.serve(answer));
        assert_eq!((read.unwrap(), world.idle()), (Bytes::from(body), 1), "{answer:?}");
    }
    world.exchange(&mut peer).await;
}

#[tokio::test]
async fn an_answer_in_pieces_is_read_piece_by_piece() {
    let world = World::new().await;
    let mut peer = world.first_exchange().await;
    let serve = async {
        peer.head().await;
        for piece in ["HTTP/1.1 200", " OK\r\ncontent-le", "ngth: 4\r\n\r", "\no", "ka", "y"] {
            peer.say(piece).await;
            world.hear().await;
        }
        peer
    };
    let (answer, mut peer) = tokio::join!(world.ask(get("/")), serve);
    assert_eq!(answer.unwrap(), "okay");
    world.exchange(&mut peer).await;
}

#[tokio::test]
async fn a_connection_that_ends_with_its_answer_is_not_used_again() {
    let world = World::new().await;
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\n\r\nok",
    ] {
        let serve = async {
            let mut peer = world.accept().await;
            peer.serve(answer).await;
            if !answer.contains("content-length") {
                peer.0.shutdown().await.unwrap();
            }
            peer
        };
        let (read, mut peer) = tokio::join!(world.ask(get("/")), serve);
        assert_eq!((read.unwrap(), world.idle()), (Bytes::from("ok"), 0), "{answer:?}");
        assert!(peer.is_left().await, "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_end() {
    let world = World::new().await;
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
    ] {
        let serve = async {
            let mut peer = world.accept().await;
            peer.serve(answer).await;
        };
        let (response, ()) = tokio::join!(within(world.send(get("/"))), serve);
        let mut body = response.unwrap().into_body();
        assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "ok");
        let broken = within(body.frame()).await.unwrap().map(drop);
        assert_eq!((broken, world.idle()), (Err(BodyFault::Broken), 0), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_meets_no_connection_that_was_closed_while_it_was_idle() {
    let world = World::new().await;
    let peer = world.first_exchange().await;
    drop(peer);
    world.hear().await;
    let mut peer = world.new_exchange().await;
    world.exchange(&mut peer).await;
}

#[tokio::test]
async fn a_request_on_a_connection_that_closes_under_it_is_not_sent_again() {
    let world = World::new().await;
    let mut peer = world.first_exchange().await;
    let serve = async move {
        peer.head().await;
    };
    let (answer, ()) = tokio::join!(world.ask(get("/")), serve);
    assert_eq!((answer.unwrap_err(), world.idle()), (Fault::Protocol, 0));
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_no_answer() {
    let world = World::new().await;
    let forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let mut peer = world.first_exchange().await;
    peer.say(forged).await;
    world.hear().await;
    let mut next = world.new_exchange().await;
    assert!(peer.is_left().await);

    let both = format!("{OK}{forged}");
    let (answer, _) = tokio::join!(world.ask(get("/")), next.serve(&both));
    assert_eq!((answer.unwrap(), world.idle()), (Bytes::from("ok"), 0));
    assert!(next.is_left().await);
    world.new_exchange().await;
}

#[tokio::test]
async fn an_answer_that_is_dropped_half_way_closes_its_connection() {
    let world = World::new().await;
    let mut peer = world.first_exchange().await;
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    let (response, _) = tokio::join!(within(world.send(get("/"))), peer.serve(half));
    let mut body = response.unwrap().into_body();
    assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "half");
    drop(body);
    assert!(peer.is_left().await);
    world.new_exchange().await;
}

#[tokio::test]
async fn a_request_that_is_given_up_closes_its_connection() {
    let world = World::new().await;
    let mut peer = world.first_exchange().await;
    {
        let mut asked = pin!(world.send(get("/")));
        tokio::select! {
            _ = &mut asked => panic!("there is no answer"),
            _ = peer.head() => {}
        }
    }
    assert!(peer.is_left().await);
    world.new_exchange().await;
}

/// More than the kernel takes from one side while the other does not read.
fn large() -> Bytes {
    Bytes::from(vec![b'x'; 48 << 20])
}

#[tokio::test]
async fn request_and_answer_move_at_the_same_time() {
    let world = World::new().await;
    let (mut peer, body) = (world.first_exchange().await, large());
    let length = body.len();
    let serve = async {
        peer.head().await;
        peer.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")).await;
        // It takes no more than it can give back.
        let mut bytes = vec![0; 1 << 16];
        let mut left = length;
        while left > 0 {
            let read = within(peer.0.read(&mut bytes)).await.unwrap();
            within(peer.0.write_all(&bytes[..read])).await.unwrap();
            left -= read;
        }
        peer
    };
    let (answer, mut peer) = tokio::join!(world.ask(request(Method::POST, "/", body)), serve);
    assert_eq!((answer.unwrap().len(), world.idle()), (length, 1));
    world.exchange(&mut peer).await;
}

#[tokio::test]
async fn a_service_that_answers_early_may_read_on() {
    let world = World::new().await;
    let (mut peer, body) = (world.first_exchange().await, large());
    let length = body.len();
    let asked = request(Method::POST, "/", body);
    let (answer, _) = tokio::join!(world.ask(asked), peer.serve(OK));
    assert_eq!((answer.unwrap(), world.idle()), (Bytes::from("ok"), 0));
    // The next request does not wait for it.
    drop(world.new_exchange().await);
    world.hear().await;
    within(peer.0.read_exact(&mut vec![0; length])).await.unwrap();
    until(|| world.idle() == 2).await;
    world.exchange(&mut peer).await;
}

#[tokio::test]
async fn a_service_that_answers_early_may_leave() {
    let world = World::new().await;
    let mut peer = world.first_exchange().await;
    let serve = async {
        peer.serve(OK).await;
        drop(peer);
    };
    let (answer, ()) = tokio::join!(world.ask(request(Method::POST, "/", large())), serve);
    assert_eq!((answer.unwrap(), world.idle()), (Bytes::from("ok"), 0));
    world.new_exchange().await;
}

#[tokio::test]
async fn what_nobody_uses_is_closed_though_nobody_asks() {
    let world = World::keeping(Duration::ZERO, Duration::from_millis(1)).await;
    let mut peer = world.first_exchange().await;
    assert!(peer.is_left().await);
    until(|| world.idle() == 0).await;
    // The sweeper has gone, and comes again.
    let mut peer = world.new_exchange().await;
    assert!(peer.is_left().await);
}

#[tokio::test]
async fn what_the_service_closed_is_dropped_though_nobody_asks() {
    let world = World::keeping(IDLE_AGE_MAX, Duration::from_millis(1)).await;
    let mut kept = world.first_exchange().await;
    let serve = async {
        let mut other = world.accept().await;
        let both = tokio::join!(kept.head(), other.head());
        tokio::join!(kept.say(OK), other.say(OK));
        drop((both, other));
    };
    let (one, two, ()) = tokio::join!(world.ask(get("/")), world.ask(get("/")), serve);
    assert!(one.is_ok() && two.is_ok());
    until(|| world.idle() == 1).await;
    world.exchange(&mut kept).await;
}

#[tokio::test]
async fn what_is_too_old_when_it_is_looked_for_is_not_used() {
    let world = World::keeping(Duration::ZERO, IDLE_AGE_MAX).await;
    let mut peer = world.first_exchange().await;
    let mut next = world.new_exchange().await;
    assert!(peer.is_left().await);
    assert_eq!(world.idle(), 1);
    drop(world.pool);
    assert!(next.is_left().await);
}

#[tokio::test]
async fn only_so_many_connections_lie_idle() {
    let world = World::new().await;
    let serve = async {
        let mut peers = Vec::new();
        for _ in 0..=IDLE_MAX {
            peers.push(world.accept().await);
        }
        for peer in &mut peers {
            peer.serve(OK).await;
        }
        peers
    };
    let asks = async {
        let mut asked = (0..=IDLE_MAX).map(|_| Box::pin(world.ask(get("/")))).collect::<Vec<_>>();
        let all = std::future::poll_fn(|cx| {
            asked.retain_mut(|ask| ask.as_mut().poll(cx).is_pending());
            if asked.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        within(all).await;
    };
    let (mut peers, ()) = tokio::join!(serve, asks);
    assert_eq!(world.idle(), IDLE_MAX);
    assert!(peers[0].is_left().await, "the longest unused one");
}

#[tokio::test]
async fn an_idle_connection_ends_in_form() {
    let pki = Pki::new();
    let settings = TlsSettings {
        ca: pki.file("ca.pem"),
        certificate: Some((pki.file("gateway.pem"), pki.file("gateway.key"))),
        name: Some(NAME.to_owned()),
    };
    let acceptor = TlsAcceptor::from(Arc::new(pki.server("http/1.1", &rustls::version::TLS13)));
    // By age, and with its pool.
    for age_max in [Duration::ZERO, IDLE_AGE_MAX] {
        let shelves = Shelves::new(age_max, Duration::from_millis(1));
        let world = World::over(Some(Tls::new(&settings).unwrap()), shelves).await;
        let serve = async {
            let mut stream = acceptor.accept(world.accept().await.0).await.unwrap();
            head(&mut stream).await;
            within(stream.write_all(OK.as_bytes())).await.unwrap();
            stream
        };
        let (answer, mut stream) = tokio::join!(world.ask(get("/")), serve);
        assert_eq!(answer.unwrap(), "ok");
        if age_max > Duration::ZERO {
            drop(world);
        }
        // Without the alert this is an error.
        assert_eq!(within(stream.read(&mut [0])).await.unwrap(), 0);
    }
}

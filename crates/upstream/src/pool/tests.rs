//! Exchanges with a service that speaks HTTP/1.1 by hand, so that each byte comes when the test says so.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{IDLE_AGE_MAX, IDLE_MAX, LOOK_EVERY, Pool, Shelves};
use crate::body::{BodyFault, UpstreamBody};
use crate::connect::Connector;
use crate::fault::Fault;
use crate::line::Sent;

/// Long, because the machine that runs the tests may be busy.
const DEADLINE: Duration = Duration::from_secs(20);

/// An answer of two bytes.
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A service, and the pool of connections to it.
struct World {
    listener: TcpListener,
    pool: Pool,
}

/// The service's end of a connection.
struct Peer(TcpStream);

impl World {
    async fn new() -> Self {
        Self::keeping(IDLE_AGE_MAX, LOOK_EVERY).await
    }

    async fn keeping(age_max: Duration, look_every: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connector = Connector::new(&endpoint, None, DEADLINE).unwrap();
        let shelves = Arc::new(Shelves::new(age_max, look_every));
        Self { listener, pool: Pool { connector, shelves } }
    }

    async fn accept(&self) -> Peer {
        Peer(within(self.listener.accept()).await.unwrap().0)
    }

    async fn send(&self, request: Sent) -> Result<Response<UpstreamBody>, Fault> {
        let answered = self.pool.send(request, |_, _| Ok(())).await;
        let answered = answered.map_err(|unanswered| unanswered.fault)?;
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let body = |body| UpstreamBody::new(body, DEADLINE, place, answered.lease);
        Ok(answered.response.map(body))
    }

    /// Sends a request and reads the answer to its end.
    async fn ask(&self, request: Sent) -> Result<Bytes, Fault> {
        let body = within(self.send(request)).await?.into_body();
        Ok(within(body.collect()).await.unwrap().to_bytes())
    }

    /// One exchange on the connection at hand.
    async fn exchange(&self, peer: &mut Peer) {
        let (answer, head) = tokio::join!(self.ask(get("/")), peer.serve(OK));
        assert_eq!((answer.unwrap(), head.starts_with("GET / ")), ("ok".into(), true));
    }

    /// One exchange on the first connection.
    async fn first_exchange(&self) -> Peer {
        let serve = async {
            let mut peer = self.accept().await;
            peer.serve(OK).await;
            peer
        };
        let (answer, peer) = tokio::join!(self.ask(get("/")), serve);
        assert_eq!(answer.unwrap(), "ok");
        assert_eq!(self.idle(), 1);
        peer
    }

    /// One exchange, which must begin with a new connection.
    async fn new_exchange(&self) -> Peer {
        assert!(self.idle() <= 1);
        self.first_exchange().await
    }

    fn idle(&self) -> usize {
        self.pool.shelves.mine().unwrap().1.idle.len()
    }

    /// What the kernel knows of the connections is known to the runtime after this: it asks for all of it at once.
    async fn hear(&self) {
        let address = self.listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), self.listener.accept());
        drop((ours.unwrap(), theirs.unwrap()));
    }
}

impl Peer {
    /// Reads a head.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn say(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    async fn serve(&mut self, answer: &str) -> String {
        let head = self.head().await;
        self.say(answer).await;
        head
    }

    /// Whether the other end closes before it says anything more.
    async fn is_left(&mut self) -> bool {
        // An error: it closed with something unread.
        within(self.0.read(&mut [0])).await.map_or(true, |bytes| bytes == 0)
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("in time")
}

async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

fn get(path: &str) -> Sent {
    request(Method::GET, path, Bytes::new())
}

fn request(method: Method, path: &str, body: Bytes) -> Sent {
    let request = Request::builder().method(method).uri(path).header("host", "orders.internal");
    request.body(Full::new(body)).unwrap()
}

/// Counts how often a future is polled.
struct Counted<'a, F>(Pin<Box<F>>, &'a AtomicUsize);

impl<F: Future> Future for Counted<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.as_mut().poll(cx)
    }
}

#[tokio::test]
async fn an_exchange_is_one_task_that_is_woken_once() {
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
    assert_eq!(POLLS.load(Ordering::SeqCst), 2, "once to ask, once with the whole answer");
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

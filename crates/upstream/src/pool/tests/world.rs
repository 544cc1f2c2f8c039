//! A pool of connections, and a service behind it whose every byte is written by the test.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::body::UpstreamBody;
use crate::connect::Connector;
use crate::fault::Fault;
use crate::pool::{IDLE_AGE_MAX, LOOK_EVERY, Pool, Shelves};
use crate::sent::{Sent, SentBody};
use crate::tls::Tls;

/// Long, because the machine that runs the tests may be busy.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// An answer of two bytes.
pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A service, and the pool of connections to it.
pub(super) struct World {
    listener: TcpListener,
    pub(super) pool: Pool,
}

/// The service's end of a connection.
pub(super) struct Peer(pub(super) TcpStream);

impl World {
    pub(super) async fn new() -> Self {
        Self::keeping(IDLE_AGE_MAX, LOOK_EVERY).await
    }

    pub(super) async fn keeping(age_max: Duration, look_every: Duration) -> Self {
        Self::over(None, Shelves::new(age_max, look_every)).await
    }

    pub(super) async fn over(tls: Option<Tls>, shelves: Shelves) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connector = Connector::new(&endpoint, tls.as_ref(), DEADLINE).unwrap();
        Self { listener, pool: Pool { connector, shelves: Arc::new(shelves) } }
    }

    pub(super) async fn accept(&self) -> Peer {
        Peer(within(self.listener.accept()).await.unwrap().0)
    }

    pub(super) async fn send(&self, request: Sent) -> Result<Response<UpstreamBody>, Fault> {
        let answered = self.pool.send(request, |_, _| Ok(())).await;
        let answered = answered.map_err(|unanswered| unanswered.fault)?;
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let body = |body| UpstreamBody::new(body, DEADLINE, place, answered.lease);
        Ok(answered.response.map(body))
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn ask(&self, request: Sent) -> Result<Bytes, Fault> {
        let body = within(self.send(request)).await?.into_body();
        Ok(within(body.collect()).await.unwrap().to_bytes())
    }

    /// One exchange on the connection at hand.
    pub(super) async fn exchange(&self, peer: &mut Peer) {
        let (answer, head) = tokio::join!(self.ask(get("/")), peer.serve(OK));
        assert_eq!((answer.unwrap(), head.starts_with("GET / ")), ("ok".into(), true));
    }

    /// One exchange on the first connection.
    pub(super) async fn first_exchange(&self) -> Peer {
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
    pub(super) async fn new_exchange(&self) -> Peer {
        assert!(self.idle() <= 1);
        self.first_exchange().await
    }

    pub(super) fn idle(&self) -> usize {
        self.pool.shelves.mine().unwrap().1.idle.len()
    }

    /// What the kernel knows of the connections is known to the runtime after this: it asks for all of it at once.
    pub(super) async fn hear(&self) {
        let address = self.listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), self.listener.accept());
        drop((ours.unwrap(), theirs.unwrap()));
    }
}

impl Peer {
    pub(super) async fn head(&mut self) -> String {
        head(&mut self.0).await
    }

    pub(super) async fn say(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    pub(super) async fn serve(&mut self, answer: &str) -> String {
        let head = self.head().await;
        self.say(answer).await;
        head
    }

    /// Whether the other end closes before it says anything more.
    pub(super) async fn is_left(&mut self) -> bool {
        // An error: it closed with something unread.
        within(self.0.read(&mut [0])).await.map_or(true, |bytes| bytes == 0)
    }
}

/// Reads a head.
pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("in time")
}

pub(super) async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub(super) fn get(path: &str) -> Sent {
    request(Method::GET, path, Bytes::new())
}

pub(super) fn request(method: Method, path: &str, body: Bytes) -> Sent {
    let request = Request::builder().method(method).uri(path).header("host", "orders.internal");
    request.body(SentBody::Whole(Full::new(body))).unwrap()
}

/// Counts how often a future is polled.
pub(super) struct Counted<'a, F>(pub(super) Pin<Box<F>>, pub(super) &'a AtomicUsize);

impl<F: Future> Future for Counted<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.as_mut().poll(cx)
    }
}

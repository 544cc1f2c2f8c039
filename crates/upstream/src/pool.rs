//! Connections to one endpoint: HTTP/1.1 ones that wait for their next request, and one HTTP/2 connection that carries
//! many, kept apart for each thread that serves. It knows no requests beyond sending them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::connect::{ConnectFault, Connector, Opened, chain};
use crate::fault::Fault;

/// Idle connections kept per endpoint and thread.
const IDLE_MAX: usize = 64;
/// How long an idle connection is kept: below the 60 s after which common servers close theirs, so that a request
/// seldom meets a closing one.
const IDLE_AGE_MAX: Duration = Duration::from_secs(30);
/// Threads that have a shelf of their own; more share.
const SHELVES: usize = 64;
/// Bytes of the longest head of an answer over HTTP/1.1.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the longest header list of an answer over HTTP/2.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// How often an HTTP/2 connection with requests on it is probed, and how long a probe may take: a service that is gone
/// without a word is found out before its requests time out.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What TLS calls HTTP/2 (RFC 9113 3.2).
const HTTP_2: &[u8] = b"h2";

/// What a connection is spoken over.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for S {}

/// A whole body: what was checked is what is sent.
pub(crate) type Sent = Request<Full<Bytes>>;

/// The connections to one endpoint.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: Connector,
    shelves: Arc<[Mutex<Shelf>]>,
}

/// What one thread has at hand.
#[derive(Debug, Default)]
struct Shelf {
    /// The longest unused one first.
    idle: Vec<Idle>,
    shared: Option<http2::SendRequest<Full<Bytes>>>,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Full<Bytes>>,
    since: Instant,
}

/// An HTTP/1.1 connection under a request; it goes back to its shelf once the answer is read.
#[derive(Debug)]
pub(crate) struct Lease {
    sender: Option<http1::SendRequest<Full<Bytes>>>,
    shelves: Arc<[Mutex<Shelf>]>,
}

/// An answer, and the connection it comes on where that may be used again.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Option<Lease>,
}

/// Why there is no answer; `unsent` is the request where no byte of it was written, or the service said that it did not
/// process it.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) fault: Fault,
    pub(crate) detail: String,
    pub(crate) unsent: Option<Box<Sent>>,
}

enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

impl Pool {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, shelves: (0..SHELVES).map(|_| Mutex::default()).collect() }
    }

    /// Sends a request on a connection at hand, else on a new one. `address` writes the target as the protocol has it:
    /// whole for HTTP/2 (`true`), path and query for HTTP/1.1.
    pub(crate) async fn send(
        &self,
        mut request: Sent,
        address: impl Fn(&mut Sent, bool) -> Result<(), Fault>,
    ) -> Result<Answered, Unanswered> {
        while let Some(sender) = self.at_hand() {
            let shared = matches!(sender, Sender::H2(_));
            match self.ask(sender, request, &address).await {
                // The service closed this connection while it was idle, or retired it.
                Err(Unanswered { unsent: Some(unsent), fault: Fault::Protocol, .. }) => {
                    request = *unsent;
                    if shared {
                        // It may look usable for a moment longer.
                        break;
                    }
                }
                answered => return answered,
            }
        }
        // Boxed: a request on a connection at hand carries none of its state.
        match Box::pin(self.connect()).await {
            Ok(sender) => self.ask(sender, request, &address).await,
            Err(ConnectFault { fault, detail }) => {
                Err(Unanswered { fault, detail, unsent: Some(Box::new(request)) })
            }
        }
    }

    async fn ask(
        &self,
        sender: Sender,
        mut request: Sent,
        address: &impl Fn(&mut Sent, bool) -> Result<(), Fault>,
    ) -> Result<Answered, Unanswered> {
        if let Err(fault) = address(&mut request, matches!(sender, Sender::H2(_))) {
            return Err(Unanswered { fault, detail: String::new(), unsent: None });
        }
        match sender {
            Sender::H1(mut sender) => match sender.try_send_request(request).await {
                Ok(response) => {
                    let shelves = Arc::clone(&self.shelves);
                    let lease = Lease { sender: Some(sender), shelves };
                    Ok(Answered { response, lease: Some(lease) })
                }
                Err(mut error) => Err(broken(error.take_message(), error.error())),
            },
            Sender::H2(mut sender) => {
                let copy = request.clone();
                match sender.try_send_request(request).await {
                    Ok(response) => Ok(Answered { response, lease: None }),
                    Err(mut error) => {
                        let unsent = error.take_message();
                        let unprocessed = is_unprocessed(error.error());
                        Err(broken(unsent.or(unprocessed.then_some(copy)), error.error()))
                    }
                }
            }
        }
    }

    /// A connection that can take a request now.
    fn at_hand(&self) -> Option<Sender> {
        let mut shelf = shelf(&self.shelves)?;
        if let Some(shared) = &shelf.shared {
            if shared.is_ready() {
                return Some(Sender::H2(shared.clone()));
            }
            shelf.shared = None;
        }
        while let Some(Idle { sender, since }) = shelf.idle.pop() {
            if since.elapsed() > IDLE_AGE_MAX {
                // All that lie below are older still.
                shelf.idle.clear();
            } else if sender.is_ready() {
                return Some(Sender::H1(sender));
            }
        }
        None
    }

    async fn connect(&self) -> Result<Sender, ConnectFault> {
        let refused = |error: hyper::Error| ConnectFault::new(Fault::Protocol, &error);
        match self.connector.open().await? {
            Opened::Plain(stream) => Ok(Sender::H1(http1_on(stream).await.map_err(refused)?)),
            Opened::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) => {
                let sender = http2_on(stream).await.map_err(refused)?;
                if let Some(mut shelf) = shelf(&self.shelves) {
                    shelf.shared = Some(sender.clone());
                }
                Ok(Sender::H2(sender))
            }
            Opened::Tls(stream) => Ok(Sender::H1(http1_on(stream).await.map_err(refused)?)),
        }
    }
}

async fn http1_on<S: Transport>(stream: S) -> hyper::Result<http1::SendRequest<Full<Bytes>>> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = chain(&error), "a connection to a service broke");
        }
    });
    Ok(sender)
}

async fn http2_on<S: Transport>(stream: S) -> hyper::Result<http2::SendRequest<Full<Bytes>>> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = chain(&error), "a connection to a service broke");
        }
    });
    Ok(sender)
}

/// Whether the service surely did nothing for a request on a connection shared by many: it had announced the end of the
/// connection before it (GOAWAY, RFC 9113 6.8), as nginx does after some thousand requests, or refused it (8.7).
fn is_unprocessed(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    error.is_some_and(|error| {
        let retired = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (retired || refused)
    })
}

fn broken(unsent: Option<Sent>, error: &hyper::Error) -> Unanswered {
    let unsent = unsent.map(Box::new);
    Unanswered { fault: Fault::Protocol, detail: chain(error), unsent }
}

impl Lease {
    /// Gives the connection back; at once where it is ready, else as soon as it is.
    fn end(&mut self) {
        let Some(mut sender) = self.sender.take() else { return };
        if sender.is_ready() {
            return keep(&self.shelves, sender);
        }
        let shelves = Arc::clone(&self.shelves);
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                keep(&shelves, sender);
            }
        });
    }

    /// The answer is read to its end.
    pub(crate) fn finish(mut self) {
        self.end();
    }
}

fn keep(shelves: &[Mutex<Shelf>], sender: http1::SendRequest<Full<Bytes>>) {
    let Some(mut shelf) = shelf(shelves) else { return };
    if shelf.idle.len() >= IDLE_MAX {
        shelf.idle.remove(0);
    }
    shelf.idle.push(Idle { sender, since: Instant::now() });
}

/// The shelf of this thread.
fn shelf(shelves: &[Mutex<Shelf>]) -> Option<MutexGuard<'_, Shelf>> {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    let index = THREAD.with(|thread| *thread).checked_rem(shelves.len())?;
    let shelf = shelves.get(index)?;
    // Nothing in it can be left half done by a panic.
    Some(shelf.lock().unwrap_or_else(PoisonError::into_inner))
}

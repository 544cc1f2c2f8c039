//! Connections to one endpoint: HTTP/1.1 ones that wait for their next request, and one HTTP/2 connection that carries
//! many, kept apart for each thread that serves. It knows no requests beyond sending them.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::connect::{ConnectFault, Connector, Opened, chain};
use crate::fault::Fault;
use crate::line::Line;
use crate::sent::{Sent, SentBody, copied};

/// Idle connections kept per endpoint and thread.
const IDLE_MAX: usize = 64;
/// How long an idle connection is kept: below the 60 s after which common servers close theirs, so that a request
/// seldom meets a closing one.
const IDLE_AGE_MAX: Duration = Duration::from_secs(30);
/// How often the idle connections of a thread are looked at, whether it serves or not: nobody else polls them. With
/// [`IDLE_AGE_MAX`] it bounds for how long a socket is open that nobody uses, with [`IDLE_MAX`] how many are.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// For how long the rest of a request is written after its answer is complete.
const REMAINDER_MAX: Duration = Duration::from_secs(30);
/// Threads that have a shelf of their own; more share.
const SHELVES: usize = 64;
/// Bytes of the longest header list of an answer over HTTP/2.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// How often an HTTP/2 connection with requests on it is probed, and how long a probe may take: a service that is gone
/// without a word is found out before its requests time out.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections to one endpoint.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: Connector,
    shelves: Arc<Shelves>,
}

/// What lies ready, thread by thread.
#[derive(Debug)]
struct Shelves {
    shelves: Box<[Mutex<Shelf>]>,
    age_max: Duration,
    look_every: Duration,
}

/// What one thread has at hand.
#[derive(Debug, Default)]
struct Shelf {
    /// The longest unused one first.
    idle: Vec<Idle>,
    shared: Option<http2::SendRequest<SentBody>>,
    /// Looks at what is idle until nothing is.
    sweeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Idle {
    line: Box<Line>,
    since: Instant,
}

/// An HTTP/1.1 connection under a request; it goes back to a shelf once the answer is read.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) line: Box<Line>,
    shelves: Arc<Shelves>,
    /// Its request comes from somebody who may never come to its end.
    is_passing: bool,
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
    H1(Box<Line>),
    H2(http2::SendRequest<SentBody>),
}

impl Pool {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, shelves: Arc::new(Shelves::new(IDLE_AGE_MAX, LOOK_EVERY)) }
    }

    /// What makes its connections.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
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
            Sender::H1(mut line) => {
                let is_passing = matches!(request.body(), SentBody::Passing(_));
                match line.ask(request).await {
                    Ok(response) => {
                        let lease = Lease { line, shelves: Arc::clone(&self.shelves), is_passing };
                        Ok(Answered { response, lease: Some(lease) })
                    }
                    Err(mut error) => Err(broken(error.take_message(), error.error())),
                }
            }
            Sender::H2(mut sender) => {
                let copy = copied(&request);
                match sender.try_send_request(request).await {
                    Ok(response) => Ok(Answered { response, lease: None }),
                    Err(mut error) => {
                        let unsent = error.take_message();
                        let unprocessed = is_unprocessed(error.error());
                        Err(broken(unsent.or(copy.filter(|_| unprocessed)), error.error()))
                    }
                }
            }
        }
    }

    /// A connection that could take a request when it was last looked at.
    fn at_hand(&self) -> Option<Sender> {
        let (_, mut shelf) = self.shelves.mine()?;
        if let Some(shared) = &shelf.shared {
            if shared.is_ready() {
                return Some(Sender::H2(shared.clone()));
            }
            shelf.shared = None;
        }
        let Idle { line, since } = shelf.idle.pop()?;
        if since.elapsed() <= self.shelves.age_max {
            return Some(Sender::H1(line));
        }
        // All that lie below are older still.
        shelf.look(self.shelves.age_max);
        line.close();
        None
    }

    async fn connect(&self) -> Result<Sender, ConnectFault> {
        let refused = |error: hyper::Error| ConnectFault::new(Fault::Protocol, &error);
        let stream = self.connector.open().await?;
        if !stream.is_http_2() {
            return Ok(Sender::H1(Box::new(Line::open(stream).await.map_err(refused)?)));
        }
        let sender = http2_on(stream).await.map_err(refused)?;
        if let Some((_, mut shelf)) = self.shelves.mine() {
            shelf.shared = Some(sender.clone());
        }
        Ok(Sender::H2(sender))
    }
}

impl Shelves {
    fn new(age_max: Duration, look_every: Duration) -> Self {
        let shelves = (0..SHELVES).map(|_| Mutex::default()).collect();
        Self { shelves, age_max, look_every }
    }

    /// The shelf of this thread, and which it is.
    fn mine(&self) -> Option<(usize, MutexGuard<'_, Shelf>)> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        let index = THREAD.with(|thread| *thread).checked_rem(self.shelves.len())?;
        Some((index, self.shelf(index)?))
    }

    fn shelf(&self, index: usize) -> Option<MutexGuard<'_, Shelf>> {
        // Nothing in it can be left half done by a panic.
        self.shelves.get(index).map(|shelf| shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(self: &Arc<Self>, line: Box<Line>) {
        let Some((index, mut shelf)) = self.mine() else { return };
        if shelf.idle.len() >= IDLE_MAX {
            shelf.idle.remove(0).line.close();
        }
        shelf.idle.push(Idle { line, since: Instant::now() });
        // A sweeper ends with its runtime, too.
        if shelf.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            let sweep = sweep(Arc::downgrade(self), self.look_every, index);
            shelf.sweeper = Handle::try_current().ok().map(|runtime| runtime.spawn(sweep));
        }
    }
}

impl Shelf {
    /// Closes what is too old and drops what the service closed or spoke on unasked.
    fn look(&mut self, age_max: Duration) {
        for Idle { mut line, since } in mem::take(&mut self.idle) {
            if since.elapsed() > age_max {
                line.close();
            } else if line.look() {
                self.idle.push(Idle { line, since });
            }
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        for Idle { line, .. } in mem::take(&mut self.idle) {
            line.close();
        }
    }
}

/// Looks at one shelf as long as something lies idle on it.
async fn sweep(shelves: Weak<Shelves>, every: Duration, index: usize) {
    loop {
        sleep(every).await;
        let Some(shelves) = shelves.upgrade() else { return };
        let Some(mut shelf) = shelves.shelf(index) else { return };
        shelf.look(shelves.age_max);
        if shelf.idle.is_empty() {
            shelf.sweeper = None;
            return;
        }
    }
}

async fn http2_on(stream: Opened) -> hyper::Result<http2::SendRequest<SentBody>> {
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
    /// The answer is read to its end: gives the connection back, at once where the request is written to its end, too.
    pub(crate) fn finish(mut self) {
        if self.line.is_free() || self.line.look() {
            return self.shelves.keep(self.line);
        }
        if self.is_passing {
            // Nobody waits for the rest.
            return;
        }
        // The service answered before it had read the whole request, and may read on.
        if let (false, Ok(runtime)) = (self.line.is_over(), Handle::try_current()) {
            runtime.spawn(async move {
                if matches!(timeout(REMAINDER_MAX, self.line.freed()).await, Ok(true)) {
                    self.shelves.keep(self.line);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;

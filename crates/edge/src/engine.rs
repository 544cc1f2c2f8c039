//! What all connections of a server share: the service, the limits, the count of what is under way, the stage of the
//! shutdown. It touches no socket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::connection::{TlsFacts, canonical};
use crate::door::Door;
use crate::exchange::Exchange;
use crate::service::{BoxError, Failure, FailureKind, Service};
use crate::session::Pulse;
use crate::settings::Limits;
use crate::workers::{self, Workers};

/// Where a listener and its connections are in their life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Accepts and serves.
    Running,
    /// Accepts nothing more, finishes what is under way.
    Draining,
    /// Drops everything.
    Cut,
}

/// Moves a stage on, never back.
pub(crate) fn advance(stage: &watch::Sender<Stage>, to: Stage) {
    stage.send_if_modified(|now| {
        let is_later = *now < to;
        *now = to.max(*now);
        is_later
    });
}

/// Shared by all connections of a server.
pub(crate) struct Engine<S> {
    pub(crate) service: Arc<S>,
    pub(crate) limits: Limits,
    pub(crate) tally: Arc<Tally>,
    pub(crate) workers: Workers,
    pub(crate) door: Arc<Door>,
    slots: Arc<Semaphore>,
    next_id: AtomicU64,
}

/// Exchanges under way and exchanges finished.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    open: AtomicUsize,
    done: AtomicUsize,
}

impl Tally {
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Acquire)
    }
}

/// Held by every task of a server: when all are dropped, the server is at rest.
#[derive(Clone)]
pub(crate) struct Presence {
    stage: watch::Receiver<Stage>,
    _alive: mpsc::Sender<()>,
}

impl Presence {
    /// Of a listener, whose stage the sender moves on.
    pub(crate) fn begin(alive: mpsc::Sender<()>) -> (watch::Sender<Stage>, Self) {
        let (sender, stage) = watch::channel(Stage::Running);
        (sender, Self { stage, _alive: alive })
    }

    /// A presence with a stage of its own, which its sender moves on.
    pub(crate) fn apart(&self) -> (watch::Sender<Stage>, Self) {
        Self::begin(self._alive.clone())
    }

    /// Waits until so long after the server began to drain.
    pub(crate) async fn drained_for(&mut self, linger: Duration) {
        self.reached(Stage::Draining).await;
        tokio::time::sleep(linger).await;
    }

    /// Waits until the server has come to `stage`, or is gone.
    pub(crate) async fn reached(&mut self, stage: Stage) {
        // An error means that the server was dropped without a drain: as good as the last stage.
        self.stage.wait_for(|now| *now >= stage).await.ok();
    }
}

impl<S: Service> Engine<S> {
    pub(crate) fn new(service: Arc<S>, limits: Limits, workers: Workers) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS)));
        let (tally, door) = (Arc::default(), Door::new(&limits));
        Arc::new(Self { service, limits, tally, workers, door, slots, next_id: AtomicU64::new(1) })
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Room for one more connection.
    pub(crate) fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// Files a failure; resolves when it is on record.
    pub(crate) async fn failed(&self, ends: Ends, kind: FailureKind, known: Known<'_>) {
        let failure = Failure {
            peer: canonical(ends.peer),
            client: canonical(ends.client),
            local: canonical(ends.local),
            kind,
            tls: known.tls.cloned(),
            http: known.http,
        };
        self.service.failed(failure).await;
    }

    /// Serves one exchange; the answer's body keeps it in the count until it is over.
    pub(crate) async fn serve(
        &self,
        mut exchange: Exchange,
        pulse: &Arc<Pulse>,
        presence: &Presence,
    ) -> Response<Reply<S::Body>> {
        if pulse.is_distrusted() {
            exchange.misdirect();
        }
        if workers::shed_request() {
            exchange = exchange.turned_away();
        }
        let flight = Flight::new(Arc::clone(&self.tally), Arc::clone(pulse), presence.clone());
        let response = self.service.serve(exchange).await;
        response.map(|body| Reply { body: Some(Box::pin(body)), flight: Some(flight) })
    }
}

/// Both ends of a socket, and who is behind the other one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) peer: SocketAddr,
    /// The peer, or the client that it announced.
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// What was known when something failed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    pub(crate) tls: Option<&'a TlsFacts>,
    pub(crate) http: Option<Version>,
}

/// One exchange under way.
struct Flight {
    tally: Arc<Tally>,
    pulse: Arc<Pulse>,
    _presence: Presence,
}

impl Flight {
    fn new(tally: Arc<Tally>, pulse: Arc<Pulse>, presence: Presence) -> Self {
        tally.open.fetch_add(1, Ordering::AcqRel);
        pulse.begin();
        Self { tally, pulse, _presence: presence }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.pulse.end();
        self.tally.open.fetch_sub(1, Ordering::AcqRel);
        self.tally.done.fetch_add(1, Ordering::AcqRel);
    }
}

/// The body of an answer, with the mark that its exchange is under way.
pub(crate) struct Reply<B> {
    /// `None` where the body has gone its own way.
    body: Option<Pin<Box<B>>>,
    flight: Option<Flight>,
}

impl<B> Reply<B> {
    /// No body; nothing is under way for it.
    pub(crate) fn empty() -> Self {
        Self { body: None, flight: None }
    }
}

impl<B: HttpBody<Data = Bytes, Error = BoxError>> HttpBody for Reply<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = body.as_mut().poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.flight = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), |body| body.size_hint())
    }
}

/// The announcement of HTTP/3 on the same port (RFC 7838 3), kept by clients for an hour.
pub(crate) fn alternative(port: u16) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("h3=\":{port}\"; ma=3600")).ok()
}

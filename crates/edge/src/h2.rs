//! HTTP/2: the engine is `h2`, served directly over a tap that sees every frame head. All requests of a connection run
//! in its own task; what the engine answers or resets by itself is filed before it leaves.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Version};
use tokio::time::{Sleep, sleep, timeout};

use crate::clock::Clock;
use crate::engine::Stage;
use crate::service::{FailureKind, Service};
use crate::session::Session;
use crate::settings::Limits;
use crate::stream::Stream;
use crate::term::{Next, Term};

mod budget;
mod follow;
mod request;
mod tap;

#[cfg(feature = "fuzzing")]
pub(crate) use follow::Follow;
pub(crate) use request::RequestBody;
use tap::{Tap, Watch};

/// Streams that the client took back before they were looked at, at the most (CVE-2023-44487); fewer where
/// [`crate::Floods::resets`] bears fewer.
const PENDING_RESETS_MAX: usize = 512;
/// Streams reset because of the client's errors (CVE-2025-8671).
const LOCAL_RESETS_MAX: usize = 64;
/// Bytes of a stream's window, the bound on what one unread request body holds.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes of a connection's window, the bound for all its unread bodies.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of answers kept per stream.
const SEND_BUFFER_BYTES: usize = 256 * 1024;

type Engine = server::Connection<Tap<Stream>, Bytes>;
type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Serves a connection to its end.
pub(crate) async fn serve<S: Service>(session: Session<S>, stream: Stream) {
    let limits = session.engine.limits;
    let watch = Watch::new();
    let tap = Tap::new(stream, Arc::clone(&watch), &limits);
    let Some(engine) = greet(&session, tap, &watch, &limits).await else { return };
    let ended = attend(&session, engine, &watch, &limits).await;
    let stalled = watch.is_stalled().then_some(FailureKind::WriteTimedOut);
    let violation = watch.violation().or(stalled).or_else(|| {
        ended
            .err()
            .filter(|error| !error.is_io() && error.is_library())
            .map(|_| FailureKind::Http2Protocol)
    });
    if let Some(kind) = violation.filter(|_| !watch.is_filed()) {
        session.failed(kind, Version::HTTP_2).await;
    }
}

/// The preface and the first SETTINGS; a client that says nothing at all is idle.
async fn greet<S: Service>(
    session: &Session<S>,
    tap: Tap<Stream>,
    watch: &Watch,
    limits: &Limits,
) -> Option<Engine> {
    let mut builder = server::Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.engine_head_bytes_u32())
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(limits.floods.resets.most().min(PENDING_RESETS_MAX))
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX));
    let kind = match timeout(limits.header_timeout, builder.handshake(tap)).await {
        Ok(Ok(engine)) => return Some(engine),
        Ok(Err(error)) if error.is_io() => return None,
        Ok(Err(_)) => FailureKind::Http2Protocol,
        Err(_) if watch.is_silent() => FailureKind::ConnectionIdle,
        Err(_) => FailureKind::HeadTimedOut,
    };
    session.failed(kind, Version::HTTP_2).await;
    None
}

/// What one look at a connection can bring.
enum Step {
    Accepted(Box<Accepted>),
    Ended(Result<(), h2::Error>),
    /// The tap holds something back that the engine wants to say by itself.
    Suspect,
    /// The tap saw what ends a connection.
    Violation(FailureKind),
    Draining,
    /// The connection is as old as it may be.
    Aged,
    Idle,
}

/// What ends a connection without anybody's fault.
struct Clocks<'a, D> {
    draining: Option<Pin<&'a mut D>>,
    aged: Option<Pin<&'a mut Sleep>>,
    idle: Clock,
    idle_timeout: Duration,
}

impl<D: Future<Output = ()>> Clocks<'_, D> {
    fn poll(&mut self, cx: &mut Context<'_>, is_busy: bool) -> Poll<Step> {
        if self.draining.as_mut().is_some_and(|draining| draining.as_mut().poll(cx).is_ready()) {
            self.draining = None;
            return Poll::Ready(Step::Draining);
        }
        if self.aged.as_mut().is_some_and(|aged| aged.as_mut().poll(cx).is_ready()) {
            self.aged = None;
            return Poll::Ready(Step::Aged);
        }
        if is_busy {
            self.idle.stop();
            return Poll::Pending;
        }
        self.idle.poll(cx, self.idle_timeout).map(|()| Step::Idle)
    }
}

async fn attend<S: Service>(
    session: &Session<S>,
    mut engine: Engine,
    watch: &Watch,
    limits: &Limits,
) -> Result<(), h2::Error> {
    let mut requests = FuturesUnordered::new();
    let mut presence = session.presence.clone();
    let draining = pin!(presence.reached(Stage::Draining));
    let mut term = Term::new(limits);
    let aged = pin!(term.age());
    let (idle, idle_timeout) = (Clock::default(), limits.idle_timeout);
    let mut clocks = Clocks { draining: Some(draining), aged: Some(aged), idle, idle_timeout };
    let mut is_closing = false;
    loop {
        let step = poll_fn(|cx| {
            let accepted = look(&mut engine, &mut requests, watch, cx);
            if accepted.is_ready() { accepted } else { clocks.poll(cx, !requests.is_empty()) }
        });
        match step.await {
            Step::Accepted(accepted) => {
                watch.surfaced(accepted.1.stream_id().as_u32());
                match take(session, &mut engine, &mut term, (&mut is_closing, *accepted)).await {
                    Ok(None) => {}
                    Ok(Some((request, respond))) => {
                        requests.push(request::serve(session, request, respond));
                    }
                    Err(reason) => {
                        engine.abrupt_shutdown(reason);
                        drop(requests);
                        return part(&mut engine, watch, limits).await;
                    }
                }
            }
            Step::Ended(outcome) => {
                // Nothing can be sent any more; what is under way is dropped, and so recorded as aborted.
                return outcome;
            }
            Step::Suspect => {
                if let Some(kind) = watch.suspect() {
                    session.failed(kind, Version::HTTP_2).await;
                }
                watch.cleared();
            }
            Step::Violation(kind) => {
                session.failed(kind, Version::HTTP_2).await;
                watch.filed();
                engine.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                drop(requests);
                return part(&mut engine, watch, limits).await;
            }
            Step::Draining => leave(session, &mut engine, &mut is_closing, None).await,
            Step::Aged => {
                term.shorten();
                let why = Some(FailureKind::ConnectionAge);
                leave(session, &mut engine, &mut is_closing, why).await;
            }
            Step::Idle if is_closing => return Ok(()),
            Step::Idle => {
                clocks.idle.stop();
                let why = Some(FailureKind::ConnectionIdle);
                leave(session, &mut engine, &mut is_closing, why).await;
            }
        }
    }
}

/// The request, where it is to be served; an error where the connection has to end.
async fn take<S: Service>(
    session: &Session<S>,
    engine: &mut Engine,
    term: &mut Term,
    (is_closing, (request, mut respond)): (&mut bool, Accepted),
) -> Result<Option<Accepted>, Reason> {
    match term.next() {
        Next::Serve => {}
        Next::ServeLast => {
            leave(session, engine, is_closing, Some(FailureKind::RequestLimit)).await
        }
        Next::Refuse => {
            // The client may ask again elsewhere (RFC 9113 8.7).
            respond.send_reset(Reason::REFUSED_STREAM);
            return Ok(None);
        }
        Next::End => return Err(Reason::NO_ERROR),
    }
    Ok(Some((request, respond)))
}

/// Tells the client to go elsewhere; the reason goes on record where it is the first one.
async fn leave<S: Service>(
    session: &Session<S>,
    engine: &mut Engine,
    is_closing: &mut bool,
    why: Option<FailureKind>,
) {
    if let Some(kind) = why.filter(|_| !*is_closing) {
        session.failed(kind, Version::HTTP_2).await;
    }
    *is_closing = true;
    engine.graceful_shutdown();
}

/// Requests first come in, then run, then what they wrote goes out.
fn look<F: Future<Output = ()>>(
    engine: &mut Engine,
    requests: &mut FuturesUnordered<F>,
    watch: &Watch,
    cx: &mut Context<'_>,
) -> Poll<Step> {
    loop {
        match engine.poll_accept(cx) {
            Poll::Ready(Some(Ok(accepted))) => {
                return Poll::Ready(Step::Accepted(Box::new(accepted)));
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Step::Ended(Err(error))),
            Poll::Ready(None) => return Poll::Ready(Step::Ended(Ok(()))),
            Poll::Pending => {}
        }
        if watch.holds() {
            return Poll::Ready(Step::Suspect);
        }
        if let Some(kind) = watch.violation() {
            return Poll::Ready(Step::Violation(kind));
        }
        let mut moved = false;
        while let Poll::Ready(Some(())) = requests.poll_next_unpin(cx) {
            moved = true;
        }
        if !moved {
            return Poll::Pending;
        }
    }
}

/// Lets the engine say goodbye.
async fn part(engine: &mut Engine, watch: &Watch, limits: &Limits) -> Result<(), h2::Error> {
    let closed = poll_fn(|cx| {
        let closed = engine.poll_closed(cx);
        if closed.is_pending() && watch.holds() {
            // Streams that end with the connection: the one record tells of them all.
            watch.suspect();
            watch.cleared();
            cx.waker().wake_by_ref();
        }
        closed
    });
    tokio::select! {
        closed = closed => closed,
        () = sleep(limits.write_timeout) => Ok(()),
    }
}

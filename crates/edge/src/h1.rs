//! HTTP/1: the engine is hyper, behind a gate that shows it nothing but well-formed requests.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::body::Body;
use crate::engine::{Reply, Stage};
use crate::exchange::Exchange;
use crate::handshake;
use crate::service::{FailureKind, Service};
use crate::session::Session;
use crate::settings::Limits;
use crate::stream::Stream;
use crate::term::{Next, Term};

mod follow;
mod gate;
mod head;
mod tunnel;

#[cfg(feature = "fuzzing")]
pub(crate) use follow::Follow;
use gate::{Gate, Verdicts};
#[cfg(feature = "fuzzing")]
pub(crate) use head::HeadReader;
pub(crate) use tunnel::Source;

/// Smallest read buffer the engine takes.
const ENGINE_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Serves a connection to its end. The engine and its buffers are there only while there is something to do; an idle
/// connection is its stream and nothing else.
pub(crate) async fn serve<S: Service>(session: Session<S>, stream: Stream) {
    let mut resting = Resting { stream, idle_left: session.engine.limits.idle_timeout };
    let term = Mutex::new(Term::new(&session.engine.limits));
    loop {
        let Some(next) = Box::pin(attend(&session, &term, resting)).await else { return };
        match rest(&session, &term, next).await {
            Ok(woken) => resting = woken,
            Err(mut stream) => {
                // A client that does not take our goodbye is not waited for.
                timeout(session.engine.limits.write_timeout, stream.shutdown()).await.ok();
                return;
            }
        }
    }
}

/// A connection on which nothing is under way.
struct Resting {
    stream: Stream,
    /// How long it may stay so.
    idle_left: Duration,
}

/// Waits until something comes, or until it is time to go.
async fn rest<S: Service>(
    session: &Session<S>,
    term: &Mutex<Term>,
    resting: Resting,
) -> Result<Resting, Stream> {
    let Resting { stream, idle_left } = resting;
    let mut presence = session.presence.clone();
    let began = Instant::now();
    let patience = idle_left.min(lock(term).age_left(began));
    let comes = tokio::select! {
        biased;
        comes = timeout(patience, stream.socket().readable()) => comes.is_ok(),
        () = presence.drained_for(session.engine.limits.linger) => false,
    };
    // What comes may be no request: then the rest goes on where it was.
    let idle_left = idle_left.saturating_sub(began.elapsed());
    if comes && !idle_left.is_zero() {
        return Ok(Resting { stream, idle_left });
    }
    let is_aged = lock(term).age_left(Instant::now()).is_zero();
    if is_aged {
        session.failed(FailureKind::ConnectionAge, Version::HTTP_11).await;
    } else if idle_left.is_zero() {
        session.failed(FailureKind::ConnectionIdle, Version::HTTP_11).await;
    }
    Err(stream)
}

/// Serves requests until the connection is over, or rests.
async fn attend<S: Service>(
    session: &Session<S>,
    term: &Mutex<Term>,
    resting: Resting,
) -> Option<Resting> {
    let limits = &session.engine.limits;
    let verdicts = Arc::<Verdicts>::default();
    let (pulse, seen) = (Arc::clone(&session.pulse), Arc::clone(&verdicts));
    let gate = Gate::new(resting.stream, pulse, seen, limits, resting.idle_left);
    let mut aged = pin!(lock(term).age());
    let opened = Opened::default();
    let leaving = AtomicBool::new(false);
    let service = service_fn(|request| {
        // The engine asks for one answer after the other: nobody waits for this lock.
        let next = lock(term).next();
        let answered = answer(session, &verdicts, &opened, request, next);
        async { Ok::<_, Infallible>(last_where(&leaving, answered.await)) }
    });
    let mut serving = engine(limits).serve_connection(TokioIo::new(gate), service);
    let (mut begins, mut presence) = (session.presence.clone(), session.presence.clone());
    let mut lingered = pin!(presence.drained_for(limits.linger));
    let mut drains = false;
    let outcome = loop {
        let step = poll_fn(|cx| {
            let polled = Pin::new(&mut serving).poll(cx);
            if polled.is_pending() && verdicts.rests() {
                return Poll::Ready(None);
            }
            polled.map(Some)
        });
        tokio::select! {
            biased;
            outcome = step => break outcome,
            () = begins.reached(Stage::Draining), if !leaving.load(Ordering::Relaxed) => {
                leaving.store(true, Ordering::Relaxed);
            }
            () = &mut lingered, if !drains => {
                drains = true;
                Pin::new(&mut serving).graceful_shutdown();
            }
            () = &mut aged, if !drains => {
                drains = true;
                session.failed(FailureKind::ConnectionAge, Version::HTTP_11).await;
                Pin::new(&mut serving).graceful_shutdown();
            }
        }
    };
    let Some(outcome) = outcome else {
        let (stream, idle_left) = serving.into_parts().io.into_inner().into_rest();
        return Some(Resting { stream, idle_left });
    };
    let tunnel = lock(&opened).take();
    if let Some(Tunnel { feed, reply }) = tunnel
        && outcome.is_ok()
    {
        let (stream, early) = serving.into_parts().io.into_inner().into_tunnel();
        let carried = tunnel::carry(stream, early, feed, reply, limits.write_timeout);
        Box::pin(carried).await;
        return None;
    }
    tell_end(session, &verdicts, outcome.is_err_and(|error| error.is_parse())).await;
    None
}

/// Files why a connection ended, where that was no ordinary end.
async fn tell_end<S: Service>(session: &Session<S>, verdicts: &Verdicts, is_parse: bool) {
    // The gate let something pass that the engine does not take: it must not go unseen.
    let unseen = is_parse.then_some(FailureKind::HeadUnparsable);
    if let Some(kind) = verdicts.failure().or(unseen) {
        session.failed(kind, Version::HTTP_11).await;
    }
}

/// The engine; its limits lie above the gate's.
fn engine(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .half_close(false)
        .pipeline_flush(false)
        .title_case_headers(false)
        .max_headers(limits.header_count_max.saturating_add(1))
        .max_buf_size(limits.engine_head_bytes().saturating_mul(2).max(ENGINE_BUFFER_BYTES_MIN));
    builder
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tunnel that was answered 101.
struct Tunnel<B> {
    /// Where what the client says goes.
    feed: mpsc::Sender<Bytes>,
    /// What the service says.
    reply: Reply<B>,
}

type Opened<B> = Mutex<Option<Tunnel<B>>>;

async fn answer<S: Service>(
    session: &Session<S>,
    verdicts: &Verdicts,
    opened: &Opened<S::Body>,
    request: Request<Incoming>,
    next: Next,
) -> Response<Reply<S::Body>> {
    let limits = &session.engine.limits;
    let (head, incoming) = request.into_parts();
    let connection = Arc::clone(&session.connection);
    let proof = handshake::over_h1(&head).filter(|_| incoming.is_end_stream());
    let mut feed = None;
    let exchange = match (verdicts.take(), &proof) {
        (Some(malformed), _) => Exchange::malformed(connection, head, malformed),
        (None, Some(_)) => {
            let (sender, source) = tunnel::channel();
            feed = Some(sender);
            let body = Body::tunnel(source, limits);
            Exchange::new(connection, head, body, limits).for_websocket()
        }
        (None, None) => Exchange::new(connection, head, Body::incoming(incoming, limits), limits),
    };
    let mut response = session.engine.serve(exchange, &session.pulse, &session.presence).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let (Some(feed), Some(proof)) = (feed, proof)
    {
        let reply = mem::replace(response.body_mut(), Reply::empty());
        *lock(opened) = Some(Tunnel { feed, reply });
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, proof);
        return response;
    }
    if let Some(alternative) = &session.alternative {
        response.headers_mut().insert(header::ALT_SVC, alternative.clone());
    }
    if next != Next::Serve {
        session.failed(FailureKind::RequestLimit, Version::HTTP_11).await;
    }
    if next != Next::Serve || session.connection.redirects_to().is_some() {
        close_behind(&mut response);
    }
    response
}

/// The last answer of a connection that is leaving.
fn last_where<B>(leaving: &AtomicBool, mut response: Response<Reply<B>>) -> Response<Reply<B>> {
    if leaving.load(Ordering::Relaxed) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        close_behind(&mut response);
    }
    response
}

/// The engine closes the connection behind an answer that says so.
fn close_behind<B>(response: &mut Response<B>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

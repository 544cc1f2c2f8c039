//! The TCP side of a listener: accept, TLS handshake, HTTP/1 and HTTP/2 over hyper, failures filed once. It decides
//! nothing about requests.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::body::Body;
use crate::connection::{Connection, canonical_ip};
use crate::engine::{Ends, Engine, Known, Presence, Reply, Stage};
use crate::exchange::Exchange;
use crate::pace::{Paced, Pulse, Reading};
use crate::service::{FailureKind, Service};
use crate::settings::Versions;
use crate::tls;

/// The pause after the system refused a connection (no file descriptors left): time for others to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// HTTP/2 streams reset by the client before we looked at them (CVE-2023-44487).
const H2_PENDING_RESETS_MAX: usize = 20;
/// HTTP/2 streams we reset because of the client's errors (CVE-2025-8671).
const H2_LOCAL_RESETS_MAX: usize = 64;
/// Pause between HTTP/2 pings on a connection.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// Bytes of an HTTP/2 stream's window, the bound on what one unread request body holds.
const H2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes of an HTTP/2 connection's window, the bound for all its unread bodies.
const H2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of answers kept per HTTP/2 stream.
const H2_SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Smallest read buffer hyper takes.
const H1_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// One TCP listener.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) http: Versions,
    pub(crate) alternative: Option<HeaderValue>,
}

/// Accepts until the server drains.
pub(crate) async fn accept<S: Service>(
    engine: Arc<Engine<S>>,
    listener: Listener,
    mut presence: Presence,
) {
    let tasks = presence.clone();
    let mut draining = pin!(presence.reached(Stage::Draining));
    let Listener { socket, acceptor, http, alternative } = listener;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut draining => return,
            accepted = next(&socket) => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if !engine.service.admits(canonical_ip(peer.ip())) {
            continue;
        }
        let Ok(local) = stream.local_addr() else { continue };
        let ends = Ends { peer, local };
        let Some(slot) = engine.slot() else {
            engine.failed(ends, FailureKind::ConnectionLimit, Known::default());
            continue;
        };
        let arrival = Arrival {
            engine: Arc::clone(&engine),
            acceptor: acceptor.clone(),
            http,
            alternative: alternative.clone(),
            ends,
            presence: tasks.clone(),
        };
        engine.workers.carry(arrival.run(stream, slot));
    }
}

/// The next connection, not yet watched by any worker: that is for the one who will carry it.
async fn next(socket: &TcpListener) -> io::Result<(StdTcpStream, SocketAddr)> {
    let (stream, peer) = socket.accept().await?;
    Ok((stream.into_std()?, peer))
}

/// One accepted connection.
struct Arrival<S> {
    engine: Arc<Engine<S>>,
    acceptor: TlsAcceptor,
    http: Versions,
    alternative: Option<HeaderValue>,
    ends: Ends,
    presence: Presence,
}

impl<S: Service> Arrival<S> {
    async fn run(self, stream: StdTcpStream, slot: OwnedSemaphorePermit) {
        let mut presence = self.presence.clone();
        tokio::select! {
            biased;
            () = presence.reached(Stage::Cut) => {}
            () = self.serve(stream) => {}
        }
        drop(slot);
    }

    async fn serve(self, stream: StdTcpStream) {
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        // Best effort: without it answers are slower, not wrong.
        stream.set_nodelay(true).ok();
        let limit = self.engine.limits.handshake_timeout;
        let stream = match timeout(limit, shake(&self.acceptor, stream)).await {
            Ok(Ok(Some(stream))) => stream,
            Ok(Ok(None)) => return,
            Ok(Err(kind)) => return self.engine.failed(self.ends, kind, Known::default()),
            Err(_) => {
                let kind = FailureKind::HandshakeTimedOut;
                return self.engine.failed(self.ends, kind, Known::default());
            }
        };
        let facts = tls::facts(stream.get_ref().1);
        let is_h2 = facts.alpn == Some(tls::HTTP_2);
        if !is_h2 && !self.http.h1 {
            // A client without ALPN can only mean HTTP/1.
            let known = Known { tls: Some(&facts), http: None };
            return self.engine.failed(self.ends, FailureKind::TlsProtocol, known);
        }
        let Ends { peer, local } = self.ends;
        let connection = Arc::new(Connection::new(self.engine.next_id(), peer, local, facts));
        let pulse = Arc::default();
        let session = Session {
            engine: self.engine,
            connection,
            pulse,
            alternative: self.alternative,
            presence: self.presence,
            ends: self.ends,
        };
        if is_h2 { session.h2(stream).await } else { session.h1(stream).await }
    }
}

/// The TLS handshake; `None` for a client that left without a byte, as probes of load balancers do.
async fn shake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Result<Option<TlsStream<TcpStream>>, FailureKind> {
    match stream.peek(&mut [0_u8; 1]).await {
        Ok(0) | Err(_) => return Ok(None),
        Ok(_) => {}
    }
    acceptor.accept(stream).await.map(Some).map_err(|error| tls::broken(&error))
}

/// One connection whose handshake is over.
struct Session<S> {
    engine: Arc<Engine<S>>,
    connection: Arc<Connection>,
    pulse: Arc<Pulse>,
    alternative: Option<HeaderValue>,
    presence: Presence,
    ends: Ends,
}

impl<S: Service> Session<S> {
    async fn h1(self, stream: TlsStream<TcpStream>) {
        let limits = &self.engine.limits;
        let paced = Paced::new(stream, Arc::clone(&self.pulse), Reading::Timed, limits);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .half_close(false)
            .pipeline_flush(false)
            .title_case_headers(false)
            .max_headers(limits.header_count_max.saturating_mul(2))
            .max_buf_size(limits.engine_head_bytes().max(H1_BUFFER_BYTES_MIN));
        let service = service_fn(|request| self.answer(request));
        let mut serving = pin!(builder.serve_connection(TokioIo::new(paced), service));
        let mut presence = self.presence.clone();
        let mut drains = false;
        let outcome = loop {
            tokio::select! {
                outcome = serving.as_mut() => break outcome,
                () = presence.reached(Stage::Draining), if !drains => {
                    drains = true;
                    serving.as_mut().graceful_shutdown();
                }
            }
        };
        if let Some(kind) = h1_failure(&self.pulse, outcome.err().as_ref()) {
            self.failed(kind, Version::HTTP_11);
        }
    }

    async fn h2(self, stream: TlsStream<TcpStream>) {
        let limits = self.engine.limits;
        let paced = Paced::new(stream, Arc::clone(&self.pulse), Reading::Free, &limits);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(limits.engine_head_bytes_u32())
            .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(H2_SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
            .max_local_error_reset_streams(H2_LOCAL_RESETS_MAX)
            .keep_alive_interval(H2_PING_INTERVAL)
            .keep_alive_timeout(limits.idle_timeout);
        let session = Arc::new(self);
        let shared = Arc::clone(&session);
        let service = service_fn(move |request| {
            let session = Arc::clone(&shared);
            async move { session.answer(request).await }
        });
        let mut serving = pin!(builder.serve_connection(TokioIo::new(paced), service));
        let mut presence = session.presence.clone();
        let mut closing = false;
        let mut seen = None;
        let outcome = loop {
            tokio::select! {
                outcome = serving.as_mut() => break outcome,
                () = presence.reached(Stage::Draining), if !closing => {
                    closing = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep(limits.idle_timeout) => {
                    // hyper has no idle clock for HTTP/2: two looks without a request between them.
                    let now = (!session.pulse.is_busy()).then(|| session.pulse.started());
                    let idle = now.is_some() && now == seen;
                    seen = now;
                    if idle && closing {
                        return;
                    } else if idle {
                        closing = true;
                        serving.as_mut().graceful_shutdown();
                    }
                }
            }
        };
        if outcome.err().as_ref().is_some_and(is_h2_violation) {
            session.failed(FailureKind::Http2Protocol, Version::HTTP_2);
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Reply<S::Body>>, Infallible> {
        let limits = &self.engine.limits;
        let (head, incoming) = request.into_parts();
        let body = Body::incoming(incoming, limits.body_timeout);
        let exchange = Exchange::new(Arc::clone(&self.connection), head, body, limits);
        let mut response = self.engine.serve(exchange, &self.pulse, &self.presence).await;
        if let Some(alternative) = &self.alternative {
            response.headers_mut().insert(header::ALT_SVC, alternative.clone());
        }
        Ok(response)
    }

    fn failed(&self, kind: FailureKind, http: Version) {
        let known = Known { tls: Some(self.connection.tls()), http: Some(http) };
        self.engine.failed(self.ends, kind, known);
    }
}

/// What broke outside of any exchange; a client that just closes, or is idle for too long, broke nothing.
fn h1_failure(pulse: &Pulse, error: Option<&hyper::Error>) -> Option<FailureKind> {
    if pulse.head_timed_out() {
        return Some(FailureKind::HeadTimedOut);
    }
    let error = error?;
    if error.is_parse_too_large() {
        Some(FailureKind::HeadTooLarge)
    } else if error.is_parse() {
        Some(FailureKind::HeadUnparsable)
    } else if error.is_incomplete_message() && pulse.is_in_head() {
        Some(FailureKind::HeadTruncated)
    } else {
        None
    }
}

/// hyper gives lost connections as IO errors and everything else of HTTP/2 as an error of its own.
fn is_h2_violation(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    !error.is_timeout() && source.is_some_and(|inner| !inner.is::<io::Error>())
}

//! HTTP/1: the engine is hyper, behind a gate that shows it nothing but well-formed requests.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::body::Body;
use crate::engine::{Reply, Stage};
use crate::exchange::Exchange;
use crate::service::{FailureKind, Service};
use crate::session::Session;

mod follow;
mod gate;
mod head;

#[cfg(feature = "fuzzing")]
pub(crate) use follow::Follow;
use gate::{Gate, Verdicts};
#[cfg(feature = "fuzzing")]
pub(crate) use head::HeadReader;

/// Smallest read buffer the engine takes.
const ENGINE_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Serves a connection to its end.
pub(crate) async fn serve<S: Service>(session: Session<S>, stream: TlsStream<TcpStream>) {
    let limits = &session.engine.limits;
    let verdicts = Arc::<Verdicts>::default();
    let gate = Gate::new(stream, Arc::clone(&session.pulse), Arc::clone(&verdicts), limits);
    let mut builder = http1::Builder::new();
    // The engine's limits lie above the gate's.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .half_close(false)
        .pipeline_flush(false)
        .title_case_headers(false)
        .max_headers(limits.header_count_max.saturating_add(1))
        .max_buf_size(limits.engine_head_bytes().saturating_mul(2).max(ENGINE_BUFFER_BYTES_MIN));
    let service = service_fn(|request| answer(&session, &verdicts, request));
    let mut serving = pin!(builder.serve_connection(TokioIo::new(gate), service));
    let mut presence = session.presence.clone();
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
    let is_parse = outcome.as_ref().is_err_and(hyper::Error::is_parse);
    if verdicts.is_truncated() {
        session.failed(FailureKind::HeadTruncated, Version::HTTP_11).await;
    } else if is_parse {
        // The gate let something pass that the engine does not take; it must not go unseen.
        session.failed(FailureKind::HeadUnparsable, Version::HTTP_11).await;
    }
}

async fn answer<S: Service>(
    session: &Session<S>,
    verdicts: &Verdicts,
    request: Request<Incoming>,
) -> Result<Response<Reply<S::Body>>, Infallible> {
    let limits = &session.engine.limits;
    let (head, incoming) = request.into_parts();
    let connection = Arc::clone(&session.connection);
    let exchange = match verdicts.take() {
        None => {
            Exchange::new(connection, head, Body::incoming(incoming, limits.body_timeout), limits)
        }
        Some(malformed) => Exchange::malformed(connection, head, malformed),
    };
    let mut response = session.engine.serve(exchange, &session.pulse, &session.presence).await;
    if let Some(alternative) = &session.alternative {
        response.headers_mut().insert(header::ALT_SVC, alternative.clone());
    }
    Ok(response)
}

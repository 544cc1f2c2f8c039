//! A small TLS server on loopback (HTTP/1.1 and HTTP/2) for the parts that stand around the
//! gateway in the demonstration. It reads whole, bounded requests; it knows no routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::authority::Credential;
use super::jose;

/// Open connections at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 128;
/// Concurrent streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;
/// Bytes of one request body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// For the TLS handshake, a request head and a whole body, each.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause after a failed accept, so that a full descriptor table does not spin the loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server could not be set up.
#[derive(Debug, Error)]
pub(super) enum ListenerError {
    /// Certificate, key or trust store were not accepted.
    #[error("set up TLS of a demo server: {0}")]
    Tls(#[from] rustls::Error),
    /// The client authority was not accepted.
    #[error("set up client certificates of a demo server: {0}")]
    Clients(#[from] rustls::server::VerifierBuilderError),
}

/// What is known of the other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// SHA-256 thumbprint of the client certificate (base64url), if one was shown and verified.
    pub(super) thumbprint: Option<Arc<str>>,
}

/// What answers requests.
pub(super) trait Service: Send + Sync + 'static {
    /// Answers one whole request.
    fn answer(
        &self,
        request: Request<Bytes>,
        peer: Peer,
    ) -> impl Future<Output = Response<Bytes>> + Send;
}

/// A running server; dropping it ends it with all its connections.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Serves `service` on `socket`, which is already bound to `address`.
    pub(super) fn start<S: Service>(
        socket: TcpListener,
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        service: Arc<S>,
    ) -> Self {
        let accepting = tokio::spawn(accept(socket, TlsAcceptor::from(tls), service));
        Self { address, accepting }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// TLS 1.3 with this certificate; with `clients`, a client certificate of that authority is
/// required.
pub(super) fn tls(
    server: &Credential,
    clients: Option<RootCertStore>,
) -> Result<Arc<ServerConfig>, ListenerError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match clients {
        Some(roots) => {
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build()?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(server.chain(), server.key())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

async fn accept<S: Service>(socket: TcpListener, tls: TlsAcceptor, service: Arc<S>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match socket.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, tls.clone(), Arc::clone(&service), permit));
            }
            Err(fault) => {
                tracing::warn!(%fault, "a demo server failed to accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve<S: Service>(
    stream: TcpStream,
    tls: TlsAcceptor,
    service: Arc<S>,
    _room: OwnedSemaphorePermit,
) {
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await else {
        tracing::debug!("a TLS handshake with a demo server failed");
        return;
    };
    let (_, session) = stream.get_ref();
    let http2_agreed = session.alpn_protocol() == Some(b"h2");
    let thumbprint = session
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| Arc::from(jose::thumbprint(certificate)));
    let peer = Peer { thumbprint };
    let exchange = service_fn(move |request| {
        let (service, peer) = (Arc::clone(&service), peer.clone());
        async move { Ok::<_, Infallible>(answer(service.as_ref(), request, peer).await) }
    });
    let stream = TokioIo::new(stream);
    let ended = if http2_agreed {
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .serve_connection(stream, exchange)
            .await
    } else {
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(stream, exchange)
            .await
    };
    if let Err(fault) = ended {
        tracing::debug!(%fault, "a connection to a demo server ended early");
    }
}

async fn answer<S: Service>(
    service: &S,
    request: Request<Incoming>,
    peer: Peer,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let collected = Limited::new(body, BODY_BYTES_MAX).collect();
    let status = match tokio::time::timeout(PATIENCE, collected).await {
        Ok(Ok(whole)) => {
            let request = Request::from_parts(head, whole.to_bytes());
            return service.answer(request, peer).await.map(Full::new);
        }
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => StatusCode::PAYLOAD_TOO_LARGE,
        Ok(Err(_)) => StatusCode::BAD_REQUEST,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    let mut refusal = Response::new(Full::default());
    *refusal.status_mut() = status;
    refusal
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(value.to_string()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}

//! The service behind every peer: 1 KB of JSON for anything, 1 MB below `/big`, bodies read and dropped. Plain, and over
//! mutual TLS. `/_stand/seen` tells what arrived last, so that correctness is checked before anything is timed.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls::{self, Credential};
use crate::{Failed, local};

/// Bytes of the ordinary answer.
const SMALL_BYTES: usize = 1024;
/// Bytes of the big answer.
const BIG_BYTES: usize = 1_000_000;

#[derive(Debug, Deserialize)]
struct Spec {
    /// Our certificate on the TLS side.
    credential: Credential,
    /// The CA whose client certificates are demanded there.
    clients: PathBuf,
}

struct Service {
    small: Bytes,
    big: Bytes,
    requests: Cell<u64>,
    last: RefCell<serde_json::Value>,
}

/// Serves until it is killed; prints its two ports.
pub(crate) fn run(spec: &str) -> Result<(), Failed> {
    let spec: Spec = serde_json::from_str(spec)?;
    local::block_on(async move {
        let (plain, plain_address) = local::listen()?;
        let (mutual, mutual_address) = local::listen()?;
        let tls = tls::server(&spec.credential, Some(&spec.clients), &["http/1.1"])?;
        let ports = json!({ "plain": plain_address.port(), "mutual": mutual_address.port() });
        println!("{ports}");
        let service = Rc::new(Service::new());
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        tokio::task::spawn_local(accept(mutual, Some(acceptor), Rc::clone(&service)));
        accept(plain, None, service).await
    })
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: Rc<Service>,
) -> Result<(), Failed> {
    loop {
        let (stream, _) = listener.accept().await?;
        // One that is gone already ends by itself.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let (tls, service) = (tls.clone(), Rc::clone(&service));
        tokio::task::spawn_local(async move {
            match tls {
                None => serve(stream, service).await,
                // A handshake that fails shows at the peer, as a request that fails.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, service).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, service: Rc<Service>) {
    let answer = service_fn(|request| {
        let service = Rc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    // Peers close idle connections in their own ways: the end of one is no news.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
}

impl Service {
    fn new() -> Self {
        let frame = r#"{"id":"0b7a0f0e","item":"A-1","quantity":1,"status":"open","note":""}"#;
        let note = "n".repeat(SMALL_BYTES.saturating_sub(frame.len()));
        let small = frame.replace(r#""note":"""#, &format!(r#""note":"{note}""#));
        Self {
            small: small.into(),
            big: vec![b'b'; BIG_BYTES].into(),
            requests: Cell::new(0),
            last: RefCell::new(json!(null)),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let path = head.uri.path();
        if path == "/_stand/seen" {
            let seen = json!({ "requests": self.requests.get(), "last": *self.last.borrow() });
            return Response::new(Full::new(seen.to_string().into()));
        }
        let mut received = 0_usize;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { break };
            received = received.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        }
        self.requests.set(self.requests.get().saturating_add(1));
        // Only what asks to be looked at is looked at: the rest is measured.
        if head.uri.query() == Some("check=1") || path.ends_with("/check") {
            let names: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
            *self.last.borrow_mut() = json!({ "method": head.method.as_str(), "path": path, "headers": names, "body_bytes": received });
        }
        let big = path.starts_with("/big");
        let body = if big { self.big.clone() } else { self.small.clone() };
        let kind = if big { "application/octet-stream" } else { "application/json" };
        let mut response = Response::new(Full::new(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

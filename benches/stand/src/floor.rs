//! The floor: the least that a TLS reverse proxy on hyper and rustls costs on one thread. HTTP/1.1, 2 and 3 in, HTTP/1.1
//! with kept connections out; for reference also a token check, each time or remembered, and an access log.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::local::LocalExecutor;
use crate::tls::{self, ClientSpec, Credential};
use crate::{Failed, local};

mod guard;
mod h3;
mod log;
mod pool;

use guard::Guard;
use log::Log;
use pool::Pool;

#[derive(Debug, Deserialize)]
struct Spec {
    credential: Credential,
    upstream: SocketAddr,
    /// Mutual TLS to the upstream.
    upstream_tls: Option<ClientSpec>,
    #[serde(default)]
    http3: bool,
    token: Option<guard::Spec>,
    /// The access log.
    log: Option<PathBuf>,
}

/// A request's body: as it arrives, or whole.
type Sent = Either<Incoming, Full<Bytes>>;
/// An answer's body: the upstream's, or ours.
type Received = Either<Incoming, Full<Bytes>>;

struct Floor {
    pool: Pool,
    guard: Option<RefCell<Guard>>,
    log: Option<RefCell<Log>>,
}

/// Serves until it is killed; prints its port.
pub(crate) fn run(spec: &str) -> Result<(), Failed> {
    let spec: Spec = serde_json::from_str(spec)?;
    local::block_on(async move {
        let (listener, address) = local::listen()?;
        let floor = Rc::new(Floor {
            pool: Pool::new(spec.upstream, spec.upstream_tls.as_ref())?,
            guard: spec.token.as_ref().map(Guard::new).transpose()?.map(RefCell::new),
            log: spec.log.as_deref().map(Log::open).transpose()?.map(RefCell::new),
        });
        let tls = tls::server(&spec.credential, None, &["h2", "http/1.1"])?;
        if spec.http3 {
            let tls = tls::server(&spec.credential, None, &["h3"])?;
            let endpoint = h3::bind(address, tls)?;
            tokio::task::spawn_local(h3::accept(endpoint, Rc::clone(&floor)));
        }
        println!("{}", json!({ "port": address.port() }));
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        loop {
            let (stream, _) = listener.accept().await?;
            // One that is gone already ends by itself.
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            let (acceptor, floor) = (acceptor.clone(), Rc::clone(&floor));
            tokio::task::spawn_local(async move { serve(acceptor, stream, floor).await });
        }
    })
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, floor: Rc<Floor>) -> Result<(), Failed> {
    let stream = acceptor.accept(stream).await?;
    let second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request: Request<Incoming>| {
        let floor = Rc::clone(&floor);
        async move { floor.answer(request.map(Either::Left)).await }
    });
    let io = TokioIo::new(stream);
    if second {
        http2::Builder::new(LocalExecutor).serve_connection(io, service).await?;
    } else {
        http1::Builder::new().serve_connection(io, service).await?;
    }
    Ok(())
}

impl Floor {
    async fn answer(&self, mut request: Request<Sent>) -> Result<Response<Received>, Failed> {
        let line = self.log.as_ref().map(|_| log::Line::of(&request));
        let permitted = self.permits(request.headers());
        let response = if permitted {
            outward(&mut request)?;
            let mut response = self.pool.send(request).await?;
            response.headers_mut().remove(CONNECTION);
            response.map(Either::Left)
        } else {
            let mut response = Response::new(Either::Right(Full::default()));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        };
        if let (Some(log), Some(line)) = (&self.log, line) {
            log.borrow_mut().write(&line, response.status())?;
        }
        Ok(response)
    }

    fn permits(&self, headers: &HeaderMap) -> bool {
        let Some(guard) = &self.guard else { return true };
        let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let token = value.and_then(|value| value.strip_prefix(b"Bearer "));
        token.is_some_and(|token| guard.borrow_mut().permits(token))
    }
}

/// HTTP/1.1 with a Host, in origin form.
fn outward(request: &mut Request<Sent>) -> Result<(), Failed> {
    if !request.headers().contains_key(HOST) {
        let host = request.uri().authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(host)?;
        request.headers_mut().insert(HOST, host);
    }
    request.headers_mut().remove(CONNECTION);
    *request.version_mut() = Version::HTTP_11;
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    Ok(())
}

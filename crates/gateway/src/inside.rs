//! The three inner listeners: `status` (health, metrics), `identity` (keys for services) and
//! `admin`. They are plain HTTP/1.1 on addresses that clients must not reach, never mixed with
//! each other nor with the public ones.

use bytes::Bytes;
use edge::Passed;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

mod admin;
mod identity;
mod status;

pub use admin::Admin;
pub use identity::Identity;
pub use status::Status;

/// Connections open at the same time, per listener.
const CONNECTIONS_MAX: usize = 64;
/// How long a head may take, and an idle connection live.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A small answer.
pub type Answer = Response<Full<Bytes>>;

/// What a listener answers: a pure function of method and path.
pub trait Surface: Send + Sync + 'static {
    /// Answers one request; `None` where there is nothing.
    fn answer(&self, method: &Method, path: &str) -> Option<Answer>;
}

/// A running inner listener; it ends when it drops.
#[derive(Debug)]
pub struct Inside {
    listener: Option<Arc<TcpListener>>,
    task: JoinHandle<()>,
}

impl Inside {
    /// Listens on a TCP address, with the socket passed for it if there is one.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn tcp(
        address: SocketAddr,
        surface: Arc<dyn Surface>,
        passed: &mut Passed,
    ) -> io::Result<Self> {
        let listener = match passed.take(address) {
            Some(socket) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket)?
            }
            None => TcpListener::bind(address).await?,
        };
        let listener = Arc::new(listener);
        let accepting = listener.clone();
        let task = tokio::spawn(accept(surface, move || {
            let listener = accepting.clone();
            async move { listener.accept().await.map(|(stream, _)| stream) }
        }));
        Ok(Self { listener: Some(listener), task })
    }

    /// Listens on a Unix socket that only this user may open.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn unix(path: &Path, surface: Arc<dyn Surface>) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        remove_old_socket(path)?;
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let listener = Arc::new(listener);
        let task = tokio::spawn(accept(surface, move || {
            let listener = listener.clone();
            async move { listener.accept().await.map(|(stream, _)| stream) }
        }));
        Ok(Self { listener: None, task })
    }

    /// The TCP address it listens on; none for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }

    /// A second handle of its TCP socket, for a process that takes over.
    ///
    /// # Errors
    /// Where the system has no descriptor left.
    pub fn listening(&self) -> io::Result<Option<OwnedFd>> {
        use std::os::fd::AsFd;
        self.listener.as_ref().map(|socket| socket.as_fd().try_clone_to_owned()).transpose()
    }
}

/// Removes the socket that a killed process left behind; whatever else has that name stays and stops the start.
fn remove_old_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "what is there is no socket")),
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts for ever, at most [`CONNECTIONS_MAX`] connections at a time.
async fn accept<S, F, A>(surface: Arc<dyn Surface>, mut next: A)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<S>> + Send,
    A: FnMut() -> F + Send,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = slots.clone().acquire_owned().await else { return };
        match next().await {
            Ok(stream) => {
                tokio::spawn(serve(stream, surface.clone(), permit));
            }
            Err(error) => pause(&error).await,
        }
    }
}

/// Too many open files, mostly: wait a little instead of spinning.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "an inner listener cannot accept");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn serve<S>(stream: S, surface: Arc<dyn Surface>, permit: tokio::sync::OwnedSemaphorePermit)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let surface = surface.clone();
        async move {
            let found = surface.answer(request.method(), request.uri().path());
            Ok::<_, Infallible>(found.unwrap_or_else(|| text(StatusCode::NOT_FOUND, "not found\n")))
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(50)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an inner connection broke");
    }
    drop(permit);
}

/// A text answer.
#[must_use]
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    typed(status, "text/plain; charset=utf-8", body)
}

/// An answer of a media type.
#[must_use]
pub fn typed(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The answer where a path is there but not with this method.
#[must_use]
pub fn only(method: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
    answer
}

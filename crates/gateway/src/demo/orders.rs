//! The service behind the gateway: orders over mutual TLS. It serves only callers that show the
//! gateway's client certificate and a good assertion for this very request. It checks no scopes and
//! no schemas: that is the gateway's work.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;

use super::Clock;
use super::assertion::{Caller, Keys, Received, Refused, Verifier};
use super::authority::{Authority, AuthorityError};
use super::client;
use super::listener::{self, Listener, ListenerError, Peer};

mod book;

use book::{Book, BookError};

/// The header that carries the gateway's assertion.
const ASSERTION: &str = "x-gateway-assertion";
/// Where the gateway's identity listener publishes its keys.
const KEYS_PATH: &str = "/.well-known/jwks.json";
/// For one fetch of the gateway's key set.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// Least time between two fetches that did not bring the wanted key.
const FETCH_PAUSE: Duration = Duration::from_secs(1);
/// The name in this service's certificate.
pub(super) const SERVER_NAME: &str = "orders.internal";

/// Why the service did not start.
#[derive(Debug, Error)]
pub(super) enum OrdersError {
    /// No free port on loopback.
    #[error("bind the demo orders service: {0}")]
    Bind(#[from] std::io::Error),
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] ListenerError),
}

/// The running service; dropping it ends it.
pub(super) struct Orders {
    desk: Arc<Desk>,
    listener: Listener,
}

impl Orders {
    /// Starts on a free loopback port. Until [`Orders::trust`] is called, every request is refused.
    pub(super) async fn start(
        authority: &Authority,
        verifier: Verifier,
        now: Clock,
    ) -> Result<Self, OrdersError> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let server = authority.server(&[SERVER_NAME])?;
        let tls = listener::tls(&server, Some(authority.roots()?))?;
        let desk = Arc::new(Desk::new(verifier, now));
        let listener = Listener::start(socket, address, tls, Arc::clone(&desk));
        Ok(Self { desk, listener })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// From now on, the keys published at this address are the gateway's.
    pub(super) fn trust(&self, identity: SocketAddr) {
        self.desk.identity.store(Some(Arc::new(identity)));
    }
}

/// The service without its sockets.
struct Desk {
    verifier: Verifier,
    identity: ArcSwapOption<SocketAddr>,
    keys: ArcSwap<Keys>,
    /// Held while fetching, so that one fetch serves all who wait; when the last one was.
    fetched: tokio::sync::Mutex<Option<SystemTime>>,
    book: Mutex<Book>,
    now: Clock,
}

impl listener::Service for Desk {
    async fn answer(&self, request: Request<Bytes>, peer: Peer) -> Response<Bytes> {
        match self.identify(&request, &peer).await {
            Ok(caller) => self.act(&request, &caller),
            Err(refused) => {
                tracing::warn!(reason = refused.reason(), "the orders service refused a request");
                listener::json(StatusCode::UNAUTHORIZED, &json!({ "error": refused.reason() }))
            }
        }
    }
}

impl Desk {
    fn new(verifier: Verifier, now: Clock) -> Self {
        Self {
            verifier,
            identity: ArcSwapOption::empty(),
            keys: ArcSwap::from_pointee(Keys::default()),
            fetched: tokio::sync::Mutex::new(None),
            book: Mutex::new(Book::default()),
            now,
        }
    }

    async fn identify(&self, request: &Request<Bytes>, peer: &Peer) -> Result<Caller, Refused> {
        let mut assertions = request.headers().get_all(ASSERTION).iter();
        let (Some(assertion), None) = (assertions.next(), assertions.next()) else {
            return Err(Refused::Missing);
        };
        let assertion = assertion.to_str().map_err(|_| Refused::Malformed)?;
        if !self.keys.load().has_key_of(assertion) {
            self.fetch_keys(assertion).await;
        }
        let received = Received {
            method: request.method().as_str(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()),
            body: request.body(),
            certificate: peer.thumbprint.as_deref(),
        };
        let now = (self.now)();
        self.verifier.verify(&self.keys.load_full(), assertion, &received, now)
    }

    /// Fetches the gateway's keys, unless another request just did.
    async fn fetch_keys(&self, assertion: &str) {
        let mut fetched = self.fetched.lock().await;
        let now = (self.now)();
        let recent =
            fetched.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age < FETCH_PAUSE);
        if recent || self.keys.load().has_key_of(assertion) {
            return;
        }
        let Some(identity) = self.identity.load_full() else { return };
        match tokio::time::timeout(FETCH_TIMEOUT, published_keys(*identity)).await {
            Ok(Some(keys)) => self.keys.store(Arc::new(keys)),
            Ok(None) | Err(_) => tracing::warn!("the gateway's keys could not be fetched"),
        }
        *fetched = Some(now);
    }

    fn act(&self, request: &Request<Bytes>, caller: &Caller) -> Response<Bytes> {
        let tenant = caller.tenant.as_deref().unwrap_or_default();
        let client = caller.client.as_deref().unwrap_or_default();
        // A poisoned lock still holds a whole book: each operation is one map call.
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.uri().path();
        let id = path.strip_prefix("/orders/");
        let outcome = match (request.method().as_str(), path, id) {
            ("GET", "/orders", _) => Ok(book.list(tenant, request.uri().query())),
            ("POST", "/orders", _) => book.place(tenant, client, request.body()),
            ("GET", _, Some(id)) => book.find(tenant, id),
            ("DELETE", _, Some(id)) => book.cancel(tenant, id),
            _ => Err(BookError::Unknown),
        };
        match outcome {
            Ok(answer) => answer,
            Err(fault) => listener::json(fault.status(), &json!({ "error": fault.reason() })),
        }
    }
}

/// The key set that the identity listener publishes; `None` where it cannot be had.
async fn published_keys(identity: SocketAddr) -> Option<Keys> {
    Keys::parse(client::text(identity, KEYS_PATH).await?.as_bytes())
}

#[cfg(test)]
mod tests;

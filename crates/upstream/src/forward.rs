//! One admitted request, forwarded: header fields rebuilt, identity asserted, one endpoint after another until one takes
//! the connection, and never twice to a service. It knows no routes and no answers beyond their head.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::assertion::{ASSERTION_HEADER, Bound, Caller, assert};
use crate::body::UpstreamBody;
use crate::connect::{ConnectFault, Connector, chain};
use crate::fault::Fault;
use crate::headers::{AllowList, Said};
use crate::settings::{AssertionSettings, SettingsError, UpstreamSettings};
use crate::tls::Tls;

/// Requests under way to one service, answers still being read included.
const REQUESTS_MAX: usize = 4096;

/// Idle connections kept per endpoint.
const IDLE_MAX: usize = 64;

/// How long an idle connection is kept: below the 60 s after which common servers close theirs, so that a request
/// seldom meets a closing one.
const IDLE: Duration = Duration::from_secs(30);

/// Bytes of the longest head of an answer over HTTP/1.1.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the longest header list of an answer over HTTP/2.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// How often an HTTP/2 connection with requests on it is probed, and how long a probe may take: a service that is gone
/// without a word is found out before its requests time out.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A request as it goes inside. Everything in it was checked before.
#[derive(Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded, beginning with `/`.
    pub path: String,
    /// What follows the `?`, percent-encoded.
    pub query: Option<String>,
    /// The client's header fields: all of them; what may not pass is dropped here.
    pub headers: HeaderMap,
    /// Which of them pass.
    pub pass: Arc<AllowList>,
    /// The body.
    pub body: OutgoingBody,
    /// For whom.
    pub caller: Caller,
    /// The id of this transaction: `x-request-id` and `txn`.
    pub transaction: String,
    /// The client.
    pub client_address: IpAddr,
    /// The host the client asked for.
    pub host: String,
    /// The trace this request is part of (W3C Trace Context 3.2).
    pub trace_parent: Option<String>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum OutgoingBody {
    /// None.
    Empty,
    /// The very bytes that were checked. Empty bytes are no body.
    Whole(Bytes),
}

/// A service: its endpoints, its connections, its name and key.
#[derive(Debug)]
pub struct Upstream {
    name: String,
    endpoints: Vec<Endpoint>,
    /// Where the next request begins.
    turn: AtomicUsize,
    attempts: usize,
    response_timeout: Duration,
    assertion: AssertionSettings,
    /// Thumbprint of the gateway's client certificate.
    certificate: Option<String>,
    places: Arc<Semaphore>,
}

/// One client per endpoint, so that the URI of a request can carry the service's name and not the endpoint's address.
#[derive(Debug)]
struct Endpoint {
    client: Client<Connector, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
}

impl Upstream {
    /// Reads the files and checks everything; connects nothing.
    ///
    /// # Errors
    /// The first setting or file that cannot be used.
    pub fn new(settings: UpstreamSettings) -> Result<Arc<Self>, SettingsError> {
        settings.check()?;
        let tls = settings.tls.as_ref().map(Tls::new).transpose()?;
        let open = |uri: &Uri| Endpoint::new(uri, &settings, tls.as_ref());
        let endpoints = settings.endpoints.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Self {
            endpoints,
            turn: AtomicUsize::new(0),
            attempts: usize::try_from(settings.connect_attempts).unwrap_or(usize::MAX),
            response_timeout: settings.response_timeout,
            certificate: tls.and_then(|tls| tls.thumbprint),
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
            name: settings.name,
            assertion: settings.assertion,
        }))
    }

    /// The name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request and waits for the head of the answer. Endpoints take turns; one that takes no connection passes
    /// the request on to the next. Dropping the future gives the request up.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn forward(
        &self,
        outgoing: Outgoing,
        now: SystemTime,
    ) -> Result<Response<UpstreamBody>, Fault> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Fault::Saturated)?;
        let (template, target) = self.prepare(outgoing, now)?;
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = first.checked_rem(self.endpoints.len()).unwrap_or(0);
        let mut outcome = Err(Fault::Connect);
        for endpoint in self.endpoints.iter().cycle().skip(first).take(self.attempts) {
            let request = endpoint.address(template.clone(), target.clone())?;
            outcome = self.ask(endpoint, request).await;
            if !outcome.as_ref().is_err_and(|fault| fault.is_before_request()) {
                break;
            }
        }
        let response = outcome?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for it, and what follows would pass unchecked.
            return Err(Fault::Protocol);
        }
        Ok(response.map(|body| UpstreamBody::new(body, self.response_timeout, place)))
    }

    /// The request without the place it goes to.
    fn prepare(
        &self,
        outgoing: Outgoing,
        now: SystemTime,
    ) -> Result<(Request<Full<Bytes>>, PathAndQuery), Fault> {
        let target = target(&outgoing.path, outgoing.query.as_deref())?;
        let body = match outgoing.body {
            OutgoingBody::Empty => Bytes::new(),
            OutgoingBody::Whole(body) => body,
        };
        let bound = Bound {
            method: outgoing.method.as_str(),
            target: target.as_str(),
            body: &body,
            transaction: &outgoing.transaction,
        };
        let certificate = self.certificate.as_deref();
        let assertion = assert(&self.assertion, &outgoing.caller, &bound, certificate, now)?;
        let said = Said {
            transaction: &outgoing.transaction,
            client_address: outgoing.client_address,
            host: &outgoing.host,
            trace_parent: outgoing.trace_parent.as_deref(),
        };
        let mut headers = outgoing.pass.filter(&outgoing.headers);
        said.write(&mut headers)?;
        headers.insert(ASSERTION_HEADER, assertion);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = outgoing.method;
        *request.headers_mut() = headers;
        Ok((request, target))
    }

    async fn ask(
        &self,
        endpoint: &Endpoint,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Fault> {
        let fault = match timeout(self.response_timeout, endpoint.client.request(request)).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => {
                let fault = classify(&error);
                let (upstream, error) = (self.name.as_str(), chain(&error));
                tracing::warn!(
                    upstream,
                    reason = fault.reason(),
                    error,
                    "a service gave no answer"
                );
                fault
            }
            Err(_) => Fault::ResponseTimeout,
        };
        Err(fault)
    }
}

impl Endpoint {
    fn new(
        uri: &Uri,
        settings: &UpstreamSettings,
        tls: Option<&Tls>,
    ) -> Result<Self, SettingsError> {
        let connector = Connector::new(uri, tls, settings.connect_timeout)?;
        let refused = || SettingsError::Endpoint(uri.clone());
        let (scheme, own) = (uri.scheme(), uri.authority());
        let (scheme, own) = (scheme.ok_or_else(refused)?, own.ok_or_else(refused)?);
        let name = settings.tls.as_ref().and_then(|tls| tls.name.as_deref());
        let authority = match (name, own.port_u16()) {
            (None, _) => own.clone(),
            (Some(name), None) => authority(name)?,
            (Some(name), Some(port)) => authority(&format!("{name}:{port}"))?,
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(connector);
        Ok(Self { client, scheme: scheme.clone(), authority })
    }

    fn address(
        &self,
        mut request: Request<Full<Bytes>>,
        target: PathAndQuery,
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Fault::Request)?;
        Ok(request)
    }
}

fn authority(text: &str) -> Result<Authority, SettingsError> {
    text.parse().map_err(|_| SettingsError::Name(text.to_owned()))
}

/// Path and query as they will be sent: what the parser would change or drop (a fragment, say) is refused, since the
/// assertion is about these very bytes.
fn target(path: &str, query: Option<&str>) -> Result<PathAndQuery, Fault> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let target = PathAndQuery::try_from(text.as_str()).map_err(|_| Fault::Request)?;
    let same = path.starts_with('/') && !path.contains('?') && target.as_str() == text;
    same.then_some(target).ok_or(Fault::Request)
}

fn classify(error: &Error) -> Fault {
    use std::error::Error as _;
    if let Some(error) = error.source().and_then(|source| source.downcast_ref::<ConnectFault>()) {
        return error.fault;
    }
    if error.is_connect() { Fault::Connect } else { Fault::Protocol }
}

#[cfg(test)]
mod tests;

//! One admitted request, forwarded: header fields rebuilt, identity asserted, one endpoint after another until one takes
//! the connection, and never twice to a service. It knows no routes and no answers beyond their head.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::answer;
use crate::assertion::{ASSERTION_HEADER, Bound, Caller, assert};
use crate::body::UpstreamBody;
use crate::connect::Connector;
use crate::fault::Fault;
use crate::headers::{AllowList, ClientScheme, Said};
use crate::pool::{Answered, Pool, Unanswered};
use crate::sent::{Passing, Progress, Sent, SentBody};
use crate::settings::{AssertionSettings, SettingsError, UpstreamSettings};
use crate::tls::Tls;
use crate::tunnel::{self, Opening};

/// Requests under way to one service, answers still being read included.
const REQUESTS_MAX: usize = 4096;

/// A request as it goes inside. Everything in it was checked before.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded, beginning with `/`.
    pub path: &'a str,
    /// What follows the `?`, percent-encoded.
    pub query: Option<&'a str>,
    /// The client's header fields: all of them; what may not pass stays here.
    pub headers: &'a HeaderMap,
    /// Which of them pass.
    pub pass: &'a AllowList,
    /// The body.
    pub body: OutgoingBody,
    /// For whom.
    pub caller: Caller<'a>,
    /// The id of this transaction: `x-request-id` and `txn`.
    pub transaction: &'a str,
    /// The client.
    pub client_address: IpAddr,
    /// The host the client asked for.
    pub host: &'a str,
    /// How the request came in: what is said of it inside (`forwarded`, `x-forwarded-proto`).
    pub scheme: ClientScheme,
    /// The trace this request is part of (W3C Trace Context 3.2).
    pub trace_parent: Option<&'a str>,
    /// How long the service may say nothing while nothing is sent to it; none said: as the settings have it.
    pub silence_max: Option<Duration>,
}

/// The body of a request.
pub enum OutgoingBody {
    /// None.
    Empty,
    /// The very bytes that were checked. Empty bytes are no body.
    Whole(Bytes),
    /// A body that passes as it comes: the assertion says that nobody has read it.
    Passing(Passing),
    /// What a client says in a WebSocket, which is asked for: an answer 101 has opened it.
    WebSocket(Passing),
}

impl fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Whole(_) => "Whole",
            Self::Passing(_) => "Passing",
            Self::WebSocket(_) => "WebSocket",
        })
    }
}

/// A service: its endpoints, its connections, its name and key.
#[derive(Debug)]
pub struct Upstream {
    name: Arc<str>,
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

/// A request without the place it goes to.
struct Prepared {
    request: Sent,
    target: PathAndQuery,
    /// Of a body that passes as it comes.
    progress: Option<Arc<Progress>>,
    /// What the client says in the WebSocket that is asked for.
    spoken: Option<Passing>,
}

/// One place where the service listens: the target of a request carries the service's name, not this address.
#[derive(Debug)]
struct Endpoint {
    pool: Pool,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
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
            name: settings.name.into(),
            assertion: settings.assertion,
        }))
    }

    /// The name in the settings.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Sends a request and waits for the head of the answer. Endpoints take turns; one that takes no connection passes
    /// the request on to the next. Dropping the future gives the request up.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn forward(
        &self,
        outgoing: Outgoing<'_>,
        now: SystemTime,
    ) -> Result<Response<UpstreamBody>, Fault> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Fault::Saturated)?;
        let silence_max = outgoing.silence_max.unwrap_or(self.response_timeout);
        let Prepared { request, target, progress, spoken } = self.prepare(outgoing, now)?;
        if let Some(spoken) = spoken {
            let opening = Box::pin(self.open(request, &target, spoken));
            let opening = timeout(self.response_timeout, opening).await;
            return Ok(match opening.unwrap_or(Err(Fault::ResponseTimeout))? {
                Opening::Open(response) => {
                    response.map(|tunnel| UpstreamBody::tunnel(tunnel, silence_max, place))
                }
                Opening::Refused(response) => {
                    answer::check(&response)?;
                    response.map(|body| UpstreamBody::new(body, silence_max, place, None))
                }
            });
        }
        let sent = self.send(request, &target);
        let answered = match progress {
            None => timeout(silence_max, sent).await.ok(),
            Some(progress) => Box::pin(progress.patient(silence_max, sent)).await,
        };
        let Answered { response, lease } = answered.unwrap_or(Err(Fault::ResponseTimeout))?;
        answer::check(&response)?;
        Ok(response.map(|body| UpstreamBody::new(body, silence_max, place, lease)))
    }

    /// The request without the place it goes to.
    fn prepare(&self, outgoing: Outgoing<'_>, now: SystemTime) -> Result<Prepared, Fault> {
        let target = target(outgoing.path, outgoing.query)?;
        let (mut whole, mut progress, mut spoken) = (None, None, None);
        let body = match outgoing.body {
            OutgoingBody::Empty => SentBody::Whole(Full::new(whole.insert(Bytes::new()).clone())),
            OutgoingBody::Whole(body) => SentBody::Whole(Full::new(whole.insert(body).clone())),
            OutgoingBody::Passing(body) => {
                let (body, moves) = SentBody::passing(body);
                progress = Some(moves);
                body
            }
            OutgoingBody::WebSocket(passing) => {
                spoken = Some(passing);
                SentBody::Whole(Full::default())
            }
        };
        let bound = Bound {
            method: outgoing.method.as_str(),
            target: target.as_str(),
            body: whole.as_deref(),
            transaction: outgoing.transaction,
        };
        let certificate = self.certificate.as_deref();
        let assertion = assert(&self.assertion, &outgoing.caller, &bound, certificate, now)?;
        let said = Said {
            transaction: outgoing.transaction,
            client_address: outgoing.client_address,
            host: outgoing.host,
            scheme: outgoing.scheme,
            trace_parent: outgoing.trace_parent,
        };
        let mut headers = outgoing.pass.filter(outgoing.headers);
        said.write(&mut headers)?;
        headers.insert(ASSERTION_HEADER, assertion);
        if spoken.is_some()
            && let Some(protocols) = outgoing.headers.get(header::SEC_WEBSOCKET_PROTOCOL)
        {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols.clone());
        }
        if progress.is_some() && is_grpc(&headers) {
            // gRPC servers want it (grpc/doc/PROTOCOL-HTTP2.md); trailers of answers pass on every way.
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        let mut request = Request::new(body);
        *request.method_mut() = outgoing.method;
        *request.headers_mut() = headers;
        Ok(Prepared { request, target, progress, spoken })
    }

    /// Asks for a WebSocket at the endpoint whose turn it is: a handshake is not tried twice.
    async fn open(
        &self,
        mut request: Sent,
        target: &PathAndQuery,
        said: Passing,
    ) -> Result<Opening, Fault> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let index = turn.checked_rem(self.endpoints.len()).unwrap_or(0);
        let endpoint = self.endpoints.get(index).ok_or(Fault::Connect)?;
        endpoint.address(&mut request, target, false)?;
        tunnel::open(endpoint.pool.connector(), request, said).await
    }

    async fn send(&self, mut request: Sent, target: &PathAndQuery) -> Result<Answered, Fault> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = first.checked_rem(self.endpoints.len()).unwrap_or(0);
        let mut outcome = Fault::Connect;
        for endpoint in self.endpoints.iter().cycle().skip(first).take(self.attempts) {
            let address = |request: &mut Sent, whole| endpoint.address(request, target, whole);
            let Unanswered { fault, detail, unsent } =
                match endpoint.pool.send(request, address).await {
                    Ok(answered) => return Ok(answered),
                    Err(unanswered) => unanswered,
                };
            let upstream = &*self.name;
            tracing::warn!(upstream, reason = fault.reason(), detail, "a service gave no answer");
            outcome = fault;
            match unsent {
                Some(unsent) if fault.is_before_request() => request = *unsent,
                Some(_) | None => break,
            }
        }
        Err(outcome)
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
        let host = HeaderValue::try_from(authority.as_str()).map_err(|_| refused())?;
        Ok(Self { pool: Pool::new(connector), scheme: scheme.clone(), authority, host })
    }

    /// Writes where the request goes: scheme and authority into the target over HTTP/2 (RFC 9113 8.3.1), the
    /// authority into `host` over HTTP/1.1 (RFC 9112 3.2.1).
    fn address(&self, request: &mut Sent, target: &PathAndQuery, whole: bool) -> Result<(), Fault> {
        let mut parts = http::uri::Parts::default();
        parts.path_and_query = Some(target.clone());
        if whole {
            parts.scheme = Some(self.scheme.clone());
            parts.authority = Some(self.authority.clone());
            request.headers_mut().remove(header::HOST);
        } else {
            request.headers_mut().insert(header::HOST, self.host.clone());
        }
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Fault::Request)?;
        Ok(())
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn authority(text: &str) -> Result<Authority, SettingsError> {
    text.parse().map_err(|_| SettingsError::Name(text.to_owned()))
}

/// Path and query as they will be sent: what the parser would change or drop (a fragment, say) is refused, since the
/// assertion is about these very bytes.
fn target(path: &str, query: Option<&str>) -> Result<PathAndQuery, Fault> {
    let query_bytes = query.map_or(0, |query| 1 + query.len());
    let mut text = String::with_capacity(path.len() + query_bytes);
    text.push_str(path);
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    let target = PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| Fault::Request)?;
    let rest = target.as_str().strip_prefix(path).ok_or(Fault::Request)?;
    let same = match query {
        None => rest.is_empty(),
        Some(query) => rest.strip_prefix('?') == Some(query),
    };
    (same && path.starts_with('/') && !path.contains('?')).then_some(target).ok_or(Fault::Request)
}

#[cfg(test)]
mod tests;

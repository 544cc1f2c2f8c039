//! The client of the tour: sends one request over a chosen HTTP version and reads status and
//! transaction id of the answer. It knows the gateway's address, nothing of what is expected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use thiserror::Error;

#[cfg(feature = "http3")]
mod http3;

/// For one request, from connecting to the last byte of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Why there was no answer.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The client could not be set up.
    #[error("set up TLS of the client: {0}")]
    Tls(#[from] rustls::Error),
    /// Connecting, sending or receiving failed.
    #[error("send over HTTP/1.1 or HTTP/2")]
    Tcp(#[source] reqwest::Error),
    /// The same over QUIC.
    #[cfg(feature = "http3")]
    #[error("send over HTTP/3: {0}")]
    Quic(#[from] http3::QuicError),
    /// The request is not one.
    #[error("build the request: {0}")]
    Request(#[from] http::Error),
    /// The answer came over another HTTP version than was asked for.
    #[error("get an answer over the wanted version of HTTP")]
    OtherVersion,
    /// The answer did not end in time.
    #[error("get an answer in time")]
    TimedOut,
    /// The answer is longer than 256 KiB.
    #[error("read an answer of bounded length")]
    TooLong,
    /// The token endpoint's answer holds no token.
    #[error("get a token from the demo issuer (status {0})")]
    NoToken(StatusCode),
}

impl From<reqwest::Error> for ClientError {
    /// The address is left out: the table names the request already.
    fn from(fault: reqwest::Error) -> Self {
        Self::Tcp(fault.without_url())
    }
}

/// The HTTP version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 over TLS.
    H1,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/3 over QUIC.
    #[cfg(feature = "http3")]
    H3,
}

impl Protocol {
    /// Short name for the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
            #[cfg(feature = "http3")]
            Self::H3 => "h3",
        }
    }
}

/// One request to the gateway.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// Its method.
    pub(super) method: Method,
    /// Its path and query.
    pub(super) target: String,
    /// Its fields beside the ones every request has.
    pub(super) fields: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub(super) body: Bytes,
}

/// What the tour needs of an answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: StatusCode,
    /// The transaction id: `instance` of a problem document, else the field `x-request-id`.
    pub(super) transaction: Option<String>,
}

/// One client per HTTP version, all trusting the same roots only.
pub(super) struct Clients {
    h1: reqwest::Client,
    h2: reqwest::Client,
    #[cfg(feature = "http3")]
    h3: http3::Client,
    origin: String,
}

impl Clients {
    /// Clients of the gateway at `address`, known under `host` in its certificate.
    pub(super) fn new(
        roots: &RootCertStore,
        host: &str,
        address: SocketAddr,
    ) -> Result<Self, ClientError> {
        let one = |alpn: &[u8]| {
            Ok::<_, ClientError>(builder(roots.clone(), alpn)?.resolve(host, address))
        };
        Ok(Self {
            h1: one(b"http/1.1")?.http1_only().build()?,
            h2: one(b"h2")?.http2_prior_knowledge().build()?,
            #[cfg(feature = "http3")]
            h3: http3::Client::new(tls(roots.clone(), b"h3")?, host, address)?,
            origin: format!("https://{host}:{}", address.port()),
        })
    }

    /// Sends one request and reads its whole answer.
    pub(super) async fn send(&self, protocol: Protocol, ask: &Ask) -> Result<Answer, ClientError> {
        let sending = async {
            match protocol {
                Protocol::H1 => self.over_tcp(&self.h1, Version::HTTP_11, ask).await,
                Protocol::H2 => self.over_tcp(&self.h2, Version::HTTP_2, ask).await,
                #[cfg(feature = "http3")]
                Protocol::H3 => {
                    let request = request(&self.origin, ask)?;
                    let (head, body) = self.h3.send(request, ANSWER_BYTES_MAX).await?;
                    Ok(answer(head.status, &head.headers, &body))
                }
            }
        };
        let sent = tokio::time::timeout(REQUEST_TIMEOUT, Box::pin(sending)).await;
        sent.map_err(|_| ClientError::TimedOut)?
    }

    async fn over_tcp(
        &self,
        client: &reqwest::Client,
        version: Version,
        ask: &Ask,
    ) -> Result<Answer, ClientError> {
        let request = reqwest::Request::try_from(request(&self.origin, ask)?)?;
        let mut received = client.execute(request).await?;
        if received.version() != version {
            return Err(ClientError::OtherVersion);
        }
        let mut body = Vec::new();
        while let Some(piece) = received.chunk().await? {
            body.extend_from_slice(&piece);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(ClientError::TooLong);
            }
        }
        Ok(answer(received.status(), received.headers(), &body))
    }
}

/// A client for the issuer: HTTP/1.1, these roots only, no proxy, no redirects.
pub(super) fn plain(roots: RootCertStore) -> Result<reqwest::Client, ClientError> {
    Ok(builder(roots, b"http/1.1")?.http1_only().build()?)
}

/// Fetches a token from `issuer` by the client credentials grant, with every scope of the client.
pub(super) async fn token(
    client: &reqwest::Client,
    issuer: &str,
    id: &str,
    secret: &str,
) -> Result<String, ClientError> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
    }
    let received = client
        .post(format!("{issuer}/token"))
        .basic_auth(id, Some(secret))
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials")
        .send()
        .await?;
    let status = received.status();
    let body = received.bytes().await?;
    let token: Token = serde_json::from_slice(&body).map_err(|_| ClientError::NoToken(status))?;
    Ok(token.access_token)
}

/// What a plain HTTP listener answers at `path`; `None` where it does not, or not with 200.
pub(super) async fn text(address: SocketAddr, path: &str) -> Option<String> {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .build_http::<Empty<Bytes>>();
    let answer = client.get(format!("http://{address}{path}").parse().ok()?).await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
    String::from_utf8(body.to_bytes().into()).ok()
}

fn builder(roots: RootCertStore, alpn: &[u8]) -> Result<reqwest::ClientBuilder, ClientError> {
    Ok(reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST_TIMEOUT)
        .tls_backend_preconfigured(tls(roots, alpn)?))
}

fn tls(roots: RootCertStore, alpn: &[u8]) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

fn request(origin: &str, ask: &Ask) -> Result<http::Request<Bytes>, http::Error> {
    let mut request = http::Request::builder()
        .method(ask.method.clone())
        .uri(format!("{origin}{}", ask.target))
        .body(ask.body.clone())?;
    request.headers_mut().extend(ask.fields.iter().cloned());
    Ok(request)
}

fn answer(status: StatusCode, fields: &HeaderMap, body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Problem {
        instance: String,
    }
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let field = || fields.get("x-request-id").and_then(|value| value.to_str().ok());
    let instance = problem.map(|problem| problem.instance);
    let transaction = instance.as_deref().or_else(field).map(bare_id);
    Answer { status, transaction }
}

/// The id without a URN or path in front of it.
fn bare_id(reference: &str) -> String {
    reference.rsplit(['/', ':']).next().unwrap_or(reference).to_owned()
}

#[cfg(test)]
mod tests;

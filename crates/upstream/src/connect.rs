//! How a connection to one endpoint is made: TCP, then TLS under the configured name, all within one deadline. It
//! knows no requests: the URI of a request says nothing about where it goes.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::fault::Fault;
use crate::settings::SettingsError;
use crate::tls::{Tls, server_name};

/// What TLS calls HTTP/2 (RFC 9113 3.2).
const HTTP_2: &[u8] = b"h2";
/// What TLS calls HTTP/1.1 (RFC 7301 6).
const HTTP_1: &[u8] = b"http/1.1";
/// When the kernel asks whether a silent peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Debug)]
pub(crate) enum Opened {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Opened {
    /// Whether both sides chose HTTP/2.
    pub(crate) fn is_http_2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP_2),
        }
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Opened {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}

/// Connects to one endpoint.
#[derive(Clone)]
pub(crate) struct Connector {
    http: HttpConnector,
    endpoint: Uri,
    tls: Option<Secure>,
    tls_http_1: Option<Secure>,
    deadline: Duration,
}

/// TLS, and the name to verify.
#[derive(Clone)]
struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    /// The same, for a service that is to speak HTTP/1.1.
    fn http_1(&self) -> Self {
        let mut config = ClientConfig::clone(self.connector.config());
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        Self { connector: TlsConnector::from(Arc::new(config)), name: self.name.clone() }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Why there is no connection; what is said in a log line stays beside it.
#[derive(Debug, thiserror::Error)]
#[error("{fault}: {detail}")]
pub(crate) struct ConnectFault {
    pub(crate) fault: Fault,
    pub(crate) detail: String,
}

impl ConnectFault {
    pub(crate) fn new(fault: Fault, error: &dyn std::error::Error) -> Self {
        Self { fault, detail: chain(error) }
    }
}

impl Connector {
    /// `tls` is used for an `https` endpoint only.
    pub(crate) fn new(
        endpoint: &Uri,
        tls: Option<&Tls>,
        deadline: Duration,
    ) -> Result<Self, SettingsError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        let tls = match tls.filter(|_| endpoint.scheme() == Some(&http::uri::Scheme::HTTPS)) {
            None => None,
            Some(tls) => {
                let host = || server_name(endpoint.host().unwrap_or_default());
                let name = tls.name.clone().map_or_else(host, Ok)?;
                Some(Secure { connector: TlsConnector::from(tls.config.clone()), name })
            }
        };
        let tls_http_1 = tls.as_ref().map(Secure::http_1);
        Ok(Self { http, endpoint: endpoint.clone(), tls, tls_http_1, deadline })
    }

    /// A new connection, TLS included, within the deadline.
    pub(crate) async fn open(&self) -> Result<Opened, ConnectFault> {
        self.within(self.tls.as_ref()).await
    }

    /// One that offers HTTP/1.1 alone.
    pub(crate) async fn open_http_1(&self) -> Result<Opened, ConnectFault> {
        self.within(self.tls_http_1.as_ref()).await
    }

    async fn within(&self, tls: Option<&Secure>) -> Result<Opened, ConnectFault> {
        timeout(self.deadline, self.connect(tls))
            .await
            .unwrap_or_else(|elapsed| Err(ConnectFault::new(Fault::ConnectTimeout, &elapsed)))
    }

    async fn connect(&self, tls: Option<&Secure>) -> Result<Opened, ConnectFault> {
        let opened = self.http.clone().call(self.endpoint.clone()).await;
        let tcp = opened.map_err(|error| ConnectFault::new(Fault::Connect, &error))?.into_inner();
        let Some(Secure { connector, name }) = tls else { return Ok(Opened::Plain(tcp)) };
        let shaken = connector.connect(name.clone(), tcp).await;
        shaken.map(|stream| Opened::Tls(Box::new(stream))).map_err(|error| {
            let fault = if is_tls(&error) { Fault::Tls } else { Fault::Connect };
            ConnectFault::new(fault, &error)
        })
    }
}

/// Whether TLS failed rather than the connection under it.
fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// An error and what it came from, for a log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

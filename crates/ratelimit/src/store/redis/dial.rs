//! How a connection to Redis is made: TCP, TLS with the configured authority and no other, or a Unix socket; then the
//! script is loaded. It knows no keys and no limits.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError,
    aio::MultiplexedConnection,
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::SCRIPT;
use crate::store::StoreError;

/// Makes connections to one server.
pub(super) struct Dialer {
    info: ConnectionInfo,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// A connection that many requests use at the same time; the last clone closes it.
#[derive(Clone)]
pub(super) struct Line {
    connection: MultiplexedConnection,
    script: Arc<str>,
    driver: Arc<Driver>,
}

/// The task that moves the bytes. Ended with the line, so that a server which never answers holds nothing.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("connect: {0}")]
    Connect(#[from] io::Error),
    #[error("set up the connection: {0}")]
    Setup(#[from] RedisError),
    #[error("take a connection from the pool")]
    Pool,
}

impl Line {
    pub(super) fn connection(&mut self) -> &mut MultiplexedConnection {
        &mut self.connection
    }

    /// The SHA-1 that the server gave the script.
    pub(super) fn script(&self) -> &str {
        &self.script
    }
}

impl Dialer {
    pub(super) fn new(url: &SecretString, ca: Option<&Path>) -> Result<Self, StoreError> {
        let info = url.expose_secret().into_connection_info().map_err(|_| StoreError::Url)?;
        let tls = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(StoreError::Url),
            ConnectionAddr::TcpTls { host, .. } => {
                let name = ServerName::try_from(host.clone()).map_err(|_| StoreError::Url)?;
                let ca = ca.ok_or(StoreError::CaMissing)?;
                Some(Tls { connector: TlsConnector::from(Arc::new(trust(ca)?)), name })
            }
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) => None,
            // The type is open for more.
            _ => return Err(StoreError::Url),
        };
        Ok(Self { info, tls })
    }

    async fn open(&self) -> Result<Line, DialError> {
        match (self.info.addr(), &self.tls) {
            (ConnectionAddr::TcpTls { host, port, .. }, Some(tls)) => {
                let tcp = connect(host, *port).await?;
                let stream = tls.connector.connect(tls.name.clone(), tcp).await?;
                self.greet(stream).await
            }
            (ConnectionAddr::Tcp(host, port), None) => {
                let tcp = connect(host, *port).await?;
                self.greet(tcp).await
            }
            (ConnectionAddr::Unix(path), None) => {
                self.greet(UnixStream::connect(path).await?).await
            }
            // `new` has made sure of the pairs above.
            _ => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }

    async fn greet<S>(&self, stream: S) -> Result<Line, DialError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // The caller has its own deadline over everything it does.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let settings = self.info.redis_settings();
        let (mut connection, work) =
            MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let driver = Arc::new(Driver(tokio::spawn(work)));
        let script: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
        Ok(Line { connection, script: script.into(), driver })
    }
}

impl Manager for Dialer {
    type Type = Line;
    type Error = DialError;

    async fn create(&self) -> Result<Line, DialError> {
        self.open().await
    }

    /// No PING: a request is a better probe, and costs nothing extra.
    async fn recycle(&self, line: &mut Line, _: &Metrics) -> RecycleResult<DialError> {
        if line.driver.0.is_finished() {
            return Err(RecycleError::message("the server closed the connection"));
        }
        Ok(())
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// TLS that trusts the certificates in one file and nothing else.
fn trust(ca: &Path) -> Result<ClientConfig, StoreError> {
    let wrong = |reason: String| StoreError::Ca { path: PathBuf::from(ca), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| wrong(e.to_string()))? {
        let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
        roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| wrong(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

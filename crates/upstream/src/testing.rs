//! A real service for tests: a throw-away authority, TLS with a required client certificate, HTTP/1.1 or HTTP/2, and a
//! list of what it saw.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The name in the service's certificate.
pub(crate) const NAME: &str = "orders.internal";

/// An authority and what it signed, as files.
pub(crate) struct Pki {
    folder: TempDir,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let issuer = Issuer::new(parameters, key);
        for (who, name) in [("service", NAME), ("gateway", "gateway.internal")] {
            let key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
            std::fs::write(folder.path().join(format!("{who}.pem")), leaf).unwrap();
            std::fs::write(folder.path().join(format!("{who}.key")), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn certificates(&self, name: &str) -> Vec<CertificateDer<'static>> {
        let file = CertificateDer::pem_file_iter(self.file(name)).unwrap();
        file.collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn server(
        &self,
        alpn: &str,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificates("ca.pem").remove(0)).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let key = PrivateKeyDer::from_pem_file(self.file("service.key")).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(self.certificates("service.pem"), key)
            .unwrap();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        config
    }
}

/// A request as the service saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) certificate: Option<Vec<u8>>,
}

/// A service that listens until the test ends. What it does is in the path: `/hang` never answers, `/stall` stops in
/// the middle of its body, `/drop` closes the connection, `/switch` answers 101, everything else is echoed.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Service {
    pub(crate) async fn start(pki: &Pki, alpn: &str) -> Self {
        Self::start_with(pki, alpn, &rustls::version::TLS13).await
    }

    pub(crate) async fn start_with(
        pki: &Pki,
        alpn: &str,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        Self::listen(Some(TlsAcceptor::from(Arc::new(pki.server(alpn, version))))).await
    }

    pub(crate) async fn start_plain() -> Self {
        Self::listen(None).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Answers one request on its first connection (HTTP/2) and retires it when the second comes: GOAWAY without an
    /// error, the second request unprocessed. Then it serves as any other.
    pub(crate) async fn retiring(pki: &Pki) -> Self {
        let tls = TlsAcceptor::from(Arc::new(pki.server("h2", &rustls::version::TLS13)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Self { address, connections: Arc::default(), seen: Arc::default() };
        let own = service.clone();
        tokio::spawn(async move {
            // Frames by hand (RFC 9113 4.1): length, type, flags, stream, payload.
            let answer = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];
            let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
            let mut stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            next_request(&mut stream).await;
            stream.write_all(&answer).await.unwrap();
            next_request(&mut stream).await;
            stream.write_all(&goaway).await.unwrap();
            let second = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
            own.speak(second, true, None).await;
        });
        service
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Self { address, connections: Arc::default(), seen: Arc::default() };
        let own = service.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let (own, tls) = (own.clone(), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return own.speak(tcp, false, None).await };
                    let Ok(stream) = tls.accept(tcp).await else { return };
                    let session = stream.get_ref().1;
                    let h2 = session.alpn_protocol() == Some(b"h2");
                    let certificate = session.peer_certificates().and_then(<[_]>::first);
                    let certificate = certificate.map(|certificate| certificate.to_vec());
                    own.speak(stream, h2, certificate).await;
                });
            }
        });
        service
    }

    async fn speak<S>(self, stream: S, h2: bool, certificate: Option<Vec<u8>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answer = service_fn(|request| self.clone().answer(request, certificate.clone()));
        let stream = TokioIo::new(stream);
        // An error is a client that has gone.
        if h2 {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            drop(connection.serve_connection(stream, answer).await);
        } else {
            let connection = hyper::server::conn::http1::Builder::new();
            drop(connection.serve_connection(stream, answer).await);
        }
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        certificate: Option<Vec<u8>>,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, Dropped> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let path = head.uri.path().to_owned();
        self.seen.lock().unwrap().push(Seen {
            version: head.version,
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body: body.clone(),
            certificate,
        });
        let mut response = Response::new(Full::new(body).boxed());
        match path.as_str() {
            "/hang" => std::future::pending().await,
            "/drop" => return Err(Dropped),
            "/switch" => *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS,
            "/stall" => {
                let (mut sender, body) = Channel::new(1);
                tokio::spawn(async move {
                    drop(sender.send_data(Bytes::from_static(b"half")).await);
                    std::future::pending::<()>().await;
                    drop(sender);
                });
                *response.body_mut() = body.boxed();
            }
            _ => {}
        }
        Ok(response)
    }
}

/// Reads frames up to the next HEADERS.
async fn next_request<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut head = [0; 9];
    while head[3] != 1 {
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
    }
}

/// The service ends the connection.
#[derive(Debug, thiserror::Error)]
#[error("dropped")]
pub(crate) struct Dropped;

//! A service that sends back what it gets, piece by piece, and says with its trailers how much that was. It demands a
//! client certificate, and speaks HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Channel};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, Usage};

/// Pieces under way.
const PIECES_MAX: usize = 4;

/// A running service, as long as the runtime of its test runs.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    /// The header fields of the requests that came.
    pub(crate) seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Echo {
    /// Starts one that speaks `alpn`.
    pub(crate) async fn start(authority: &Authority, alpn: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = TlsAcceptor::from(Arc::new(tls(authority, alpn)));
        let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request| {
                        log.lock().unwrap().push(request.headers().clone());
                        async { Ok::<_, Infallible>(echo(request)) }
                    });
                    let io = TokioIo::new(stream);
                    if alpn == "h2" {
                        let executor = TokioExecutor::new();
                        http2::Builder::new(executor).serve_connection(io, service).await.ok();
                    } else {
                        http1::Builder::new().serve_connection(io, service).await.ok();
                    }
                });
            }
        });
        Self { address, seen }
    }
}

fn echo(request: Request<Incoming>) -> Response<Channel<Bytes, io::Error>> {
    let (mut sender, body) = Channel::new(PIECES_MAX);
    let kind = request.headers().get("content-type").cloned();
    let mut incoming = request.into_body();
    tokio::spawn(async move {
        let mut bytes = 0;
        while let Some(frame) = incoming.frame().await {
            // A sender that drops is the end of an answer; one that breaks off aborts.
            let Ok(frame) = frame else { return sender.abort(io::Error::other("cut")) };
            let Ok(data) = frame.into_data() else { continue };
            bytes += data.len();
            if sender.send_data(data).await.is_err() {
                return;
            }
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("x-bytes", bytes.to_string().parse().unwrap());
        sender.send(Frame::trailers(trailers)).await.ok();
    });
    let mut response = Response::new(body);
    response.headers_mut().extend(kind.map(|kind| (http::header::CONTENT_TYPE, kind)));
    response
}

pub(crate) fn tls(authority: &Authority, alpn: &str) -> rustls::ServerConfig {
    let server = authority.issue("echo", &["orders.internal"], &[], Usage::Server);
    let chain = CertificateDer::pem_slice_iter(server.chain_pem.as_bytes());
    let chain = chain.map(|certificate| certificate.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).expect("a key");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.ca_pem().as_bytes()) {
        roots.add(certificate.expect("a certificate")).expect("a CA");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("a verifier");
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .expect("a certificate with its key");
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    config
}

//! A client of the gateway on each of the three protocol versions. It trusts the authority of the test only.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::parts::authority::Issued;
use crate::site::HOST;

/// A protocol version, as the test dimension that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    H1,
    H2,
    H3,
}

/// All of them.
pub(crate) const PROTOCOLS: [Protocol; 3] = [Protocol::H1, Protocol::H2, Protocol::H3];

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The transaction id that the gateway gave.
    pub(crate) fn transaction(&self) -> &str {
        self.headers["x-request-id"].to_str().expect("an id")
    }
}

/// One client; connections of HTTP/1.1 and 2 are kept, HTTP/3 connects for each request.
pub(crate) struct Client {
    ca_pem: String,
    identity: Option<Issued>,
    address: SocketAddr,
    h1: reqwest::Client,
    h2: reqwest::Client,
}

impl Client {
    /// A client of the gateway at `address`.
    pub(crate) fn new(ca_pem: &str, address: SocketAddr) -> Self {
        Self::showing(None, ca_pem, address)
    }

    /// One that shows a certificate where it is asked for one.
    pub(crate) fn showing(identity: Option<&Issued>, ca_pem: &str, address: SocketAddr) -> Self {
        let builder = |alpn: &[u8]| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls_showing(identity, ca_pem, alpn))
                .no_proxy()
                .resolve(HOST, address)
                .timeout(crate::site::LIMIT)
        };
        let h1 = builder(b"http/1.1").http1_only().build().expect("a client");
        let h2 = builder(b"h2").http2_prior_knowledge().build().expect("a client");
        Self { ca_pem: ca_pem.to_owned(), identity: identity.cloned(), address, h1, h2 }
    }

    /// Sends one request; the target is a path with an optional query.
    pub(crate) async fn send(&self, protocol: Protocol, request: Request<Bytes>) -> Answer {
        let answer = self.try_send(protocol, request).await;
        answer.unwrap_or_else(|error| panic!("no answer over {protocol:?}: {error}"))
    }

    /// Sends one request that may find nobody.
    pub(crate) async fn try_send(
        &self,
        protocol: Protocol,
        request: Request<Bytes>,
    ) -> Result<Answer, String> {
        match protocol {
            Protocol::H1 => self.over_tcp(&self.h1, request).await,
            Protocol::H2 => self.over_tcp(&self.h2, request).await,
            Protocol::H3 => self.over_quic(request).await,
        }
    }

    async fn over_tcp(
        &self,
        client: &reqwest::Client,
        request: Request<Bytes>,
    ) -> Result<Answer, String> {
        let (head, body) = request.into_parts();
        let url = format!("https://{HOST}:{}{}", self.address.port(), head.uri);
        let sent = client.request(head.method, url).headers(head.headers).body(body).send().await;
        let answer = sent.map_err(|error| format!("{error:?}"))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| format!("{error:?}"))?;
        Ok(Answer { status, headers, body })
    }

    async fn over_quic(&self, request: Request<Bytes>) -> Result<Answer, String> {
        let (mut head, body) = request.into_parts();
        head.uri = format!("https://{HOST}:{}{}", self.address.port(), head.uri).parse().unwrap();
        let tls = tls_showing(self.identity.as_ref(), &self.ca_pem, b"h3");
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        let connecting = endpoint.connect(self.address, HOST).map_err(|e| e.to_string())?;
        let connection = h3_quinn::Connection::new(connecting.await.map_err(|e| e.to_string())?);
        let (mut driver, mut sender) =
            h3::client::new(connection).await.map_err(|e| e.to_string())?;
        let exchange = async {
            let mut stream = sender.send_request(Request::from_parts(head, ())).await?;
            if !body.is_empty() {
                stream.send_data(body).await.ok();
            }
            // A server that has answered may stop the rest of the request; its answer counts (RFC 9114 4.1).
            stream.finish().await.ok();
            let answer = stream.recv_response().await?;
            let mut whole = Vec::new();
            while let Some(mut piece) = stream.recv_data().await? {
                whole.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
            }
            Ok::<_, h3::error::StreamError>((answer, whole))
        };
        let (answer, body) = tokio::select! {
            // An answer that is there counts, whatever became of the connection behind it.
            biased;
            done = exchange => done.map_err(|e| e.to_string())?,
            fault = std::future::poll_fn(|cx| driver.poll_close(cx)) => {
                return Err(fault.to_string());
            }
        };
        endpoint.close(0x100_u32.into(), b"");
        let (head, ()) = answer.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body: body.into() })
    }
}

/// TLS settings that trust one authority and offer one protocol.
pub(crate) fn tls(ca_pem: &str, alpn: &[u8]) -> rustls::ClientConfig {
    tls_showing(None, ca_pem, alpn)
}

fn tls_showing(identity: Option<&Issued>, ca_pem: &str, alpn: &[u8]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.expect("a PEM certificate")).expect("a CA certificate");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(issued) => {
            let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).expect("a key");
            config.with_client_auth_cert(issued.chain(), key).expect("a certificate and its key")
        }
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

/// A request with a token.
pub(crate) fn request(
    method: &str,
    target: &str,
    token: Option<&str>,
    body: &str,
) -> Request<Bytes> {
    let mut builder = Request::builder().method(method).uri(target);
    if let Some(token) = token {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    if !body.is_empty() {
        builder = builder.header("content-type", "application/json");
    }
    builder.body(Bytes::copy_from_slice(body.as_bytes())).expect("a request")
}

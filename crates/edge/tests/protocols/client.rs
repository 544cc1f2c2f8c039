//! One client for three protocols, so that a test can be a table over them.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    H1,
    H2,
    #[cfg(feature = "http3")]
    H3,
}

impl Protocol {
    pub(crate) fn alpn(self) -> &'static str {
        match self {
            Self::H1 => "http/1.1",
            Self::H2 => "h2",
            #[cfg(feature = "http3")]
            Self::H3 => "h3",
        }
    }
}

pub(crate) const ALL: &[Protocol] = &[
    Protocol::H1,
    Protocol::H2,
    #[cfg(feature = "http3")]
    Protocol::H3,
];

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(crate) fn tls(root: &CertificateDer<'static>, alpn: &[&str]) -> ClientConfig {
    tls_of(rustls::DEFAULT_VERSIONS, root, alpn)
}

pub(crate) fn tls_1_2(root: &CertificateDer<'static>, alpn: &[&str]) -> ClientConfig {
    tls_of(&[&rustls::version::TLS12], root, alpn)
}

fn tls_of(
    versions: &[&'static rustls::SupportedProtocolVersion],
    root: &CertificateDer<'static>,
    alpn: &[&str],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// A TLS connection over TCP.
pub(crate) async fn connect(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> Result<TlsStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// Where a request goes.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) name: &'static str,
    pub(crate) root: CertificateDer<'static>,
    /// In place of one that knows the root and nothing else.
    pub(crate) config: Option<ClientConfig>,
}

impl Peer {
    fn tls(&self, alpn: &str) -> ClientConfig {
        self.config.clone().unwrap_or_else(|| tls(&self.root, &[alpn]))
    }
}

/// Sends one request on a connection of its own and reads the whole answer.
pub(crate) async fn send(
    protocol: Protocol,
    peer: &Peer,
    request: Request<Bytes>,
) -> Result<Answer, Error> {
    match protocol {
        Protocol::H1 => send_h1(peer, request).await,
        Protocol::H2 => send_h2(peer, request).await,
        #[cfg(feature = "http3")]
        Protocol::H3 => h3::send(peer, request).await,
    }
}

async fn send_h1(peer: &Peer, request: Request<Bytes>) -> Result<Answer, Error> {
    let stream = connect(peer.address, peer.name, peer.tls("http/1.1")).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    let host = parts.uri.host().unwrap().to_owned();
    parts.uri = parts.uri.path_and_query().unwrap().as_str().parse()?;
    let mut request = Request::from_parts(parts, Full::new(body));
    request.headers_mut().insert("host", host.parse()?);
    let answer = collect(sender.send_request(request).await?).await;
    driver.abort();
    answer
}

async fn send_h2(peer: &Peer, request: Request<Bytes>) -> Result<Answer, Error> {
    let stream = connect(peer.address, peer.name, peer.tls("h2")).await?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request.map(Full::new)).await?;
    let answer = collect(answer).await;
    driver.abort();
    answer
}

async fn collect(response: http::Response<hyper::body::Incoming>) -> Result<Answer, Error> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

#[cfg(feature = "http3")]
pub(crate) mod h3 {
    //! The same over QUIC.

    use super::{Answer, Arc, Bytes, Error, Peer, Request};
    use bytes::Buf;
    use quinn::crypto::rustls::QuicClientConfig;

    /// A QUIC connection; the endpoint must outlive it.
    pub(crate) async fn connect(
        peer: &Peer,
    ) -> Result<(quinn::Endpoint, quinn::Connection), Error> {
        let crypto = QuicClientConfig::try_from(peer.tls("h3"))?;
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        let connection = endpoint.connect(peer.address, peer.name)?.await?;
        Ok((endpoint, connection))
    }

    pub(crate) async fn send(peer: &Peer, request: Request<Bytes>) -> Result<Answer, Error> {
        let (_endpoint, quic) = connect(peer).await?;
        let (mut driver, mut sender) =
            ::h3::client::new(h3_quinn::Connection::new(quic.clone())).await?;
        let driver = tokio::spawn(async move {
            std::future::poll_fn(|cx| driver.poll_close(cx)).await;
        });
        let answer = exchange(&mut sender, request).await;
        // In this order: a control stream that ends before the connection is a violation.
        quic.close(0x100_u32.into(), b"");
        driver.abort();
        answer
    }

    /// One request on a connection that is open.
    pub(crate) async fn exchange(
        sender: &mut ::h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
        request: Request<Bytes>,
    ) -> Result<Answer, Error> {
        let (parts, body) = request.into_parts();
        let mut stream = sender.send_request(Request::from_parts(parts, ())).await?;
        // A server that has answered may stop the rest of the request; its answer counts all the same (RFC 9114 4.1).
        if !body.is_empty() {
            stream.send_data(body).await.ok();
        }
        stream.finish().await.ok();
        let (parts, ()) = stream.recv_response().await?.into_parts();
        let mut body = Vec::new();
        while let Some(mut data) = stream.recv_data().await? {
            body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.into() })
    }

    /// A request whose body comes piece by piece; the status and the answer.
    pub(crate) async fn drip<B>(peer: &Peer, request: Request<B>) -> Result<(u16, String), Error>
    where
        B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Unpin,
    {
        let (_endpoint, quic) = connect(peer).await?;
        let (mut driver, mut sender) =
            ::h3::client::new(h3_quinn::Connection::new(quic.clone())).await?;
        let driver = tokio::spawn(async move {
            std::future::poll_fn(|cx| driver.poll_close(cx)).await;
        });
        let (parts, mut body) = request.into_parts();
        let stream = sender.send_request(Request::from_parts(parts, ())).await?;
        let (mut send, mut recv) = stream.split();
        let sent = async {
            while let Some(Ok(frame)) = http_body_util::BodyExt::frame(&mut body).await {
                // The server may have answered already, and stopped us.
                if send.send_data(frame.into_data().unwrap()).await.is_err() {
                    return;
                }
            }
            send.finish().await.ok();
        };
        let heard = async {
            let status = recv.recv_response().await?.status().as_u16();
            let mut body = Vec::new();
            while let Some(mut data) = recv.recv_data().await? {
                body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            }
            Ok::<_, Error>((status, String::from_utf8(body)?))
        };
        let ((), heard) = tokio::join!(sent, heard);
        quic.close(0x100_u32.into(), b"");
        driver.abort();
        heard
    }
}

//! HTTP/3 for the tour: one QUIC connection per request, so that each request stands alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use http::response;
use rustls::ClientConfig;
use thiserror::Error;

/// Why a request over QUIC failed.
#[derive(Debug, Error)]
pub(crate) enum QuicError {
    /// The TLS settings have no suite for the QUIC Initial.
    #[error("set up TLS for QUIC: {0}")]
    Tls(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
    /// No UDP port.
    #[error("bind a UDP port: {0}")]
    Bind(#[from] std::io::Error),
    /// The connection could not be begun.
    #[error("connect: {0}")]
    Connect(#[from] quinn::ConnectError),
    /// The connection was refused or lost.
    #[error("keep the connection: {0}")]
    Lost(#[from] quinn::ConnectionError),
    /// HTTP/3 could not be begun on the connection.
    #[error("begin HTTP/3: {0}")]
    Begin(#[from] h3::error::ConnectionError),
    /// The request stream failed.
    #[error("exchange a request: {0}")]
    Stream(#[from] h3::error::StreamError),
    /// The answer is longer than the limit.
    #[error("read an answer of bounded length")]
    TooLong,
}

/// What is needed to connect.
pub(super) struct Client {
    config: quinn::ClientConfig,
    host: String,
    address: SocketAddr,
}

impl Client {
    /// A client of the server at `address`, known under `host`.
    pub(super) fn new(
        tls: ClientConfig,
        host: &str,
        address: SocketAddr,
    ) -> Result<Self, QuicError> {
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls)?;
        let config = quinn::ClientConfig::new(Arc::new(crypto));
        Ok(Self { config, host: host.to_owned(), address })
    }

    /// Sends one request on a new connection and reads at most `limit` bytes of its answer.
    pub(super) async fn send(
        &self,
        request: http::Request<Bytes>,
        limit: usize,
    ) -> Result<(response::Parts, Vec<u8>), QuicError> {
        let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let connecting = endpoint.connect_with(self.config.clone(), self.address, &self.host)?;
        let connection = h3_quinn::Connection::new(connecting.await?);
        let (mut driver, mut sender) = h3::client::new(connection).await?;
        let exchange = async {
            let (head, body) = request.into_parts();
            let mut stream = sender.send_request(http::Request::from_parts(head, ())).await?;
            if !body.is_empty() {
                stream.send_data(body).await?;
            }
            stream.finish().await?;
            let (head, ()) = stream.recv_response().await?.into_parts();
            let mut whole = Vec::new();
            while let Some(mut piece) = stream.recv_data().await? {
                if whole.len() + piece.remaining() > limit {
                    return Err(QuicError::TooLong);
                }
                whole.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
            }
            Ok((head, whole))
        };
        // The driver runs beside the exchange: it ends only when the connection does.
        let outcome = tokio::select! {
            outcome = exchange => outcome,
            fault = std::future::poll_fn(|context| driver.poll_close(context)) => Err(fault.into()),
        };
        endpoint.close(quinn::VarInt::from_u32(0x100), b"");
        outcome
    }
}

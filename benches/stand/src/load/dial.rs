//! TLS connections to the peer.

use std::sync::Arc;

use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Protocol, Spec};
use crate::Failed;

/// Opens connections of one kind.
#[derive(Clone)]
pub(super) struct Dialer {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    target: std::net::SocketAddr,
}

impl Dialer {
    pub(super) fn new(spec: &Spec) -> Result<Self, Failed> {
        let alpn = match spec.protocol {
            Protocol::H1 => "http/1.1",
            Protocol::H2 => "h2",
            Protocol::H3 => "h3",
        };
        let name = ServerName::try_from(spec.tls.name.clone())?;
        Ok(Self { config: spec.tls.config(alpn)?, name, target: spec.target })
    }

    /// The configuration, for QUIC.
    pub(super) fn config(&self) -> ClientConfig {
        self.config.as_ref().clone()
    }

    /// A connection, and whether its session was resumed.
    pub(super) async fn open(&self) -> Result<(TlsStream<TcpStream>, bool), Failed> {
        let tcp = TcpStream::connect(self.target).await?;
        tcp.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), tcp).await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok((stream, resumed))
    }
}

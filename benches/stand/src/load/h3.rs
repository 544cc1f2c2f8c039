//! HTTP/3: a few QUIC connections from one socket, several streams on each.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use h3_quinn::OpenStreams;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, IdleTimeout, TransportConfig};
use tokio::task;

use super::dial::Dialer;
use super::plan::Request;
use super::{Shared, Worker};
use crate::Failed;

/// Longer than any window.
const IDLE: Duration = Duration::from_secs(60);

type Sender = ::h3::client::SendRequest<OpenStreams, Bytes>;

pub(super) async fn start(shared: &Rc<Shared>) -> Result<Vec<Worker>, Failed> {
    let spec = &shared.spec;
    let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let tls = QuicClientConfig::try_from(Dialer::new(spec)?.config())?;
    let mut config = ClientConfig::new(Arc::new(tls));
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(IdleTimeout::try_from(IDLE)?));
    config.transport_config(Arc::new(transport));
    endpoint.set_default_client_config(config);
    let mut workers = Vec::new();
    for _ in 0..spec.connections {
        let quic = endpoint.connect(spec.target, &spec.tls.name)?.await?;
        let (mut driver, sender) = ::h3::client::new(h3_quinn::Connection::new(quic)).await?;
        task::spawn_local(async move { driver.wait_idle().await });
        for _ in 0..spec.streams {
            let (shared, sender) = (Rc::clone(shared), sender.clone());
            workers.push(task::spawn_local(async move { work(&shared, sender).await }));
        }
    }
    Ok(workers)
}

async fn work(shared: &Shared, mut sender: Sender) -> Result<(), Failed> {
    while let Some((request, began)) = shared.next().await {
        match exchange(&mut sender, &request).await {
            Ok((status, bytes)) => shared.answered(status, bytes, began),
            // A broken connection fails at once and for ever: it must not spin.
            Err(error) => {
                shared.failed(&error);
                return Err(error);
            }
        }
    }
    Ok(())
}

async fn exchange(sender: &mut Sender, request: &Request<'_>) -> Result<(u16, usize), Failed> {
    let mut stream = sender.send_request(request.head()).await?;
    let body = request.body();
    if !body.is_empty() {
        // Stopped early, the answer counts all the same (RFC 9114 4.1).
        stream.send_data(body).await.ok();
    }
    stream.finish().await.ok();
    let status = stream.recv_response().await?.status().as_u16();
    let mut bytes = 0_usize;
    while let Some(piece) = stream.recv_data().await? {
        bytes = bytes.saturating_add(piece.remaining());
    }
    Ok((status, bytes))
}

//! The lower floor: TLS taken off, bytes relayed, no HTTP at all. What is cheaper than this is measured wrongly.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::tls::{self, Credential};
use crate::{Failed, local};

#[derive(Debug, Deserialize)]
struct Spec {
    credential: Credential,
    upstream: SocketAddr,
}

/// Relays until it is killed; prints its port.
pub(crate) fn run(spec: &str) -> Result<(), Failed> {
    let spec: Spec = serde_json::from_str(spec)?;
    local::block_on(async move {
        let acceptor =
            TlsAcceptor::from(Arc::new(tls::server(&spec.credential, None, &["http/1.1"])?));
        let (listener, address) = local::listen()?;
        println!("{}", json!({ "port": address.port() }));
        loop {
            let (stream, _) = listener.accept().await?;
            // One that is gone already ends by itself.
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move { relay(&acceptor, stream, spec.upstream).await });
        }
    })
}

async fn relay(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    upstream: SocketAddr,
) -> Result<(), Failed> {
    let mut outside = acceptor.accept(stream).await?;
    let mut inside = TcpStream::connect(upstream).await?;
    inside.set_nodelay(true)?;
    copy_bidirectional(&mut outside, &mut inside).await?;
    Ok(())
}

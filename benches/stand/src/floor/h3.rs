//! HTTP/3 of the floor.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use h3_quinn::Connection as Quic;
use http_body_util::{BodyExt as _, Either, Full};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, Incoming, ServerConfig};

use super::Floor;
use crate::Failed;

type Resolver = ::h3::server::RequestResolver<Quic, Bytes>;

/// A QUIC endpoint on the UDP port of the same number.
pub(super) fn bind(address: SocketAddr, tls: rustls::ServerConfig) -> Result<Endpoint, Failed> {
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    Ok(Endpoint::server(config, address)?)
}

pub(super) async fn accept(endpoint: Endpoint, floor: Rc<Floor>) {
    while let Some(incoming) = endpoint.accept().await {
        let floor = Rc::clone(&floor);
        tokio::task::spawn_local(async move { serve(incoming, floor).await });
    }
}

async fn serve(incoming: Incoming, floor: Rc<Floor>) -> Result<(), Failed> {
    let quic = Quic::new(incoming.await?);
    let mut connection = ::h3::server::builder().build::<_, Bytes>(quic).await?;
    while let Some(resolver) = connection.accept().await? {
        let floor = Rc::clone(&floor);
        tokio::task::spawn_local(async move { answer(resolver, &floor).await });
    }
    Ok(())
}

async fn answer(resolver: Resolver, floor: &Floor) -> Result<(), Failed> {
    let (head, mut stream) = resolver.resolve_request().await?;
    let mut body = BytesMut::new();
    while let Some(mut piece) = stream.recv_data().await? {
        body.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
    }
    let request = head.map(|()| Either::Right(Full::new(body.freeze())));
    let (head, mut body) = floor.answer(request).await?.into_parts();
    stream.send_response(http::Response::from_parts(head, ())).await?;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            stream.send_data(data).await?;
        }
    }
    Ok(stream.finish().await?)
}

//! From when on HTTP/3 is accepted: at once, or when the process before has left the UDP port.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{Endpoint, EndpointConfig};
use tokio::time::sleep;

use crate::engine::{Engine, Presence, Stage};
use crate::service::Service;
use crate::settings::ClientAddress;
use crate::sockets::{Udp, udp};
use crate::warrant::Offers;

/// The pause between two attempts to get a port that the process before still has.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the server drains, as soon as the socket is there.
pub(crate) fn listen<S: Service>(
    engine: Arc<Engine<S>>,
    socket: Udp,
    terms: (Offers, Arc<ClientAddress>),
    presence: Presence,
) -> io::Result<impl Future<Output = ()> + Send + use<S>> {
    let endpoint = match socket {
        Udp::Bound(socket) => Ok(endpoint(socket, &terms.0)?),
        Udp::Taken(address) => Err(address),
    };
    Ok(async move {
        let endpoint = match endpoint {
            Ok(endpoint) => Some(endpoint),
            Err(address) => when_free(address, &terms.0, presence.clone()).await,
        };
        if let Some(endpoint) = endpoint {
            super::accept(engine, endpoint, terms, presence).await;
        }
    })
}

/// The port of the process before, once that has left it; `None` where the server drains before.
async fn when_free(
    address: SocketAddr,
    offers: &Offers,
    mut presence: Presence,
) -> Option<Endpoint> {
    tracing::warn!(%address, "HTTP/3 waits for another process to leave its port");
    loop {
        if let Ok(endpoint) = udp(address).and_then(|socket| endpoint(socket, offers)) {
            tracing::info!(%address, "HTTP/3 is served");
            return Some(endpoint);
        }
        tokio::select! {
            biased;
            () = presence.reached(Stage::Draining) => return None,
            () = sleep(ATTEMPT_PAUSE) => {}
        }
    }
}

fn endpoint(socket: UdpSocket, offers: &Offers) -> io::Result<Endpoint> {
    let server = offers.borrow().quic.as_deref().cloned();
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(EndpointConfig::default(), server, socket, runtime)
}

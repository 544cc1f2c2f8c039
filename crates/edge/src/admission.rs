//! Who may connect, decided before any work on TLS: trusted proxies where there are any, and clients within the limits of
//! their address. Trusted proxies are not counted; whom they announce is.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use crate::connection::{Origin, canonical_ip};
use crate::door::Ticket;
use crate::engine::Engine;
use crate::proxy::{self, Announced, Progress};
use crate::service::{FailureKind, Service};
use crate::settings::{AddressSource, ClientAddress};

/// The first allocation for a PROXY header in bytes: most are shorter.
const HEADER_BYTES: usize = 128;

/// Who a peer is.
#[derive(Debug)]
pub(crate) enum Standing {
    /// A client, counted while this lives.
    Client { _ticket: Ticket },
    /// A trusted proxy.
    Proxy,
}

impl<S: Service> Engine<S> {
    /// Whether a peer may connect, with one more connection counted where it may.
    pub(crate) fn receive(
        &self,
        rules: &ClientAddress,
        peer: IpAddr,
    ) -> Result<Standing, FailureKind> {
        let is_proxy = recognise(rules, peer)?;
        if self.workers.shed_connection() {
            return Err(FailureKind::Overload);
        }
        if is_proxy { Ok(Standing::Proxy) } else { self.count(peer) }
    }

    /// One more connection of a client.
    pub(crate) fn count(&self, client: IpAddr) -> Result<Standing, FailureKind> {
        let ticket = self.door.enter(client, Instant::now())?;
        Ok(Standing::Client { _ticket: ticket })
    }

    /// As [`Engine::receive`], without counting: whether to ask an address that nobody has proved for a proof.
    #[cfg(feature = "http3")]
    pub(crate) fn would_receive(&self, rules: &ClientAddress, peer: IpAddr) -> bool {
        match recognise(rules, peer) {
            Ok(true) => true,
            Ok(false) => self.door.would_admit(peer, Instant::now()).is_ok(),
            Err(_) => false,
        }
    }
}

impl Standing {
    /// Where the address of the client comes from, as far as the peer tells.
    pub(crate) fn origin(&self, rules: &Arc<ClientAddress>) -> Origin {
        match self {
            // A proxy that speaks for itself is a client by its socket.
            Self::Proxy if rules.from != AddressSource::ProxyProtocol => {
                Origin::Requests(Arc::clone(rules))
            }
            Self::Proxy | Self::Client { .. } => Origin::Socket,
        }
    }
}

/// Whether a peer is a trusted proxy; an error where only those may come and it is none.
fn recognise(rules: &ClientAddress, peer: IpAddr) -> Result<bool, FailureKind> {
    if rules.trusts(canonical_ip(peer)) {
        return Ok(true);
    }
    let is_welcome = rules.trusted_proxies.is_empty() || rules.insecure_direct;
    if is_welcome { Ok(false) } else { Err(FailureKind::UntrustedPeer) }
}

/// Reads the PROXY header of a connection and not one byte more. `None` for a proxy that leaves without a byte, as its
/// probes do.
pub(crate) async fn announced<T: AsyncRead + Unpin>(
    stream: &mut T,
) -> Result<Option<Announced>, FailureKind> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    loop {
        let missing = match proxy::read(&header).map_err(|_| FailureKind::ProxyHeader)? {
            Progress::Whole(announced) => return Ok(Some(announced)),
            Progress::Needs(missing) => u64::try_from(missing).unwrap_or(u64::MAX),
        };
        match stream.take(missing).read_buf(&mut header).await {
            Ok(0) | Err(_) if header.is_empty() => return Ok(None),
            Ok(0) | Err(_) => return Err(FailureKind::HandshakeAborted),
            Ok(_) => {}
        }
    }
}

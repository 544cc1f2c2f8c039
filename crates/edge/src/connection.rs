//! The facts of one client connection, fixed before its first request. It knows no request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::presented::ClientCertificate;
use crate::settings::{ClientAddress, TlsVersion};
use crate::vouched::Vouching;

/// One client connection.
#[derive(Clone, Debug)]
pub struct Connection {
    id: u64,
    peer: SocketAddr,
    local: SocketAddr,
    tls: Option<TlsFacts>,
    origin: Origin,
    redirects_to: Option<u16>,
    vouching: Option<Arc<Vouching>>,
}

/// Where the word of the client's address comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The socket: the peer is the client.
    Socket,
    /// The PROXY protocol: the client of all requests of this connection.
    Announced(SocketAddr),
    /// Each request: the peer is a trusted proxy.
    Requests(Arc<ClientAddress>),
}

impl Connection {
    /// A connection as the listener saw it, without TLS facts where it is plain HTTP; public so that a service can be
    /// tested without sockets. IPv4 addresses written as IPv6 (RFC 4291 2.5.5.2) become IPv4 again.
    pub fn new(
        id: u64,
        peer: SocketAddr,
        local: SocketAddr,
        tls: impl Into<Option<TlsFacts>>,
    ) -> Self {
        let (peer, local) = (canonical(peer), canonical(local));
        let (tls, origin) = (tls.into(), Origin::Socket);
        Self { id, peer, local, tls, origin, redirects_to: None, vouching: None }
    }

    /// The same connection of a listener that sends its clients to `https` on this port and serves none of them.
    #[must_use]
    pub fn redirecting_to(self, port: u16) -> Self {
        Self { redirects_to: Some(port), ..self }
    }

    /// The same connection of another client than its peer.
    pub(crate) fn of(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The same connection of a listener with these rules about certificates that proxies pass on. They are about proxies
    /// that speak for a client in each request, and about nobody else.
    pub(crate) fn vouched_by(self, vouching: Option<&Arc<Vouching>>) -> Self {
        let is_proxy = matches!(self.origin, Origin::Requests(_));
        Self { vouching: vouching.filter(|_| is_proxy).cloned(), ..self }
    }

    /// What is believed of the certificates that the peer passes on.
    pub(crate) fn vouching(&self) -> Option<&Arc<Vouching>> {
        self.vouching.as_ref()
    }

    /// Whether the certificate of the handshake is a proxy's, and the one of a client is passed on by its requests, if
    /// any ([`crate::Exchange::client_certificate`]).
    pub fn passes_on_certificates(&self) -> bool {
        self.vouching.is_some()
    }

    /// Where the word of the client's address comes from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A number no other connection of this server has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The other end of the socket: the client, or a trusted proxy.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our end of the socket.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What the TLS handshake agreed on; `None` on a listener without TLS.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// The port of `https` to which clients are sent; then no request of this connection may be served.
    pub fn redirects_to(&self) -> Option<u16> {
        self.redirects_to
    }
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The TLS version.
    pub version: TlsVersion,
    /// The cipher suite's name; `None` over QUIC, whose library does not tell.
    pub cipher_suite: Option<&'static str>,
    /// The server name the client asked for, in lower case (RFC 6066 3).
    pub sni: Option<Arc<str>>,
    /// The protocol agreed on (RFC 7301), when the client offered any.
    pub alpn: Option<&'static str>,
    /// The certificate of the peer, verified, where the listener asks for one and the peer has one.
    pub client_certificate: Option<Arc<ClientCertificate>>,
}

/// An address without the IPv6 spelling of IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(canonical_ip(address.ip()), address.port())
}

/// An IP address without the IPv6 spelling of IPv4.
pub(crate) fn canonical_ip(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_becomes_ipv4() {
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:443".parse().unwrap();
        let plain: SocketAddr = "[2001:db8::7]:443".parse().unwrap();
        let tls = TlsFacts {
            version: TlsVersion::V1_3,
            cipher_suite: None,
            sni: None,
            alpn: None,
            client_certificate: None,
        };
        let connection = Connection::new(1, mapped, plain, tls);
        assert_eq!(connection.peer(), "192.0.2.7:443".parse().unwrap());
        assert_eq!(connection.local(), plain);
    }
}

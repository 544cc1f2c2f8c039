//! The facts of one client connection, fixed once its handshake is over. It knows no request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::presented::ClientCertificate;
use crate::settings::{ClientAddress, TlsVersion};

/// One client connection.
#[derive(Clone, Debug)]
pub struct Connection {
    id: u64,
    peer: SocketAddr,
    local: SocketAddr,
    tls: TlsFacts,
    origin: Origin,
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
    /// A connection as the listener saw it; public so that a service can be tested without sockets.
    /// IPv4 addresses written as IPv6 (RFC 4291 2.5.5.2) become IPv4 again.
    pub fn new(id: u64, peer: SocketAddr, local: SocketAddr, tls: TlsFacts) -> Self {
        Self { id, peer: canonical(peer), local: canonical(local), tls, origin: Origin::Socket }
    }

    /// The same connection of another client than its peer.
    pub(crate) fn of(self, origin: Origin) -> Self {
        Self { origin, ..self }
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

    /// What the TLS handshake agreed on.
    pub fn tls(&self) -> &TlsFacts {
        &self.tls
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
    /// The certificate of the client, verified, where the listener asks for one and the client has one.
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

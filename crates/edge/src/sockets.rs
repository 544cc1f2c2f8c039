//! The sockets of a listener: bound here, or passed by the process before. It knows no protocol.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the system keeps for us until we accept them.
const BACKLOG: i32 = 1024;
/// Bytes of datagrams that the system may keep for us, as far as it lets us: who knocks meanwhile is not to lose its first
/// datagram, and a second with it, because of somebody's flood.
const DATAGRAM_BYTES: usize = 2 * 1024 * 1024;
/// How often a free TCP port is tried whose UDP port is taken.
const PORT_ATTEMPTS: usize = 16;

/// TCP sockets that listen already, from whoever started this process. A connection that waits in one is served by whichever
/// process accepts from it: none is lost when one process follows another.
#[derive(Debug, Default)]
pub struct Passed(Vec<TcpListener>);

impl Passed {
    /// These sockets.
    #[must_use]
    pub const fn new(sockets: Vec<TcpListener>) -> Self {
        Self(sockets)
    }

    /// The socket that listens on exactly this address.
    pub fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let has = |socket: &TcpListener| socket.local_addr().is_ok_and(|local| local == address);
        let found = self.0.iter().position(has)?;
        Some(self.0.swap_remove(found))
    }

    /// Whether there are any.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The addresses of those that nobody took.
    #[must_use]
    pub fn left(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

/// A UDP socket for HTTP/3.
#[cfg(feature = "http3")]
pub(crate) enum Udp {
    /// Ours.
    Bound(std::net::UdpSocket),
    /// Still the former process's, which passed us its TCP twin.
    Taken(SocketAddr),
}

/// A UDP socket on this address, unless another process still has it.
#[cfg(feature = "http3")]
pub(crate) fn udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    Ok(bound(address, Type::DGRAM, Protocol::UDP)?.into())
}

/// A TCP socket, and a UDP socket on the same port where HTTP/3 wants one.
pub(crate) struct Sockets {
    pub(crate) tcp: TcpListener,
    #[cfg(feature = "http3")]
    pub(crate) udp: Option<Udp>,
}

/// The sockets of one address. With port 0 the system chooses a TCP port, whose UDP twin may be taken: then another one is
/// tried.
pub(crate) fn sockets(
    address: SocketAddr,
    with_udp: bool,
    passed: Option<TcpListener>,
) -> io::Result<Sockets> {
    if let Some(tcp) = passed {
        tcp.set_nonblocking(true)?;
        return Ok(Sockets {
            tcp,
            #[cfg(feature = "http3")]
            udp: if with_udp { Some(udp_beside_passed(address)?) } else { None },
        });
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        let tcp: TcpListener = bound(address, Type::STREAM, Protocol::TCP)?.into();
        if !with_udp {
            return Ok(Sockets {
                tcp,
                #[cfg(feature = "http3")]
                udp: None,
            });
        }
        match bound(tcp.local_addr()?, Type::DGRAM, Protocol::UDP) {
            #[cfg(feature = "http3")]
            Ok(udp) => return Ok(Sockets { tcp, udp: Some(Udp::Bound(udp.into())) }),
            #[cfg(not(feature = "http3"))]
            Ok(_) => return Ok(Sockets { tcp }),
            Err(error) if address.port() != 0 || attempt >= PORT_ATTEMPTS => return Err(error),
            Err(_) => {}
        }
    }
}

#[cfg(feature = "http3")]
fn udp_beside_passed(address: SocketAddr) -> io::Result<Udp> {
    match bound(address, Type::DGRAM, Protocol::UDP) {
        Ok(socket) => Ok(Udp::Bound(socket.into())),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(Udp::Taken(address)),
        Err(error) => Err(error),
    }
}

fn bound(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // `[::]` serves IPv4 too, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        // Lets a new process bind while old connections linger. Not for UDP, where it would share the port.
        socket.set_reuse_address(true)?;
    } else {
        socket.set_recv_buffer_size(DATAGRAM_BYTES).ok();
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

//! What a server is told before it starts: listeners, versions, limits. Plain values, checked when the server binds;
//! this module knows no file format and no policy.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use ipnet::IpNet;

use crate::certificate::Certificate;
use crate::trust::ClientCertificates;
use crate::vouched::ForwardedCertificates;

/// Everything a [`crate::Server`] needs.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The addresses to listen on.
    pub listeners: Vec<ListenerSettings>,
    /// The limits, the same on every listener.
    pub limits: Limits,
    /// Threads that serve; none said: one for each core that this process may use.
    pub workers: Option<NonZeroUsize>,
}

/// One address and what is spoken there.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// TCP address, and UDP address for HTTP/3. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The HTTP versions offered.
    pub http: Versions,
    /// Without TLS, and then what is done there: HTTP/1 only, without certificates of either side.
    pub plaintext: Option<Plaintext>,
    /// Certificates, chosen by server name; the first one serves clients that send none.
    pub certificates: Vec<Certificate>,
    /// The oldest TLS version accepted. HTTP/3 is always TLS 1.3 (RFC 9001 4.2).
    pub min_version: TlsVersion,
    /// Whose client certificates are taken; none said: nobody is asked for one.
    pub client_certificates: Option<ClientCertificates>,
    /// Whom to believe about the addresses of clients.
    pub client_address: ClientAddress,
    /// Whom to believe about the certificates of clients, among the trusted proxies; none said: nobody.
    pub forwarded_certificates: Option<ForwardedCertificates>,
}

/// What is done on a listener without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// Requests are served, and whoever is on the way may read and change them.
    Serve,
    /// No request is served: clients are sent to `https` on this port, and each connection ends with its first answer.
    Redirect(u16),
}

/// Whom a listener believes about the address of a client. The default believes nobody: clients come directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAddress {
    /// The networks of trusted proxies. Where there are any, every other peer is hung up on.
    pub trusted_proxies: Vec<IpNet>,
    /// How a trusted proxy says who the client is; a request without that is refused.
    pub from: AddressSource,
    /// Serves peers that are no trusted proxies, too: each is a client by the address of its socket, and what it says
    /// about addresses counts for nothing.
    pub insecure_direct: bool,
}

/// How a trusted proxy says who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressSource {
    /// The field `X-Forwarded-For` of each request.
    #[default]
    XForwardedFor,
    /// The field `Forwarded` of each request (RFC 7239).
    Forwarded,
    /// A header of the PROXY protocol, version 1 or 2, before TLS. Not over QUIC.
    ProxyProtocol,
}

impl ClientAddress {
    /// Whether an address is a trusted proxy's.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// The HTTP versions a listener offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// HTTP/1.1 (and 1.0), over TLS but for [`Plaintext`].
    pub h1: bool,
    /// HTTP/2 over TLS.
    pub h2: bool,
    /// HTTP/3 over QUIC; needs the feature `http3`.
    pub h3: bool,
}

impl Default for Versions {
    fn default() -> Self {
        Self { h1: true, h2: true, h3: false }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), only for clients that know nothing newer.
    V1_2,
    /// TLS 1.3 (RFC 8446).
    #[default]
    V1_3,
}

/// Bounds on what one server spends on clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the accepted connection to the end of the TLS or QUIC handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a request head to its last.
    pub header_timeout: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// How long an HTTP/1 connection on which nothing is under way may still bring a request when the server drains; its
    /// answer says `Connection: close`. A client that sends just then would see its connection broken otherwise.
    pub linger: Duration,
    /// The longest gap between two pieces of a request body.
    pub body_timeout: Duration,
    /// How long a client may take to accept the next piece of an answer.
    pub write_timeout: Duration,
    /// How long a request may wait for its worker. Where all would wait longer, a share of them is marked to be turned
    /// away ([`crate::Exchange::is_surplus`]), and of connections, too, where that share is large. From 10 ms on.
    pub queue_max: Duration,
    /// Bytes of a field section: names, values and 32 per field (RFC 9113 6.5.2).
    pub header_bytes_max: usize,
    /// Fields in a field section.
    pub header_count_max: usize,
    /// Bytes of the name and the value of one field.
    pub field_bytes_max: usize,
    /// Bytes of path and query together.
    pub target_bytes_max: usize,
    /// Open connections, TCP and QUIC together.
    pub connections_max: usize,
    /// Open connections of one address (IPv4 address, IPv6 /64). Trusted proxies are exempt; clients behind them count
    /// where the PROXY protocol names them.
    pub address_connections_max: u32,
    /// How fast one such address may open connections, with the same exemption.
    pub address_connections_rate: ConnectionRate,
    /// Requests at the same time on one HTTP/2 or HTTP/3 connection.
    pub streams_max: u32,
    /// Requests on one connection; the client is told to open another one.
    pub connection_requests_max: NonZeroU64,
    /// How long a connection serves new requests; the client is told to open another one, and what is under way is
    /// finished.
    pub connection_age_max: Duration,
    /// The least pace of a request body, counted over the time in which the service waits for it.
    pub body_pace_min: BodyPace,
    /// What brings no work on one HTTP/2 or HTTP/3 connection, until that ends.
    pub floods: Floods,
}

/// How much that brings no work one HTTP/2 or HTTP/3 connection bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floods {
    /// Requests that the client takes back (CVE-2023-44487).
    pub resets: Allowance,
    /// Frames and streams that bring no work. On HTTP/2: PING, SETTINGS, PRIORITY, unknown frames, empty DATA and
    /// CONTINUATION; on HTTP/3: frames of the control stream, streams that are no requests.
    pub control: Allowance,
    /// WINDOW_UPDATE frames of HTTP/2, beside those that answers earn.
    pub window_updates: Allowance,
    /// CONTINUATION frames of one header block of HTTP/2 (CVE-2024-27316).
    pub continuations_max: u32,
}

/// So many at once, and so many more in each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// At once.
    pub burst: u32,
    /// In a second.
    pub per_second: u32,
}

impl Allowance {
    /// What comes within one second at the most. The engine's own bound is no narrower, so that the rule decides that
    /// has a name, an event and a setting.
    pub(crate) fn most(self) -> usize {
        usize::try_from(self.burst.saturating_add(self.per_second)).unwrap_or(usize::MAX)
    }
}

impl Default for Floods {
    fn default() -> Self {
        Self {
            resets: Allowance { burst: 100, per_second: 10 },
            control: Allowance { burst: 256, per_second: 32 },
            window_updates: Allowance { burst: 2048, per_second: 200 },
            continuations_max: 32,
        }
    }
}

/// How fast connections may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionRate {
    /// Connections per period in the long run.
    pub count: NonZeroU32,
    /// The period.
    pub per: Duration,
    /// Connections that may come at once.
    pub burst: NonZeroU32,
}

/// The pace that a request body has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPace {
    /// Bytes per second.
    pub bytes_per_second: NonZeroU32,
    /// How far behind that pace a body may be.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            linger: Duration::from_secs(1),
            body_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            queue_max: Duration::from_millis(250),
            header_bytes_max: 32 * 1024,
            header_count_max: 100,
            field_bytes_max: 16 * 1024,
            target_bytes_max: 8 * 1024,
            connections_max: 10_000,
            address_connections_max: 500,
            address_connections_rate: ConnectionRate {
                count: at_least_one(100),
                per: Duration::from_secs(1),
                burst: at_least_one(500),
            },
            streams_max: 100,
            connection_requests_max: NonZeroU64::from(at_least_one(100_000)),
            connection_age_max: Duration::from_secs(3600),
            body_pace_min: BodyPace {
                bytes_per_second: at_least_one(240),
                grace: Duration::from_secs(5),
            },
            floods: Floods::default(),
        }
    }
}

/// A default that is a count.
const fn at_least_one(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

impl Limits {
    /// Bytes of a head that the protocol engines let through. It lies above what [`crate::Target::parse`]
    /// allows, so that a request a little too large is refused by us, with a record, and not by the engine.
    pub(crate) fn engine_head_bytes(&self) -> usize {
        const SLACK_BYTES: usize = 8 * 1024;
        self.header_bytes_max.saturating_add(self.target_bytes_max).saturating_add(SLACK_BYTES)
    }

    /// [`Limits::engine_head_bytes`] where an engine wants 32 bits.
    pub(crate) fn engine_head_bytes_u32(&self) -> u32 {
        u32::try_from(self.engine_head_bytes()).unwrap_or(u32::MAX)
    }

    /// [`Limits::streams_max`] as a number of tasks.
    #[cfg(feature = "http3")]
    pub(crate) fn streams(&self) -> usize {
        usize::try_from(self.streams_max).unwrap_or(usize::MAX)
    }
}

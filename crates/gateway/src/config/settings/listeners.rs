//! The public listeners: addresses, versions, certificates of the gateway and of clients, and whom to believe about
//! addresses. It does not know YAML, and it opens no file.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::mistake::Place;

/// One public listener.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where it is written.
    pub place: Place,
    /// TCP address, and UDP address of HTTP/3. Port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// The HTTP versions it speaks.
    pub http: HttpVersions,
    /// Without TLS, and then what it does.
    pub plaintext: Option<Plaintext>,
    /// Certificates, chosen by SNI; at least one, but for a listener without TLS, which has none.
    pub certificates: Vec<Certificate>,
    /// The oldest TLS version it accepts.
    pub min_version: TlsVersion,
    /// Whose client certificates it takes; `None`: it asks for none.
    pub client_certificates: Option<ClientCertificates>,
    /// Whom it believes about the addresses of clients.
    pub client_address: ClientAddress,
    /// Whom it believes about the certificates of clients; `None`: nobody but clients themselves.
    pub forwarded_certificates: Option<ForwardedCertificates>,
}

/// Certificates of clients that proxies pass on.
#[derive(Debug, Clone)]
pub struct ForwardedCertificates {
    /// Where it is written.
    pub place: Place,
    /// Names in the certificates of those proxies, each with its kind in front; at least one.
    pub proxies: Vec<String>,
    /// CA certificates of clients in PEM; absolute path.
    pub ca: PathBuf,
    /// Revocation lists; absolute path.
    pub crl: Option<PathBuf>,
}

/// What a listener without TLS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// It serves.
    Serve,
    /// It sends clients to https on this port.
    Redirect(u16),
}

/// Where a redirect leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectTarget {
    /// To the same host and path, by https.
    Https,
}

/// Whom a listener believes about the address of a client; by default nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientAddress {
    /// The networks of trusted proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// How they tell the address.
    pub from: AddressSource,
    /// Whether other peers are served, too.
    pub insecure_direct: bool,
}

/// How a trusted proxy tells the address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressSource {
    /// In `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// In `Forwarded` (RFC 7239).
    Forwarded,
    /// By the PROXY protocol; never beside HTTP/3.
    ProxyProtocol,
}

/// Certificates of clients.
#[derive(Debug, Clone)]
pub struct ClientCertificates {
    /// Where it is written.
    pub place: Place,
    /// Whether a client must show one; never [`ClientCertificateMode::Off`].
    pub mode: ClientCertificateMode,
    /// CA certificates in PEM; absolute path.
    pub ca: PathBuf,
    /// Revocation lists; absolute path.
    pub crl: Option<PathBuf>,
    /// Whether sessions may be resumed.
    pub resumption: bool,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificateMode {
    /// Nobody is asked.
    #[default]
    Off,
    /// Who shows none gets in.
    Optional,
    /// Nobody gets in without.
    Required,
}

/// The HTTP versions of a listener; at least one is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpVersions {
    /// HTTP/1.1.
    pub h1: bool,
    /// HTTP/2.
    pub h2: bool,
    /// HTTP/3; only ever on in a build with the feature `http3`.
    pub h3: bool,
}

/// The oldest TLS version that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.3 only.
    #[default]
    V1_3,
    /// TLS 1.2 and 1.3.
    V1_2,
}

/// A certificate chain and its private key, both PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Where it is written.
    pub place: Place,
    /// The chain, leaf first; absolute path.
    pub chain: PathBuf,
    /// The private key; absolute path.
    pub key: PathBuf,
    /// An OCSP response to staple; absolute path. Only of a listener.
    pub ocsp: Option<PathBuf>,
    /// Whether every user of the machine may read the key file.
    pub key_readable_by_all: bool,
}

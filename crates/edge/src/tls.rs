//! TLS configuration: versions, protocols, the certificate for a server name, and what a broken handshake means.
//! It knows no HTTP beyond the protocol names.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};

use crate::certificate::Certificate;
use crate::connection::TlsFacts;
use crate::presented::ClientCertificate;
use crate::service::FailureKind;
use crate::settings::{TlsVersion, Versions};
use crate::trust::{self, ClientCertificates};

/// ALPN name of HTTP/1.1 (RFC 7301 6).
pub(crate) const HTTP_1: &str = "http/1.1";
/// ALPN name of HTTP/2 (RFC 9113 3.1).
pub(crate) const HTTP_2: &str = "h2";
/// ALPN name of HTTP/3 (RFC 9114 3.1).
pub(crate) const HTTP_3: &str = "h3";

/// The certificates of one listener, swapped as a whole.
#[derive(Debug)]
pub(crate) struct Certificates(ArcSwap<Vec<Certificate>>);

impl Certificates {
    pub(crate) fn new(certificates: Vec<Certificate>) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(certificates)))
    }

    /// Used from the next handshake on.
    pub(crate) fn replace(&self, certificates: Vec<Certificate>) {
        self.0.store(Arc::new(certificates));
    }

    /// Exact names win over wildcards; no name takes the first certificate, an unknown name none.
    fn find(
        &self,
        name: Option<&str>,
        usable: impl Fn(&Certificate) -> bool,
    ) -> Option<Certificate> {
        let all = self.0.load_full();
        let Some(name) = name else {
            return all.iter().find(|c| usable(c)).or(all.first()).cloned();
        };
        let name = name.to_ascii_lowercase();
        let exact: Vec<&Certificate> = all.iter().filter(|c| c.names_exactly(&name)).collect();
        let named = if exact.is_empty() {
            all.iter().filter(|c| c.names_by_wildcard(&name)).collect()
        } else {
            exact
        };
        named.iter().find(|c| usable(c)).or(named.first()).map(|c| (*c).clone())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |c: &Certificate| c.key().key.choose_scheme(schemes).is_some();
        self.find(hello.server_name(), usable).map(|c| Arc::clone(c.key()))
    }
}

/// The configuration of the TCP side of a listener.
pub(crate) fn over_tcp(
    http: Versions,
    oldest: TlsVersion,
    certificates: Arc<Certificates>,
    clients: Option<&ClientCertificates>,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[_] = match oldest {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let mut config = base(versions, certificates, clients)?;
    if http.h2 {
        config.alpn_protocols.push(HTTP_2.into());
    }
    if http.h1 {
        config.alpn_protocols.push(HTTP_1.into());
    }
    Ok(config)
}

/// The configuration of the QUIC side of a listener.
#[cfg(feature = "http3")]
pub(crate) fn over_quic(
    certificates: Arc<Certificates>,
    clients: Option<&ClientCertificates>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = base(&[&rustls::version::TLS13], certificates, clients)?;
    config.alpn_protocols.push(HTTP_3.into());
    Ok(config)
}

/// No early data (RFC 8446 8: it can be replayed), tickets that rotate. The library resumes a session without another
/// look at the client's certificate: with client certificates there is no resumption unless asked for, and each change
/// makes a configuration with keys of its own, to which no older ticket fits.
fn base(
    versions: &[&'static rustls::SupportedProtocolVersion],
    certificates: Arc<Certificates>,
    clients: Option<&ClientCertificates>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients.verifier()),
    };
    let mut config = builder.with_cert_resolver(certificates);
    config.max_early_data_size = 0;
    if clients.is_none_or(ClientCertificates::resumes) {
        config.ticketer = aws_lc_rs::Ticketer::new()?;
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// What a finished handshake agreed on.
pub(crate) fn facts(
    session: &ServerConnection,
    client_certificate: Option<Arc<ClientCertificate>>,
) -> TlsFacts {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::V1_2,
        // A session over TCP speaks one of the two; `None` does not occur once the handshake is over.
        Some(_) | None => TlsVersion::V1_3,
    };
    TlsFacts {
        version,
        cipher_suite: session.negotiated_cipher_suite().and_then(|s| s.suite().as_str()),
        sni: session.server_name().map(|name| name.to_ascii_lowercase().into()),
        alpn: session.alpn_protocol().and_then(protocol),
        client_certificate,
    }
}

/// The name of a protocol we offer.
pub(crate) fn protocol(name: &[u8]) -> Option<&'static str> {
    [HTTP_1, HTTP_2, HTTP_3].into_iter().find(|known| known.as_bytes() == name)
}

/// Why a handshake over TCP broke.
pub(crate) fn broken(error: &io::Error) -> FailureKind {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        return FailureKind::HandshakeAborted;
    };
    if let Some(kind) = trust::refusal(error) {
        kind
    } else if matches!(error, rustls::Error::InvalidMessage(_)) {
        FailureKind::NotTls
    } else if matches!(error, rustls::Error::PeerIncompatible(_)) {
        FailureKind::TlsIncompatible
    } else if matches!(error, rustls::Error::NoApplicationProtocol) {
        FailureKind::TlsProtocol
    } else if matches!(error, rustls::Error::AlertReceived(_)) {
        FailureKind::TlsAlert
    } else if matches!(error, rustls::Error::General(_)) {
        // The only general error of a server: the resolver found nothing.
        FailureKind::TlsServerName
    } else {
        FailureKind::TlsHandshake
    }
}

#[cfg(test)]
mod tests;

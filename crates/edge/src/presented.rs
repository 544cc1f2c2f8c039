//! The certificate that a client has shown and proved to hold, in what others may want to know of it. It decides nothing.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Alternative names kept of one certificate.
const NAMES_MAX: usize = 16;
/// Bytes kept of a subject or a name.
const TEXT_BYTES_MAX: usize = 256;

/// A client certificate that was verified: its chain ends at an authority of the listener, it was not revoked, and the
/// client has its key.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    thumbprint: Arc<str>,
    subject: Box<str>,
    names: Vec<Box<str>>,
    serial: Box<str>,
    not_after: SystemTime,
}

impl ClientCertificate {
    /// Reads a verified chain, leaf first; `None` where the leaf cannot be read. Public so that a service can be tested
    /// without sockets: it verifies nothing.
    pub fn read(chain: Vec<CertificateDer<'static>>) -> Option<Self> {
        let leaf = chain.first()?;
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        let mut names = Vec::new();
        if let Some(extension) = parsed.subject_alternative_name().ok()? {
            let texts = extension.value.general_names.iter().filter_map(name);
            names.extend(texts.take(NAMES_MAX));
        }
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
        Some(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, leaf)).into(),
            subject: clipped(&parsed.subject().to_string()),
            names,
            serial: clipped(&parsed.raw_serial_as_string()),
            not_after: UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?,
            chain,
        })
    }

    /// SHA-256 of the certificate, in base64url: `x5t#S256` (RFC 8705 3.1).
    pub fn thumbprint(&self) -> &Arc<str> {
        &self.thumbprint
    }

    /// The subject, at most 256 bytes of it.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its first 16 alternative names that are DNS names, URIs, mail or IP addresses, each with its kind in front.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The serial number, hexadecimal.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The moment it ends.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// What the client presented, leaf first.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

fn name(name: &GeneralName<'_>) -> Option<Box<str>> {
    let text = match name {
        GeneralName::DNSName(name) => format!("dns:{name}"),
        GeneralName::URI(uri) => format!("uri:{uri}"),
        GeneralName::RFC822Name(mail) => format!("email:{mail}"),
        GeneralName::IPAddress(bytes) => format!("ip:{}", address(bytes)?),
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => return None,
    };
    Some(clipped(&text))
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}

/// At most [`TEXT_BYTES_MAX`] bytes, whole characters.
fn clipped(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;

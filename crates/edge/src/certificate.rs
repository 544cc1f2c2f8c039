//! A certificate chain with its private key, loaded and checked before a listener uses it. It knows no listener.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};
use thiserror::Error;
use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::der_parser::parse_der;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

#[cfg(test)]
mod tests;

/// Bytes of an OCSP response; it travels in every handshake.
const OCSP_BYTES_MAX: usize = 64 * 1024;

/// A certificate chain and the private key that belongs to it.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Arc<[String]>,
    not_after: SystemTime,
}

impl Certificate {
    /// Loads a chain (PEM, leaf first) and its key (PEM: PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// Where a file cannot be read or parsed, or where key and chain do not belong together.
    pub fn load(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let chain = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect)
            .map_err(CertificateError::Chain)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(CertificateError::Key)?;
        Self::from_der(chain, key)
    }

    /// The same with an OCSP response (DER, RFC 6960 4.2) that is stapled to every handshake whose client asks for it.
    /// Whether it is still current is the matter of whoever renews the file.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no response that says `successful`.
    pub fn with_ocsp(self, response: &Path) -> Result<Self, CertificateError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(OCSP_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let read = File::open(response).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        read.map_err(CertificateError::Ocsp)?;
        self.with_ocsp_response(bytes)
    }

    /// As [`Certificate::with_ocsp`], from the bytes.
    ///
    /// # Errors
    /// Where they are no response that says `successful`.
    pub fn with_ocsp_response(self, response: Vec<u8>) -> Result<Self, CertificateError> {
        if response.len() > OCSP_BYTES_MAX || !is_successful(&response) {
            return Err(CertificateError::OcspUnusable);
        }
        let mut key = CertifiedKey::clone(&self.key);
        key.ocsp = Some(response);
        Ok(Self { key: Arc::new(key), ..self })
    }

    /// As [`Certificate::load`], from PEM text in memory.
    ///
    /// # Errors
    /// Where a text cannot be parsed, or where key and chain do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(CertificateError::Chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        Self::from_der(chain, key)
    }

    fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let leaf = chain.first().ok_or(CertificateError::Empty)?;
        let (names, not_after) = facts(leaf).ok_or(CertificateError::Leaf)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                CertificateError::Mismatch
            } else {
                CertificateError::Unusable(error)
            }
        })?;
        // `from_der` lets "unknown" pass; a key whose public half cannot be read is of no use here.
        key.keys_match().map_err(|_| CertificateError::Mismatch)?;
        Ok(Self { key: Arc::new(key), names: names.into(), not_after })
    }

    /// The DNS names of the leaf, in lower case; a first label may be `*`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The moment after which clients refuse the leaf.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// The chain and key as the TLS library takes them.
    pub(crate) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// Whether the leaf names exactly this host.
    pub(crate) fn names_exactly(&self, host: &str) -> bool {
        self.names.iter().any(|name| name == host)
    }

    /// Whether a wildcard of the leaf covers this host: one label, never more (RFC 9525 6.3).
    pub(crate) fn names_by_wildcard(&self, host: &str) -> bool {
        let Some((label, parent)) = host.split_once('.') else { return false };
        !label.is_empty()
            && self.names.iter().any(|name| name.strip_prefix("*.").is_some_and(|n| n == parent))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The chain is not there or not PEM.
    #[error("certificate chain cannot be read")]
    Chain(#[source] pem::Error),
    /// The key is not there or not PEM.
    #[error("private key cannot be read")]
    Key(#[source] pem::Error),
    /// The chain file holds no certificate.
    #[error("certificate chain is empty")]
    Empty,
    /// The leaf is not an X.509 certificate.
    #[error("first certificate of the chain is malformed")]
    Leaf,
    /// The key belongs to another certificate.
    #[error("private key does not belong to the certificate")]
    Mismatch,
    /// The kind of key is not one we sign with.
    #[error("private key is of no use for TLS")]
    Unusable(#[source] rustls::Error),
    /// The OCSP response is not there.
    #[error("OCSP response cannot be read")]
    Ocsp(#[source] io::Error),
    /// The OCSP response is not DER, or tells of an error of its responder.
    #[error("OCSP response is not a successful one in DER")]
    OcspUnusable,
}

/// Whether it is one `OCSPResponse` with the status `successful` and a body (RFC 6960 4.2.1).
fn is_successful(response: &[u8]) -> bool {
    let Ok((rest, outer)) = parse_der(response) else { return false };
    let Ok(members) = outer.as_sequence() else { return false };
    let [status, body] = members.as_slice() else { return false };
    rest.is_empty()
        && status.header.tag() == Tag::Enumerated
        && status.as_u32().is_ok_and(|status| status == 0)
        && body.header.is_contextspecific()
}

/// DNS names and end of validity of a leaf.
fn facts(leaf: &CertificateDer<'_>) -> Option<(Vec<String>, SystemTime)> {
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    let mut names = Vec::new();
    if let Some(extension) = parsed.subject_alternative_name().ok()? {
        for name in &extension.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.to_ascii_lowercase());
            }
        }
    }
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
    Some((names, SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?))
}

//! The fields `Client-Cert` and `Client-Cert-Chain` (RFC 9440 2): a byte sequence, and a list of them (RFC 9651 3.1,
//! 3.3.5), without parameters, each one whole X.509 certificate in DER. Pure; it verifies nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::target::Malformed;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// Certificates of a chain beside its leaf; the verifier goes no deeper.
const BETWEEN_MAX: usize = 6;
/// Bytes of one certificate, as in a handshake.
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

/// The chain that a proxy passes on, leaf first; `None` where it passes on none.
pub(crate) fn chain(
    headers: &HeaderMap,
) -> Result<Option<Vec<CertificateDer<'static>>>, Malformed> {
    let mut leaves = headers.get_all(CLIENT_CERT).iter();
    let mut between = headers.get_all(CLIENT_CERT_CHAIN).iter().peekable();
    let Some(leaf) = leaves.next() else {
        // RFC 9440 2.3: never without the leaf.
        let is_bare = between.peek().is_some();
        return if is_bare { Err(Malformed::ClientCertSyntax) } else { Ok(None) };
    };
    if leaves.next().is_some() {
        return Err(Malformed::ClientCertRepeated);
    }
    let mut chain = vec![certificate(without_spaces(leaf.as_bytes()))?];
    // Several lines are one list, in their order (RFC 9651 4.2).
    for line in between {
        for member in line.as_bytes().split(|byte| *byte == b',') {
            if chain.len() > BETWEEN_MAX {
                return Err(Malformed::ClientCertSyntax);
            }
            chain.push(certificate(member.trim_ascii())?);
        }
    }
    Ok(Some(chain))
}

/// `:base64:` around one certificate, with its padding and without stray bits.
fn certificate(item: &[u8]) -> Result<CertificateDer<'static>, Malformed> {
    let read = || {
        let text = item.strip_prefix(b":")?.strip_suffix(b":")?;
        let der = STANDARD.decode(text).ok()?;
        let (rest, _) = X509Certificate::from_der(&der).ok()?;
        let is_whole = rest.is_empty() && der.len() <= CERTIFICATE_BYTES_MAX;
        is_whole.then(|| CertificateDer::from(der))
    };
    read().ok_or(Malformed::ClientCertSyntax)
}

/// An item has spaces around it at most, no tabs (RFC 9651 4.2).
fn without_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

//! Whom a listener believes: the authorities of client certificates, their revocation lists, and the judgement on one
//! presented chain. It knows no connection.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256, digest};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs as provider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem};
use thiserror::Error;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::service::FailureKind;

#[cfg(test)]
mod tests;
mod verifier;

use verifier::Verifier;
pub(crate) use verifier::refusal;

/// Bytes of a file of authorities.
const CA_BYTES_MAX: u64 = 1024 * 1024;
/// Authorities of one listener; their names are sent in every handshake.
const CAS_MAX: usize = 100;
/// Bytes of a file of revocation lists. The TLS library hashes a whole list for each chain that it is asked about: some
/// 15 ms for one of this size.
const CRL_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Revocation lists of one listener.
const CRLS_MAX: usize = 100;

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificateMode {
    /// Who shows none gets in, who shows a bad one does not.
    Optional,
    /// Nobody gets in without a good one.
    Required,
}

/// The authorities whose client certificates a listener takes, and what they have revoked. Equal where nothing a client
/// could notice differs.
#[derive(Clone)]
pub struct ClientCertificates {
    mode: ClientCertificateMode,
    resumption: bool,
    verifier: Arc<Verifier>,
    revocation_ends: Option<SystemTime>,
    digest: [u8; 32],
}

impl ClientCertificates {
    /// Loads authorities (PEM) and, where there is such a file, their revocation lists (PEM, or one in DER).
    ///
    /// With lists, every certificate of a chain below its root needs one of its issuer: without one, or with one whose
    /// time is over, it is refused. Of several lists of one issuer the newest counts.
    ///
    /// # Errors
    /// Where a file cannot be read, is too large, or holds anything that is of no use.
    pub fn load(
        mode: ClientCertificateMode,
        ca: &Path,
        crl: Option<&Path>,
    ) -> Result<Self, ClientCertificatesError> {
        let ca = read(ca, CA_BYTES_MAX).map_err(ClientCertificatesError::Ca)?;
        let crl = crl.map(|crl| read(crl, CRL_BYTES_MAX)).transpose();
        Self::from_bytes(mode, &ca, crl.map_err(ClientCertificatesError::Crl)?.as_deref())
    }

    /// As [`ClientCertificates::load`], from the content of the files.
    ///
    /// # Errors
    /// Where a text holds anything that is of no use.
    pub fn from_bytes(
        mode: ClientCertificateMode,
        ca: &[u8],
        crl: Option<&[u8]>,
    ) -> Result<Self, ClientCertificatesError> {
        let authorities = authorities(ca)?;
        let lists = crl.map(lists).transpose()?.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        for (number, authority) in (1..).zip(&authorities) {
            roots
                .add(authority.clone())
                .map_err(|_| ClientCertificatesError::CaUnusable(number))?;
        }
        let digest = digest_of(authorities.iter().map(AsRef::as_ref), &lists);
        let revocation_ends = lists.iter().map(|list| list.ends).min();
        let with_provider = Arc::new(provider::default_provider());
        let webpki = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), with_provider)
            .with_crls(lists.into_iter().map(|list| list.der))
            .enforce_revocation_expiration();
        let webpki = match mode {
            ClientCertificateMode::Optional => webpki.allow_unauthenticated(),
            ClientCertificateMode::Required => webpki,
        };
        let verifier = Arc::new(Verifier(webpki.build()?));
        Ok(Self { mode, resumption: false, verifier, revocation_ends, digest })
    }

    /// Whether clients may resume sessions. The chain of a resumed one is judged anew all the same; what it lacks is a
    /// fresh proof of the private key. Off unless asked for.
    #[must_use]
    pub fn with_resumption(self, resumption: bool) -> Self {
        Self { resumption, ..self }
    }

    /// The moment from which on some revocation list is too old to be believed; `None` without lists.
    pub fn revocation_ends(&self) -> Option<SystemTime> {
        self.revocation_ends
    }

    /// Whether sessions may be resumed.
    pub(crate) fn resumes(&self) -> bool {
        self.resumption
    }

    /// What the TLS library asks.
    pub(crate) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier) as Arc<dyn ClientCertVerifier>
    }

    /// The judgement on what a client presented: leaf first, empty where it presented nothing.
    pub(crate) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: SystemTime,
    ) -> Result<(), FailureKind> {
        let Some((leaf, between)) = chain.split_first() else {
            return match self.mode {
                ClientCertificateMode::Optional => Ok(()),
                ClientCertificateMode::Required => Err(FailureKind::ClientCertificateMissing),
            };
        };
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        match self.verifier.verify_client_cert(leaf, between, now) {
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(&error).unwrap_or(FailureKind::ClientCertificateUntrusted)),
        }
    }
}

impl PartialEq for ClientCertificates {
    fn eq(&self, other: &Self) -> bool {
        (self.mode, self.resumption, self.digest) == (other.mode, other.resumption, other.digest)
    }
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificates")
            .field("mode", &self.mode)
            .field("resumption", &self.resumption)
            .field("revocation_ends", &self.revocation_ends)
            .finish_non_exhaustive()
    }
}

/// Why authorities or revocation lists cannot be used.
#[derive(Debug, Error)]
pub enum ClientCertificatesError {
    /// The file of authorities is not there.
    #[error("CA file cannot be read: {0}")]
    Ca(#[source] io::Error),
    /// The file of authorities is not PEM.
    #[error("CA file is not PEM")]
    CaPem(#[source] pem::Error),
    /// It holds no certificate.
    #[error("CA file holds no certificate")]
    CaEmpty,
    /// It holds more certificates than a handshake should name.
    #[error("CA file holds more than {CAS_MAX} certificates")]
    CaCount,
    /// One of its certificates, counted from 1, is malformed or not one of an authority.
    #[error("certificate {0} of the CA file is not one of a CA")]
    CaUnusable(usize),
    /// The file of revocation lists is not there.
    #[error("CRL file cannot be read: {0}")]
    Crl(#[source] io::Error),
    /// The file of revocation lists is not PEM.
    #[error("CRL file is not PEM")]
    CrlPem(#[source] pem::Error),
    /// It holds no list.
    #[error("CRL file holds no revocation list")]
    CrlEmpty,
    /// It holds too many lists.
    #[error("CRL file holds more than {CRLS_MAX} lists")]
    CrlCount,
    /// One of its lists, counted from 1, is malformed.
    #[error("list {0} of the CRL file is malformed")]
    CrlMalformed(usize),
    /// The TLS library takes no list of that kind, such as a delta or an indirect one.
    #[error("a list of the CRL file is of a kind that is not supported: {0}")]
    Unsupported(#[from] VerifierBuilderError),
}

/// A whole file of a bounded size.
fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= bytes_max) {
        return Ok(content);
    }
    Err(io::Error::other(format!("it is larger than {bytes_max} bytes")))
}

/// The certificates of a CA file. A certificate that is none of an authority would be believed as one: a leaf that strayed
/// into the file is refused.
fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientCertificatesError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(ClientCertificatesError::CaPem)?;
    for (number, authority) in (1..).zip(&found) {
        if number > CAS_MAX {
            return Err(ClientCertificatesError::CaCount);
        }
        let is_ca = X509Certificate::from_der(authority)
            .is_ok_and(|(rest, parsed)| rest.is_empty() && parsed.is_ca());
        if !is_ca {
            return Err(ClientCertificatesError::CaUnusable(number));
        }
    }
    if found.is_empty() { Err(ClientCertificatesError::CaEmpty) } else { Ok(found) }
}

/// A revocation list with the times in it.
struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    issued: i64,
    ends: SystemTime,
}

/// The lists of a CRL file, newest first: the first one of an issuer is the one that is asked.
fn lists(content: &[u8]) -> Result<Vec<RevocationList>, ClientCertificatesError> {
    let found = if is_der(content) {
        vec![CertificateRevocationListDer::from(content.to_vec())]
    } else {
        CertificateRevocationListDer::pem_slice_iter(content)
            .collect::<Result<Vec<_>, _>>()
            .map_err(ClientCertificatesError::CrlPem)?
    };
    if found.is_empty() {
        return Err(ClientCertificatesError::CrlEmpty);
    }
    if found.len() > CRLS_MAX {
        return Err(ClientCertificatesError::CrlCount);
    }
    let timed = |(number, der)| timed(der).ok_or(ClientCertificatesError::CrlMalformed(number));
    let mut lists = (1..).zip(found).map(timed).collect::<Result<Vec<_>, _>>()?;
    lists.sort_by_key(|list| std::cmp::Reverse(list.issued));
    Ok(lists)
}

/// A SEQUENCE in long form, as every signed list is; no text begins so.
fn is_der(content: &[u8]) -> bool {
    matches!(content, [0x30, length, ..] if *length >= 0x80)
}

fn timed(der: CertificateRevocationListDer<'static>) -> Option<RevocationList> {
    let (rest, parsed) = CertificateRevocationList::from_der(&der).ok()?;
    let ends = u64::try_from(parsed.next_update()?.timestamp()).unwrap_or_default();
    let ends = UNIX_EPOCH.checked_add(Duration::from_secs(ends))?;
    let issued = parsed.last_update().timestamp();
    rest.is_empty().then_some(())?;
    Some(RevocationList { der, issued, ends })
}

/// One digest of all: of the digests of the parts, so that no part runs into the next.
fn digest_of<'a>(
    authorities: impl Iterator<Item = &'a [u8]>,
    lists: &[RevocationList],
) -> [u8; 32] {
    let mut whole = Context::new(&SHA256);
    for authority in authorities {
        whole.update(digest(&SHA256, authority).as_ref());
    }
    whole.update(b"lists");
    for list in lists {
        whole.update(digest(&SHA256, &list.der).as_ref());
    }
    whole.finish().as_ref().try_into().unwrap_or_default()
}

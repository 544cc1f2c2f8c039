//! A throw-away certificate authority (P-256) that signs the certificates of the demonstration.
//! Its key never leaves the process. It knows names and days, nothing of who uses a certificate.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

/// How long a certificate of the demonstration is valid.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far a certificate begins in the past, so that clocks in containers may lag.
const BACKDATED: Duration = Duration::from_secs(3600);

/// Why a certificate could not be made.
#[derive(Debug, Error)]
pub(super) enum AuthorityError {
    /// Key generation or signing failed.
    #[error("sign a certificate of the demo: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate is not one that the TLS engine accepts as a trust anchor.
    #[error("trust the certificate authority of the demo: {0}")]
    Anchor(#[from] rustls::Error),
}

/// A certificate chain and its private key.
pub(super) struct Credential {
    chain: CertificateDer<'static>,
    chain_pem: String,
    key: KeyPair,
}

impl Credential {
    /// The certificate as PEM text.
    pub(super) fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The private key as PKCS#8 PEM text.
    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The chain as the TLS engine takes it.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.chain.clone()]
    }

    /// The private key as the TLS engine takes it.
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

/// The authority: one self-signed certificate and its key.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Authority {
    /// Makes a new authority whose certificates are valid from about `now`, for 7 days.
    pub(super) fn new(now: SystemTime) -> Result<Self, AuthorityError> {
        let (not_before, not_after) = (now - BACKDATED, now + LIFETIME);
        let mut params = CertificateParams::default();
        params.not_before = not_before.into();
        params.not_after = not_after.into();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "demo authority");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key)?, not_before, not_after })
    }

    /// The authority's certificate as PEM text.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A trust store that holds this authority alone.
    pub(super) fn roots(&self) -> Result<RootCertStore, AuthorityError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone())?;
        Ok(roots)
    }

    /// A certificate for a server that is reached under `names` (DNS names or IP addresses).
    pub(super) fn server(&self, names: &[&str]) -> Result<Credential, AuthorityError> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let common = names.first().cloned().unwrap_or_default();
        self.issue(CertificateParams::new(names)?, &common, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate with which `name` identifies itself as a client.
    pub(super) fn client(&self, name: &str) -> Result<Credential, AuthorityError> {
        self.issue(
            CertificateParams::new(vec![name.to_owned()])?,
            name,
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        common: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Credential, AuthorityError> {
        params.not_before = self.not_before.into();
        params.not_after = self.not_after.into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, common);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Credential { chain: certificate.der().clone(), chain_pem: certificate.pem(), key })
    }
}

/// A fresh Ed25519 private key as PKCS#8 PEM text, for the gateway's assertions.
pub(super) fn identity_key_pem() -> Result<String, AuthorityError> {
    Ok(KeyPair::generate_for(&PKCS_ED25519)?.serialize_pem())
}

#[cfg(test)]
mod tests;

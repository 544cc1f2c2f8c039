//! A throw-away certificate authority and what it issues. It does not know who uses the certificates.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

/// A certificate authority that lives as long as the test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// The certificate, then its issuer, in PEM.
    pub(crate) chain_pem: String,
    /// The private key in PEM (PKCS #8).
    pub(crate) key_pem: String,
}

impl Authority {
    /// A new authority with its own key (ECDSA P-256).
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a CA certificate") }
    }

    /// Its own certificate in PEM.
    pub(crate) fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate with `name` as its common name, for these DNS names and addresses.
    pub(crate) fn issue(&self, name: &str, dns: &[&str], ips: &[IpAddr], usage: Usage) -> Issued {
        let mut params = named(name);
        let names =
            dns.iter().map(|name| SanType::DnsName((*name).try_into().expect("a DNS name")));
        params.subject_alt_names =
            names.chain(ips.iter().copied().map(SanType::IpAddress)).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        Issued {
            chain_pem: format!("{}{}", certificate.pem(), self.issuer.pem()),
            key_pem: key.serialize_pem(),
        }
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key` (readable by the owner only) into a folder and returns both paths.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let chain = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        fs::write(&chain, &self.chain_pem).expect("a written chain");
        write_secret(&key, &self.key_pem);
        (chain, key)
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .expect("a new secret file");
    file.write_all(text.as_bytes()).expect("a written secret file");
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

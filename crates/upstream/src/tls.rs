//! TLS 1.3 to a service: its private authority and no other root, the gateway's own certificate. It knows no
//! addresses.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::assertion::thumbprint;
use crate::settings::{SettingsError, TlsSettings};

/// What is made of [`TlsSettings`] once.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: Option<ServerName<'static>>,
    /// SHA-256 of the gateway's certificate, base64url (RFC 8705 3.1).
    pub(crate) thumbprint: Option<String>,
}

impl Tls {
    pub(crate) fn new(settings: &TlsSettings) -> Result<Self, SettingsError> {
        let refused = |error: rustls::Error| SettingsError::Certificate(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(refused)?
            .with_root_certificates(roots(&settings.ca)?);
        let (mut config, thumbprint) = match &settings.certificate {
            None => (builder.with_no_client_auth(), None),
            Some((chain, key)) => {
                let chain = certificates(chain)?;
                let thumbprint = chain.first().map(|leaf| thumbprint(leaf));
                let wrong = |e: rustls_pki_types::pem::Error| file(key, &e);
                let key = PrivateKeyDer::from_pem_file(key).map_err(wrong)?;
                (builder.with_client_auth_cert(chain, key).map_err(refused)?, thumbprint)
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = settings.name.as_deref().map(server_name).transpose()?;
        Ok(Self { config: Arc::new(config), name, thumbprint })
    }
}

/// A name as TLS knows it; an IPv6 address may be in the brackets of a URL.
pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, SettingsError> {
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| SettingsError::Name(name.to_owned()))
}

fn roots(ca: &Path) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|e| file(ca, &e))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|e| file(path, &e))?;
    if read.is_empty() {
        return Err(file(path, &"no certificate in it"));
    }
    Ok(read)
}

fn file(path: &Path, reason: &dyn std::fmt::Display) -> SettingsError {
    SettingsError::File { path: path.to_owned(), reason: reason.to_string() }
}

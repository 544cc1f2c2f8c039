//! TLS of both sides from PEM files. TLS 1.3 only: that is what every peer is measured with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;

use crate::Failed;

/// Sessions a client remembers: more than connections that are open at once.
const SESSIONS_MAX: usize = 1024;

/// A certificate with its chain, and its key, as PEM files.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Credential {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Credential {
    fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failed> {
        Ok((certificates(&self.chain)?, PrivateKeyDer::from_pem_file(&self.key)?))
    }
}

/// How a client connects.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClientSpec {
    /// The CA to trust.
    pub(crate) trust: PathBuf,
    /// The name to ask for and to verify.
    pub(crate) name: String,
    /// The client certificate.
    pub(crate) credential: Option<Credential>,
    /// Key exchange groups to offer, in order; empty: X25519 alone.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    /// Whether sessions are resumed.
    #[serde(default)]
    pub(crate) resume: bool,
}

impl ClientSpec {
    /// The configuration for one protocol.
    pub(crate) fn config(&self, alpn: &str) -> Result<Arc<ClientConfig>, Failed> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.trust)? {
            roots.add(certificate)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(provider(&self.groups)?))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots);
        let mut config = match &self.credential {
            None => builder.with_no_client_auth(),
            Some(credential) => {
                let (chain, key) = credential.load()?;
                builder.with_client_auth_cert(chain, key)?
            }
        };
        config.alpn_protocols.push(alpn.into());
        config.resumption = if self.resume {
            Resumption::in_memory_sessions(SESSIONS_MAX)
        } else {
            Resumption::disabled()
        };
        Ok(Arc::new(config))
    }
}

/// A server's configuration; with `clients`, it demands certificates of that CA.
pub(crate) fn server(
    credential: &Credential,
    clients: Option<&Path>,
    alpn: &[&str],
) -> Result<ServerConfig, Failed> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca)? {
                roots.add(certificate)?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = credential.load()?;
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = alpn.iter().map(|name| (*name).into()).collect();
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failed> {
    Ok(CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?)
}

fn provider(groups: &[String]) -> Result<CryptoProvider, Failed> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups.clear();
    for name in groups {
        provider.kx_groups.push(match name.as_str() {
            "X25519" => aws_lc_rs::kx_group::X25519,
            "X25519MLKEM768" => aws_lc_rs::kx_group::X25519MLKEM768,
            "P-256" => aws_lc_rs::kx_group::SECP256R1,
            _ => return Err(format!("unknown group {name}").into()),
        });
    }
    if provider.kx_groups.is_empty() {
        provider.kx_groups.push(aws_lc_rs::kx_group::X25519);
    }
    Ok(provider)
}

//! Gets the text of a key set: by discovery, from a URL or from a file, bounded in size and time. It
//! knows no keys and keeps no state.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use reqwest::{Client, StatusCode, Url, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;

use crate::{
    IssuerSettings, SettingsError, json,
    settings::{Source, UrlFault, plain_url},
};

/// Largest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Longest time for one document, from connecting to its last byte.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Idle connections kept between the discovery document and the key set.
const IDLE_CONNECTIONS_MAX: usize = 1;

/// Why the keys could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection, or TLS refused the server.
    #[error("could not connect")]
    Connect,
    /// Not complete within 5 s.
    #[error("took longer than {} s", TIME_MAX.as_secs())]
    Timeout,
    /// The connection broke, or what came was not HTTP.
    #[error("connection broke")]
    Transport,
    /// A redirect: none is followed.
    #[error("answer is a redirect")]
    Redirected,
    /// Another status than 200.
    #[error("answer has status {0}")]
    Status(u16),
    /// More than 1 MiB.
    #[error("document is larger than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge,
    /// The discovery document is not a JSON object with the members needed.
    #[error("discovery document is malformed")]
    Discovery,
    /// `issuer` of the discovery document is not the configured one (RFC 8414 3.3).
    #[error("discovery document is of another issuer")]
    IssuerMismatch,
    /// `jwks_uri` is not https.
    #[error("key set URL is not https")]
    InsecureUrl,
    /// The document is not a JWK set.
    #[error("document is not a key set")]
    NotKeySet,
    /// The set holds no key that can be used.
    #[error("key set holds no usable key")]
    NoUsableKey,
    /// The file cannot be read.
    #[error("file could not be read")]
    File,
}

/// Gets key sets of one issuer.
pub(super) struct Fetcher {
    issuer: String,
    insecure_http: bool,
    source: Source,
    client: Client,
}

impl Fetcher {
    /// Prepares the client; reads the CA file or the platform's roots.
    pub(super) fn new(settings: &IssuerSettings, source: Source) -> Result<Self, SettingsError> {
        let client = client(settings, source.needs_roots())?;
        Ok(Self {
            issuer: settings.issuer.clone(),
            insecure_http: settings.insecure_http,
            source,
            client,
        })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The text of the current key set.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        match &self.source {
            Source::Discovery(places) => {
                let keys = self.discover(places).await?;
                self.get(keys).await
            }
            Source::Url(url) => self.get(url.clone()).await,
            Source::File(path) => {
                let path: PathBuf = path.clone();
                tokio::task::spawn_blocking(move || read_file(&path))
                    .await
                    .unwrap_or(Err(FetchError::File))
            }
        }
    }

    /// Finds `jwks_uri`. The second place is asked only where the first has no document.
    async fn discover(&self, [oidc, oauth]: &[Url; 2]) -> Result<Url, FetchError> {
        let text = match self.get(oidc.clone()).await {
            Err(FetchError::Status(_)) => self.get(oauth.clone()).await?,
            other => other?,
        };
        let document = json::object(&text).map_err(|_| FetchError::Discovery)?;
        match document.get("issuer") {
            Some(Value::String(issuer)) if *issuer == self.issuer => {}
            Some(Value::String(_)) => return Err(FetchError::IssuerMismatch),
            Some(_) | None => return Err(FetchError::Discovery),
        }
        let keys = document.get("jwks_uri").and_then(Value::as_str).ok_or(FetchError::Discovery)?;
        plain_url(keys, self.insecure_http).map_err(|fault| match fault {
            UrlFault::Syntax => FetchError::Discovery,
            UrlFault::Insecure => FetchError::InsecureUrl,
        })
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let accept = "application/json, application/jwk-set+json";
        let request = self.client.get(url).header(http::header::ACCEPT, accept);
        let mut answer = request.send().await.map_err(|error| fault(&error))?;
        if answer.status().is_redirection() {
            return Err(FetchError::Redirected);
        }
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| fault(&error))? {
            if text.len().saturating_add(chunk.len()) > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}

/// Reads a key set file of bounded size.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, FetchError> {
    let file = File::open(path).map_err(|_| FetchError::File)?;
    let mut text = Vec::new();
    let limit = DOCUMENT_BYTES_MAX as u64;
    file.take(limit.saturating_add(1)).read_to_end(&mut text).map_err(|_| FetchError::File)?;
    if text.len() > DOCUMENT_BYTES_MAX { Err(FetchError::TooLarge) } else { Ok(text) }
}

fn fault(error: &reqwest::Error) -> FetchError {
    if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_connect() {
        FetchError::Connect
    } else {
        FetchError::Transport
    }
}

/// A client that goes straight to the server it is told: no proxy, no redirect, no retry.
fn client(settings: &IssuerSettings, needs_roots: bool) -> Result<Client, SettingsError> {
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| SettingsError::Client)?
        .with_root_certificates(roots(settings, needs_roots)?)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(!settings.insecure_http)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .timeout(TIME_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build()
        .map_err(|_| SettingsError::Client)
}

fn roots(settings: &IssuerSettings, needed: bool) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.ca {
        let unusable = || SettingsError::Ca(path.clone());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unusable())? {
            let certificate = certificate.map_err(|_| unusable())?;
            roots.add(certificate).map_err(|_| unusable())?;
        }
        return if roots.is_empty() { Err(unusable()) } else { Ok(roots) };
    }
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(SettingsError::NoRoots);
        }
    }
    Ok(roots)
}

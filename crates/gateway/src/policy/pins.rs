//! The pins of the seal in the words of the audit crate, and the one by HTTP: each note is the body of a POST. It knows no
//! tree, and no more of an answer than its status.

use crate::config::Mistake;
use crate::config::settings::{Pin, PinPlace, Settings};
use audit::{PinFault, PinSettings};
use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest time for one note, from connecting to the status.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Longest bearer token, bytes.
const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// Every pin of the configuration.
///
/// # Errors
/// A CA file that cannot be used.
pub(super) fn pins(settings: &Settings) -> Result<Vec<PinSettings>, Mistake> {
    settings.audit.seal.pins.iter().map(|wanted| pin(settings, wanted)).collect()
}

fn pin(settings: &Settings, wanted: &Pin) -> Result<PinSettings, Mistake> {
    let every = wanted.every;
    Ok(match &wanted.at {
        PinPlace::File(path) => PinSettings::File { path: path.clone(), every },
        PinPlace::Kafka(kafka) => PinSettings::Kafka {
            brokers: kafka.brokers.clone(),
            topic: kafka.topics.clone(),
            tls: kafka.tls.as_ref().map(super::trail::kafka_tls),
            insecure_plaintext: kafka.insecure_plaintext,
            every,
        },
        PinPlace::Http { url, ca, token, insecure_http } => {
            let client = client(ca.as_deref(), *insecure_http)
                .map_err(|what| settings.mistake(&wanted.place, what))?;
            let token = token.as_ref().map(|token| token.path.clone());
            let (url, trusted) = (url.clone(), ca.clone());
            let pin = Arc::new(HttpPin { url, token, trusted, client });
            PinSettings::Other { name: "http".to_owned(), every, pin }
        }
    })
}

/// Puts notes to a server.
struct HttpPin {
    url: String,
    token: Option<PathBuf>,
    /// The CA file, where one is named.
    trusted: Option<PathBuf>,
    client: Client,
}

impl std::fmt::Debug for HttpPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, token, trusted, client: _ } = self;
        f.debug_struct("HttpPin")
            .field("url", url)
            .field("token", token)
            .field("ca", trusted)
            .finish_non_exhaustive()
    }
}

impl audit::Pin for HttpPin {
    fn pin(&self, note: &str) -> Result<(), PinFault> {
        // The thread of the pin has no runtime, and needs one every few seconds only.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let posted = match runtime {
            Ok(runtime) => runtime.block_on(self.post(note)),
            Err(error) => Err(error.to_string()),
        };
        posted.map_err(|what| {
            tracing::warn!(what, "a checkpoint is not pinned");
            PinFault
        })
    }
}

impl HttpPin {
    async fn post(&self, note: &str) -> Result<(), String> {
        let request = self.client.post(&self.url).body(note.to_owned());
        let mut request = request.header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8");
        if let Some(token) = &self.token {
            request = request.bearer_auth(read(token)?.trim());
        }
        // The URL is in the configuration, not in every line of the log.
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let mut token = Zeroizing::new(String::new());
    let read =
        File::open(path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut token));
    read.map(|_| token).map_err(|error| format!("the token: {error}"))
}

/// A client that goes straight to the server it is told: no proxy, no redirect, no retry, no connection kept.
fn client(ca: Option<&Path>, insecure_http: bool) -> Result<Client, String> {
    let unusable = |error: &dyn std::fmt::Display| format!("the client of this pin: {error}");
    let roots = if insecure_http { RootCertStore::empty() } else { roots(ca)? };
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(!insecure_http)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .timeout(TIME_MAX)
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| unusable(&error))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let unusable = || format!("{}: no usable CA certificate", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unusable())? {
                let certificate = certificate.map_err(|_| unusable())?;
                roots.add(certificate).map_err(|_| unusable())?;
            }
            if roots.is_empty() { Err(unusable()) } else { Ok(roots) }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let none = || "this platform has no CA certificates: name one by `ca`".to_owned();
            if roots.is_empty() { Err(none()) } else { Ok(roots) }
        }
    }
}

//! Settings of one issuer, and the checks that need no network. It knows no configuration file.

use std::{path::PathBuf, time::Duration};

use reqwest::Url;

use crate::{Algorithm, ClaimNames, Grantable, TokenRules, profile::LEEWAY_MAX};

/// Default pause between two fetches of the keys.
const REFRESH: Duration = Duration::from_secs(300);
/// Shortest pause between two fetches.
const REFRESH_MIN: Duration = Duration::from_secs(10);
/// Longest pause between two fetches.
const REFRESH_MAX: Duration = Duration::from_secs(24 * 3600);
/// Default age at which keys that could not be fetched again are no longer used.
const KEYS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// OIDC discovery, then RFC 8414, from the issuer's own URL.
    Discovery,
    /// A JWK set at this URL.
    Url(String),
    /// A JWK set in this file; read at [`Issuer::open`](crate::Issuer::open) and at each refresh.
    File(PathBuf),
}

/// Everything about one issuer of tokens.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// The name used in logs, metrics and refusals.
    pub name: String,
    /// The exact `iss`, compared byte for byte (RFC 8725 3.8).
    pub issuer: String,
    /// Algorithms its keys may have.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// PEM file with the only trusted roots for its server; without it, the platform's roots.
    pub ca: Option<PathBuf>,
    /// Allows `http` URLs: keys can then be forged on the way. For tests and demos.
    pub insecure_http: bool,
    /// Which of its tokens are accepted.
    pub tokens: TokenRules,
    /// Where its tokens say what.
    pub claims: ClaimNames,
    /// What it may grant; `None`: everything.
    pub may_grant: Option<Grantable>,
    /// Pause between two fetches of the keys, 10 s to 24 h; default 5 min.
    pub refresh: Duration,
    /// Age at which keys that could not be fetched again are no longer used; default 24 h, at least `refresh`.
    pub keys_age_max: Duration,
}

impl IssuerSettings {
    /// Strict RFC 9068 tokens, keys by discovery over TLS with the platform's roots.
    #[must_use]
    pub fn new(name: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa],
            keys: KeySource::Discovery,
            ca: None,
            insecure_http: false,
            tokens: TokenRules::default(),
            claims: ClaimNames::default(),
            may_grant: None,
            refresh: REFRESH,
            keys_age_max: KEYS_AGE_MAX,
        }
    }
}

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No name.
    #[error("issuer needs a name")]
    Name,
    /// `issuer` is not an absolute URL with a host and without user, query and fragment (RFC 8414 2).
    #[error("issuer {0} is not a plain https URL")]
    IssuerUrl(String),
    /// The URL of the key set is not an absolute URL with a host and without user and fragment.
    #[error("key set URL {0} is not an https URL")]
    KeysUrl(String),
    /// An `http` URL without `insecure_http`.
    #[error("URL {0} is not https")]
    InsecureUrl(String),
    /// No algorithm.
    #[error("no algorithms are allowed")]
    NoAlgorithms,
    /// No `typ`.
    #[error("no token types are allowed")]
    NoTypes,
    /// Leeway above 60 s.
    #[error("leeway is above {} s", LEEWAY_MAX.as_secs())]
    Leeway,
    /// A lifetime of zero.
    #[error("longest lifetime is zero")]
    Lifetime,
    /// `refresh` outside 10 s to 24 h.
    #[error("refresh is not within {} s and {} s", REFRESH_MIN.as_secs(), REFRESH_MAX.as_secs())]
    Refresh,
    /// `keys_age_max` below `refresh`.
    #[error("longest age of keys is below the refresh interval")]
    KeysAge,
    /// The CA file cannot be read or holds no certificate.
    #[error("CA file {} holds no readable certificate", .0.display())]
    Ca(PathBuf),
    /// The platform has no trusted roots; name a CA file.
    #[error("platform has no trusted root certificates")]
    NoRoots,
    /// The file of the key set cannot be read, is too large, or holds no usable key.
    #[error("key set file {} holds no usable keys", .0.display())]
    KeysFile(PathBuf),
    /// The system has no randomness.
    #[error("system has no randomness")]
    Randomness,
    /// The TLS or HTTP client could not be made.
    #[error("http client could not be made")]
    Client,
}

/// A key source whose addresses were parsed and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The discovery documents to try, in order.
    Discovery([Url; 2]),
    /// A key set.
    Url(Url),
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Whether the first fetch goes over TLS.
    pub(crate) fn needs_roots(&self) -> bool {
        match self {
            Self::Discovery([url, _]) | Self::Url(url) => url.scheme() == "https",
            Self::File(_) => false,
        }
    }
}

/// Checks settings and finds out what to fetch.
pub(crate) fn check(settings: &IssuerSettings) -> Result<Source, SettingsError> {
    if settings.name.is_empty() {
        return Err(SettingsError::Name);
    }
    if settings.algorithms.is_empty() {
        return Err(SettingsError::NoAlgorithms);
    }
    if settings.tokens.typ.is_empty() || settings.tokens.typ.iter().any(String::is_empty) {
        return Err(SettingsError::NoTypes);
    }
    if settings.tokens.leeway > LEEWAY_MAX {
        return Err(SettingsError::Leeway);
    }
    if settings.tokens.lifetime_max.is_zero() {
        return Err(SettingsError::Lifetime);
    }
    if !(REFRESH_MIN..=REFRESH_MAX).contains(&settings.refresh) {
        return Err(SettingsError::Refresh);
    }
    if settings.keys_age_max < settings.refresh {
        return Err(SettingsError::KeysAge);
    }
    let issuer = plain_url(&settings.issuer, settings.insecure_http)
        .map_err(|fault| fault.about(SettingsError::IssuerUrl, &settings.issuer))?;
    if issuer.query().is_some() {
        return Err(SettingsError::IssuerUrl(settings.issuer.clone()));
    }
    match &settings.keys {
        KeySource::Discovery => Ok(Source::Discovery(discovery_urls(&issuer))),
        KeySource::Url(url) => plain_url(url, settings.insecure_http)
            .map(Source::Url)
            .map_err(|fault| fault.about(SettingsError::KeysUrl, url)),
        KeySource::File(path) => Ok(Source::File(path.clone())),
    }
}

/// Why a URL may not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlFault {
    /// Not an absolute http or https URL with a host, or one with user or fragment.
    Syntax,
    /// `http` where it is not allowed.
    Insecure,
}

impl UrlFault {
    fn about(self, syntax: fn(String) -> SettingsError, url: &str) -> SettingsError {
        match self {
            Self::Syntax => syntax(url.to_owned()),
            Self::Insecure => SettingsError::InsecureUrl(url.to_owned()),
        }
    }
}

/// An absolute URL with a host and nothing hidden in it; https, or http where that was asked for.
pub(crate) fn plain_url(text: &str, insecure_http: bool) -> Result<Url, UrlFault> {
    let url = Url::parse(text).map_err(|_| UrlFault::Syntax)?;
    let hidden = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
    if hidden || url.host_str().is_none_or(str::is_empty) {
        return Err(UrlFault::Syntax);
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if insecure_http => Ok(url),
        "http" => Err(UrlFault::Insecure),
        _ => Err(UrlFault::Syntax),
    }
}

/// OIDC Discovery 4.1 (appended to the issuer's path), then RFC 8414 3.1 (put before it).
fn discovery_urls(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/').to_owned();
    let mut oidc = issuer.clone();
    oidc.set_path(&format!("{path}/.well-known/openid-configuration"));
    let mut oauth = issuer.clone();
    oauth.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    [oidc, oauth]
}

#[cfg(test)]
mod tests;

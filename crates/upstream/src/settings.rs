//! What one service needs to be reached, checked before anything connects. It knows no configuration file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

use crate::signer::Signer;

/// The longest life of an assertion (the contract with services).
const ASSERTION_LIFETIME_MAX: Duration = Duration::from_secs(30);

/// Endpoints of one service at most.
const ENDPOINTS_MAX: usize = 64;

/// The longest time that any one step may take.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// One service behind the gateway.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Its name, for log lines.
    pub name: String,
    /// Where it listens: `https://host:port`, 1 to 64 of them, asked in turn. No path.
    pub endpoints: Vec<Uri>,
    /// How to know it, and how it knows the gateway. Required for `https`.
    pub tls: Option<TlsSettings>,
    /// Whether `http` endpoints are accepted: no secrecy, and no proof of who answers.
    pub insecure_plaintext: bool,
    /// Time for one connection, TLS included; 1 s is a good value.
    pub connect_timeout: Duration,
    /// Time until the head of the answer, connecting included, and the longest silence in its body; 15 s is a good
    /// value.
    pub response_timeout: Duration,
    /// How many endpoints are tried until one takes the connection; 1 is no retry. A request that may have arrived is
    /// never sent again.
    pub connect_attempts: u32,
    /// What the gateway says about each request.
    pub assertion: AssertionSettings,
}

/// TLS 1.3 to a service: one private authority, no public roots.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The certificates (PEM) one of which must have signed the service's.
    pub ca: PathBuf,
    /// The gateway's own certificate chain and private key (PEM), where the service asks for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The name to send (SNI), to verify and to put into `host`, instead of the endpoint's host.
    pub name: Option<String>,
}

/// How assertions are made for a service.
#[derive(Clone, Debug)]
pub struct AssertionSettings {
    /// `iss`: the gateway.
    pub issuer: String,
    /// `aud`: this service and no other.
    pub audience: String,
    /// The key.
    pub signer: Arc<Signer>,
    /// From `iat` to `exp`, whole seconds, 1 to 30.
    pub lifetime: Duration,
}

/// Why a service cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// None or too many.
    #[error("use the endpoints: expected 1 to 64")]
    Endpoints,
    /// Not `https://host[:port]`.
    #[error("use the endpoint {0}: expected https://HOST[:PORT] without a path")]
    Endpoint(Uri),
    /// Plain text without the word for it.
    #[error("use the endpoint {0}: plain text needs insecure_plaintext")]
    Plaintext(Uri),
    /// An `https` endpoint without a CA to trust.
    #[error("use https endpoints without tls: expected the CA of the service")]
    TlsMissing,
    /// A file that cannot be used.
    #[error("read {path}: {reason}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a DNS name or an address.
    #[error("use the server name {0:?}: expected a DNS name or an IP address")]
    Name(String),
    /// The certificate and the key do not belong together, or TLS refuses them.
    #[error("use the client certificate: {0}")]
    Certificate(String),
    /// Zero, above an hour, or connecting may take longer than the whole answer.
    #[error("use the timeouts: expected 0 < connect <= response <= 1h")]
    Timeouts,
    /// Zero or above the number of endpoints that may exist.
    #[error("use the connect attempts: expected 1 to 64")]
    Attempts,
    /// Empty issuer or audience, or a lifetime out of bounds.
    #[error("use the assertion: expected an issuer, an audience and a lifetime of 1s to 30s")]
    Assertion,
}

impl UpstreamSettings {
    /// Everything that can be checked without reading a file.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if self.endpoints.is_empty() || self.endpoints.len() > ENDPOINTS_MAX {
            return Err(SettingsError::Endpoints);
        }
        for endpoint in &self.endpoints {
            self.check_endpoint(endpoint)?;
        }
        let (connect, response) = (self.connect_timeout, self.response_timeout);
        if connect.is_zero() || connect > response || response > TIMEOUT_MAX {
            return Err(SettingsError::Timeouts);
        }
        let attempts = usize::try_from(self.connect_attempts).unwrap_or(usize::MAX);
        if attempts == 0 || attempts > ENDPOINTS_MAX {
            return Err(SettingsError::Attempts);
        }
        let AssertionSettings { issuer, audience, lifetime, signer: _ } = &self.assertion;
        let lives = lifetime.as_secs() > 0 && *lifetime <= ASSERTION_LIFETIME_MAX;
        if issuer.is_empty() || audience.is_empty() || !lives {
            return Err(SettingsError::Assertion);
        }
        Ok(())
    }

    fn check_endpoint(&self, endpoint: &Uri) -> Result<(), SettingsError> {
        let bare = matches!(endpoint.path(), "" | "/") && endpoint.query().is_none();
        let host =
            endpoint.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'));
        if !bare || !host {
            return Err(SettingsError::Endpoint(endpoint.clone()));
        }
        match endpoint.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS && self.tls.is_some() => Ok(()),
            Some(scheme) if *scheme == Scheme::HTTPS => Err(SettingsError::TlsMissing),
            Some(scheme) if *scheme == Scheme::HTTP && self.insecure_plaintext => Ok(()),
            Some(scheme) if *scheme == Scheme::HTTP => {
                Err(SettingsError::Plaintext(endpoint.clone()))
            }
            Some(_) | None => Err(SettingsError::Endpoint(endpoint.clone())),
        }
    }
}

#[cfg(test)]
mod tests;

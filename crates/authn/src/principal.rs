//! Who is asking, as proved. It knows no tokens, keys or headers; only this crate can make one.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::claims::Validity;

/// How a principal was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A bearer token (RFC 6750).
    Bearer,
    /// No credential, where none was needed.
    Anonymous,
}

/// Proof that a request's caller is known, or that nobody needs to know. Not `Clone`: it belongs to
/// one request. Subject, client and tenant mean something only together with the issuer.
#[derive(PartialEq, Eq)]
pub struct Principal {
    bearer: Option<Arc<Bearer>>,
}

/// The facts of an accepted bearer token.
#[derive(PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) fingerprint: [u8; 32],
    pub(crate) issuer_name: Arc<str>,
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) tier: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) validity: Validity,
    pub(crate) token_id: Option<String>,
    pub(crate) key_id: String,
    /// `x5t#S256` of the certificate it is bound to.
    pub(crate) certificate: Option<String>,
}

impl Bearer {
    /// Whether it may come on a connection with this client certificate (RFC 8705 3).
    pub(crate) fn may_come_with(&self, certificate: Option<&str>) -> bool {
        self.certificate.is_none() || self.certificate.as_deref() == certificate
    }
}

impl Principal {
    pub(crate) fn anonymous() -> Self {
        Self { bearer: None }
    }

    pub(crate) fn bearer(facts: Arc<Bearer>) -> Self {
        Self { bearer: Some(facts) }
    }

    /// How it was proved.
    #[must_use]
    pub fn method(&self) -> Method {
        if self.bearer.is_some() { Method::Bearer } else { Method::Anonymous }
    }

    /// Whether there was no credential.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.bearer.is_none()
    }

    /// A name for this credential at this audience: a digest under a key that never leaves this process.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&[u8; 32]> {
        self.bearer.as_ref().map(|b| &b.fingerprint)
    }

    /// The configured name of the issuer.
    #[must_use]
    pub fn issuer_name(&self) -> Option<&str> {
        self.bearer.as_ref().map(|b| &*b.issuer_name)
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.bearer.as_ref().map(|b| &*b.issuer)
    }

    /// `sub`; always there where the issuer's rules require it, as all presets do.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.bearer.as_ref()?.subject.as_deref()
    }

    /// The OAuth client.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.bearer.as_ref()?.client.as_deref()
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.bearer.as_ref()?.tenant.as_deref()
    }

    /// The service level tier, where the issuer may grant it.
    #[must_use]
    pub fn tier(&self) -> Option<&str> {
        self.bearer.as_ref()?.tier.as_deref()
    }

    /// The scopes that the issuer granted and may grant, sorted, each once.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        self.bearer.as_ref().map_or(&[], |b| &b.scopes)
    }

    /// Whether a scope was granted; exact comparison (RFC 6749 3.3).
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().binary_search_by(|held| held.as_str().cmp(scope)).is_ok()
    }

    /// `exp`, without leeway: a stream opened by this principal ends here.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.bearer.as_ref().map(|b| b.validity.expires_at())
    }

    /// `jti`.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.bearer.as_ref()?.token_id.as_deref()
    }

    /// `x5t#S256` of the certificate that the token is bound to (RFC 8705 3.1), if it is bound.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.bearer.as_ref()?.certificate.as_deref()
    }

    /// `kid` of the key that verified the token.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.bearer.as_ref().map(|b| b.key_id.as_str())
    }
}

/// Shows only the method and the issuer: subjects are personal data.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("method", &self.method())
            .field("issuer_name", &self.issuer_name())
            .finish_non_exhaustive()
    }
}

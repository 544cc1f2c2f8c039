//! The gateway's statement about one request: who asks, for what, with which body. The contract with services is
//! `docs/reference/assertion.md`. It knows no connection and no headers beside its own.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::fault::Fault;
use crate::settings::AssertionSettings;

/// The request header that carries an assertion.
pub const ASSERTION_HEADER: HeaderName = HeaderName::from_static("x-gateway-assertion");

/// The header type of an assertion: an own one, so that it never passes as an access token (RFC 8725 3.11).
pub const ASSERTION_TYPE: &str = "gw-assertion+jwt";

/// Bytes of the longest assertion: what common servers take as one header line. A target too long for it is refused.
pub const ASSERTION_BYTES_MAX: usize = 8 * 1024;

/// For whom the gateway asks. All empty for an anonymous caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller<'a> {
    /// Who vouches for the rest: the issuer of the token.
    pub issuer: Option<&'a str>,
    /// The subject, as that issuer knows it.
    pub subject: Option<&'a str>,
    /// The client (application), as that issuer knows it.
    pub client: Option<&'a str>,
    /// The tenant, as that issuer knows it.
    pub tenant: Option<&'a str>,
    /// The scopes it was granted.
    pub scopes: &'a [String],
}

/// What an assertion is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) method: &'a str,
    /// Path and query, byte for byte as sent.
    pub(crate) target: &'a str,
    /// The whole body, empty where there is none; nothing where it passes unread.
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) transaction: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    txn: &'a str,
    htm: &'a str,
    htu: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bdh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orig_iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

/// The client certificate of the gateway (RFC 8705 3.1).
#[derive(Serialize)]
struct Confirmation<'a> {
    #[serde(rename = "x5t#S256")]
    certificate: &'a str,
}

/// Signs one assertion. `certificate` is the thumbprint of the gateway's own client certificate.
pub(crate) fn assert(
    settings: &AssertionSettings,
    caller: &Caller<'_>,
    bound: &Bound<'_>,
    certificate: Option<&str>,
    now: SystemTime,
) -> Result<HeaderValue, Fault> {
    let iat = now.duration_since(UNIX_EPOCH).map_err(|_| Fault::Assertion)?.as_secs();
    let scope = (!caller.scopes.is_empty()).then(|| caller.scopes.join(" "));
    let mut jti = [0; uuid::fmt::Hyphenated::LENGTH];
    let claims = Claims {
        iss: &settings.issuer,
        aud: &settings.audience,
        iat,
        exp: iat.saturating_add(settings.lifetime.as_secs()),
        jti: uuid::Uuid::new_v4().hyphenated().encode_lower(&mut jti),
        txn: bound.transaction,
        htm: bound.method,
        htu: bound.target,
        bdh: bound.body.filter(|body| !body.is_empty()).map(thumbprint),
        unread: bound.body.is_none().then_some(true),
        orig_iss: caller.issuer,
        sub: caller.subject,
        client_id: caller.client,
        tenant: caller.tenant,
        scope,
        cnf: certificate.map(|certificate| Confirmation { certificate }),
    };
    let token = settings.signer.sign(ASSERTION_TYPE, &claims).map_err(|_| Fault::Assertion)?;
    if token.len() > ASSERTION_BYTES_MAX {
        return Err(Fault::AssertionTooLong);
    }
    let mut value = HeaderValue::try_from(token).map_err(|_| Fault::Assertion)?;
    // Never in a debug print, never in a compression table (RFC 7541 7.1.3).
    value.set_sensitive(true);
    Ok(value)
}

/// SHA-256 as base64url without padding.
pub(crate) fn thumbprint(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

#[cfg(test)]
mod tests;

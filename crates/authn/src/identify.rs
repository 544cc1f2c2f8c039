//! One request's headers become a principal or a refusal. It knows no routes: what is demanded comes
//! from the caller.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{
    Denied, Issuer, Principal, TokenFault,
    claims::{self, Proof},
    jws::{TOKEN_BYTES_MAX, Unverified},
    principal::Bearer,
};

/// What an operation demands of its callers.
#[derive(Debug, Clone)]
pub enum Demand {
    /// No credential; one that is sent anyway is refused.
    Anonymous,
    /// A bearer token of one of these issuers for this audience.
    Bearer {
        /// Who may have issued it.
        issuers: Vec<Arc<Issuer>>,
        /// This API's identifier, which `aud` must hold (RFC 9068 4).
        audience: String,
        /// Whether a request without any credential passes as anonymous. A bad credential never does.
        anonymous_too: bool,
    },
}

/// What a request proves its sender with.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'r> {
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// `x5t#S256` of the client certificate of its connection, verified there; `None` where it showed none. Never from a
    /// header.
    pub certificate: Option<&'r str>,
}

/// A request on a connection without a client certificate.
impl<'r> From<&'r HeaderMap> for Sent<'r> {
    fn from(headers: &'r HeaderMap) -> Self {
        Self { headers, certificate: None }
    }
}

/// Decides who sends this request. Reads the `Authorization` header and nothing else: a token in a
/// query, a form or a cookie is not seen (RFC 6750 2, RFC 9700). A token that is bound to a certificate passes on a
/// connection with that one only (RFC 8705 3). Where the token names a key that
/// is not known, waits up to 3 s for one shared fetch of the issuer's keys.
///
/// # Errors
/// [`Denied`] says what to answer; its fault is for the audit event.
pub async fn identify<'r>(
    demand: &Demand,
    sent: impl Into<Sent<'r>>,
    now: SystemTime,
) -> Result<Principal, Denied> {
    let Sent { headers, certificate } = sent.into();
    let Demand::Bearer { issuers, audience, anonymous_too } = demand else {
        return if headers.contains_key(AUTHORIZATION) {
            Err(Denied::Unasked)
        } else {
            Ok(Principal::anonymous())
        };
    };
    match presented(headers)? {
        Presented::Nothing if *anonymous_too => Ok(Principal::anonymous()),
        Presented::OtherScheme if *anonymous_too => Err(Denied::Unasked),
        Presented::Nothing | Presented::OtherScheme => Err(Denied::Absent),
        Presented::Bearer(token) => {
            let bearer = verify(token, issuers, audience, now).await?;
            // Asked anew each time: what is remembered of a token knows no connection.
            if !bearer.may_come_with(certificate) {
                return Err(TokenFault::CertificateMismatch.into());
            }
            Ok(Principal::bearer(bearer))
        }
    }
}

async fn verify(
    token: &[u8],
    issuers: &[Arc<Issuer>],
    audience: &str,
    now: SystemTime,
) -> Result<Arc<Bearer>, Denied> {
    for issuer in issuers {
        if let Some(bearer) = recall(token, issuer, audience, now)? {
            return Ok(bearer);
        }
    }
    // Apart and boxed: the common path carries none of its state.
    Box::pin(first_sight(token, issuers, audience, now)).await
}

/// A token that nobody has shown within the last minute: everything is checked.
async fn first_sight(
    token: &[u8],
    issuers: &[Arc<Issuer>],
    audience: &str,
    now: SystemTime,
) -> Result<Arc<Bearer>, Denied> {
    let unverified = Unverified::parse(token)?;
    // The claimed issuer only chooses among those asked for; the signature then proves the choice.
    let claimed = unverified.claimed_issuer()?;
    let issuer = issuers.iter().find(|i| i.issuer() == claimed).ok_or(TokenFault::IssuerUnknown)?;
    let settings = issuer.settings();
    if !settings.algorithms.contains(&unverified.algorithm()) {
        return Err(TokenFault::AlgorithmForbidden.into());
    }
    if !settings.tokens.accepts_typ(unverified.typ()) {
        return Err(TokenFault::Typ.into());
    }
    let key = issuer.key(unverified.kid(), now).await?;
    let (verified, key_id) = unverified.verify(&key)?;
    let slot = issuer.memory().slot(token, audience);
    let proof = Proof { key_id, fingerprint: slot.0 };
    let bearer = Arc::new(claims::check(&verified, proof, settings, audience, now)?);
    issuer.memory().keep(slot, bearer.clone(), key, now);
    Ok(bearer)
}

/// What is remembered of this very token for this audience, where its key is still published and its time still holds.
/// Everything else that was checked depends on nothing that changes while the issuer's settings do not.
fn recall(
    token: &[u8],
    issuer: &Issuer,
    audience: &str,
    now: SystemTime,
) -> Result<Option<Arc<Bearer>>, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Ok(None);
    }
    let memory = issuer.memory();
    let Some(found) = memory.recall(&memory.slot(token, audience), now) else { return Ok(None) };
    if !issuer.still_has(&found.bearer.key_id, &found.key, now) {
        return Ok(None);
    }
    found.bearer.validity.check(&issuer.settings().tokens, now)?;
    Ok(Some(found.bearer.clone()))
}

/// What the `Authorization` header holds.
enum Presented<'h> {
    Nothing,
    OtherScheme,
    Bearer(&'h [u8]),
}

fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Presented::Nothing) };
    if values.next().is_some() {
        return Err(Denied::Malformed(TokenFault::SeveralCredentials));
    }
    bearer(value)
}

/// RFC 6750 2.1: `Bearer 1*SP b64token`, the scheme without case (RFC 9110 11.1).
fn bearer(value: &HeaderValue) -> Result<Presented<'_>, Denied> {
    let value = value.as_bytes();
    let scheme_bytes = value.iter().take_while(|byte| !matches!(byte, b' ' | b'\t' | b',')).count();
    let (scheme, rest) = value.split_at_checked(scheme_bytes).unwrap_or((value, &[]));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(Presented::OtherScheme);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = rest.get(spaces..).unwrap_or_default();
    let broken = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
    if spaces == 0 || token.is_empty() || token.iter().any(broken) {
        return Err(Denied::Malformed(TokenFault::CredentialSyntax));
    }
    Ok(Presented::Bearer(token))
}

#[cfg(test)]
mod tests;

//! Verified claims become the facts of a principal, or a fault. Pure: the time is an argument. It
//! knows no keys and no headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::{
    IssuerSettings, TokenFault, TokenRules, json::Object, jws::Verified, principal::Bearer,
};

/// Longest text of an identifying claim, in bytes; OIDC Core 2 allows a `sub` of 255.
const TEXT_BYTES_MAX: usize = 512;
/// 9999-12-31T23:59:59Z, in seconds: dates beyond it are not dates.
const DATE_SECONDS_MAX: u64 = 253_402_300_799;

/// A SHA-256 in base64url without padding.
const THUMBPRINT_CHARACTERS: usize = 43;

/// Names that may appear in a fault; it must not carry text from anywhere else.
const NAMES: [&str; 22] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "azp",
    "cid",
    "appid",
    "scope",
    "scp",
    "tenant",
    "tid",
    "sla_tier",
    "tier",
    "typ",
    "acr",
    "auth_time",
    "oid",
    "roles",
];

/// What stands for the signature that was checked.
#[derive(Debug)]
pub(crate) struct Proof {
    /// `kid` of the key.
    pub(crate) key_id: String,
    /// The name of the token in this process.
    pub(crate) fingerprint: [u8; 32],
}

/// Checks the claims of a token whose signature is good and which this issuer's key signed.
pub(crate) fn check(
    verified: &Verified,
    proof: Proof,
    settings: &IssuerSettings,
    audience: &str,
    now: SystemTime,
) -> Result<Bearer, TokenFault> {
    let claims = verified.claims();
    if claims.get("iss").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
        return Err(TokenFault::IssuerUnknown);
    }
    check_audience(claims, audience)?;
    let validity = Validity::read(claims)?;
    validity.check(&settings.tokens, now)?;
    for name in &settings.tokens.required {
        if claims.get(name).is_none_or(Value::is_null) {
            return Err(TokenFault::ClaimMissing(fault_name(name)));
        }
    }
    check_kind(claims, &settings.tokens)?;
    let certificate = confirmation(claims)?;
    let names = &settings.claims;
    let may_scope = |scope: &str| settings.may_grant.as_ref().is_none_or(|g| g.scope(scope));
    let may_tier = |tier: &String| settings.may_grant.as_ref().is_none_or(|g| g.tier(tier));
    let mut scopes = scopes(claims, &names.scopes)?;
    scopes.retain(|scope| may_scope(scope));
    scopes.sort_unstable();
    scopes.dedup();
    Ok(Bearer {
        issuer_name: settings.name.as_str().into(),
        issuer: settings.issuer.as_str().into(),
        subject: text(claims, "sub")?,
        client: text(claims, &names.client)?,
        tenant: text(claims, &names.tenant)?,
        tier: text(claims, &names.tier)?.filter(may_tier),
        scopes,
        validity,
        token_id: text(claims, "jti")?,
        key_id: proof.key_id,
        fingerprint: proof.fingerprint,
        certificate,
    })
}

/// The certificate that a token is bound to (RFC 8705 3.1). Bound in any other way, or in one more, it is refused: whoever
/// holds it would pass (RFC 7800 3.1).
fn confirmation(claims: &Object) -> Result<Option<String>, TokenFault> {
    let Some(cnf) = claims.get("cnf") else { return Ok(None) };
    let members = cnf.as_object().filter(|members| members.len() == 1);
    let thumbprint = members.and_then(|members| members.get("x5t#S256")?.as_str());
    let is_digest = |text: &&str| {
        let mut bytes = text.bytes();
        text.len() == THUMBPRINT_CHARACTERS
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let thumbprint = thumbprint.filter(is_digest).ok_or(TokenFault::ConfirmationUnsupported)?;
    Ok(Some(thumbprint.to_owned()))
}

/// RFC 7519 4.1.3: a string or an array of strings; one of them is this API's identifier, exactly.
fn check_audience(claims: &Object, audience: &str) -> Result<(), TokenFault> {
    let held = match claims.get("aud") {
        None => return Err(TokenFault::ClaimMissing("aud")),
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
            many.iter().any(|one| one == audience)
        }
        Some(_) => return Err(TokenFault::ClaimType("aud")),
    };
    if held { Ok(()) } else { Err(TokenFault::AudienceMismatch) }
}

/// When a token holds: RFC 7519 4.1.4 to 4.1.6, as times since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    expires: Duration,
    not_before: Option<Duration>,
    issued: Option<Duration>,
}

impl Validity {
    fn read(claims: &Object) -> Result<Self, TokenFault> {
        Ok(Self {
            expires: date(claims, "exp")?.ok_or(TokenFault::ClaimMissing("exp"))?,
            not_before: date(claims, "nbf")?,
            issued: date(claims, "iat")?,
        })
    }

    /// Whether it holds now, and no longer than a token may.
    pub(crate) fn check(&self, rules: &TokenRules, now: SystemTime) -> Result<(), TokenFault> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if now >= self.expires.saturating_add(rules.leeway) {
            return Err(TokenFault::Expired);
        }
        let soonest = now.saturating_add(rules.leeway);
        if [self.not_before, self.issued].into_iter().flatten().any(|from| from > soonest) {
            return Err(TokenFault::NotYetValid);
        }
        if self.expires.saturating_sub(self.issued.unwrap_or(now)) > rules.lifetime_max {
            return Err(TokenFault::LifetimeTooLong);
        }
        Ok(())
    }

    /// `exp`, without leeway.
    pub(crate) fn expires_at(&self) -> SystemTime {
        // The bound on dates keeps this addition far from overflow.
        UNIX_EPOCH.checked_add(self.expires).unwrap_or(UNIX_EPOCH)
    }
}

/// ID and refresh tokens of providers whose header `typ` does not tell kinds apart (RFC 8725 3.12).
fn check_kind(claims: &Object, rules: &TokenRules) -> Result<(), TokenFault> {
    if let Some((name, value)) = &rules.kind
        && claims.get(name).and_then(Value::as_str) != Some(value)
    {
        return Err(TokenFault::WrongKind);
    }
    if rules.foreign.iter().any(|name| claims.contains_key(name)) {
        return Err(TokenFault::WrongKind);
    }
    Ok(())
}

/// A NumericDate (RFC 7519 2): a number of seconds, perhaps with a fraction, within sane years.
fn date(claims: &Object, name: &'static str) -> Result<Option<Duration>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(TokenFault::ClaimType(name)) };
    let date = match number.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    match date {
        Some(date) if date <= Duration::from_secs(DATE_SECONDS_MAX) => Ok(Some(date)),
        Some(_) | None => Err(TokenFault::ClaimType(name)),
    }
}

/// An identifying claim: a non-empty string of bounded length without control characters.
fn text(claims: &Object, name: &str) -> Result<Option<String>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if is_sane(text) => Ok(Some(text.clone())),
        Some(_) => Err(TokenFault::ClaimType(fault_name(name))),
    }
}

fn is_sane(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

/// A space separated string or an array of strings; absent: no scopes.
fn scopes(claims: &Object, name: &str) -> Result<Vec<String>, TokenFault> {
    let fault = TokenFault::ClaimType(fault_name(name));
    let scopes: Vec<&str> = match claims.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => text.split(' ').filter(|scope| !scope.is_empty()).collect(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or(fault)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(fault),
    };
    if scopes.iter().all(|scope| is_scope_token(scope)) {
        Ok(scopes.into_iter().map(str::to_owned).collect())
    } else {
        Err(fault)
    }
}

/// RFC 6749 3.3: `scope-token`.
fn is_scope_token(scope: &str) -> bool {
    !scope.is_empty()
        && scope.len() <= TEXT_BYTES_MAX
        && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn fault_name(name: &str) -> &'static str {
    NAMES.iter().find(|known| **known == name).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests;

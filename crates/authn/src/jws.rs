//! The compact serialisation of a JWS, read strictly (RFC 7515 7.1). It knows no issuers and no
//! meaning of claims; the only claim it shows before the signature is checked is `iss`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    Algorithm, TokenFault,
    json::{self, JsonFault, Object},
    keys::Key,
};

/// Longest token, in bytes of its compact form.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest header, in bytes of its base64url segment.
const HEADER_BYTES_MAX: usize = 4 * 1024;
/// Longest `kid`, in bytes.
const KID_BYTES_MAX: usize = 512;
/// Header members that change how the rest is read (RFC 7797, RFC 7516): none is implemented.
const UNSUPPORTED_MEMBERS: [&str; 3] = ["b64", "zip", "enc"];

/// A token whose signature nobody has checked yet.
pub(crate) struct Unverified<'t> {
    signed: &'t [u8],
    header: Header,
    claims: Object,
    signature: Vec<u8>,
}

/// The header members that mean something here. `jwk`, `jku`, `x5u` and `x5c` are not among them:
/// they never choose a key and never cause a fetch (RFC 8725 3.10).
struct Header {
    algorithm: Algorithm,
    kid: String,
    typ: Option<String>,
}

/// Claims whose signature was checked. Only [`Unverified::verify`] makes one.
#[derive(Debug)]
pub(crate) struct Verified(Object);

impl Verified {
    /// The claims.
    pub(crate) fn claims(&self) -> &Object {
        &self.0
    }
}

impl<'t> Unverified<'t> {
    /// Reads a token: bounds, segments, base64url, JSON, and what needs no issuer to be refused.
    pub(crate) fn parse(token: &'t [u8]) -> Result<Self, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::TooLarge);
        }
        let mut segments = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            let count = token.split(|byte| *byte == b'.').count();
            return Err(if count == 5 {
                TokenFault::Encrypted
            } else {
                TokenFault::NotThreeSegments
            });
        };
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(TokenFault::NotThreeSegments);
        }
        if header.len() > HEADER_BYTES_MAX {
            return Err(TokenFault::TooLarge);
        }
        let signed_bytes = header.len().saturating_add(payload.len()).saturating_add(1);
        let signed = token.get(..signed_bytes).ok_or(TokenFault::NotThreeSegments)?;
        let header = Header::read(&read_object(header, TokenFault::HeaderJson)?)?;
        let claims = read_object(payload, TokenFault::ClaimsJson)?;
        Ok(Self { signed, header, claims, signature: decode(signature)? })
    }

    /// The `iss` the token claims, only to choose among the issuers that were asked for.
    pub(crate) fn claimed_issuer(&self) -> Result<&str, TokenFault> {
        match self.claims.get("iss") {
            None => Err(TokenFault::ClaimMissing("iss")),
            Some(Value::String(issuer)) => Ok(issuer),
            Some(_) => Err(TokenFault::ClaimType("iss")),
        }
    }

    /// `alg` of the header: a claim of the token, compared with the key, never followed.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// `kid` of the header.
    pub(crate) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// `typ` of the header, as it stands there.
    pub(crate) fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Checks the signature with the key that `kid` named; also gives `kid` back.
    pub(crate) fn verify(self, key: &Key) -> Result<(Verified, String), TokenFault> {
        if key.algorithm() != self.header.algorithm {
            return Err(TokenFault::AlgorithmMismatch);
        }
        key.verify(self.signed, &self.signature)?;
        Ok((Verified(self.claims), self.header.kid))
    }
}

impl Header {
    fn read(header: &Object) -> Result<Self, TokenFault> {
        if header.contains_key("crit") {
            return Err(TokenFault::Crit);
        }
        if UNSUPPORTED_MEMBERS.iter().any(|name| header.contains_key(*name)) {
            return Err(TokenFault::HeaderUnsupported);
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => {
                name.parse().map_err(|_| TokenFault::AlgorithmForbidden)?
            }
            Some(_) | None => return Err(TokenFault::HeaderJson),
        };
        let kid = match header.get("kid") {
            Some(Value::String(kid)) if !kid.is_empty() => kid.clone(),
            Some(_) | None => return Err(TokenFault::KidMissing),
        };
        if kid.len() > KID_BYTES_MAX {
            return Err(TokenFault::TooLarge);
        }
        let typ = match header.get("typ") {
            None => None,
            Some(Value::String(typ)) => Some(typ.clone()),
            Some(_) => return Err(TokenFault::Typ),
        };
        Ok(Self { algorithm, kid, typ })
    }
}

fn decode(segment: &[u8]) -> Result<Vec<u8>, TokenFault> {
    // This engine refuses padding, white space, the other alphabet and set unused bits.
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| TokenFault::Base64)
}

fn read_object(segment: &[u8], syntax: TokenFault) -> Result<Object, TokenFault> {
    json::object(&decode(segment)?).map_err(|fault| match fault {
        JsonFault::Duplicate => TokenFault::DuplicateName,
        JsonFault::Syntax | JsonFault::NotObject => syntax,
    })
}

#[cfg(test)]
mod tests;

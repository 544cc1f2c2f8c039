//! How a service checks the gateway's assertion (`x-gateway-assertion`): the service's side of the
//! contract, written without any code of the gateway's side, so that each keeps the other honest.
//! A pure function of token, keys, request and time.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::jose;

/// The header type, an own one so that an assertion never passes as an access token.
const TYPE: &str = "gw-assertion+jwt";
/// Longest time from `iat` to `exp` that is accepted, in seconds.
const LIFETIME_MAX: u64 = 30;
/// How far the two clocks may differ, in seconds.
const LEEWAY: u64 = 5;
/// Bytes of one assertion.
const ASSERTION_BYTES_MAX: usize = 8 * 1024;
/// Keys of one key set.
const KEYS_MAX: usize = 16;

/// Why an assertion was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is none, or more than one.
    Missing,
    /// Not a compact token with the header and claims of the contract.
    Malformed,
    /// Another `typ`.
    Type,
    /// The key id is not in the key set, or the key is not for this algorithm.
    KeyUnknown,
    /// The signature does not verify.
    Signature,
    /// Another `iss`.
    Issuer,
    /// Another `aud`.
    Audience,
    /// Expired, from the future, or valid for too long.
    Time,
    /// Made for another method or target.
    Request,
    /// Made for another body.
    Body,
    /// Made for another client certificate than that of the connection.
    Certificate,
}

impl Refused {
    /// A word for answers and logs.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "assertion_missing",
            Self::Malformed => "assertion_malformed",
            Self::Type => "assertion_type",
            Self::KeyUnknown => "assertion_key_unknown",
            Self::Signature => "assertion_signature",
            Self::Issuer => "assertion_issuer",
            Self::Audience => "assertion_audience",
            Self::Time => "assertion_time",
            Self::Request => "assertion_request",
            Self::Body => "assertion_body",
            Self::Certificate => "assertion_certificate",
        }
    }
}

/// The request as this service received it.
pub(super) struct Received<'a> {
    /// Its method.
    pub(super) method: &'a str,
    /// Its path with query.
    pub(super) target: &'a str,
    /// Its whole body.
    pub(super) body: &'a [u8],
    /// The thumbprint of the client certificate it came with.
    pub(super) certificate: Option<&'a str>,
}

/// For whom the gateway asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The client that the gateway authenticated.
    pub(super) client: Option<String>,
    /// The tenant it belongs to.
    pub(super) tenant: Option<String>,
}

/// The gateway's public keys by key id.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<String, Key>);

#[derive(Debug)]
enum Key {
    Ed25519(Vec<u8>),
    P256(Vec<u8>),
}

impl Keys {
    /// Reads a JWK set; keys that are not understood are left out. `None` where it is not one.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).ok()?;
        Some(Self(set.keys.into_iter().take(KEYS_MAX).filter_map(Key::parse).collect()))
    }

    /// Whether there is a key with the id that this assertion names.
    pub(super) fn has_key_of(&self, assertion: &str) -> bool {
        header(assertion).is_some_and(|header| self.0.contains_key(&header.kid))
    }
}

impl Key {
    fn parse(value: Value) -> Option<(String, Self)> {
        #[derive(Deserialize)]
        struct Jwk {
            kid: String,
            kty: String,
            crv: String,
            x: String,
            y: Option<String>,
        }
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let x = jose::decode(&jwk.x).filter(|x| x.len() == 32)?;
        let key = match (jwk.kty.as_str(), jwk.crv.as_str(), jwk.y) {
            ("OKP", "Ed25519", None) => Self::Ed25519(x),
            ("EC", "P-256", Some(y)) => {
                let y = jose::decode(&y).filter(|y| y.len() == 32)?;
                Self::P256([vec![4], x, y].concat())
            }
            _ => return None,
        };
        Some((jwk.kid, key))
    }

    fn algorithm(&self) -> (&'static str, &'static dyn VerificationAlgorithm, &[u8]) {
        match self {
            Self::Ed25519(bytes) => ("EdDSA", &ED25519, bytes),
            Self::P256(bytes) => ("ES256", &ECDSA_P256_SHA256_FIXED, bytes),
        }
    }
}

/// Only these members may be in the header: `crit` and keys carried along are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: u64,
    exp: u64,
    jti: String,
    txn: String,
    htm: String,
    htu: String,
    bdh: Option<String>,
    client_id: Option<String>,
    tenant: Option<String>,
    cnf: Option<Confirmation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    certificate: String,
}

/// What this service expects of every assertion.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Who must have made it (`iss`).
    pub(super) issuer: String,
    /// For whom it must be made (`aud`): this service.
    pub(super) audience: String,
}

impl Verifier {
    /// Checks one assertion against the request it came with.
    pub(super) fn verify(
        &self,
        keys: &Keys,
        assertion: &str,
        received: &Received<'_>,
        now: SystemTime,
    ) -> Result<Caller, Refused> {
        let claims = signed(keys, assertion)?;
        if claims.iss != self.issuer {
            return Err(Refused::Issuer);
        }
        if claims.aud != self.audience {
            return Err(Refused::Audience);
        }
        if claims.jti.is_empty() || claims.txn.is_empty() {
            return Err(Refused::Malformed);
        }
        in_time(&claims, now)?;
        if claims.htm != received.method || claims.htu != received.target {
            return Err(Refused::Request);
        }
        let digest = (!received.body.is_empty()).then(|| jose::thumbprint(received.body));
        if claims.bdh != digest {
            return Err(Refused::Body);
        }
        // A stolen assertion is useless without the private key of the gateway's certificate.
        if claims.cnf.is_some_and(|cnf| Some(cnf.certificate.as_str()) != received.certificate) {
            return Err(Refused::Certificate);
        }
        Ok(Caller { client: claims.client_id, tenant: claims.tenant })
    }
}

/// The claims, once type, algorithm, key and signature are right.
fn signed(keys: &Keys, assertion: &str) -> Result<Claims, Refused> {
    let header = header(assertion).ok_or(Refused::Malformed)?;
    if header.typ != TYPE {
        return Err(Refused::Type);
    }
    let key = keys.0.get(&header.kid).ok_or(Refused::KeyUnknown)?;
    let (name, algorithm, bytes) = key.algorithm();
    if header.alg != name {
        return Err(Refused::KeyUnknown);
    }
    let (input, signature) = assertion.rsplit_once('.').ok_or(Refused::Malformed)?;
    let signature = jose::decode(signature).ok_or(Refused::Malformed)?;
    UnparsedPublicKey::new(algorithm, bytes)
        .verify(input.as_bytes(), &signature)
        .map_err(|_| Refused::Signature)?;
    let (_, payload) = input.split_once('.').ok_or(Refused::Malformed)?;
    object(payload).ok_or(Refused::Malformed)
}

fn in_time(claims: &Claims, now: SystemTime) -> Result<(), Refused> {
    let now = now.duration_since(UNIX_EPOCH).map_err(|_| Refused::Time)?.as_secs();
    let lifetime = claims.exp.checked_sub(claims.iat).ok_or(Refused::Time)?;
    let begun = claims.iat <= now.saturating_add(LEEWAY);
    let ended = now >= claims.exp.saturating_add(LEEWAY);
    if lifetime > LIFETIME_MAX || !begun || ended { Err(Refused::Time) } else { Ok(()) }
}

/// The header of a compact token of three parts and bounded length.
fn header(assertion: &str) -> Option<Header> {
    let bounded = assertion.len() <= ASSERTION_BYTES_MAX;
    let mut parts = assertion.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(_), Some(_), None) if bounded => object(header),
        _ => None,
    }
}

fn object<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&jose::decode(part)?).ok()
}

#[cfg(test)]
mod tests;

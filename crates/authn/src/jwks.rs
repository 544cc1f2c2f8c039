//! A JWK set becomes keys by `kid`; what is not a signature key for a configured algorithm is dropped
//! alone (RFC 7517 5). It knows no network and no tokens.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    Algorithm,
    json::{self, Object},
    keys::{Key, KeyFault},
};

/// Keys held of one issuer; the rest of a longer set is dropped.
const KEYS_MAX: usize = 100;
/// Members of a private or symmetric key (RFC 7518 6.2.2, 6.3.2, 6.4.1): a published one is burnt.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The text is not a JWK set at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotKeySet;

/// Why one member of a set was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Not an object, a name twice, or a member of the wrong type.
    Malformed,
    /// No `kid`: no token could name it.
    KidMissing,
    /// Another usable key has the same `kid`: neither can be told apart, so both go.
    KidDuplicate,
    /// `kty`, `crv` or `alg` that is not known.
    Unknown,
    /// Known, but not among the issuer's configured algorithms.
    NotConfigured,
    /// A private or symmetric member.
    Private,
    /// `use` or `key_ops` say it is not for verifying.
    Purpose,
    /// Bad numbers.
    Material(KeyFault),
    /// More than [`KEYS_MAX`] keys.
    TooMany,
}

/// The usable keys of one issuer.
#[derive(Default)]
pub(crate) struct KeySet {
    by_kid: HashMap<String, Arc<Key>>,
}

impl KeySet {
    /// Reads a set, keeping keys for `configured` algorithms. Also tells what was dropped, by position.
    pub(crate) fn parse(
        text: &[u8],
        configured: &[Algorithm],
    ) -> Result<(Self, Vec<(usize, Dropped)>), NotKeySet> {
        let document = json::object_voiding_duplicates(text).map_err(|_| NotKeySet)?;
        let Some(Value::Array(members)) = document.get("keys") else { return Err(NotKeySet) };
        let mut by_kid: HashMap<String, Option<Arc<Key>>> = HashMap::new();
        let mut dropped = Vec::new();
        for (index, member) in members.iter().enumerate() {
            if by_kid.len() >= KEYS_MAX {
                dropped.push((index, Dropped::TooMany));
                break;
            }
            match read_key(member, configured) {
                Ok((kid, key)) => {
                    if clashes(&mut by_kid, kid, key) {
                        dropped.push((index, Dropped::KidDuplicate));
                    }
                }
                Err(reason) => dropped.push((index, reason)),
            }
        }
        let by_kid = by_kid.into_iter().filter_map(|(kid, key)| Some((kid, key?))).collect();
        Ok((Self { by_kid }, dropped))
    }

    /// The key with exactly this `kid`.
    pub(crate) fn get(&self, kid: &str) -> Option<Arc<Key>> {
        self.by_kid.get(kid).map(Arc::clone)
    }

    /// Number of usable keys.
    pub(crate) fn len(&self) -> usize {
        self.by_kid.len()
    }
}

/// Adds a key; true where its `kid` was taken by another key, whose place is then left empty.
fn clashes(by_kid: &mut HashMap<String, Option<Arc<Key>>>, kid: String, key: Key) -> bool {
    match by_kid.get_mut(&kid) {
        None => {
            by_kid.insert(kid, Some(Arc::new(key)));
            false
        }
        Some(Some(held)) if held.is_same(&key) => false,
        Some(place) => {
            *place = None;
            true
        }
    }
}

fn read_key(member: &Value, configured: &[Algorithm]) -> Result<(String, Key), Dropped> {
    let jwk = member.as_object().ok_or(Dropped::Malformed)?;
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(Dropped::Private);
    }
    check_purpose(jwk)?;
    let algorithm = algorithm_of(jwk)?;
    if !configured.contains(&algorithm) {
        return Err(Dropped::NotConfigured);
    }
    let kid = text(jwk, "kid")?.filter(|kid| !kid.is_empty()).ok_or(Dropped::KidMissing)?;
    let key = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            Key::rsa(algorithm, &number(jwk, "n")?, &number(jwk, "e")?)
        }
        Algorithm::Es256 | Algorithm::Es384 => {
            Key::ec(algorithm, &number(jwk, "x")?, &number(jwk, "y")?)
        }
        Algorithm::EdDsa => Key::ed25519(&number(jwk, "x")?),
    };
    Ok((kid.to_owned(), key.map_err(Dropped::Material)?))
}

/// RFC 7517 4.2 and 4.3: where they are present, they must allow verifying.
fn check_purpose(jwk: &Object) -> Result<(), Dropped> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Dropped::Purpose);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(ops)) if ops.iter().all(Value::is_string) => {
            if ops.iter().any(|op| op == "verify") { Ok(()) } else { Err(Dropped::Purpose) }
        }
        Some(_) => Err(Dropped::Malformed),
    }
}

/// The one algorithm of a key: from `kty` and `crv`, and `alg` must agree. RSA without `alg` is RS256.
fn algorithm_of(jwk: &Object) -> Result<Algorithm, Dropped> {
    let named = text(jwk, "alg")?
        .map(|name| name.parse::<Algorithm>().map_err(|_| Dropped::Unknown))
        .transpose()?;
    let possible: &[Algorithm] = match (text(jwk, "kty")?, text(jwk, "crv")?) {
        (Some("RSA"), None) => &[Algorithm::Rs256, Algorithm::Ps256],
        (Some("EC"), Some("P-256")) => &[Algorithm::Es256],
        (Some("EC"), Some("P-384")) => &[Algorithm::Es384],
        (Some("OKP"), Some("Ed25519")) => &[Algorithm::EdDsa],
        _ => return Err(Dropped::Unknown),
    };
    match named {
        None => possible.first().copied().ok_or(Dropped::Unknown),
        Some(name) if possible.contains(&name) => Ok(name),
        Some(_) => Err(Dropped::Unknown),
    }
}

fn text<'j>(jwk: &'j Object, name: &str) -> Result<Option<&'j str>, Dropped> {
    match jwk.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(Dropped::Malformed),
    }
}

fn number(jwk: &Object, name: &str) -> Result<Vec<u8>, Dropped> {
    let encoded = text(jwk, name)?.ok_or(Dropped::Malformed)?;
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Dropped::Malformed)
}

#[cfg(test)]
mod tests;

//! The least that a token check costs: a signature, the audience, the end, one scope; each time, or once per token.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::{Failed, clock};

/// Tokens remembered.
const REMEMBERED_MAX: usize = 100_000;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Spec {
    jwks: PathBuf,
    audience: String,
    scope: String,
    /// Whether a token whose signature was good is believed until it ends.
    remember: bool,
}

pub(super) struct Guard {
    spec: Spec,
    keys: HashMap<String, Key>,
    known: HashMap<Vec<u8>, u64>,
}

enum Key {
    Rsa(ParsedPublicKey),
    Ec(UnparsedPublicKey<Vec<u8>>),
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Header {
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: u64,
    scope: String,
}

impl Guard {
    pub(super) fn new(spec: &Spec) -> Result<Self, Failed> {
        let set: KeySet = serde_json::from_slice(&fs::read(&spec.jwks)?)?;
        let mut keys = HashMap::new();
        for jwk in set.keys {
            keys.insert(jwk.kid.clone(), key(&jwk)?);
        }
        Ok(Self { spec: spec.clone(), keys, known: HashMap::new() })
    }

    pub(super) fn permits(&mut self, token: &[u8]) -> bool {
        let now = clock::seconds();
        if !self.spec.remember {
            return self.verify(token, now).is_some();
        }
        let name = digest(&SHA256, token).as_ref().to_vec();
        if let Some(ends) = self.known.get(&name) {
            return *ends > now;
        }
        let Some(ends) = self.verify(token, now) else { return false };
        if self.known.len() < REMEMBERED_MAX {
            self.known.insert(name, ends);
        }
        true
    }

    /// When the token ends, if it is good.
    fn verify(&self, token: &[u8], now: u64) -> Option<u64> {
        let token = std::str::from_utf8(token).ok()?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let signature = decode(signature)?;
        match self.keys.get(&header.kid)? {
            Key::Rsa(key) => key.verify_sig(signed.as_bytes(), &signature).ok()?,
            Key::Ec(key) => key.verify(signed.as_bytes(), &signature).ok()?,
        }
        let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
        let scoped = claims.scope.split(' ').any(|scope| scope == self.spec.scope);
        (claims.aud == self.spec.audience && claims.exp > now && scoped).then_some(claims.exp)
    }
}

fn key(jwk: &Jwk) -> Result<Key, Failed> {
    let decode = |text: &Option<String>| -> Result<Vec<u8>, Failed> {
        Ok(URL_SAFE_NO_PAD.decode(text.as_deref().ok_or("a key lacks a part")?)?)
    };
    if jwk.kty == "RSA" {
        let components = PublicKeyComponents { n: decode(&jwk.n)?, e: decode(&jwk.e)? };
        let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)?;
        return Ok(Key::Rsa(key));
    }
    // SEC 1 2.3.3: an uncompressed point.
    let point = [vec![4], decode(&jwk.x)?, decode(&jwk.y)?].concat();
    Ok(Key::Ec(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)))
}

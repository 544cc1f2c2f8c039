//! The one way to the private key that signs assertions, and its public half for services. It knows no claims and no
//! requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::{Value, json};

use crate::assertion::ASSERTION_TYPE;

/// Bytes of one coordinate of a P-256 point (RFC 7518 6.2.1.2).
const P256_COORDINATE_BYTES: usize = 32;

/// Bytes of most claims, and of most tokens: room that is taken at once rather than step by step.
const CLAIMS_BYTES: usize = 768;
const TOKEN_BYTES: usize = 1280;

/// A private key, parsed once, with its name.
pub struct Signer {
    key: Key,
    kid: String,
    jwk: Value,
    /// The encoded header of an assertion: the same with each of them.
    assertion_header: String,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair, SystemRandom),
}

/// Why there is no signer, or no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The file is not one PEM section `PRIVATE KEY`.
    #[error("read the signing key: expected PKCS#8 as PEM (BEGIN PRIVATE KEY)")]
    Pem,
    /// The key is of another kind.
    #[error("use the signing key: expected Ed25519 or EC P-256")]
    Kind,
    /// The claims are no JSON, or the cryptography library refused.
    #[error("sign")]
    Sign,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads an Ed25519 or P-256 key: PKCS#8 as PEM, as `openssl genpkey` writes it.
    ///
    /// # Errors
    /// Not PEM, or a key of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignerError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| SignerError::Pem)?;
        let der = der.secret_pkcs8_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::named(Key::Ed25519(pair)));
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        let pair = pair.map_err(|_| SignerError::Kind)?;
        Ok(Self::named(Key::P256(pair, SystemRandom::new())))
    }

    /// Makes an Ed25519 key that nobody else has and that is gone with the process.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, SignerError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| SignerError::Sign)?;
        Ok(Self::named(Key::Ed25519(pair)))
    }

    /// The id of the key: its JWK thumbprint (RFC 7638) under SHA-256.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The signature algorithm (RFC 7518 3.1, RFC 8037 3.1).
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.key.algorithm()
    }

    /// The public key (RFC 7517) with `kid`, `alg` and `use`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// A JWS in compact form (RFC 7515 3.1) with exactly the header members `alg`, `kid` and `typ`.
    ///
    /// # Errors
    /// Claims that are no JSON object, or a failure of the cryptography library.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignerError> {
        let mut json = Vec::with_capacity(CLAIMS_BYTES);
        serde_json::to_writer(&mut json, claims).map_err(|_| SignerError::Sign)?;
        let mut token = String::with_capacity(TOKEN_BYTES);
        if typ == ASSERTION_TYPE {
            token.push_str(&self.assertion_header);
        } else {
            token.push_str(&header(&self.key, &self.kid, typ));
        }
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(json, &mut token);
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn named(key: Key) -> Self {
        let members = key.members();
        // RFC 7638 3.2: the required members in the order of their names, which is the order of the pairs.
        let text: Vec<String> = members.iter().map(|(k, v)| format!("\"{k}\":\"{v}\"")).collect();
        let text = format!("{{{}}}", text.join(","));
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        let mut jwk = json!({ "kid": kid, "alg": key.algorithm(), "use": "sig" });
        if let Value::Object(jwk) = &mut jwk {
            jwk.extend(members.into_iter().map(|(k, v)| (k.to_owned(), Value::String(v))));
        }
        let assertion_header = header(&key, &kid, ASSERTION_TYPE);
        Self { key, kid, jwk, assertion_header }
    }
}

/// A JOSE header, encoded.
fn header(key: &Key, kid: &str, typ: &str) -> String {
    let header = json!({ "alg": key.algorithm(), "kid": kid, "typ": typ });
    URL_SAFE_NO_PAD.encode(header.to_string())
}

impl Key {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(..) => "ES256",
        }
    }

    /// What a thumbprint is made of, sorted by name.
    fn members(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed25519(pair) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", text(pair.public_key().as_ref())),
            ],
            Self::P256(pair, _) => {
                // SEC 1 2.3.3: 0x04, then both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = point
                    .strip_prefix(&[4])
                    .and_then(|both| both.split_at_checked(P256_COORDINATE_BYTES))
                    .unwrap_or_default();
                vec![
                    ("crv", "P-256".to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", text(x)),
                    ("y", text(y)),
                ]
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<aws_lc_rs::signature::Signature, SignerError> {
        match self {
            Self::Ed25519(pair) => pair.try_sign(message),
            Self::P256(pair, random) => pair.sign(random, message),
        }
        .map_err(|_| SignerError::Sign)
    }
}

/// The public keys of all signers as a JWK set (RFC 7517 5), each key once.
#[must_use]
pub fn jwks(signers: &[Arc<Signer>]) -> String {
    let mut seen = BTreeSet::new();
    let fresh = signers.iter().filter(|signer| seen.insert(signer.kid()));
    let keys: Vec<&Value> = fresh.map(|signer| &signer.jwk).collect();
    json!({ "keys": keys }).to_string()
}

#[cfg(test)]
mod tests;

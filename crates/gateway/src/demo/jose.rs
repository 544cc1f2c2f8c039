//! The little of JOSE that the demonstration needs: base64url, an ES256 signing key with its
//! public JWK, compact serialisation. It knows nothing of issuers or of the gateway.

use aws_lc_rs::digest;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// base64url without padding (RFC 7515 2).
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a base64url text without padding; `None` if it is not one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256 of `bytes` as base64url: certificate thumbprints (RFC 8705 3.1) and body digests.
pub(super) fn thumbprint(bytes: &[u8]) -> String {
    encode(digest::digest(&digest::SHA256, bytes))
}

/// A P-256 key that signs tokens (ES256, RFC 7518 3.4).
pub(super) struct SigningKey {
    pair: EcdsaKeyPair,
    x: String,
    y: String,
    id: String,
}

impl SigningKey {
    /// A fresh key; its id is the RFC 7638 thumbprint.
    pub(super) fn generate() -> Result<Self, Unspecified> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        // An uncompressed point: 0x04, 32 bytes of x, 32 bytes of y (SEC 1 2.3.3).
        let point = pair.public_key().as_ref().strip_prefix(&[4]).ok_or(Unspecified)?;
        let (x, y) = point.split_at_checked(32).ok_or(Unspecified)?;
        let (x, y) = (encode(x), encode(y));
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = thumbprint(canonical.as_bytes());
        Ok(Self { pair, x, y, id })
    }

    /// The public half as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y,
            "kid": self.id, "alg": "ES256", "use": "sig",
        })
    }

    /// A signed compact token (RFC 7515 3.1) with this `typ`.
    pub(super) fn sign(&self, typ: &str, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({ "alg": "ES256", "kid": self.id, "typ": typ });
        self.seal(&format!("{}.{}", encode(header.to_string()), encode(claims.to_string())))
    }

    /// Appends this key's signature to a signing input (`header.payload`).
    pub(super) fn seal(&self, input: &str) -> Result<String, Unspecified> {
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes())?;
        Ok(format!("{input}.{}", encode(signature)))
    }
}

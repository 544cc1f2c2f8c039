//! An issuer made of a key file: tokens of every bad kind can be made without a provider.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::site::{AUDIENCE, Site};

/// Its `iss`.
pub(crate) const ISSUER: &str = "https://issuer.test.example";

/// A key and the key set that holds its public half.
pub(crate) struct Issuer {
    key: Ed25519KeyPair,
}

impl Issuer {
    /// A new one, its key set written into the site.
    pub(crate) fn new(site: &Site) -> Self {
        let key = Ed25519KeyPair::generate().expect("a key");
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        let jwks = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "one", "alg": "EdDSA", "use": "sig", "x": x }
        ] });
        std::fs::write(site.path("issuer.jwks.json"), jwks.to_string()).expect("a key set");
        Self { key }
    }

    /// Its part of the configuration.
    pub(crate) fn configuration() -> String {
        format!("    issuer: {ISSUER}\n    jwks: issuer.jwks.json")
    }

    /// The public key's bytes, for those who would use it as a shared secret.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// A token with these header and claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(input.as_bytes()).as_ref());
        format!("{input}.{signature}")
    }

    /// A good token for a client with a scope.
    pub(crate) fn token(&self, client: &str, scope: &str) -> String {
        self.sign(&header(), &claims(client, scope))
    }
}

/// A good header.
pub(crate) fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "one" })
}

/// Good claims.
pub(crate) fn claims(client: &str, scope: &str) -> Value {
    let now = now();
    json!({
        "iss": ISSUER, "sub": client, "client_id": client, "aud": AUDIENCE, "jti": format!("t-{now}"),
        "iat": now, "exp": now + 600, "scope": scope,
    })
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a token of a test is made now")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

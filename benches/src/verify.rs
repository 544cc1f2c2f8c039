//! From an `Authorization` header to a principal, the keys at hand: a token that is new, and one that is remembered. Keys
//! and tokens are made anew each time.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use authn::{Demand, Issuer, IssuerSettings, KeySource};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::{Work, ready};

const ISSUER: &str = "https://idp.test/realms/shop";
const AUDIENCE: &str = "https://api.test";
/// Before any real clock, so that keys that are read now are never too old.
const NOW_SECONDS: u64 = 1_700_000_000;
/// Longer than any measurement steps.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Between two runs where the token must be new each time: a checked signature is remembered for a minute.
const FORGOTTEN: Duration = Duration::from_secs(61);

pub(crate) fn rs256() -> Work {
    by_rsa(FORGOTTEN)
}

pub(crate) fn remembered() -> Work {
    by_rsa(Duration::ZERO)
}

fn by_rsa(step: Duration) -> Work {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let jwk =
        json!({ "kty": "RSA", "n": encode(&public.n), "e": encode(&public.e), "alg": "RS256" });
    let signed = signed("RS256");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature");
    verify(jwk, (&signed, &signature), step)
}

pub(crate) fn es256() -> Work {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("an EC key");
    // SEC 1 2.3.3: one byte, then the two coordinates.
    let point = pair.public_key().as_ref().get(1..).expect("a point");
    let (x, y) = point.split_at(point.len() / 2);
    let jwk =
        json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "alg": "ES256" });
    let signed = signed("ES256");
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    verify(jwk, (&signed, signature.as_ref()), FORGOTTEN)
}

/// `step` passes between two runs.
fn verify(mut jwk: Value, (signed, signature): (&str, &[u8]), step: Duration) -> Work {
    if let Some(jwk) = jwk.as_object_mut() {
        jwk.insert("kid".to_owned(), json!("key"));
        jwk.insert("use".to_owned(), json!("sig"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jwks.json");
    fs::write(&path, json!({ "keys": [jwk] }).to_string()).expect("a key set file");
    let mut settings = IssuerSettings::new("shop", ISSUER);
    settings.keys = KeySource::File(path);
    settings.tokens.lifetime_max = LIFETIME;
    let issuer = Issuer::open(settings).expect("an issuer");
    let demand = Demand::Bearer {
        issuers: vec![issuer],
        audience: AUDIENCE.to_owned(),
        anonymous_too: false,
    };
    let credential = format!("Bearer {signed}.{}", encode(signature));
    let value = HeaderValue::from_str(&credential).expect("a header");
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let mut now = UNIX_EPOCH + Duration::from_secs(NOW_SECONDS);
    Box::new(move || {
        now += step;
        let identified = ready(authn::identify(&demand, black_box(&headers), now));
        black_box(identified.expect("a good token"));
    })
}

fn signed(algorithm: &str) -> String {
    let header = json!({ "alg": algorithm, "kid": "key", "typ": "at+jwt" });
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "client-one", "client_id": "client-one",
        "iat": NOW_SECONDS, "exp": NOW_SECONDS + LIFETIME.as_secs(), "jti": "token-one",
        "scope": "read:orders write:orders", "tenant": "shop", "sla_tier": "gold",
    });
    let encode = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}", encode(&header), encode(&claims))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

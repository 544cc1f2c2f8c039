//! Every claim, against `jsonwebtoken` as an independent reader.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;

use super::{Bound, Caller, assert};
use crate::fault::Fault;
use crate::settings::AssertionSettings;
use crate::signer::Signer;

/// 2100, so that the reader's own clock finds it valid.
const NOW: u64 = 4_102_444_800;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn settings() -> AssertionSettings {
    AssertionSettings {
        issuer: "gateway".to_owned(),
        audience: "orders".to_owned(),
        signer: Arc::new(Signer::generate().unwrap()),
        lifetime: Duration::from_secs(30),
    }
}

fn bound() -> Bound<'static> {
    Bound { method: "POST", target: "/orders/1?a=%20b", body: Some(b""), transaction: "t-1" }
}

fn read(settings: &AssertionSettings, token: &str) -> Value {
    let jwk = serde_json::from_value(settings.signer.jwk()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["orders"]);
    validation.set_issuer(&["gateway"]);
    let token = decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap();
    assert_eq!(token.header.typ.as_deref(), Some("gw-assertion+jwt"));
    assert_eq!(token.header.kid.as_deref(), Some(settings.signer.kid()));
    token.claims
}

#[test]
fn an_identified_caller_with_a_body() {
    let settings = settings();
    let caller = Caller {
        issuer: Some("https://idp"),
        subject: Some("alice"),
        client: Some("app"),
        tenant: Some("acme"),
        scopes: &["read".to_owned(), "write".to_owned()],
    };
    let bound = Bound { body: Some(b"abc"), ..bound() };
    let value = assert(&settings, &caller, &bound, Some("print"), now()).unwrap();
    assert!(value.is_sensitive());
    let mut claims = read(&settings, value.to_str().unwrap());
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert!(uuid::Uuid::parse_str(jti.as_str().unwrap()).is_ok());
    let expected = serde_json::json!({
        "iss": "gateway", "aud": "orders", "iat": NOW, "exp": NOW + 30, "txn": "t-1",
        "htm": "POST", "htu": "/orders/1?a=%20b",
        // FIPS 180-2 appendix B.1, the digest of "abc".
        "bdh": "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
        "orig_iss": "https://idp", "sub": "alice", "client_id": "app", "tenant": "acme",
        "scope": "read write", "cnf": { "x5t#S256": "print" },
    });
    assert_eq!(claims, expected);
}

#[test]
fn an_anonymous_caller_without_a_body_leaves_out_what_there_is_not() {
    let settings = settings();
    let value = assert(&settings, &Caller::default(), &bound(), None, now()).unwrap();
    let claims = read(&settings, value.to_str().unwrap());
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "exp", "htm", "htu", "iat", "iss", "jti", "txn"]);
}

#[test]
fn two_assertions_are_never_the_same() {
    let settings = settings();
    let one = assert(&settings, &Caller::default(), &bound(), None, now()).unwrap();
    let two = assert(&settings, &Caller::default(), &bound(), None, now()).unwrap();
    assert_ne!(one, two);
}

#[test]
fn a_target_too_long_to_assert_is_refused() {
    let settings = settings();
    let long = |length: usize| {
        let target = format!("/{}", "a".repeat(length));
        let bound = Bound { target: &target, ..bound() };
        assert(&settings, &Caller::default(), &bound, None, now()).map(drop)
    };
    assert_eq!(long(8 * 1024), Err(Fault::AssertionTooLong));
    assert_eq!(long(5 * 1024), Ok(()));
}

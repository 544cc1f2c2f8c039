//! One good assertion, made with an independent implementation, and one test per way to spoil it.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::jose::{self, SigningKey};
use super::{Caller, Keys, Received, Refused, TYPE, Verifier};

const NOW: u64 = 1_800_000_000;
const BODY: &[u8] = br#"{"item":"tea"}"#;
const CERTIFICATE: &str = "thumbprint-of-the-gateway";

struct Bench {
    key: SigningKey,
    keys: Keys,
}

impl Bench {
    fn new() -> Self {
        let key = SigningKey::generate().expect("a key");
        let keys = Keys::parse(json!({ "keys": [key.jwk()] }).to_string().as_bytes());
        Self { key, keys: keys.expect("a key set") }
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.sign(TYPE, claims).expect("signed")
    }

    fn verify(&self, assertion: &str) -> Result<Caller, Refused> {
        self.verify_with(assertion, BODY)
    }

    fn verify_with(&self, assertion: &str, body: &[u8]) -> Result<Caller, Refused> {
        let verifier = Verifier { issuer: "gateway".to_owned(), audience: "orders".to_owned() };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let received = Received {
            method: "POST",
            target: "/orders?x=1",
            body,
            certificate: Some(CERTIFICATE),
        };
        verifier.verify(&self.keys, assertion, &received, now)
    }

    /// Verifies a good assertion with one claim replaced (or, by null, removed).
    fn with(&self, claim: &str, value: Value) -> Result<Caller, Refused> {
        let mut claims = good();
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(claim);
        } else {
            claims[claim] = value;
        }
        self.verify(&self.sign(&claims))
    }
}

fn good() -> Value {
    json!({
        "iss": "gateway", "aud": "orders", "iat": NOW, "exp": NOW + 30,
        "jti": "one", "txn": "two", "htm": "POST", "htu": "/orders?x=1",
        "bdh": jose::thumbprint(BODY), "client_id": "shop-writer", "tenant": "shop",
        "cnf": { "x5t#S256": CERTIFICATE },
    })
}

#[test]
fn a_good_assertion_names_the_caller() {
    let bench = Bench::new();
    let caller = bench.verify(&bench.sign(&good())).expect("accepted");
    assert_eq!(caller.client.as_deref(), Some("shop-writer"));
    assert_eq!(caller.tenant.as_deref(), Some("shop"));
}

#[test]
fn each_spoilt_claim_is_refused_for_its_own_reason() {
    let bench = Bench::new();
    for (claim, value, refused) in [
        ("iss", json!("another"), Refused::Issuer),
        ("iss", Value::Null, Refused::Malformed),
        ("aud", json!("billing"), Refused::Audience),
        ("aud", json!(["orders"]), Refused::Malformed),
        ("exp", json!(NOW + 31), Refused::Time),
        ("exp", json!(NOW - 1), Refused::Time),
        ("jti", json!(""), Refused::Malformed),
        ("txn", Value::Null, Refused::Malformed),
        ("htm", json!("GET"), Refused::Request),
        ("htu", json!("/orders"), Refused::Request),
        ("bdh", json!(jose::thumbprint(b"{}")), Refused::Body),
        ("bdh", Value::Null, Refused::Body),
        ("cnf", json!({ "x5t#S256": "another" }), Refused::Certificate),
        ("cnf", json!({ "jkt": CERTIFICATE }), Refused::Malformed),
    ] {
        assert_eq!(bench.with(claim, value.clone()), Err(refused), "{claim} = {value}");
    }
}

#[test]
fn time_ends_where_the_leeway_ends() {
    let bench = Bench::new();
    let at = |iat: u64, exp: u64| {
        let mut claims = good();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        bench.verify(&bench.sign(&claims)).map(|_| ())
    };
    assert_eq!(at(NOW - 34, NOW - 4), Ok(()));
    assert_eq!(at(NOW - 35, NOW - 5), Err(Refused::Time));
    assert_eq!(at(NOW + 5, NOW + 30), Ok(()));
    assert_eq!(at(NOW + 6, NOW + 30), Err(Refused::Time));
}

#[test]
fn no_body_means_no_digest() {
    let bench = Bench::new();
    let mut claims = good();
    let empty = |claims: &Value| {
        let assertion = bench.sign(claims);
        bench.verify_with(&assertion, b"").map(|_| ())
    };
    assert_eq!(empty(&claims), Err(Refused::Body));
    claims.as_object_mut().expect("an object").remove("bdh");
    assert_eq!(empty(&claims), Ok(()));
}

#[test]
fn another_type_key_or_algorithm_is_refused() {
    let bench = Bench::new();
    let token = bench.key.sign("at+jwt", &good()).expect("signed");
    assert_eq!(bench.verify(&token), Err(Refused::Type));
    let stranger = SigningKey::generate().expect("a key");
    let foreign = stranger.sign(TYPE, &good()).expect("signed");
    assert_eq!(bench.verify(&foreign), Err(Refused::KeyUnknown));
    let sealed = |alg: &str, extra: &str| {
        let jwk = bench.key.jwk();
        let kid = jwk["kid"].as_str().expect("an id");
        let header = format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{TYPE}"{extra}}}"#);
        let input = format!("{}.{}", jose::encode(header), jose::encode(good().to_string()));
        bench.key.seal(&input).expect("signed")
    };
    assert!(bench.verify(&sealed("ES256", "")).is_ok());
    assert_eq!(bench.verify(&sealed("EdDSA", "")), Err(Refused::KeyUnknown));
    assert_eq!(bench.verify(&sealed("none", "")), Err(Refused::KeyUnknown));
    assert_eq!(bench.verify(&sealed("ES256", r#","crit":["x"]"#)), Err(Refused::Malformed));
}

#[test]
fn a_signature_by_another_key_under_a_known_id_is_refused() {
    let bench = Bench::new();
    let good = bench.sign(&good());
    let (input, _) = good.rsplit_once('.').expect("three parts");
    let forged = SigningKey::generate().expect("a key").seal(input).expect("signed");
    assert_eq!(bench.verify(&forged), Err(Refused::Signature));
}

#[test]
fn an_ed25519_assertion_of_an_independent_implementation_is_accepted() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let set = json!({ "keys": [
        { "kty": "oct", "k": "c2VjcmV0", "kid": "left out" },
        { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": jose::encode(pair.public_key_raw()) },
    ] });
    let keys = Keys::parse(set.to_string().as_bytes()).expect("a key set");
    let bench = Bench { key: SigningKey::generate().expect("a key"), keys };
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some("ed".to_owned());
    let key = jsonwebtoken::EncodingKey::from_ed_der(pair.serialized_der());
    let assertion = jsonwebtoken::encode(&header, &good(), &key).expect("signed");
    assert!(bench.verify(&assertion).is_ok());
    assert!(bench.keys.has_key_of(&assertion));
    assert!(!Keys::default().has_key_of(&assertion));
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused_without_panic(text in "\\PC{0,200}") {
        let bench = Bench::new();
        prop_assert!(bench.verify(&text).is_err());
    }

    #[test]
    fn a_good_assertion_with_one_byte_changed_is_refused(at in any::<prop::sample::Index>(), by in 1_u8..=255) {
        let bench = Bench::new();
        let mut bytes = bench.sign(&good()).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        // The last character of a part carries unused bits; the strict decoder refuses those, too.
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(bench.verify(&text).is_err());
        }
    }
}

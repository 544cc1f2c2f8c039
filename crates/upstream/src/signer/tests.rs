//! Keys of both kinds against `jsonwebtoken`, which shares no code with the signer.

use std::sync::Arc;

use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value, json};

use super::{Signer, SignerError, jwks};

fn pem(algorithm: &'static rcgen::SignatureAlgorithm) -> String {
    KeyPair::generate_for(algorithm).unwrap().serialize_pem()
}

#[test]
fn both_kinds_sign_what_others_verify() {
    let kinds = [(&PKCS_ED25519, Algorithm::EdDSA), (&PKCS_ECDSA_P256_SHA256, Algorithm::ES256)];
    for (kind, algorithm) in kinds {
        let signer = Signer::from_pem(pem(kind).as_bytes()).unwrap();
        let token =
            signer.sign("some+jwt", &json!({ "iss": "me", "exp": 4_000_000_000_u64 })).unwrap();
        let jwk: Jwk = serde_json::from_value(signer.jwk()).unwrap();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let read = decode::<Value>(&token, &key, &Validation::new(algorithm)).unwrap();
        assert_eq!(read.claims["iss"], "me");
        assert_eq!(read.header.typ.as_deref(), Some("some+jwt"));
        assert_eq!(read.header.kid.as_deref(), Some(signer.kid()));
        assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), signer.kid());
        let mut forged = token.clone().into_bytes();
        let last = forged.len() - 10;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert!(decode::<Value>(&forged, &key, &Validation::new(algorithm)).is_err());
    }
}

#[test]
fn a_generated_key_is_a_new_one() {
    let (one, two) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    assert_ne!(one.kid(), two.kid());
    assert_eq!(one.algorithm(), "EdDSA");
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let refused = |pem: &str| Signer::from_pem(pem.as_bytes()).map(drop).unwrap_err();
    assert_eq!(refused(""), SignerError::Pem);
    assert_eq!(
        refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        SignerError::Pem
    );
    assert_eq!(
        refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        SignerError::Kind
    );
    assert_eq!(refused(&pem(&PKCS_ECDSA_P384_SHA384)), SignerError::Kind);
}

#[test]
fn the_key_set_holds_each_public_key_once_and_no_private_one() {
    let (one, two) = (Arc::new(Signer::generate().unwrap()), Arc::new(Signer::generate().unwrap()));
    let text = jwks(&[one.clone(), two, one]);
    let set: JwkSet = serde_json::from_str(&text).unwrap();
    assert_eq!(set.keys.len(), 2);
    let raw: Value = serde_json::from_str(&text).unwrap();
    for key in raw["keys"].as_array().unwrap() {
        assert_eq!(key.get("d"), None);
        assert_eq!(key["use"], "sig");
    }
}

#[test]
fn a_signer_does_not_print_its_key() {
    let signer = Signer::generate().unwrap();
    assert_eq!(format!("{signer:?}"), format!("Signer {{ kid: {:?}, .. }}", signer.kid()));
}

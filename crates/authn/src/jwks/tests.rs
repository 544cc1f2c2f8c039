//! Tests of the key set loader: rule A8 and what belongs to it.

use serde_json::{Value, json};

use super::{Dropped, KeySet, NotKeySet};
use crate::{
    Algorithm,
    keys::KeyFault,
    testing::{Signer, with},
};

fn parse(keys: Value) -> (KeySet, Vec<(usize, Dropped)>) {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), &Algorithm::ALL).unwrap()
}

/// Drops the changed key for `reason` and keeps its neighbour.
fn drops(change: Value, reason: Dropped) {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let bad = with(Signer::new(algorithm).jwk(), change.clone());
        let good = with(Signer::new(Algorithm::Es384).jwk(), json!({"kid": "good"}));
        let (set, dropped) = parse(json!([bad, good]));
        assert_eq!(dropped, [(0, reason)], "{algorithm} {change}");
        assert!(set.get("good").is_some() && set.len() == 1);
    }
}

#[test]
fn a8_a_bad_key_is_dropped_alone() {
    drops(json!({"kty": "XYZ"}), Dropped::Unknown);
    drops(json!({"kty": 1}), Dropped::Malformed);
    drops(json!({"kty": "rsa"}), Dropped::Unknown);
    drops(json!({"crv": "P-521"}), Dropped::Unknown);
    drops(json!({"alg": "RSA-OAEP"}), Dropped::Unknown);
    drops(json!({"alg": "HS256"}), Dropped::Unknown);
    drops(json!({"alg": "ES384"}), Dropped::Unknown);
    drops(json!({"alg": ["RS256"]}), Dropped::Malformed);
    drops(json!({"kid": null}), Dropped::KidMissing);
    drops(json!({"kid": ""}), Dropped::KidMissing);
    drops(json!({"kid": 7}), Dropped::Malformed);
    drops(json!({"d": "AQAB"}), Dropped::Private);
    drops(json!({"k": "c2VjcmV0"}), Dropped::Private);
    drops(json!({"use": "enc"}), Dropped::Purpose);
    drops(json!({"key_ops": ["encrypt"]}), Dropped::Purpose);
    drops(json!({"key_ops": []}), Dropped::Purpose);
    drops(json!({"key_ops": "verify"}), Dropped::Malformed);
    let (set, dropped) = parse(json!([null, 1, [], "key", {}]));
    assert_eq!((set.len(), dropped.len()), (0, 5));
    let oct = json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256"});
    assert_eq!(parse(json!([oct])).1, [(0, Dropped::Private)]);
}

#[test]
fn a8_near_misses_are_kept() {
    for change in [
        json!({}),
        json!({"use": null}),
        json!({"alg": null}),
        json!({"key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"]}),
        json!({"x5t": "abc", "x5c": ["abc"], "unknown": {"a": 1}}),
    ] {
        for algorithm in Algorithm::ALL {
            let signer = Signer::new(algorithm);
            let (set, dropped) = parse(json!([with(signer.jwk(), change.clone())]));
            assert!(dropped.is_empty(), "{algorithm} {change} {dropped:?}");
            let expected = match (algorithm, change.get("alg")) {
                (Algorithm::Ps256, Some(_)) => Algorithm::Rs256,
                _ => algorithm,
            };
            assert_eq!(set.get(&signer.kid()).unwrap().algorithm(), expected);
        }
    }
}

#[test]
fn a8_bad_numbers() {
    let ec = Signer::new(Algorithm::Es256).jwk();
    let rsa = Signer::new(Algorithm::Rs256).jwk();
    let ed = Signer::new(Algorithm::EdDsa).jwk();
    let zeros = "A".repeat(43);
    let cases = [
        (with(ec.clone(), json!({"x": zeros})), Dropped::Material(KeyFault::Point)),
        (with(ec.clone(), json!({"x": "AQAB"})), Dropped::Material(KeyFault::Point)),
        (with(ec.clone(), json!({"x": "A+/="})), Dropped::Malformed),
        (with(ec, json!({"y": null})), Dropped::Malformed),
        (with(rsa.clone(), json!({"e": "Aw"})), Dropped::Material(KeyFault::RsaExponent)),
        (with(rsa.clone(), json!({"n": "AQAB"})), Dropped::Material(KeyFault::RsaModulus)),
        (with(rsa, json!({"n": 5})), Dropped::Malformed),
        (with(ed, json!({"x": zeros})), Dropped::Material(KeyFault::Ed25519)),
    ];
    for (jwk, reason) in cases {
        assert_eq!(parse(json!([jwk])).1, [(0, reason)]);
    }
}

#[test]
fn a8_keys_that_share_a_kid_all_go_but_a_repeated_key_stays() {
    let same_kid = json!({"kid": "same"});
    let [one, two, three, other] =
        [(); 4].map(|()| with(Signer::new(Algorithm::Es256).jwk(), same_kid.clone()));
    let other = with(other, json!({"kid": "other"}));
    let (set, dropped) = parse(json!([one, two, three, other]));
    assert_eq!(dropped, [(1, Dropped::KidDuplicate), (2, Dropped::KidDuplicate)]);
    assert!(set.get("same").is_none() && set.get("other").is_some() && set.len() == 1);
    let (set, dropped) = parse(json!([other, other]));
    assert!(dropped.is_empty() && set.len() == 1);
}

#[test]
fn a8_a_name_twice_costs_only_that_key() {
    let good = Signer::new(Algorithm::Es256).jwk().to_string();
    let text = format!(r#"{{"keys":[{{"kid":"a","kid":"b"}},{good}]}}"#);
    let (set, dropped) = KeySet::parse(text.as_bytes(), &Algorithm::ALL).unwrap();
    assert_eq!((set.len(), dropped), (1, vec![(0, Dropped::Malformed)]));
}

#[test]
fn a3_keys_for_algorithms_that_are_not_configured_are_dropped() {
    let keys =
        json!({"keys": [Signer::new(Algorithm::Rs256).jwk(), Signer::new(Algorithm::Es256).jwk()]});
    let (set, dropped) = KeySet::parse(keys.to_string().as_bytes(), &[Algorithm::Es256]).unwrap();
    assert_eq!((set.len(), dropped), (1, vec![(0, Dropped::NotConfigured)]));
}

#[test]
fn keys_are_counted() {
    let jwk = Signer::new(Algorithm::Es256).jwk();
    let keys: Vec<Value> =
        (0..150).map(|i| with(jwk.clone(), json!({"kid": format!("k{i}")}))).collect();
    let (set, dropped) = parse(json!(keys));
    assert_eq!((set.len(), dropped), (100, vec![(100, Dropped::TooMany)]));
}

#[test]
fn what_is_not_a_set_is_refused_whole() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]} x"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(
            KeySet::parse(text.as_bytes(), &Algorithm::ALL).err(),
            Some(NotKeySet),
            "{text}"
        );
    }
    assert_eq!(KeySet::parse(br#"{"keys":[]}"#, &Algorithm::ALL).unwrap().0.len(), 0);
}

#[test]
fn the_shape_of_keycloaks_set_is_understood() {
    let rsa = Signer::new(Algorithm::Rs256).jwk();
    let encryption = with(rsa.clone(), json!({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"}));
    let (set, dropped) = parse(json!([encryption, with(rsa, json!({"x5t#S256": "abc"}))]));
    assert_eq!((set.len(), dropped), (1, vec![(0, Dropped::Purpose)]));
}

proptest::proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        drop(KeySet::parse(&bytes, &Algorithm::ALL));
    }
}

//! Tests of whole decisions: rules A3 to A7, B4, C1, C2, the oracle, and hostile input.

use std::sync::Arc;

use jsonwebtoken::{DecodingKey, Validation, jwk::Jwk};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    Algorithm, Demand, Denied, KeySource, Method, TokenFault, identify,
    testing::{
        AUDIENCE, Bench, ISSUER, Signer, at_once, authorization, b64, bearer, claims, key_page,
        now, with,
    },
};

fn refused(fault: TokenFault) -> Option<Denied> {
    Some(Denied::Refused(fault))
}

#[test]
fn every_algorithm_is_accepted_end_to_end() {
    let bench = Bench::new();
    for signer in &bench.signers {
        let who = bench.decide(&signer.sign(&signer.header(), &claims())).unwrap();
        assert_eq!((who.method(), who.key_id()), (Method::Bearer, Some(signer.kid().as_str())));
        assert!(!who.is_anonymous());
    }
    let pss = Signer::new(Algorithm::Ps256);
    let file = bench.write("pss.json", &key_page(&[&pss]).body);
    let bench = Bench::with_settings(|s| s.keys = KeySource::File(file));
    assert!(bench.decide(&pss.sign(&pss.header(), &claims())).is_ok());
}

#[test]
fn a1_a_good_token_breaks_with_padding_or_space() {
    let bench = Bench::new();
    let token = bench.es256().sign(&bench.es256().header(), &claims());
    assert!(bench.decide(&token).is_ok());
    assert_eq!(bench.decide(&format!("{token}=")).err(), refused(TokenFault::Base64));
    assert_eq!(bench.decide(&format!("{token}.")).err(), refused(TokenFault::NotThreeSegments));
    assert_eq!(bench.decide(&format!(".{token}")).err(), refused(TokenFault::NotThreeSegments));
}

#[test]
fn a3_the_key_fixes_the_algorithm() {
    let bench = Bench::new();
    let (ec, rsa) = (bench.es256(), bench.signer(Algorithm::Rs256));
    let wrong_name = ec.sign(&with(ec.header(), json!({"alg": "RS256"})), &claims());
    assert_eq!(bench.decide(&wrong_name).err(), refused(TokenFault::AlgorithmMismatch));
    // The same RSA key, but the padding that it is not for.
    let pss = Signer::new(Algorithm::Ps256);
    let other_padding = pss.sign(&with(pss.header(), json!({"kid": rsa.kid()})), &claims());
    assert_eq!(bench.decide(&other_padding).err(), refused(TokenFault::AlgorithmMismatch));
    let only_ec = Bench::with_settings(|s| s.algorithms = vec![Algorithm::Es256]);
    let rsa = only_ec.signer(Algorithm::Rs256);
    let token = rsa.sign(&rsa.header(), &claims());
    assert_eq!(only_ec.decide(&token).err(), refused(TokenFault::AlgorithmForbidden));
    let ec = only_ec.es256();
    assert!(only_ec.decide(&ec.sign(&ec.header(), &claims())).is_ok());
}

#[test]
fn a3_none_and_hmac_with_the_public_key_are_refused() {
    let bench = Bench::new();
    let rsa = bench.signer(Algorithm::Rs256);
    for alg in ["none", "None", "nOnE", "HS256"] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": rsa.kid()});
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims().to_string()));
        let modulus = rsa.jwk()["n"].as_str().unwrap().to_owned();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, modulus.as_bytes());
        let mac = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        let decision = bench.decide(&format!("{signed}.{}", b64(mac)));
        assert_eq!(decision.err(), refused(TokenFault::AlgorithmForbidden), "{alg}");
        let unsigned = bench.decide(&format!("{signed}."));
        assert_eq!(unsigned.err(), refused(TokenFault::NotThreeSegments));
    }
}

#[test]
fn a4_keys_in_the_header_are_ignored() {
    let bench = Bench::new();
    let attacker = Signer::new(Algorithm::Es256);
    for lure in [
        json!({"jwk": attacker.jwk()}),
        json!({"jku": "https://evil.test/jwks"}),
        json!({"x5u": "https://evil.test/chain"}),
        json!({"x5c": ["MIIB"]}),
    ] {
        let token = attacker.sign(&with(attacker.header(), lure.clone()), &claims());
        assert_eq!(bench.decide(&token).err(), refused(TokenFault::Signature), "{lure}");
        assert!(bench.decide_changed(lure, json!({})).is_ok());
    }
}

#[test]
fn a5_kid_is_compared_byte_for_byte() {
    let bench = Bench::new();
    for kid in ["ES256-1", "es256-1 ", "es256-", "es256-2", "rs256-1x"] {
        let decision = bench.decide_changed(json!({ "kid": kid }), json!({}));
        assert_eq!(decision.err(), refused(TokenFault::KidUnknown), "{kid}");
    }
    let missing = bench.decide_changed(json!({ "kid": null }), json!({}));
    assert_eq!(missing.err(), refused(TokenFault::KidMissing));
    assert!(bench.decide_changed(json!({"kid": "es256-1"}), json!({})).is_ok());
}

#[test]
fn a6_a_good_signature_does_not_save_crit() {
    let bench = Bench::new();
    let decision = bench.decide_changed(json!({"crit": ["exp"]}), json!({}));
    assert_eq!(decision.err(), refused(TokenFault::Crit));
    let decision = bench.decide_changed(json!({"b64": false}), json!({}));
    assert_eq!(decision.err(), refused(TokenFault::HeaderUnsupported));
}

#[test]
fn a7_the_signature_is_checked_before_the_claims() {
    let bench = Bench::new();
    let expired = with(claims(), json!({"exp": 1, "aud": "x"}));
    for signer in &bench.signers {
        let good = signer.sign(&signer.header(), &claims());
        let forged = signer.sign(&signer.header(), &expired);
        let (signed, _) = forged.rsplit_once('.').unwrap();
        let (_, signature) = good.rsplit_once('.').unwrap();
        let decision = bench.decide(&format!("{signed}.{signature}"));
        assert_eq!(decision.err(), refused(TokenFault::Signature));
        assert_eq!(bench.decide(&forged).err(), refused(TokenFault::AudienceMismatch));
    }
}

#[test]
fn a7_a_der_signature_is_refused() {
    let bench = Bench::new();
    let signer = bench.es256();
    let signed = format!("{}.{}", b64(signer.header().to_string()), b64(claims().to_string()));
    let raw = signer.sign_bytes(signed.as_bytes());
    let integer = |bytes: &[u8]| [&[2, 33, 0][..], bytes].concat();
    let der = [&[0x30, 70][..], &integer(&raw[..32]), &integer(&raw[32..])].concat();
    let decision = bench.decide(&format!("{signed}.{}", b64(der)));
    assert_eq!(decision.err(), refused(TokenFault::Signature));
    assert!(bench.decide(&format!("{signed}.{}", b64(raw))).is_ok());
}

#[test]
fn b1_the_issuer_selects_the_key_set() {
    let (one, two) = (Bench::new(), Bench::with_settings(|s| s.issuer = "https://two.test".into()));
    let both = Demand::Bearer {
        issuers: vec![Arc::clone(&one.issuer), Arc::clone(&two.issuer)],
        audience: AUDIENCE.to_owned(),
        anonymous_too: false,
    };
    let decide = |signer: &Signer, iss: &str| {
        let token = signer.sign(&signer.header(), &with(claims(), json!({ "iss": iss })));
        at_once(identify(&both, &bearer(&token), now()))
    };
    // Both sets have the same key ids: the wrong issuer's key must not be used.
    assert_eq!(decide(two.es256(), ISSUER).err(), refused(TokenFault::Signature));
    assert_eq!(decide(one.es256(), "https://two.test").err(), refused(TokenFault::Signature));
    assert_eq!(decide(one.es256(), ISSUER).unwrap().issuer(), Some(ISSUER));
    assert!(decide(two.es256(), "https://two.test").is_ok());
    // A known issuer that this operation does not ask for.
    let token = two
        .es256()
        .sign(&two.es256().header(), &with(claims(), json!({"iss": "https://two.test"})));
    assert_eq!(one.decide(&token).err(), refused(TokenFault::IssuerUnknown));
}

#[test]
fn b4_typ_is_an_access_token() {
    let bench = Bench::new();
    for typ in [
        json!("JWT"),
        json!("jwt"),
        json!("at+jwt "),
        json!(""),
        json!("id+jwt"),
        json!("dpop+jwt"),
        json!("gw-assertion+jwt"),
        json!("application/x/at+jwt"),
        json!(1),
        json!(["at+jwt"]),
        json!(null),
    ] {
        let decision = bench.decide_changed(json!({ "typ": typ }), json!({}));
        assert_eq!(decision.err(), refused(TokenFault::Typ), "{typ}");
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(bench.decide_changed(json!({ "typ": typ }), json!({})).is_ok(), "{typ}");
    }
    let relaxed = Bench::with_settings(|s| s.tokens.typ = vec!["application/jwt".into()]);
    assert!(relaxed.decide_changed(json!({"typ": "JWT"}), json!({})).is_ok());
    let strict = relaxed.decide_changed(json!({"typ": "at+jwt"}), json!({}));
    assert_eq!(strict.err(), refused(TokenFault::Typ));
}

#[test]
fn c1_one_authorization_header_with_the_bearer_scheme() {
    let bench = Bench::new();
    let token = bench.es256().sign(&bench.es256().header(), &claims());
    let decide =
        |values: &[&str]| at_once(identify(&bench.demand(), &authorization(values), now()));
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert!(decide(&[&format!("{scheme} {token}")]).is_ok());
        assert!(decide(&[&format!("{scheme}   {token}")]).is_ok());
    }
    let good = format!("Bearer {token}");
    let several = Some(Denied::Malformed(TokenFault::SeveralCredentials));
    assert_eq!(decide(&[&good, &good]).err(), several);
    assert_eq!(decide(&["Basic abc", &good]).err(), several);
    let syntax = Some(Denied::Malformed(TokenFault::CredentialSyntax));
    for value in [
        "Bearer".to_owned(),
        "Bearer ".into(),
        format!("Bearer\t{token}"),
        format!("{good} x"),
        format!("{good}, {good}"),
        format!("{good},"),
        "Bearer,abc".into(),
    ] {
        assert_eq!(decide(&[&value]).err(), syntax, "{value}");
    }
    let mut elsewhere = http::HeaderMap::new();
    for name in ["cookie", "x-access-token", "proxy-authorization", "x-authorization"] {
        elsewhere.insert(name, http::HeaderValue::from_str(&good).unwrap());
    }
    let decision = at_once(identify(&bench.demand(), &elsewhere, now()));
    assert_eq!(decision.err(), Some(Denied::Absent));
}

#[test]
fn c2_absent_malformed_refused_and_unasked_are_told_apart() {
    let bench = Bench::new();
    let Demand::Bearer { issuers, audience, .. } = bench.demand() else { panic!("bearer") };
    let lax = Demand::Bearer { issuers, audience, anonymous_too: true };
    let token = bench.es256().sign(&bench.es256().header(), &claims());
    let good = format!("Bearer {token}");
    let decide = |demand: &Demand, values: &[&str]| {
        at_once(identify(demand, &authorization(values), now())).map(|who| who.method())
    };
    let strict = bench.demand();
    assert_eq!(decide(&strict, &[]), Err(Denied::Absent));
    assert_eq!(decide(&strict, &["Basic dXNlcjpwYXNz"]), Err(Denied::Absent));
    assert_eq!(decide(&strict, &["DPoP abc"]), Err(Denied::Absent));
    assert_eq!(decide(&strict, &["Bearer abc"]), Err(TokenFault::NotThreeSegments.into()));
    assert_eq!(decide(&strict, &[&good]), Ok(Method::Bearer));
    assert_eq!(decide(&lax, &[]), Ok(Method::Anonymous));
    assert_eq!(decide(&lax, &[&good]), Ok(Method::Bearer));
    assert_eq!(decide(&lax, &["Bearer a.b.c"]), Err(TokenFault::Base64.into()));
    assert_eq!(decide(&lax, &["Basic abc"]), Err(Denied::Unasked));
    assert_eq!(decide(&Demand::Anonymous, &[]), Ok(Method::Anonymous));
    assert_eq!(decide(&Demand::Anonymous, &[&good]), Err(Denied::Unasked));
    let nobody = at_once(identify(&lax, &authorization(&[]), now())).unwrap();
    assert!(nobody.is_anonymous() && nobody.subject().is_none() && nobody.scopes().is_empty());
}

/// What jsonwebtoken, told to check as much as it can, says about a token.
fn oracle(signer: &Signer, token: &str) -> bool {
    let jwk: Jwk = serde_json::from_value(signer.jwk()).unwrap();
    let mut validation = Validation::new(signer.algorithm.as_str().parse().unwrap());
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).is_ok()
}

#[test]
fn the_oracle_agrees_on_good_and_bad_signatures() {
    let bench = Bench::new();
    for signer in &bench.signers {
        let token = signer.sign(&signer.header(), &claims());
        assert!(oracle(signer, &token) && bench.decide(&token).is_ok());
        let forged = Signer::new(Algorithm::Es256).sign(&signer.header(), &claims());
        assert!(!oracle(signer, &forged) && bench.decide(&forged).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_text_never_verifies(value in "[ -~]{0,300}") {
        let bench = shared();
        let headers = authorization(&[&format!("Bearer {value}")]);
        prop_assert!(at_once(identify(&bench.demand(), &headers, now())).is_err());
    }

    #[test]
    fn a_mutated_token_never_verifies(
        which in 0..4_usize,
        places in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..64), 1..4),
    ) {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
        let bench = shared();
        let signer = &bench.signers[which];
        let good = signer.sign(&signer.header(), &claims());
        let mut bytes = good.clone().into_bytes();
        for (place, letter) in places {
            let place = place.index(bytes.len());
            bytes[place] = ALPHABET[usize::from(letter)];
        }
        let mutated = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(bench.decide(&mutated).is_ok(), mutated == good);
    }

    #[test]
    fn never_laxer_than_the_oracle(member in "(alg|kid|typ|iss|aud|sub|exp|scope)", value in "\\PC{0,12}") {
        let bench = shared();
        let signer = bench.es256();
        let change = json!({ member.as_str(): value });
        let (header, payload) = if matches!(member.as_str(), "alg" | "kid" | "typ") {
            (change, json!({}))
        } else {
            (json!({}), change)
        };
        let token = signer.sign(&with(signer.header(), header), &with(claims(), payload));
        prop_assert!(bench.decide(&token).is_err() || oracle(signer, &token));
    }
}

fn shared() -> &'static Bench {
    static BENCH: std::sync::OnceLock<Bench> = std::sync::OnceLock::new();
    BENCH.get_or_init(Bench::new)
}

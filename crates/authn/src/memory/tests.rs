//! What is remembered may save work and nothing else: each case decides about a token that was accepted just before.

use std::{fs, sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    Demand, Denied, Issuer, IssuerSettings, KeySource, TokenFault, identify,
    testing::{
        AUDIENCE, Bench, ISSUER, Signer, at_once, b64, bearer, claims, demand, key_page, now, with,
    },
};

fn remembered(issuer: &Issuer, token: &str, at: std::time::SystemTime) -> bool {
    let memory = issuer.memory();
    memory.recall(&memory.slot(token.as_bytes(), AUDIENCE), at).is_some()
}

fn refused(fault: TokenFault) -> Option<Denied> {
    Some(Denied::Refused(fault))
}

#[test]
fn a_good_token_is_remembered_for_a_minute_and_a_bad_one_never() {
    let bench = Bench::new();
    let signer = bench.es256();
    let good = signer.sign(&signer.header(), &claims());
    let bad = signer.sign(&signer.header(), &with(claims(), json!({ "aud": "another" })));
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, b64([7; 64]));
    assert!(!remembered(&bench.issuer, &good, now()));
    for token in [&good, &bad, &forged] {
        assert_eq!(bench.decide(token).is_ok(), token == &good);
        assert_eq!(remembered(&bench.issuer, token, now()), token == &good);
    }
    let first = bench.decide(&good).unwrap();
    assert!(first == bench.decide(&good).unwrap(), "the same principal twice");
    assert!(remembered(&bench.issuer, &good, now() + Duration::from_secs(59)));
    assert!(!remembered(&bench.issuer, &good, now() + Duration::from_secs(60)));
}

#[test]
fn a_token_of_one_audience_is_refused_for_another() {
    let bench = Bench::new();
    let token = bench.es256().sign(&bench.es256().header(), &claims());
    let other = Demand::Bearer {
        issuers: vec![Arc::clone(&bench.issuer)],
        audience: "https://other.test.example".to_owned(),
        anonymous_too: false,
    };
    assert!(bench.decide(&token).is_ok());
    let decision = at_once(identify(&other, &bearer(&token), now()));
    assert_eq!(decision.err(), refused(TokenFault::AudienceMismatch));
    assert!(bench.decide(&token).is_ok());
}

#[test]
fn a_token_of_one_issuer_is_refused_where_another_is_demanded() {
    let bench = Bench::new();
    let token = bench.es256().sign(&bench.es256().header(), &claims());
    let stranger = Bench::with_settings(|s| s.issuer = "https://stranger.test.example".to_owned());
    assert!(bench.decide(&token).is_ok());
    let decision = at_once(identify(&stranger.demand(), &bearer(&token), now()));
    assert_eq!(decision.err(), refused(TokenFault::IssuerUnknown));
    let both = Demand::Bearer {
        issuers: vec![Arc::clone(&stranger.issuer), Arc::clone(&bench.issuer)],
        audience: AUDIENCE.to_owned(),
        anonymous_too: false,
    };
    assert!(at_once(identify(&both, &bearer(&token), now())).is_ok());
}

#[test]
fn it_expires_while_it_is_remembered() {
    let bench = Bench::new();
    let exp = now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 20;
    let token = bench.es256().sign(&bench.es256().header(), &with(claims(), json!({ "exp": exp })));
    let at = |seconds| {
        at_once(identify(&bench.demand(), &bearer(&token), now() + Duration::from_secs(seconds)))
    };
    assert!(at(0).is_ok());
    // Leeway is 30 s.
    assert!(at(49).is_ok());
    assert_eq!(at(50).err(), refused(TokenFault::Expired));
}

#[test]
fn a_clock_that_goes_back_makes_it_not_yet_valid() {
    let bench = Bench::new();
    let from = now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let changes = json!({ "nbf": from, "iat": from });
    let token = bench.es256().sign(&bench.es256().header(), &with(claims(), changes));
    assert!(bench.decide(&token).is_ok());
    let earlier = now() - Duration::from_secs(31);
    let decision = at_once(identify(&bench.demand(), &bearer(&token), earlier));
    assert_eq!(decision.err(), refused(TokenFault::NotYetValid));
}

#[test]
fn a_withdrawn_key_takes_its_tokens_with_it_at_once() {
    let (old, new) = (Signer::new(crate::Algorithm::Es256), Signer::new(crate::Algorithm::EdDsa));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, key_page(&[&old, &new]).body).unwrap();
    let mut settings = IssuerSettings::new("shop", ISSUER);
    settings.keys = KeySource::File(file.clone());
    let issuer = Issuer::open(settings).unwrap();
    let decide = |token: &str| at_once(identify(&demand(&issuer), &bearer(token), now()));
    let (first, second) = (old.sign(&old.header(), &claims()), new.sign(&new.header(), &claims()));
    assert!(decide(&first).is_ok() && decide(&second).is_ok());

    let same = key_page(&[&old, &new]).body;
    issuer.take(same.as_bytes()).unwrap();
    assert!(remembered(&issuer, &first, now()) && decide(&first).is_ok(), "fetched again");

    issuer.take(key_page(&[&new]).body.as_bytes()).unwrap();
    assert_eq!(decide(&first).err(), refused(TokenFault::KidUnknown));
    assert!(decide(&second).is_ok());

    // Another key under the same name does not vouch for what the first one signed.
    let impostor = Signer::new(crate::Algorithm::Es256);
    issuer.take(key_page(&[&impostor, &new]).body.as_bytes()).unwrap();
    assert_eq!(impostor.kid(), old.kid());
    assert_eq!(decide(&first).err(), refused(TokenFault::Signature));
}

#[test]
fn the_twin_of_a_signature_is_another_token() {
    let bench = Bench::new();
    let signer = bench.es256();
    let token = signer.sign(&signer.header(), &claims());
    assert!(bench.decide(&token).is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    // Base64url with other unused bits decodes to the same in a lax reader; here it is another text, and refused.
    let mut twin = signature.to_owned();
    let last = twin.pop().unwrap();
    twin.push(char::from(u8::try_from(u32::from(last)).unwrap().wrapping_add(1)));
    let twin = format!("{signed}.{twin}");
    assert!(!remembered(&bench.issuer, &twin, now()));
    assert!(bench.decide(&twin).is_err());
}

//! Tests of the claim rules B1 to B5, over real signatures.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::{
    Denied, Grantable, Profile, Sent, TokenFault, identify,
    testing::{AUDIENCE, Bench, ISSUER, NOW, at_once, bearer, claims, now, with},
};

fn refuses(bench: &Bench, change: Value, fault: TokenFault) {
    let decision = bench.decide_changed(json!({}), change.clone());
    assert_eq!(decision.err(), Some(Denied::Refused(fault)), "{change}");
}

fn passes(bench: &Bench, change: Value) {
    let decision = bench.decide_changed(json!({}), change.clone());
    assert!(decision.is_ok(), "{change} {:?}", decision.err());
}

/// Decides about claims given as text, for what `Value` cannot hold.
fn decide_text(bench: &Bench, payload: &str) -> Option<Denied> {
    let signer = bench.es256();
    bench.decide(&signer.sign_text(&signer.header().to_string(), payload)).err()
}

#[test]
fn b1_iss_is_exactly_the_configured_string() {
    let bench = Bench::new();
    for iss in [
        format!("{ISSUER}/"),
        ISSUER.to_uppercase(),
        "https://evil.test".into(),
        String::new(),
        format!(" {ISSUER}"),
        ISSUER.replace("https", "http"),
    ] {
        refuses(&bench, json!({ "iss": iss }), TokenFault::IssuerUnknown);
    }
    for iss in [json!([ISSUER]), json!(["https://evil.test", ISSUER]), json!(1), json!({"a": 1})] {
        refuses(&bench, json!({ "iss": iss }), TokenFault::ClaimType("iss"));
    }
    refuses(&bench, json!({ "iss": null }), TokenFault::ClaimMissing("iss"));
    let null = claims().to_string().replace(&format!("\"{ISSUER}\""), "null");
    assert_eq!(decide_text(&bench, &null), Some(TokenFault::ClaimType("iss").into()));
    passes(&bench, json!({}));
}

#[test]
fn b2_aud_holds_this_api_exactly() {
    let bench = Bench::new();
    for aud in [
        json!("https://other.test"),
        json!(""),
        json!([]),
        json!(format!("{AUDIENCE}/")),
        json!(["https://a.test", "https://b.test"]),
        json!(AUDIENCE.to_uppercase()),
        json!(format!("{AUDIENCE} https://other.test")),
    ] {
        refuses(&bench, json!({ "aud": aud }), TokenFault::AudienceMismatch);
    }
    for aud in
        [json!(1), json!({"aud": AUDIENCE}), json!([[AUDIENCE]]), json!([AUDIENCE, 1]), json!(true)]
    {
        refuses(&bench, json!({ "aud": aud }), TokenFault::ClaimType("aud"));
    }
    refuses(&bench, json!({ "aud": null }), TokenFault::ClaimMissing("aud"));
    passes(&bench, json!({"aud": [AUDIENCE]}));
    passes(&bench, json!({"aud": ["https://other.test", AUDIENCE]}));
}

#[test]
fn b3_expiry_and_its_leeway() {
    let bench = Bench::new();
    let at = |exp: u64| json!({"iat": exp - 600, "exp": exp});
    refuses(&bench, at(NOW - 31), TokenFault::Expired);
    refuses(&bench, at(NOW - 30), TokenFault::Expired);
    passes(&bench, at(NOW - 29));
    refuses(&bench, json!({"exp": 0}), TokenFault::Expired);
    refuses(&bench, json!({"exp": null}), TokenFault::ClaimMissing("exp"));
    for exp in [
        json!("1900000000"),
        json!([NOW + 60]),
        json!(true),
        json!(-1),
        json!(1e18),
        json!(u64::MAX),
    ] {
        refuses(&bench, json!({ "exp": exp }), TokenFault::ClaimType("exp"));
    }
    passes(&bench, json!({"exp": 1_700_000_060.5, "iat": 1.699_999_99e9}));
}

#[test]
fn b3_not_before_and_issued_at() {
    let bench = Bench::new();
    for name in ["nbf", "iat"] {
        refuses(&bench, json!({ name: NOW + 31 }), TokenFault::NotYetValid);
        passes(&bench, json!({ name: NOW + 30 }));
        refuses(
            &bench,
            json!({ name: NOW.to_string() }),
            TokenFault::ClaimType(match name {
                "nbf" => "nbf",
                _ => "iat",
            }),
        );
    }
    let null = claims().to_string().replace("\"sub\"", "\"nbf\":null,\"sub\"");
    assert_eq!(decide_text(&bench, &null), Some(TokenFault::ClaimType("nbf").into()));
}

#[test]
fn b3_lifetime_is_capped() {
    let bench = Bench::new();
    refuses(&bench, json!({"iat": NOW, "exp": NOW + 3601}), TokenFault::LifetimeTooLong);
    passes(&bench, json!({"iat": NOW, "exp": NOW + 3600}));
    let lax = Bench::with_settings(|s| s.tokens.required.retain(|name| name != "iat"));
    refuses(&lax, json!({"iat": null, "exp": NOW + 3601}), TokenFault::LifetimeTooLong);
    passes(&lax, json!({"iat": null, "exp": NOW + 3600}));
}

#[test]
fn b5_required_claims_are_there_and_are_sane_strings() {
    let bench = Bench::new();
    for name in ["sub", "client_id", "jti", "iat"] {
        let missing = bench.decide_changed(json!({}), json!({ name: null })).err();
        let Some(Denied::Refused(TokenFault::ClaimMissing(said))) = missing else {
            panic!("{name} {missing:?}")
        };
        assert_eq!(said, name);
    }
    for name in ["sub", "client_id", "jti", "tenant", "sla_tier"] {
        for value in
            [json!(1), json!([]), json!(""), json!("a\nb"), json!("\u{0}"), json!("x".repeat(513))]
        {
            let wrong = bench.decide_changed(json!({}), json!({ name: value })).err();
            let Some(Denied::Refused(TokenFault::ClaimType(said))) = wrong else {
                panic!("{name} {value} {wrong:?}")
            };
            assert_eq!(said, name);
        }
        passes(&bench, json!({ name: "x".repeat(512) }));
    }
    passes(&bench, json!({"tenant": null, "sla_tier": null, "scope": null}));
}

/// SHA-256 of some certificate.
const THUMBPRINT: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

#[test]
fn f1_a_token_bound_to_a_certificate_comes_with_that_one_only() {
    let bench = Bench::new();
    let signer = bench.es256();
    let decide = |claims: &Value, certificate| {
        let headers = bearer(&signer.sign(&signer.header(), claims));
        let sent = Sent { headers: &headers, certificate };
        at_once(identify(&bench.demand(), sent, now())).map(|_| ())
    };
    let bound = with(claims(), json!({"cnf": {"x5t#S256": THUMBPRINT}}));
    let other = THUMBPRINT.replace("dg2", "dg3");
    let mismatch = Err(Denied::Refused(TokenFault::CertificateMismatch));
    // Also while it is remembered.
    for _ in 0..2 {
        assert_eq!(decide(&bound, None), mismatch);
        assert_eq!(decide(&bound, Some(&*other)), mismatch);
        assert_eq!(decide(&bound, Some("")), mismatch);
        assert_eq!(decide(&bound, Some(THUMBPRINT)), Ok(()));
    }
    // One that is bound to nothing comes from anywhere.
    assert_eq!(decide(&claims(), Some(THUMBPRINT)), Ok(()));
    assert_eq!(decide(&claims(), None), Ok(()));
}

#[test]
fn f3_any_other_confirmation_is_refused() {
    let bench = Bench::new();
    for cnf in [
        json!({"jkt": "abc"}),
        json!({"x5t#S256": "abc"}),
        json!({"x5t#S256": format!("{THUMBPRINT}=")}),
        json!({"x5t#S256": THUMBPRINT.replace('_', "/")}),
        json!({"x5t#S256": [THUMBPRINT]}),
        json!({"x5t#S256": THUMBPRINT, "jkt": "abc"}),
        json!([THUMBPRINT]),
        json!({}),
        json!("x"),
        json!(0),
    ] {
        refuses(&bench, json!({ "cnf": cnf }), TokenFault::ConfirmationUnsupported);
    }
    passes(&bench, json!({"cnf2": {}}));
}

#[test]
fn facts_come_from_the_configured_claims() {
    let bench = Bench::new();
    let who = bench.decide_changed(json!({}), json!({"scope": "b a b"})).unwrap();
    assert_eq!((who.issuer_name(), who.issuer()), (Some("shop"), Some(ISSUER)));
    assert_eq!((who.subject(), who.client()), (Some("user-1"), Some("shop-app")));
    assert_eq!((who.tenant(), who.tier()), (Some("acme"), Some("gold")));
    assert_eq!((who.token_id(), who.key_id()), (Some("token-1"), Some("es256-1")));
    assert_eq!(who.scopes(), ["a", "b"]);
    assert!(who.has_scope("a") && !who.has_scope("A") && !who.has_scope("a b"));
    assert_eq!(who.expires_at(), Some(now() + Duration::from_secs(600)));
    assert!(!format!("{who:?}").contains("user-1"));
}

#[test]
fn scopes_are_text_or_a_list() {
    let bench = Bench::new();
    let scopes = |value: Value| {
        bench.decide_changed(json!({}), json!({ "scope": value })).unwrap().scopes().to_vec()
    };
    assert_eq!(scopes(json!(["write", "read"])), ["read", "write"]);
    assert_eq!(scopes(json!("  read  ")), ["read"]);
    assert!(scopes(json!("")).is_empty());
    for bad in [
        json!(1),
        json!([1]),
        json!({"a": 1}),
        json!(["a b"]),
        json!([""]),
        json!("a\"b"),
        json!("a\tb"),
    ] {
        refuses(&bench, json!({ "scope": bad }), TokenFault::ClaimType("scope"));
    }
}

#[test]
fn an_issuer_grants_only_what_it_may() {
    let set = |name: &str| Some(BTreeSet::from([name.to_owned()]));
    let bench = Bench::with_settings(|s| {
        s.may_grant = Some(Grantable { scopes: set("read:orders"), tiers: set("free") });
    });
    let who = bench.decide_changed(json!({}), json!({})).unwrap();
    assert_eq!((who.scopes().to_vec(), who.tier()), (vec!["read:orders".to_owned()], None));
    let who = bench.decide_changed(json!({}), json!({"sla_tier": "free"})).unwrap();
    assert_eq!(who.tier(), Some("free"));
}

#[test]
fn profiles_read_their_providers_tokens_and_not_their_id_tokens() {
    let of = |profile: Profile| {
        Bench::with_settings(|s| (s.tokens, s.claims) = (profile.rules(), profile.claims()))
    };
    let decide = |bench: &Bench, change: Value| {
        let plain = with(claims(), json!({"client_id": null, "azp": "app"}));
        let signer = bench.es256();
        let header = with(signer.header(), json!({"typ": "JWT"}));
        bench.decide(&signer.sign(&header, &with(plain, change)))
    };
    let kind = Some(Denied::Refused(TokenFault::WrongKind));
    let keycloak = of(Profile::Keycloak);
    let who = decide(&keycloak, json!({"typ": "Bearer"})).unwrap();
    assert_eq!(who.client(), Some("app"));
    for typ in [json!("ID"), json!("Refresh"), json!(null), json!(["Bearer"])] {
        assert_eq!(decide(&keycloak, json!({ "typ": typ })).err(), kind);
    }
    let entra = of(Profile::Entra);
    let entra_claims = json!({"tid": "tenant-1", "scp": "read write", "scope": null, "jti": null});
    let who = decide(&entra, entra_claims.clone()).unwrap();
    assert_eq!((who.tenant(), who.scopes().len()), (Some("tenant-1"), 2));
    assert_eq!(decide(&entra, with(entra_claims, json!({"nonce": "n"}))).err(), kind);
    let auth0 = of(Profile::Auth0);
    assert!(decide(&auth0, json!({"iat": NOW, "exp": NOW + 86_400})).is_ok());
    assert_eq!(decide(&auth0, json!({"at_hash": "h"})).err(), kind);
    let strict = Bench::new();
    assert_eq!(decide(&strict, json!({})).err(), Some(Denied::Refused(TokenFault::Typ)));
    for name in ["rfc9068", "keycloak", "entra", "auth0"] {
        assert!(name.parse::<Profile>().is_ok() && name.to_uppercase().parse::<Profile>().is_err());
    }
}

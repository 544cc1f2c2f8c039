//! Tests of the compact form: rules A1, A2, A5, A6 and B6, without any issuer.

use proptest::prop_assert_ne;
use serde_json::json;

use super::{TOKEN_BYTES_MAX, Unverified};
use crate::{TokenFault, testing::b64};

const HEADER: &str = r#"{"alg":"ES256","kid":"k"}"#;

fn fault(token: &str) -> Option<TokenFault> {
    Unverified::parse(token.as_bytes()).err()
}

fn fault_of(header: &str, payload: &str) -> Option<TokenFault> {
    fault(&format!("{}.{}.{}", b64(header), b64(payload), b64([1; 64])))
}

#[test]
fn a1_three_strict_segments() {
    let (h, p, s) = (b64(HEADER), b64("{}"), b64([1; 64]));
    assert_eq!(fault(&format!("{h}.{p}.{s}")), None);
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        format!("{h}.{p}"),
        format!("{h}.{p}."),
        format!("{h}..{s}"),
        format!(".{p}.{s}"),
        format!(".{h}.{p}.{s}"),
        format!("{h}.{p}.{s}."),
        format!("{h}.{p}.{s}.{s}"),
        json!({"payload": p, "protected": h, "signature": s}).to_string(),
    ] {
        assert_eq!(fault(&token), Some(TokenFault::NotThreeSegments), "{token}");
    }
    for bad in ["A+==", "A===", "ab/d", "ab+d", "ab d", "ab\nd", "AA=", "é", "ab%d", "A", "AB"] {
        // "AB" has unused bits set: 0x00 is "AA".
        for token in [format!("{bad}.{p}.{s}"), format!("{h}.{bad}.{s}"), format!("{h}.{p}.{bad}")]
        {
            assert_eq!(fault(&token), Some(TokenFault::Base64), "{token}");
        }
    }
    assert_eq!(fault(&format!("{h}.{p}.AA")), None);
}

#[test]
fn a1_sizes_are_bounded_before_anything_is_decoded() {
    let pad = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
    assert_eq!(fault_of(HEADER, &pad(10_000)), None);
    assert_eq!(fault_of(HEADER, &pad(13_000)), Some(TokenFault::TooLarge));
    let header =
        |bytes: usize| format!(r#"{{"alg":"ES256","kid":"k","a":"{}"}}"#, "x".repeat(bytes));
    assert_eq!(fault_of(&header(3_000), "{}"), None);
    assert_eq!(fault_of(&header(4_000), "{}"), Some(TokenFault::TooLarge));
    assert_eq!(fault(&"!".repeat(TOKEN_BYTES_MAX + 1)), Some(TokenFault::TooLarge));
    let kid = |bytes: usize| json!({"alg": "ES256", "kid": "k".repeat(bytes)}).to_string();
    assert_eq!(fault_of(&kid(512), "{}"), None);
    assert_eq!(fault_of(&kid(513), "{}"), Some(TokenFault::TooLarge));
}

#[test]
fn a2_one_json_object_each_without_duplicates() {
    for text in ["", "[]", "null", "\"x\"", "{}{}", "{} x", "{\"a\":NaN}", "{'a':1}", "\u{feff}{}"]
    {
        if text.is_empty() {
            continue; // an empty segment is rule A1
        }
        assert_eq!(fault_of(HEADER, text), Some(TokenFault::ClaimsJson), "{text}");
        assert_eq!(fault_of(text, "{}"), Some(TokenFault::HeaderJson), "{text}");
    }
    let twice = Some(TokenFault::DuplicateName);
    assert_eq!(fault_of(HEADER, r#"{"scope":"a","scope":"b"}"#), twice);
    assert_eq!(fault_of(HEADER, r#"{"cnf":{"jkt":"a","jkt":"b"}}"#), twice);
    assert_eq!(fault_of(r#"{"alg":"ES256","kid":"k","alg":"ES256"}"#, "{}"), twice);
    assert_eq!(fault_of(r#"{"alg":"ES256","kid":"k","x":1,"x":1}"#, "{}"), twice);
    assert_eq!(
        fault_of(" { \"typ\" : \"JWT\" , \"alg\" : \"ES256\", \"kid\" :\"k\" } ", " { } "),
        None
    );
}

#[test]
fn a3_none_and_symmetric_names_do_not_exist() {
    for name in ["none", "None", "NONE", "nOnE", "HS256", "HS512", "es256", "ES512", "RS1", ""] {
        let header = json!({"alg": name, "kid": "k"}).to_string();
        assert_eq!(fault_of(&header, "{}"), Some(TokenFault::AlgorithmForbidden), "{name}");
    }
    for alg in [json!(null), json!(1), json!(["ES256"]), json!({})] {
        let header = json!({"alg": alg, "kid": "k"}).to_string();
        assert_eq!(fault_of(&header, "{}"), Some(TokenFault::HeaderJson));
    }
    assert_eq!(fault_of(r#"{"kid":"k"}"#, "{}"), Some(TokenFault::HeaderJson));
}

#[test]
fn a5_kid_is_a_string() {
    for kid in [json!(null), json!(1), json!(""), json!(["k"]), json!({"k": 1}), json!(true)] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        assert_eq!(fault_of(&header, "{}"), Some(TokenFault::KidMissing), "{header}");
    }
    assert_eq!(fault_of(r#"{"alg":"ES256"}"#, "{}"), Some(TokenFault::KidMissing));
    assert_eq!(fault_of(r#"{"alg":"ES256","kid":" k/../\u0000"}"#, "{}"), None);
}

#[test]
fn a6_crit_and_other_reading_rules_are_refused() {
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(null), json!("x"), json!({})] {
        let header = json!({"alg": "ES256", "kid": "k", "crit": crit}).to_string();
        assert_eq!(fault_of(&header, "{}"), Some(TokenFault::Crit), "{header}");
    }
    for extra in [
        json!({"b64": false}),
        json!({"b64": true}),
        json!({"zip": "DEF"}),
        json!({"enc": "A128GCM"}),
    ] {
        let header = crate::testing::with(json!({"alg": "ES256", "kid": "k"}), extra).to_string();
        assert_eq!(fault_of(&header, "{}"), Some(TokenFault::HeaderUnsupported), "{header}");
    }
    assert_eq!(fault_of(r#"{"alg":"ES256","kid":"k","cty":"x","critical":["x"]}"#, "{}"), None);
}

#[test]
fn b6_encrypted_tokens_are_refused() {
    let header = b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k"}"#);
    assert_eq!(fault(&format!("{header}.AA.AA.AA.AA")), Some(TokenFault::Encrypted));
    assert_eq!(fault(&format!("{header}..AA.AA.AA")), Some(TokenFault::Encrypted));
}

proptest::proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        drop(Unverified::parse(&bytes));
    }

    #[test]
    fn never_panics_on_parts(header in "\\PC{0,60}", payload in "\\PC{0,60}") {
        let fault = fault_of(&header, &payload);
        prop_assert_ne!(fault, Some(TokenFault::Signature), "nothing was verified here");
    }
}

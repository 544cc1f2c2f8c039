//! A table of secrets, each with a near miss that stays, and properties over any text.

use std::cell::Cell;

use super::*;
use base64::Engine as _;
use proptest::prelude::*;
use serde_json::Value;

mod figures;
mod planted;

thread_local! {
    /// Bytes that the rules have looked at.
    static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
}

/// Counts the work of the masker.
pub(super) fn looked_at(bytes: usize) {
    LOOKED_AT.with(|count| count.set(count.get() + bytes));
}

/// Most bytes looked at for each byte of a text: rounds, layers of escapes, offsets of base64.
const WORK_MAX: usize = 120;

#[test]
fn the_work_grows_with_the_text_and_no_faster() {
    // As much in as few bytes as is unpacked at all.
    let packed = base64::engine::general_purpose::STANDARD.encode(planted::zlib(&"a".repeat(250)));
    let packed = format!("{packed} ");
    let hostile = [
        packed.as_str(),
        "4111111111111111 ",
        "a@",
        "%2525252525",
        "YWFh",
        "6161",
        "-----BEGIN A-----",
        "password=",
        "\\\\u0041",
        "１２３",
        "&amp;amp;",
        "DE89",
        "<password>",
        "41 11 11 ",
    ];
    for piece in hostile {
        for bytes in [1 << 10, 1 << 12, 1 << 14] {
            let text = piece.repeat(bytes / piece.len());
            LOOKED_AT.with(|count| count.set(0));
            let once = mask(&text).into_owned();
            let work = LOOKED_AT.with(Cell::get);
            assert!(work <= WORK_MAX * bytes, "{piece} of {bytes} bytes: {work} looked at");
            assert_eq!(mask(&once), once, "{piece}");
        }
    }
}

#[test]
fn json_stays_json() {
    let values = ["4111111111111111", "a@b.example", "hunter2", "plain", "\"quoted\""];
    for value in values {
        for name in ["password", "note", "e-mail"] {
            let json = serde_json::json!({ name: value, "inner": { "list": [value, 7] } });
            for text in [json.to_string(), serde_json::json!(json.to_string()).to_string()] {
                let masked = mask(&text);
                assert!(serde_json::from_str::<Value>(&masked).is_ok(), "{text} became {masked}");
                assert!(!masked.contains("4111") && !masked.contains("a@b"), "{masked}");
            }
        }
    }
}

/// (text, what must not survive)
pub(crate) const SECRETS: &[(&str, &str)] = &[
    ("pay 4111111111111111 now", "4111111111111111"),
    ("pay 4111 1111 1111 1111", "1111 1111"),
    ("pay 4111-1111-1111-1111", "1111-1111"),
    ("pay 4111.1111.1111.1111", "1111.1111"),
    ("amex 378282246310005", "378282246310005"),
    ("mc 5555555555554444", "5555555555554444"),
    ("iban DE89370400440532013000", "370400440532013000"),
    ("iban GB82 WEST 1234 5698 7654 32", "WEST 1234"),
    ("mail alice@example.com", "alice@example.com"),
    ("mail jörg.müller@exämple.de", "müller"),
    ("call +49 170 1234567", "1234567"),
    ("call (415) 555-2671", "555-2671"),
    ("ssn 078-05-1120", "078-05-1120"),
    ("cpf 529.982.247-25", "529.982.247-25"),
    ("pesel 44051401359", "44051401359"),
    ("aadhaar 2341 2341 2346", "2341 2341"),
    ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "eyJzdWIiOiJhIn0"),
    ("Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM"),
    ("Basic YWxpY2U6aHVudGVyMg==", "YWxpY2U6aHVudGVyMg"),
    ("password=hunter2", "hunter2"),
    ("client_secret: 'hunter2'", "hunter2"),
    ("api-key = abcdef", "abcdef"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
    ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    ("key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "9f86d081884c7d659a2f"),
    ("key wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ("alice%40example.org", "example.org"),
    ("alice%2540example.org", "example.org"),
    ("4111%201111%201111%201111", "1111%201111"),
    ("alice\\u0040example.org", "example.org"),
    ("alice&#64;example.org", "example.org"),
    ("４１１１１１１１１１１１１１１１", "１１１１"),
    ("4111\u{200b}1111\u{200b}1111\u{200b}1111", "1111\u{200b}1111"),
    ("moc {\"password\": \"correct horse\"}", "correct"),
    ("\\\"password\\\":\\\"hunter2\\\"", "hunter2"),
    ("<password>hunter2</password>", "hunter2"),
    ("<ns:apiToken id='1'>hunter2</ns:apiToken>", "hunter2"),
    ("postgres://app:hunter2@db/orders", "hunter2"),
    ("alice (at) example (dot) com", "alice"),
    ("alice&commat;example.org", "example.org"),
    ("alice\\x40example.org", "example.org"),
    ("alice\\u{40}example.org", "example.org"),
    ("alice%u0040example.org", "example.org"),
    ("616c696365406578616d706c652e6f7267", "616c696365"),
    ("61 6c 69 63 65 40 65 78 2e 6f 72 67", "61 6c 69"),
    ("H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==", "AAAAA8tIzcnJ"),
    ("[\"4111\",\"1111\",\"1111\",\"1111\"]", "\"1111\",\"1111\""),
    ("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "𝟏𝟏𝟏𝟏"),
    ("sk-proj-abcdefghijklmnopqrstuvwx", "abcdefghijkl"),
    ("hvs.abcdefghijklmnopqrstuv", "abcdefghijkl"),
    ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "1111\u{a0}1111"),
];

/// Texts of the same look that hide nothing.
const HARMLESS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "curl/8.5.0",
    "orders-service/1.2.3 (+https://example.com/bot)",
    "Go-http-client/2.0",
    "orders-web",
    "service-account-for-the-orders-team",
    "api.example.com",
    "3f2b8a1c-9d4e-4c6f-8a7b-1c2d3e4f5a6b",
    "part 4111 1111",
    "error 404 after 30000 ms",
    "the token expired",
    "Basic information",
    "2026-11-24",
    "a@b",
    "100% sure",
    "GET /orders/{id} 200 12 ms",
    "2026-11-24T10:00:00Z",
    "sallyport 0.1.0 on 10.0.0.1:8443",
    "a signature is needed",
    "pinned session of 30 s",
    "the keys of issuer main are 12 s old",
    "https://idp.example.com/realms/shop",
    "C:\\\\Users\\\\app",
];

#[test]
fn the_rules_compile() {
    assert!(rules::compiled().is_some());
}

#[test]
fn every_secret_goes() {
    for (text, secret) in SECRETS {
        let masked = mask(text);
        assert!(!masked.contains(secret), "{text} became {masked}");
        assert!(masked.contains('['), "{text} became {masked}");
    }
}

#[test]
fn every_secret_goes_from_base64() {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    for (text, _) in
        SECRETS.iter().filter(|(text, _)| !text.contains(['\n', '%', '\\', '&', '<', '{']))
    {
        for coded in [STANDARD.encode(text), URL_SAFE_NO_PAD.encode(text)] {
            let masked = mask(&coded);
            assert!(!masked.contains(&coded), "{text} as {coded} became {masked}");
        }
    }
}

#[test]
fn every_near_miss_stays() {
    for text in HARMLESS {
        assert_eq!(mask(text), *text);
    }
}

#[test]
fn a_failed_check_sum_is_no_card_but_a_number() {
    assert_eq!(mask("4111111111111112"), "[number]");
    assert_eq!(mask("v 4111.1111.1111.1112"), "v 4111.1111.1111.1112");
}

#[test]
fn a_number_dressed_as_a_uuid_goes() {
    assert!(mask("41111111-1111-1111-8111-000000000000").contains('['));
}

#[test]
fn lines_cannot_be_forged() {
    assert_eq!(mask("a\r\nb\u{202e}c\u{2028}d"), "a  b c d");
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = "[0-9a-e@. :=\"\\\\%&;+-]{0,24}|[a-z]{2,5}@[a-z]{2,4}\\.org|4[0-9]{15}|password";
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_stays_json_whatever_is_in_it(value in any_json()) {
        // A number alone is a text like any other: it has no quotes to put a word into.
        let alone = if value.is_number() { serde_json::json!([value]) } else { value.clone() };
        for text in [alone.to_string(), serde_json::json!({ "a": value.to_string() }).to_string()] {
            let masked = mask(&text).into_owned();
            prop_assert!(serde_json::from_str::<Value>(&masked).is_ok(), "{} became {}", text, masked);
            prop_assert_eq!(mask(&masked), masked.as_str());
        }
    }

    #[test]
    fn idempotent_and_never_panics(text in any::<String>()) {
        let once = mask(&text).into_owned();
        prop_assert_eq!(mask(&once), once.as_str());
    }

    #[test]
    fn idempotent_on_hostile_alphabet(text in "[0-9 .+@%&#;x\\\\u\\[\\]a-fA-F=:-]{0,120}") {
        let once = mask(&text).into_owned();
        prop_assert_eq!(mask(&once), once.as_str());
    }

    #[test]
    fn a_card_is_found_wherever_it_stands(before in "[a-z /;]{0,20}", after in "[a-z /;]{0,20}") {
        let text = format!("{before}4111111111111111{after}");
        prop_assert!(!mask(&text).contains("4111111111111111"));
    }
}

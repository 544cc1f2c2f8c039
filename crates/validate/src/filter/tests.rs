//! The filter: each rule with attacks, and with the harmless texts that look like them.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::{Attack, Clean, Filter, FilterSettings, rules};
use crate::contract::Mode;
use crate::{Contract, Document, Limits, RequestView};

fn send(settings: FilterSettings, query: Option<&str>, body: &str) -> Result<Clean, Attack> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let view = RequestView { path_parameters: &[], query, headers: &headers, has_body: true };
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let opened = contract.open(&view, Mode::Enforce).unwrap();
    let payload = opened.finish(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    Filter::new(settings).inspect(payload)
}

fn text(text: &str) -> Option<&'static str> {
    let body = serde_json::json!({ "t": text }).to_string();
    send(FilterSettings::default(), None, &body).err().map(|attack| attack.rule)
}

#[test]
fn attacks_are_refused() {
    for (attack, rule) in [
        ("1' OR '1'='1", "sqli"),
        ("admin'--", "sqli"),
        ("1 UNION SELECT password FROM users", "sqli"),
        ("1; DROP TABLE users", "sqli"),
        ("1 AND SLEEP(5)", "sqli"),
        ("%27%20OR%20%271%27%3D%271", "sqli"),
        ("1＇ OR ＇1＇=＇1", "sqli"),
        ("<script>alert(1)</script>", "xss"),
        ("\"><img src=x onerror=alert(1)>", "xss"),
        ("javascript:alert(1)", "xss"),
        ("../../../../etc/passwd", "path_traversal"),
        ("..%2f..%2fetc/hosts", "path_traversal"),
        ("%2e%2e%2fimages", "path_traversal"),
        ("..\\..\\windows\\win.ini", "path_traversal"),
        ("file:///etc/passwd", "path_traversal"),
        ("%c0%ae%c0%ae/", "encoding_depth"),
        ("%25252527", "encoding_depth"),
        ("${jndi:ldap://x/a}", "jndi_lookup"),
        ("${${lower:j}ndi:ldap://x/a}", "jndi_lookup"),
        ("() { :;}; echo x", "shellshock"),
    ] {
        assert_eq!(text(attack), Some(rule), "{attack}");
    }
}

#[test]
fn harmless_texts_pass() {
    for harmless in [
        "O'Brien",
        "select specialty hospital",
        "having friends over is nice",
        "drop the table by the door",
        "price is ${price}",
        "../images/logo.png",
        "100%",
        "100%25",
        "a < b and c > d",
        "Tom & Jerry",
        "rock 'n' roll",
        "it's 5 o'clock",
        "union of workers",
        "select * from sysusers is what he wrote",
        "f(x) = 2x",
        "C:\\Users\\me",
        "日本語（テスト）",
        "../images（x）",
        "someone@example.com",
        "1 + 1 = 2",
        "see section 3; then 4",
        "{\"$ne\": 1}",
        "",
    ] {
        assert_eq!(text(harmless), None, "{harmless}");
    }
}

#[test]
fn operators_are_attacks_as_names_only() {
    let send = |query, body: &str| {
        send(FilterSettings::default(), query, body).err().map(|attack| attack.rule)
    };
    for body in [r#"{"a":{"$ne":1}}"#, r#"{"\u0024where":"1"}"#, r#"[{"$GT":1}]"#] {
        assert_eq!(send(None, body), Some("nosql_operator"), "{body}");
    }
    for query in ["v[$gt]=1", "v%5B%24ne%5D=1", "$where=1"] {
        assert_eq!(send(Some(query), "{}"), Some("nosql_operator"), "{query}");
    }
    assert_eq!(send(None, r#"{"__proto__":{"a":1}}"#), Some("prototype_pollution"));
    for body in [r#"{"a":"$ne"}"#, r#"{"$id":1,"price":"$5"}"#, r#"{"constructor":"Lego"}"#] {
        assert_eq!(send(None, body), None, "{body}");
    }
    assert_eq!(send(Some("v[gt]=1&price$=2"), "{}"), None);
}

#[test]
fn the_place_is_told_and_the_text_is_not() {
    let body = r#"{"mine":["ok","1' OR '1'='1"]}"#;
    let attack = send(FilterSettings::default(), None, body).unwrap_err();
    assert_eq!(attack.place.to_string(), "body:/*/1");
    let attack = send(FilterSettings::default(), Some("q=1'+OR+'1'='1"), "{}").unwrap_err();
    assert_eq!(attack.place.to_string(), "query:undeclared");
}

#[test]
fn a_schema_that_leaves_no_room_spares_the_text() {
    let document = "
openapi: 3.1.0
info: { title: t, version: '1' }
paths:
  /a:
    get:
      parameters:
        - { name: pick, in: query, schema: { enum: [\"1' OR '1'='1\"] } }
        - { name: free, in: query, schema: { type: string } }
";
    let document = Document::parse(document, "t", &Limits::default()).unwrap();
    let inspect = |query| {
        let view = RequestView {
            path_parameters: &[],
            query: Some(query),
            headers: &HeaderMap::new(),
            has_body: false,
        };
        let opened = document.operations()[0].contract.open(&view, Mode::Enforce).unwrap();
        let payload = opened.finish(Bytes::new()).unwrap();
        Filter::new(FilterSettings::default()).inspect(payload)
    };
    assert!(inspect("pick=1'+OR+'1'='1").is_ok());
    let attack = inspect("free=1'+OR+'1'='1").unwrap_err();
    assert_eq!(attack.place.to_string(), "query:free");
}

#[test]
fn long_texts_are_refused_and_not_cut() {
    let most = "a".repeat(8 * 1024);
    assert_eq!(text(&most), None);
    assert_eq!(text(&(most + "a")), Some("too_long_to_inspect"));
    let quotes: Vec<String> = vec!["it's".to_owned(); 50];
    let settings = FilterSettings { grammar_bytes_max: 100, ..FilterSettings::default() };
    let attack = send(settings, None, &serde_json::json!(quotes).to_string()).unwrap_err();
    assert_eq!(attack.rule, "too_long_to_inspect");
}

#[test]
fn modes() {
    let run = |mode| {
        send(
            FilterSettings { mode, ..FilterSettings::default() },
            None,
            r#"["<script>alert(1)</script>","<script>alert(2)</script>"]"#,
        )
    };
    assert_eq!(run(Mode::Observe).unwrap().observed(), ["xss"]);
    assert!(run(Mode::Off).unwrap().observed().is_empty());
    assert!(run(Mode::Enforce).is_err());
}

#[test]
fn every_rule_has_one_row() {
    let mut ids: Vec<_> = rules().iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules().len());
}

proptest! {
    #[test]
    fn any_text_ends_without_panic(any in "\\PC{0,200}", marks in "['\"<>%0-9a-f(){}$./\\\\;=# -]{0,80}") {
        let body = serde_json::json!([any, marks]).to_string();
        let settings = FilterSettings { mode: Mode::Observe, ..FilterSettings::default() };
        prop_assert!(send(settings, None, &body).is_ok());
    }
}

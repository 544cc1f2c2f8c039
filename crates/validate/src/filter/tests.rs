//! The filter: its table, its places and its actions. Each rule's own examples are its tests.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::marks::Marks;
use super::scan::{Asked, Scanner, Work};
use super::table::{Grammar, Only};
use super::{
    Action, Actions, Attack, Class, Clean, Excepted, Exception, Filter, FilterSettings, SCANNER,
    layers, rules,
};
use crate::contract::Mode;
use crate::{Contract, Document, Limits, RequestView};

mod actions;
mod cost;

fn send(settings: FilterSettings, query: Option<&str>, body: &str) -> Result<Clean, Attack> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let view = RequestView { path_parameters: &[], query, headers: &headers, has_body: true };
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let opened = contract.open(&view, Mode::Enforce).unwrap();
    let payload = opened.finish(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    Filter::new(settings).inspect("operation", payload)
}

fn found(text: &str) -> Option<&'static str> {
    let body = serde_json::json!({ "t": text }).to_string();
    send(FilterSettings::default(), None, &body).err().map(|attack| attack.rule)
}

/// What the scanner says of one text, or of one name: every rule.
fn hits(scanner: &Scanner, text: &str, is_name: bool) -> Vec<&'static str> {
    let mut hits = Vec::new();
    let mut found = |index: usize| {
        hits.push(rules()[index].id.as_str());
        std::ops::ControlFlow::Continue(())
    };
    let mut work = Work::default();
    let mut asked = Asked { is_name, wanted: u64::MAX, work: &mut work, found: &mut found };
    assert!(scanner.read(text, &mut asked).is_continue());
    hits
}

#[test]
fn each_rule_finds_its_attacks_and_leaves_its_near_misses() {
    let scanner = &*SCANNER;
    let mut wrong = Vec::new();
    for rule in rules() {
        let is_name = rule.only == Only::Name;
        for attack in &rule.attacks {
            if !hits(scanner, attack, is_name).contains(&rule.id.as_str()) {
                wrong.push(format!("{} does not find {attack:?}", rule.id));
            }
        }
        for harmless in &rule.harmless {
            let hits = hits(scanner, harmless, is_name);
            if !hits.is_empty() {
                wrong.push(format!("{harmless:?} of {} is {hits:?}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_whole() {
    let mut ids: Vec<_> = rules().iter().map(|rule| rule.id.as_str()).collect();
    assert!(ids.len() <= 64, "a set of rules has 64 bits");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules().len());
    for rule in rules() {
        assert!(rule.grammar == Some(Grammar::Length) || rule.attacks.len() >= 2, "{}", rule.id);
        assert!(
            !rule.harmless.is_empty() && !rule.about.is_empty() && !rule.why.is_empty(),
            "{}",
            rule.id
        );
        assert!(!rule.patterns.is_empty() || rule.grammar.is_some(), "{} finds nothing", rule.id);
        let woken = !rule.literals.is_empty();
        let by_name = rule.only == Only::Name;
        let after = matches!(rule.grammar, Some(Grammar::Layers | Grammar::Length));
        assert!(woken || by_name || after, "{} is never asked", rule.id);
    }
    for class in Class::ALL {
        assert!(rules().iter().any(|rule| rule.class == class), "no rule of {}", class.as_str());
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
        "union of workers",
        "select * from sysusers is what he wrote",
        "f(x) = 2x",
        "C:\\Users\\me",
        "日本語（テスト）",
        "someone@example.com",
        "see section 3; then 4",
        "it's $ne or $gt, as you like",
        "",
    ] {
        assert_eq!(found(harmless), None, "{harmless}");
    }
}

#[test]
fn operators_are_attacks_as_names() {
    let send = |query, body: &str| {
        send(FilterSettings::default(), query, body).err().map(|attack| attack.rule)
    };
    for body in
        [r#"{"a":{"$ne":1}}"#, r#"{"\u0024where":"1"}"#, r#"[{"$GT":1}]"#, r#"{"a":{"%24ne":1}}"#]
    {
        assert_eq!(send(None, body), Some("nosql_operator"), "{body}");
    }
    for query in ["v[$gt]=1", "v%5B%24ne%5D=1", "$where=1"] {
        assert_eq!(send(Some(query), "{}"), Some("nosql_operator"), "{query}");
    }
    for body in [r#"{"__proto__":{"a":1}}"#, r#"{"constructor":{"prototype":{"a":1}}}"#] {
        assert_eq!(send(None, body), Some("prototype_pollution"), "{body}");
    }
    for body in [
        r#"{"a":"$ne"}"#,
        r#"{"$id":1,"price":"$5"}"#,
        r#"{"constructor":"Lego"}"#,
        r#"{"prototype":{"a":1}}"#,
    ] {
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

const DOCUMENT: &str = "
openapi: 3.1.0
info: { title: t, version: '1' }
paths:
  /a:
    post:
      parameters:
        - { name: pick, in: query, schema: { enum: [\"1' OR '1'='1\"] } }
        - { name: free, in: query, schema: { type: string } }
      requestBody:
        content:
          application/json:
            schema: { type: object, properties: { pick: { enum: [one, two] }, free: { type: string } } }
";

fn declared(query: Option<&str>, body: &str, mode: Mode) -> Option<String> {
    let document = Document::parse(DOCUMENT, "t", &Limits::default()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let view =
        RequestView { path_parameters: &[], query, headers: &headers, has_body: !body.is_empty() };
    let opened = document.operations()[0].contract.open(&view, mode).unwrap();
    let payload = opened.finish(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let attack = Filter::new(FilterSettings::default()).inspect("operation", payload).err()?;
    Some(attack.place.to_string())
}

#[test]
fn a_schema_that_leaves_no_room_spares_the_text() {
    assert_eq!(declared(Some("pick=1'+OR+'1'='1"), "", Mode::Enforce), None);
    assert_eq!(
        declared(Some("free=1'+OR+'1'='1"), "", Mode::Enforce).as_deref(),
        Some("query:free")
    );
}

#[test]
fn a_text_that_breaks_its_schema_and_may_pass_is_read() {
    for mode in [Mode::Observe, Mode::Off] {
        let place = declared(Some("pick=2'+OR+'2'='2"), "", mode);
        assert_eq!(place.as_deref(), Some("query:pick"));
        let place = declared(None, r#"{"pick":"2' OR '2'='2"}"#, mode);
        assert_eq!(place.as_deref(), Some("body:/pick"));
        assert_eq!(declared(None, r#"{"pick":"three","free":"fine"}"#, mode), None);
    }
}

#[test]
fn texts_within_a_text_are_read() {
    for (text, rule) in [
        (r#"{"note":["<script>alert(1)</script>"]}"#, "xss"),
        (r#"[{"a":"1' or '1'='1"}]"#, "sqli"),
        (r#"{"filter":{"$ne":null}}"#, "nosql_query"),
        ("https://example.com/p?q=%27%20or%201%3D1--", "sqli"),
        ("%7B%22a%22%3A%22%7B%7B7*7%7D%7D%22%7D", "template"),
        ("id=7&path=..%2f..%2fetc%2fpasswd", "path_traversal"),
    ] {
        assert!(
            hits(&SCANNER, text, false).contains(&rule),
            "{text}: {:?}",
            hits(&SCANNER, text, false)
        );
    }
    for text in [
        r#"{"name":"O'Brien","note":"a < b"}"#,
        r#"{"price":"$ne","tags":["select","drop"]}"#,
        "https://example.com/search?q=rock%20%27n%27%20roll&page=2",
        "a=b&c=d",
    ] {
        assert_eq!(hits(&SCANNER, text, false), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn long_texts_are_refused_and_not_cut() {
    let long = |length: usize| {
        let settings = FilterSettings { text_bytes_max: 1000, ..FilterSettings::default() };
        send(settings, None, &serde_json::json!("a".repeat(length)).to_string())
            .err()
            .map(|attack| attack.rule)
    };
    assert_eq!(long(1000), None);
    assert_eq!(long(1001), Some("too_long_to_inspect"));
    let quotes: Vec<String> = vec!["it's".to_owned(); 50];
    let settings = FilterSettings { pattern_bytes_max: 100, ..FilterSettings::default() };
    let attack = send(settings, None, &serde_json::json!(quotes).to_string()).unwrap_err();
    assert_eq!(attack.rule, "too_long_to_inspect");
}

#[test]
fn what_libinjection_calls_sql_injection_is_called_so_here() {
    // Told apart: what it sees in texts that hold no statement.
    let attacks: Vec<_> = rules()
        .iter()
        .filter(|rule| rule.class == Class::Sqli)
        .flat_map(|rule| &rule.attacks)
        .collect();
    let scanner = &*SCANNER;
    for text in [
        "1' or '1'='1",
        "x' and 1=1--",
        "1 union select 2",
        "1; drop table x",
        "' or sleep(5)#",
        "\" or 1=1 --",
    ] {
        assert!(libinjectionrs::detect_sqli(text.as_bytes()).is_injection(), "{text}");
        assert!(!hits(scanner, text, false).is_empty(), "{text}");
    }
    let theirs =
        attacks.iter().filter(|text| libinjectionrs::detect_sqli(text.as_bytes()).is_injection());
    assert!(
        theirs.count() * 2 > attacks.len(),
        "the second opinion no longer sees what is an attack"
    );
}

proptest! {
    #[test]
    fn any_text_ends_without_panic(any in "\\PC{0,200}", marks in "['\"<>%0-9a-f(){}$./\\\\;=#|&`\n u*-]{0,80}") {
        let body = serde_json::json!([any, marks]).to_string();
        prop_assert!(send(FilterSettings::all(Action::Observe), None, &body).is_ok());
    }

    #[test]
    fn peeling_ends(text in "[%&#;x0-9a-fA-F\\\\u{}]{0,200}") {
        prop_assert!(layers::below(&text, Marks::of(&text)).below.len() <= 3 * (layers::PEELS_MAX + 1) + 1);
    }

    #[test]
    fn words_are_harmless(words in proptest::collection::vec("[a-z]{1,12}", 1..12)) {
        let text = words.join(" ");
        prop_assert_eq!(found(&text), None);
    }
}

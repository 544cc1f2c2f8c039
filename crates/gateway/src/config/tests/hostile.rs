//! Every bound of the configuration, and files whose only purpose is their size or shape.

use super::{Place, minimal, shipped};
use crate::config::{load, schema};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// Longer than this for a refusal would be work that a hostile file makes us do. Generous: the
/// machine of a test may be busy.
const REFUSAL_LIMIT: Duration = Duration::from_secs(20);

/// What is told about a text, which must be refused in time.
fn refused_in_time(place: &Place, text: &str) -> Vec<String> {
    let start = Instant::now();
    let told = place.refused(text);
    assert!(start.elapsed() < REFUSAL_LIMIT, "took {:?}", start.elapsed());
    assert!(told.len() <= 201, "{} mistakes are told", told.len());
    let longest = told.iter().map(String::len).max().unwrap_or_default();
    assert!(longest < 2_000, "a message of {longest} bytes");
    told
}

#[test]
fn a_large_file_is_not_read_to_its_end() {
    let place = Place::new();
    let head = shipped("minimal.yaml");
    fs::write(place.file(), head.clone() + &"# padding\n".repeat(1 << 20)).expect("a file");
    let start = Instant::now();
    let told = load(&place.file()).expect_err("10 MiB").mistakes;
    assert!(start.elapsed() < REFUSAL_LIMIT);
    assert_eq!(told.len(), 1);
    assert!(told[0].what.contains("larger than 1024 KiB"), "{told:?}");
    fs::write(place.file(), head + &"# padding\n".repeat(100_000)).expect("a file");
    assert!(load(&place.file()).is_ok(), "just below 1 MiB");
}

#[test]
fn deep_nesting_is_refused() {
    let place = Place::new();
    for (open, close) in [("[", "]"), ("{ a: ", " }"), ("- ", "")] {
        for depth in [25, 1_000, 100_000] {
            let text = format!("{}x{}", open.repeat(depth), close.repeat(depth));
            let told = refused_in_time(&place, &text);
            assert!(told[0].contains("nested deeper than 24 levels"), "{depth} {open}: {told:?}");
        }
    }
    let told = refused_in_time(&place, &format!("{}x{}", "[".repeat(24), "]".repeat(24)));
    assert!(told[0].contains("expected a mapping"), "24 levels are read: {told:?}");
}

#[test]
fn aliases_do_not_multiply() {
    let place = Place::new();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let told = refused_in_time(&place, &bomb);
    assert!(told[0].contains("more values than a configuration may"), "{told:?}");
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(1_000), "*a, ".repeat(1_000));
    let told = refused_in_time(&place, &wide);
    assert!(told[0].contains("more values than a configuration may"), "{told:?}");
    // One anchor that is used a few times is no bomb.
    let shared = shipped("minimal.yaml")
        .replace("key: { file", "key: &key { file")
        .replace("identity: {", "retry: { attempts: 2 }\n    identity: {")
        + "audit: { pseudonym: { key: *key } }\n";
    let settings = place.parse(&shared).expect("an anchor and its alias");
    assert_eq!(settings.audit.pseudonym.key, settings.upstreams["orders"].assertion_key.path);
}

#[test]
fn many_mistakes_are_told_up_to_a_bound() {
    let place = Place::new();
    let names: String = (0..50_000).map(|n| format!("listeners{n}: 1\n")).collect();
    let told = refused_in_time(&place, &names);
    assert_eq!(told.len(), 201);
    assert!(told[200].contains("more than 200 mistakes"), "{}", told[200]);
    // A thousand references to a name that is none of a thousand long ones.
    let near = "n".repeat(57);
    let api =
        format!("  - {{ prefix: /x/, methods: [GET], audience: a, upstream: {near}-upstrea }}\n");
    let upstreams: String = (0..1_000).map(|n| format!("  {near}-up{n:04}: {{}}\n")).collect();
    let text = format!("apis:\n{}upstreams:\n{upstreams}", api.repeat(1_000));
    refused_in_time(&place, &text);
    // A name of almost a megabyte, and one that would write to the terminal.
    let told =
        refused_in_time(&place, &format!("{}: 1\n\"\\e[2J\\e[31mred\": 1\n", "n".repeat(1_000)));
    assert!(!told.concat().contains('\u{1b}'), "{told:?}");
    let told = refused_in_time(&place, &format!("? {}\n: 1\n", "n".repeat(900_000)));
    assert!(!told.is_empty());
}

#[test]
fn texts_lists_and_names_have_a_longest() {
    let place = Place::new();
    let audience = |length| minimal("https://api.example.com", &"a".repeat(length));
    assert!(place.parse(&audience(4096)).is_ok());
    assert!(place.refused(&audience(4097))[0].contains("at most 4096 bytes"));
    let hosts = |count: usize| {
        let hosts: Vec<String> = (0..count).map(|n| format!("h{n}.example.com")).collect();
        minimal("api.example.com }", &format!("api.example.com, hosts: [{}] }}", hosts.join(", ")))
    };
    assert!(place.parse(&hosts(1000)).is_ok());
    assert!(place.refused(&hosts(1001))[0].contains("holds 1001 items; at most 1000"));
    let tiers = |count: usize| {
        let tiers: Vec<String> =
            (0..count).map(|n| format!("t{n}: {{ rate: 1/s, burst: 1 }}")).collect();
        let limits = format!("limits: {{ tiers: {{ {} }}, default_tier: t0 }}", tiers.join(", "));
        minimal("version: 1", &format!("{limits}\nversion: 1"))
    };
    assert!(place.parse(&tiers(100)).is_ok());
    assert!(place.refused(&tiers(101))[0].contains("holds 101 names; at most 100"));
    let name = |length| minimal("shop:", &format!("{}:", "s".repeat(length)));
    assert!(place.parse(&name(64)).is_ok());
    assert!(place.refused(&name(65))[0].contains("1 to 64 of a-z"));
}

#[test]
fn what_the_environment_gives_is_bounded_too() {
    let place = Place::new();
    let text = minimal("https://api.example.com", "\"${LONG}\"");
    let with = |length: usize| {
        super::super::parse_with(&text, &place.file(), &|_| Some("a".repeat(length)))
    };
    assert!(with(4096).is_ok());
    let told = with(4097).expect_err("too long").mistakes;
    assert!(told[0].what.contains("at most 4096 bytes"), "{told:?}");
}

/// Notes each part of a schema that has no greatest value.
fn unbounded(at: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(members) = schema.as_object() else { return };
    let has = |name: &str| members.contains_key(name);
    let bounded = match members.get("type").and_then(Value::as_str) {
        Some("string") => has("maxLength") || has("enum"),
        Some("integer") => has("maximum") && has("minimum"),
        Some("array") => has("maxItems"),
        Some("object") => has("maxProperties") || members["additionalProperties"] == false,
        Some("boolean") | None => true,
        Some(_) => false,
    };
    if !bounded {
        found.push(at.to_owned());
    }
    for (name, inner) in members {
        unbounded(&format!("{at}/{name}"), inner, found);
    }
    for inner in members.values().filter_map(Value::as_array).flatten() {
        unbounded(at, inner, found);
    }
}

#[test]
fn every_value_of_the_schema_has_a_bound() {
    let mut found = Vec::new();
    unbounded("", &schema(), &mut found);
    assert!(found.is_empty(), "{found:#?}");
    unbounded("", &serde_json::json!({ "type": "string" }), &mut found);
    assert_eq!(found.len(), 1, "what has no bound is found");
}

//! The shipped examples, the defaults, and the near misses of a whole configuration file.

use super::*;
use crate::config::settings::{KeySource, OnOutage, Routes, Sink, Store};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

mod contradictions;
mod files;
mod hostile;
mod listeners;
mod reference;
mod references;
mod weak;

/// The files that the shipped examples name.
const FILES: &[&str] = &[
    "keys/partners.jwks.json",
    "orders.openapi.yaml",
    "secrets/auditor",
    "secrets/identity.pem",
    "secrets/pseudonym",
    "tls/edge.key",
    "tls/edge.pem",
    "tls/gateway.key",
    "tls/gateway.pem",
    "tls/internal-ca.pem",
    "tls/kafka-ca.pem",
    "tls/partner-ca.pem",
    "tls/redis-ca.pem",
];

/// A directory with all files the examples name, readable by their owner only.
pub(super) struct Place {
    pub(super) directory: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for file in FILES {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, "x").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        Self { directory }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory.path().join("gateway.yaml")
    }

    pub(super) fn parse(&self, text: &str) -> Result<Settings, Vec<Mistake>> {
        let parsed = parse_with(text, &self.file(), &|name| {
            (name == "REDIS_URL").then(|| "rediss://:s3cret@redis.internal:6379".to_owned())
        });
        parsed.map_err(|refused| refused.mistakes)
    }

    /// The messages of a configuration that must be refused.
    pub(super) fn refused(&self, text: &str) -> Vec<String> {
        let mistakes = self.parse(text).expect_err("must be refused");
        let prefix = format!("{}:", self.file().display());
        mistakes.iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect()
    }
}

pub(super) fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name);
    fs::read_to_string(path).expect("a shipped file")
}

/// The minimal example with one text in it replaced.
pub(super) fn minimal(from: &str, to: &str) -> String {
    let text = shipped("minimal.yaml");
    assert!(text.contains(from), "{from} is not in the minimal example");
    text.replace(from, to)
}

#[test]
fn the_minimal_example_has_the_defaults() {
    let place = Place::new();
    let text = shipped("minimal.yaml");
    assert!(text.lines().count() <= 15);
    let settings = place.parse(&text).expect("good");
    let base = place.directory.path();
    assert!(settings.listeners[0].http.h1 && settings.listeners[0].http.h2);
    assert_eq!(settings.listeners[0].http.h3, cfg!(feature = "http3"));
    assert_eq!(settings.status.to_string(), "127.0.0.1:9901");
    assert_eq!(settings.identity.to_string(), "127.0.0.1:9902");
    assert!(settings.admin.is_none());
    assert_eq!(settings.apis[0].issuers, ["shop"]);
    assert!(settings.apis[0].hosts.is_empty());
    let Routes::Document(document) = &settings.apis[0].offer.routes else { panic!("a document") };
    assert_eq!(document.value, base.join("orders.openapi.yaml"));
    assert_eq!(settings.upstreams["orders"].assertion_audience, "orders");
    assert_eq!(settings.upstreams["orders"].connect_attempts, 2);
    assert_eq!(settings.issuers["shop"].keys, KeySource::Discovery);
    assert_eq!(settings.limits.default_tier, "default");
    assert_eq!((settings.limits.address.count, settings.limits.address.burst), (50, 100));
    let (connections, edge) = (settings.limits.connections, edge::Limits::default());
    assert_eq!(usize::try_from(connections.max), Ok(edge.connections_max));
    assert_eq!(connections.max_per_address, edge.address_connections_max);
    let (new, rate) = (connections.new_per_address, edge.address_connections_rate);
    assert_eq!((new.count, new.per, new.burst), (rate.count.get(), rate.per, rate.burst.get()));
    assert_eq!(u64::from(connections.max_requests), edge.connection_requests_max.get());
    assert_eq!(connections.max_age, edge.connection_age_max);
    let (body, pace) = (settings.limits.body, edge.body_pace_min);
    assert_eq!((body.min_rate, body.grace), (pace.bytes_per_second.get(), pace.grace));
    assert_eq!(connections.max_streams, edge.streams_max);
    let (head, wait, floods) = (settings.limits.head, settings.limits.wait, settings.limits.floods);
    let bytes = [head.target_bytes, head.field_bytes, head.bytes].map(usize::try_from);
    let expected = [edge.target_bytes_max, edge.field_bytes_max, edge.header_bytes_max];
    assert_eq!(bytes, expected.map(Ok));
    assert_eq!(usize::try_from(head.fields), Ok(edge.header_count_max));
    assert_eq!(
        [wait.handshake, wait.head, wait.body, wait.idle, wait.write, wait.queue],
        [
            edge.handshake_timeout,
            edge.header_timeout,
            edge.body_timeout,
            edge.idle_timeout,
            edge.write_timeout,
            edge.queue_max,
        ]
    );
    let allowed = |a: edge::Allowance| (a.burst, a.per_second);
    assert_eq!(floods.resets, allowed(edge.floods.resets));
    assert_eq!(floods.control, allowed(edge.floods.control));
    assert_eq!(floods.window_updates, allowed(edge.floods.window_updates));
    assert_eq!(floods.continuations, edge.floods.continuations_max);
    assert!(settings.listeners[0].client_address.trusted_proxies.is_empty());
    assert_eq!(settings.audit.spool.directory, base.join("audit/spool"));
    assert_eq!(settings.audit.spool.size_bytes_max, 10 << 30);
    assert!(settings.audit.pseudonym.create_missing);
    assert!(!settings.audit.pseudonym.key.exists(), "checking makes no file");
    assert_eq!(settings.shutdown.limit.as_secs(), 30);
    assert_eq!(weaknesses(&settings), []);
}

#[test]
fn the_annotated_example_is_valid() {
    let place = Place::new();
    let text = shipped("gateway.yaml");
    let settings = place.parse(&text).expect("good");
    assert_eq!(settings.apis.len(), 2);
    assert_eq!(settings.upstreams.len(), 2);
}

#[test]
fn the_shared_example_needs_a_full_build() {
    let place = Place::new();
    let result = place.parse(&shipped("shared.yaml"));
    if cfg!(all(feature = "redis", feature = "kafka", feature = "otlp")) {
        let settings = result.expect("good");
        let Store::Redis(redis) = &settings.limits.store else { panic!("redis") };
        assert_eq!(redis.on_outage, OnOutage::Local);
        assert!(!format!("{settings:?}").contains("s3cret"), "a password in Debug");
        assert!(matches!(settings.audit.sinks[0], Sink::Kafka(_)));
        assert!(settings.telemetry.otlp.is_some());
    } else {
        let mistakes = result.expect_err("must be refused");
        assert!(mistakes.iter().all(|mistake| mistake.what.contains("feature")));
    }
}

#[test]
fn the_shipped_schema_is_the_schema() {
    let shipped: serde_json::Value =
        serde_json::from_str(&shipped("gateway.schema.json")).expect("JSON");
    assert_eq!(shipped, schema(), "run `gateway schema > config/gateway.schema.json`");
}

#[test]
fn every_property_is_described() {
    fn walk(schema: &serde_json::Value) {
        let Some(members) = schema.as_object() else { return };
        if let Some(properties) = members.get("properties").and_then(|value| value.as_object()) {
            for (name, property) in properties {
                assert!(property.get("description").is_some(), "{name} has no description");
            }
            assert_eq!(members.get("additionalProperties"), Some(&serde_json::json!(false)));
        }
        members.values().for_each(walk);
    }
    walk(&schema());
}

/// A document with every property of a schema, each object with one unknown name more.
fn everything(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    objects: &mut usize,
) -> serde_json::Value {
    use serde_json::{Value, json};
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).expect("a target");
        return everything(root, target, objects);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return everything(root, choices.last().expect("a choice"), objects);
    }
    if let Some(items) = schema.get("items") {
        return json!([everything(root, items, objects)]);
    }
    if let Some(value) = schema.get("additionalProperties").filter(|value| value.is_object()) {
        return json!({ "x": everything(root, value, objects) });
    }
    let is_object = schema.get("type") == Some(&json!("object"));
    if !is_object {
        return json!("x");
    }
    *objects += 1;
    let mut members = serde_json::Map::new();
    members.insert("qqqqqqqq".to_owned(), Value::Null);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        members.insert(name.clone(), everything(root, property, objects));
    }
    Value::Object(members)
}

#[test]
fn the_reader_knows_the_names_of_the_schema_and_no_others() {
    let (schema, mut objects) = (schema(), 0);
    let document = everything(&schema, &schema, &mut objects).to_string();
    let mistakes = Place::new().refused(&document);
    let unknown: Vec<_> = mistakes.iter().filter(|what| what.contains("unknown name")).collect();
    assert!(unknown.iter().all(|what| what.contains("`qqqqqqqq`")), "{unknown:#?}");
    assert_eq!(unknown.len(), objects, "{unknown:#?}");
    assert!(objects > 25, "{objects} sections");
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = shipped("minimal.yaml")
        .replace("0.0.0.0:8443", "everywhere")
        .replace("upstream: orders,", "upstream: ordesr,")
        .replace("tls/internal-ca.pem", "tls/absent.pem")
        + "limts: {}\nhealth: {}\nshutdown: { limit: 30 }\n";
    let mistakes = Place::new().refused(&text);
    let starts: Vec<&str> =
        mistakes.iter().map(|what| what.trim().split(' ').next().unwrap_or_default()).collect();
    assert_eq!(mistakes.len(), 6, "{mistakes:#?}");
    assert!(starts.is_sorted_by_key(|start| {
        start.split(':').next().and_then(|line| line.parse::<u32>().ok())
    }));
    assert!(mistakes[0].starts_with("4:14: listeners[0].address: expected an IP address"));
    assert!(mistakes[1].starts_with("9:"), "{mistakes:#?}");
    assert!(mistakes[1].ends_with("(did you mean `orders`?)"), "{mistakes:#?}");
    assert!(mistakes[2].contains("upstreams.orders.tls.ca") && mistakes[2].contains("absent.pem"));
    assert!(mistakes[3].contains("15:1: unknown name `limts` (did you mean `limits`?)"));
    assert!(mistakes[4].contains("`health` is not in this version"));
    assert!(mistakes[5].contains("shutdown.limit: expected a text, found a whole number"));
}

#[test]
fn a_file_that_is_no_yaml_is_told_with_its_place() {
    let place = Place::new();
    for (text, line) in [
        ("version: 1\n  apis: []\n", 2),
        ("a: [1\n", 0),
        ("a: 1\n---\nb: 2\n", 0),
        ("a: &x [*x]\n", 0),
    ] {
        let mistakes = place.parse(text).expect_err("must be refused");
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        assert!(line == 0 || mistakes[0].line == line, "{mistakes:#?}");
    }
    assert!(!place.parse("").expect_err("must be refused").is_empty());
}

#[test]
fn a_file_that_is_absent_too_large_or_not_text_is_refused() {
    let place = Place::new();
    let told = || load(&place.file()).expect_err("must be refused").mistakes;
    assert_eq!(told().len(), 1);
    fs::write(place.file(), vec![b'#'; 1 << 20]).expect("a file");
    assert!(!told().iter().any(|m| m.what.contains("larger")));
    fs::write(place.file(), vec![b'#'; (1 << 20) + 1]).expect("a file");
    assert!(told().iter().any(|m| m.what.contains("larger")));
    fs::write(place.file(), [0xff, 0xfe]).expect("a file");
    assert_eq!(told().len(), 1);
    fs::write(place.file(), shipped("minimal.yaml")).expect("a file");
    assert!(load(&place.file()).is_ok());
}

#[test]
#[ignore = "writes config/gateway.schema.json; run by hand after a change of the sections"]
fn write_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/gateway.schema.json");
    fs::write(path, format!("{:#}\n", schema())).expect("a file");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n]{0,200}") {
        let result = parse_with(&text, Path::new("/nowhere/gateway.yaml"), &|_| None);
        proptest::prop_assert!(result.is_err());
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at in 0usize..1400, with in "[ -~\n]{0,3}") {
        let mut text = shipped("minimal.yaml");
        let at = at.min(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &with);
        }
        if let Err(refused) = parse_with(&text, Path::new("/nowhere/gateway.yaml"), &|_| None) {
            proptest::prop_assert!(!refused.mistakes.is_empty());
        }
    }
}

//! The schema that is shipped is the schema of this code.

use super::schema;
use crate::config::raw::{Raw, RawApi, RawIssuer, RawUpstream, Section};

const SHIPPED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/gateway.schema.json"));

#[test]
fn the_shipped_schema_is_current() {
    let shipped: serde_json::Value = serde_json::from_str(SHIPPED).expect("a JSON document");
    assert_eq!(shipped, schema(), "write the output of `gateway schema` to the file");
}

#[test]
fn schema_and_reader_know_the_same_names_and_no_others() {
    let schema = schema();
    let sections = [
        ("", Raw::NAMES),
        ("/$defs/RawApi", RawApi::NAMES),
        ("/$defs/RawIssuer", RawIssuer::NAMES),
        ("/$defs/RawUpstream", RawUpstream::NAMES),
    ];
    for (pointer, names) in sections {
        let section = schema.pointer(pointer).expect("a section");
        assert_eq!(section["additionalProperties"], false, "{pointer}");
        let mut known: Vec<&str> =
            section["properties"].as_object().expect("names").keys().map(String::as_str).collect();
        let mut names = names.to_vec();
        known.sort_unstable();
        names.sort_unstable();
        assert_eq!(known, names, "{pointer}");
    }
}

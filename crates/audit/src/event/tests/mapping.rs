//! The strict mapping for OpenSearch that comes with the gateway takes every event, each attribute as what OCSF says it is.

use std::sync::LazyLock;

use serde_json::Value;

static MAPPING: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../../../config/opensearch/audit-events.json");
    serde_json::from_str(text).expect("the index template")
});

/// What OpenSearch calls a type of OCSF.
const fn kind(value: &Value, ocsf: &str) -> &'static str {
    match ocsf.as_bytes() {
        b"timestamp_t" => "date",
        b"ip_t" => "ip",
        _ => match value {
            Value::Number(_) => "long",
            Value::Bool(_) => "boolean",
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => "keyword",
        },
    }
}

/// Asserts that the mapping has every attribute of an event of this class.
pub(super) fn holds(event: &Value, definition: &Value, objects: &Value) {
    let properties = &MAPPING["template"]["mappings"]["properties"];
    assert_eq!(MAPPING["template"]["mappings"]["dynamic"], "strict");
    below("", event, properties, (definition, objects));
}

fn below(path: &str, value: &Value, properties: &Value, (definition, objects): (&Value, &Value)) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let (path, mapped) = (format!("{path}{name}"), &properties[name]);
        let ocsf = definition["attrs"][name]["t"].as_str().unwrap_or_default();
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            if value.is_object() {
                let inner = (&objects[ocsf], objects);
                below(&format!("{path}."), value, &mapped["properties"], inner);
            } else {
                assert_eq!(mapped["type"], kind(value, ocsf), "{path}");
            }
        }
    }
}

//! A strict OCSF 1.8.0 validator: JSON Schema made from the compiled schema, then captions and numbers.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

static OCSF: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/data/ocsf-1.8.0.json")).expect("the schema")
});

/// A JSON Schema of one class or object, with the attributes of the declared profiles only.
fn schema(definition: &Value, profiles: &[&str]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, attribute) in definition["attrs"].as_object().expect("attributes") {
        let profile = attribute["p"].as_str();
        if attribute.get("d").is_some() || profile.is_some_and(|p| !profiles.contains(&p)) {
            continue;
        }
        if attribute["r"] == "required" {
            required.push(json!(name));
        }
        let one = attribute_schema(attribute, profiles);
        let one = if attribute["a"] == 1 { json!({"type": "array", "items": one}) } else { one };
        properties.insert(name.clone(), one);
    }
    let mut schema = json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    });
    if let Some(names) = definition["constraints"]["at_least_one"].as_array() {
        schema["anyOf"] = names.iter().map(|name| json!({"required": [name]})).collect();
    }
    schema
}

fn attribute_schema(attribute: &Value, profiles: &[&str]) -> Value {
    let kind = attribute["t"].as_str().expect("a type");
    if kind == "object" {
        // `unmapped` is free by definition; ours stays flat.
        let flat = json!({"type": ["string", "integer", "array"]});
        return json!({"type": "object", "additionalProperties": flat});
    }
    let Some(simple) = kind.strip_suffix("_t") else {
        return match OCSF["objects"].get(kind) {
            Some(definition) if kind != "network_proxy" => nested(kind, definition, profiles),
            _ => json!(false),
        };
    };
    let mut schema = match simple {
        "integer" => {
            json!({"type": "integer", "minimum": -2_147_483_648_i64, "maximum": 2_147_483_647})
        }
        "long" | "timestamp" => json!({"type": "integer"}),
        "port" => json!({"type": "integer", "minimum": 0, "maximum": 65535}),
        "boolean" => json!({"type": "boolean"}),
        "ip" => json!({"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}], "type": "string"}),
        _ => json!({"type": "string", "minLength": 1}),
    };
    // The compiled schema leaves the class and category numbers of the base event in these two.
    let inherited = ["category_name", "class_name"].iter().any(|s| attribute["s"] == *s);
    if let (Some(values), false) = (attribute["e"].as_object(), inherited) {
        let values = values.keys().map(|key| match simple {
            "integer" | "long" => json!(key.parse::<i64>().expect("a number")),
            _ => json!(key),
        });
        schema["enum"] = values.collect();
    }
    schema
}

/// Objects refer to each other in circles; ours are never deeper than this names.
fn nested(kind: &str, definition: &Value, profiles: &[&str]) -> Value {
    const CIRCULAR: &[&str] =
        &["network_endpoint", "user", "process", "actor", "session", "trace", "service"];
    let mut definition = definition.clone();
    let attributes = definition["attrs"].as_object_mut().expect("attributes");
    attributes.retain(|name, attribute| {
        let target = attribute["t"].as_str().expect("a type");
        let object = !target.ends_with("_t");
        !(object && CIRCULAR.contains(&target) && !matches!(kind, "actor" | "api" | "evidences"))
            || name == "service"
    });
    schema(&definition, profiles)
}

/// Every `_id` has the caption its number stands for, here and in every object below.
fn captions(value: &Value, definition: &Value) {
    for (name, attribute) in definition["attrs"].as_object().expect("attributes") {
        let Some(found) = value.get(name) else { continue };
        let kind = attribute["t"].as_str().expect("a type");
        if let Some(below) = OCSF["objects"].get(kind).filter(|_| kind != "object") {
            captions(found, below);
        }
        let (Some(sibling), Some(values)) = (attribute["s"].as_str(), attribute["e"].as_object())
        else {
            continue;
        };
        let caption = values.get(&found.to_string()).and_then(Value::as_str);
        if let (Some(caption), false) = (caption, found == 99) {
            assert_eq!(value[sibling], caption, "{name}");
        }
        assert!(value[sibling].is_string(), "{name} has no {sibling}");
    }
}

/// The event, checked.
pub(crate) fn checked(class: &str, bytes: &[u8]) -> Value {
    let event: Value = serde_json::from_slice(bytes).expect("json");
    let definition = &OCSF["classes"][class];
    let declared: Vec<&str> = event["metadata"]["profiles"]
        .as_array()
        .expect("profiles")
        .iter()
        .map(|profile| profile.as_str().expect("a name"))
        .collect();
    for profile in &declared {
        assert!(definition["profiles"].as_array().expect("profiles").contains(&json!(profile)));
    }
    let schema = schema(definition, &declared);
    let options = jsonschema::options().should_validate_formats(true);
    let validator = options.build(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&event)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{event:#}");
    captions(&event, definition);
    super::mapping::holds(&event, definition, &OCSF["objects"]);
    let number = |name: &str| event[name].as_u64().expect("a number");
    assert_eq!(number("class_uid"), definition["uid"].as_u64().expect("a uid"));
    assert_eq!(number("category_uid"), number("class_uid") / 1000);
    assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
    assert_eq!(event["class_name"], definition["caption"]);
    assert_eq!(event["metadata"]["version"], OCSF["ocsf_version"]);
    event
}

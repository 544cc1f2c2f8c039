//! The reference and the annotated example against the schema: no name is missing in them, none
//! is invented, and a default that is written down is the one in force.

use super::{Place, shipped};
use crate::config::schema;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Where the part of the reference begins that follows from the schema.
const GENERATED: &str = "## The file\n";

/// Paths of the schema that the annotated example does not show, and why. Each is in `shared.yaml`
/// unless it weakens.
const NOT_ANNOTATED: &[(&str, &str)] = &[
    ("limits.store.redis", "needs the feature redis: see shared.yaml"),
    ("audit.sinks[].kafka", "needs the feature kafka: see shared.yaml"),
    ("audit.seal.pins[].kafka", "needs the feature kafka: see shared.yaml"),
];

/// Optional values without a default: what they mean when they are left out is in their section.
const NO_DEFAULT: &[(&str, &str)] = &[
    ("apis[].openapi", "either this or `prefix`"),
    ("apis[].prefix", "either this or `openapi`"),
    ("apis[].methods", "needed with `prefix`"),
    ("apis[].access[]", "absent does not restrict; one of them is needed"),
    ("audit.seal.pins[]", "exactly one kind is named"),
    ("audit.sinks[]", "exactly one kind is named"),
    ("issuers.NAME.tokens", "what is absent comes from the profile"),
    ("issuers.NAME.claims", "what is absent comes from the profile"),
];

/// One section: a path such as `listeners[].tls`, and its schema.
struct Section<'s> {
    path: String,
    members: &'s Map<String, Value>,
}

/// The schema behind a reference, and whether it is one of two (`memory`, or a section).
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return resolved(root, root.pointer(target.trim_start_matches('#')).expect("a target"));
    }
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(choices) => resolved(root, choices.last().expect("a choice")),
        None => schema,
    }
}

/// All sections below one, itself included.
fn sections<'s>(root: &'s Value, path: &str, schema: &'s Value, found: &mut Vec<Section<'s>>) {
    let schema = resolved(root, schema);
    if let Some(items) = schema.get("items") {
        return sections(root, &format!("{path}[]"), items, found);
    }
    if let Some(value) = schema.get("additionalProperties").filter(|value| value.is_object()) {
        return sections(root, &format!("{path}.NAME"), value, found);
    }
    let is_section = schema.get("type").and_then(Value::as_str) == Some("object");
    let Some(members) = schema.as_object().filter(|_| is_section) else { return };
    found.push(Section { path: path.to_owned(), members });
    for (name, member) in properties(members) {
        sections(root, &joined(path, name), member, found);
    }
}

fn all(root: &Value) -> Vec<Section<'_>> {
    let mut found = Vec::new();
    sections(root, "", root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn properties(section: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    section.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn required(section: &Map<String, Value>) -> Vec<&str> {
    let names = section.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).expect("a description");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What may be written, in words.
fn called(root: &Value, schema: &Value) -> String {
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let choices: Vec<String> = choices.iter().map(|choice| called(root, choice)).collect();
        return choices.join(" or ");
    }
    let target = resolved(root, schema);
    if !std::ptr::eq(target, schema) {
        return called(root, target);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(" or ");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => {
            format!("list of {} (at most {})", called(root, &schema["items"]), schema["maxItems"])
        }
        Some("object") if schema.get("maxProperties").is_some() => {
            format!("by name (at most {})", schema["maxProperties"])
        }
        Some("object") => "section".to_owned(),
        Some("integer") if schema["minimum"] == schema["maximum"] => schema["minimum"].to_string(),
        Some("integer") => format!("{} to {}", schema["minimum"], schema["maximum"]),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => "text".to_owned(),
        other => panic!("no word for {other:?}"),
    }
}

/// The part of the reference that follows from the schema.
fn reference(root: &Value) -> String {
    let mut text = String::new();
    for Section { path, members } in all(root) {
        let title = if path.is_empty() { "The file".to_owned() } else { format!("`{path}`") };
        let about = description(&Value::Object(members.clone()));
        write!(text, "## {title}\n\n{about}\n\n").expect("a text");
        if properties(members).next().is_none() {
            continue;
        }
        text.push_str("| name | value | needed | meaning |\n|---|---|---|---|\n");
        for (name, member) in properties(members) {
            let needed = if required(members).contains(&name.as_str()) { " yes " } else { "  " };
            let (value, about) = (called(root, member), description(member));
            writeln!(text, "| `{name}` | {value} |{needed}| {about} |").expect("a text");
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn reference_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md")
}

#[test]
fn the_reference_is_the_schema_in_words() {
    let text = std::fs::read_to_string(reference_file()).expect("the reference");
    let (_, generated) = text.split_once(GENERATED).expect("the part that is generated");
    let expected = reference(&schema());
    let expected = expected.strip_prefix(GENERATED).expect("a beginning");
    for (line, (is, should)) in generated.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, should, "line {line} below `The file`: run `write_the_reference`");
    }
    assert_eq!(generated, expected, "run `write_the_reference`");
}

#[test]
#[ignore = "writes docs/reference/configuration.md; run by hand after a change of the sections"]
fn write_the_reference() {
    let text = std::fs::read_to_string(reference_file()).expect("the reference");
    let (by_hand, _) = text.split_once(GENERATED).expect("the part that is generated");
    let text = by_hand.to_owned() + &reference(&schema());
    std::fs::write(reference_file(), text).expect("a written reference");
}

/// Notes every path of the schema that a value uses.
fn used(root: &Value, path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    found.push(path.to_owned());
    let schema = resolved(root, schema);
    if let Some(items) = schema.get("items") {
        for item in value.as_array().into_iter().flatten() {
            used(root, &format!("{path}[]"), items, item, found);
        }
        return;
    }
    let named = schema.get("additionalProperties").filter(|value| value.is_object());
    for (name, value) in value.as_object().into_iter().flatten() {
        let Some(named) = named else {
            used(root, &joined(path, name), &schema["properties"][name], value, found);
            continue;
        };
        used(root, &format!("{path}.NAME"), named, value, found);
    }
}

fn used_by(root: &Value, example: &str) -> Vec<String> {
    let example: Value = serde_saphyr::from_str(example).expect("YAML");
    let mut found = Vec::new();
    used(root, "", root, &example, &mut found);
    found
}

#[test]
fn the_annotated_example_shows_every_name() {
    let (root, text) = (schema(), shipped("gateway.yaml"));
    let (shown, shared) = (used_by(&root, &text), used_by(&root, &shipped("shared.yaml")));
    let comments: Vec<&str> =
        text.lines().filter_map(|line| line.split_once('#')).map(|c| c.1).collect();
    let mut excused = 0;
    for Section { path, members } in all(&root) {
        for (name, _) in properties(members) {
            let full = joined(&path, name);
            let mentioned = comments.iter().any(|comment| comment.contains(&format!("{name}:")));
            if shown.contains(&full) || mentioned {
                continue;
            }
            let reason = NOT_ANNOTATED.iter().find(|(at, _)| full.starts_with(at));
            assert!(reason.is_some(), "`{full}` is not in config/gateway.yaml");
            let weakens = name.starts_with("insecure");
            assert!(shared.contains(&full) || weakens, "`{full}` is not in config/shared.yaml");
            excused += 1;
        }
    }
    assert!(excused >= NOT_ANNOTATED.len() && shown.len() > 80, "{excused} {}", shown.len());
}

/// The literal value of `Default: X` in a description; `None` where it is described in words.
fn default_of(description: &str) -> Option<Value> {
    let (_, text) = description.split_once("Default: ")?;
    let text = match text.strip_prefix('`') {
        Some(code) => code.split_once('`')?.0,
        None => text.split([',', ';']).next()?.split(". ").next()?.trim_end_matches('.'),
    };
    let in_words = text.contains(' ') && !text.contains(['{', '[']);
    (!in_words).then(|| serde_saphyr::from_str(text).expect("YAML"))
}

#[test]
fn every_optional_value_has_a_default_or_a_reason() {
    let root = schema();
    for Section { path, members } in all(&root) {
        for (name, member) in properties(members) {
            let full = joined(&path, name);
            let section = called(&root, member) == "section";
            let said = required(members).contains(&name.as_str())
                || section
                || description(member).contains("Default: ")
                || NO_DEFAULT.iter().any(|(at, _)| full.starts_with(at));
            assert!(said, "`{full}` says no default");
        }
    }
}

/// Puts a value at a path, in the first item or under the first name on the way. False where the
/// example has no such item.
fn put(example: &mut Value, path: &str, value: Value) -> bool {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let place = match step.strip_suffix("[]") {
        Some(list) => example.get_mut(list).and_then(|list| list.get_mut(0)),
        None if step == "NAME" => {
            example.as_object_mut().and_then(|names| names.values_mut().next())
        }
        None => {
            let Some(members) = example.as_object_mut() else { return false };
            Some(members.entry(step).or_insert_with(|| Value::Object(Map::new())))
        }
    };
    match (place, rest) {
        (Some(place), Some(rest)) => put(place, rest, value),
        (Some(place), None) => {
            *place = value;
            true
        }
        (None, _) => false,
    }
}

/// Settings as text, without the places where they are written.
fn without_places(settings: &crate::config::Settings) -> String {
    let text = format!("{settings:?}");
    let mut parts = text.split("Place { line: ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('}').expect("the end of a place").1);
    }
    out
}

#[test]
fn a_default_that_is_written_down_is_the_one_in_force() {
    let (root, place) = (schema(), Place::new());
    let mut tried = BTreeMap::new();
    let full = cfg!(all(feature = "redis", feature = "kafka", feature = "otlp"));
    for example in ["minimal.yaml", "shared.yaml"].into_iter().take(1 + usize::from(full)) {
        let example: Value = serde_saphyr::from_str(&shipped(example)).expect("YAML");
        for Section { path, members } in all(&root) {
            for (name, member) in properties(members) {
                let path = joined(&path, name);
                let Some(default) = default_of(&description(member)) else { continue };
                if default == "none" || default == "all" || default == "everything" {
                    continue;
                }
                let (mut with, mut without) = (example.clone(), example.clone());
                // Absent beside its neighbours, then written: nothing may change.
                if !put(&mut with, &path, default) || !put(&mut without, &path, Value::Null) {
                    continue;
                }
                remove(&mut without, &path);
                let (with, without) =
                    (place.parse(&with.to_string()), place.parse(&without.to_string()));
                let (Ok(with), Ok(without)) = (with, without) else { continue };
                assert_eq!(without_places(&with), without_places(&without), "`{path}`");
                tried.insert(path, ());
            }
        }
    }
    let least = if full { 24 } else { 15 };
    assert!(tried.len() >= least, "{:#?}", tried.keys());
}

/// Removes what [`put`] put.
fn remove(example: &mut Value, path: &str) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let Some(rest) = rest else {
        example.as_object_mut().expect("a mapping").remove(path);
        return;
    };
    let place = match step.strip_suffix("[]") {
        Some(list) => example.get_mut(list).and_then(|list| list.get_mut(0)),
        None if step == "NAME" => {
            example.as_object_mut().and_then(|names| names.values_mut().next())
        }
        None => example.get_mut(step),
    };
    remove(place.expect("what was put"), rest);
}

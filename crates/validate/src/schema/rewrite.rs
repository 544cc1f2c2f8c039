//! Schema objects of OpenAPI 3.0 and 3.1 written anew as JSON Schema 2020-12: for requests with closed
//! objects and nothing that is `readOnly`, for answers without what is `writeOnly`; no keyword dropped that would weaken a check. It knows no
//! parameters and no bodies.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::formats;
use crate::document::{Cursor, Kind, Report, Version};

mod discriminator;
mod keywords;

/// Schemas written one inside the other, references included.
const NESTING_MAX: usize = 128;
/// Schemas of one parameter or body that are reached by `$ref`.
const DEFINITIONS_MAX: usize = 20_000;

/// Whose values a schema is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Answer,
}

/// What a schema stands for where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Spot {
    /// The instance location changes here: objects are closed.
    Root,
    /// Applied to the same value as its parent (`allOf`, `$ref` ...): the parent closes.
    InPlace,
    /// Below `not`, `if`, `contains`: adding anything could weaken, so nothing is added.
    Faithful,
}

impl Spot {
    fn child(self) -> Self {
        if self == Self::Faithful { Self::Faithful } else { Self::Root }
    }

    fn in_place(self) -> Self {
        if self == Self::Faithful { Self::Faithful } else { Self::InPlace }
    }
}

/// Which definition: the same schema is written differently where other members are read-only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    file: usize,
    pointer: String,
    spot: Spot,
    read_only: BTreeSet<String>,
}

/// A schema in 2020-12 with everything it refers to, and the names the document gives to members.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) schema: Value,
    pub(crate) names: HashSet<String>,
    /// Whether a value may hold values of the same schema, to any depth.
    pub(crate) recursive: bool,
}

/// Rewrites the schema at `cursor`; what cannot be kept is a mistake in `report`.
pub(crate) fn rewrite(
    cursor: &Cursor<'_>,
    (version, direction): (Version, Direction),
    report: &mut Report,
) -> Rewritten {
    let mut rewriter = Rewriter {
        version,
        direction,
        report,
        known: HashMap::new(),
        definitions: Vec::new(),
        open: Vec::new(),
        recursive: false,
        edges: Vec::new(),
        within: None,
        names: HashSet::new(),
        nesting: 0,
    };
    let mut schema = rewriter.schema(cursor, Spot::Root, &BTreeSet::new());
    if rewriter.has_cycle() {
        let what = "a schema refers to itself without a member or item in between";
        rewriter.report.mistake(cursor, what);
        schema = Value::Bool(false);
    }
    let definitions: Map<String, Value> = rewriter
        .definitions
        .into_iter()
        .enumerate()
        .map(|(index, value)| (index.to_string(), value))
        .collect();
    if let Value::Object(map) = &mut schema
        && !definitions.is_empty()
    {
        map.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Rewritten { schema, names: rewriter.names, recursive: rewriter.recursive }
}

struct Rewriter<'r> {
    version: Version,
    direction: Direction,
    report: &'r mut Report,
    known: HashMap<Key, usize>,
    definitions: Vec<Value>,
    /// Definitions being written, the innermost last.
    open: Vec<usize>,
    recursive: bool,
    /// References that stay at the same value: from one definition to another.
    edges: Vec<(usize, usize)>,
    /// The definition being written, as long as the value is still the same.
    within: Option<usize>,
    names: HashSet<String>,
    nesting: usize,
}

impl Rewriter<'_> {
    fn refuse(&mut self, at: &Cursor<'_>, what: impl Into<String>) -> Value {
        self.report.mistake(at, what);
        Value::Bool(false)
    }

    fn schema(&mut self, at: &Cursor<'_>, spot: Spot, read_only: &BTreeSet<String>) -> Value {
        if self.nesting >= NESTING_MAX {
            return self.refuse(at, format!("schemas nested deeper than {NESTING_MAX}"));
        }
        self.nesting += 1;
        let value = match &at.node.kind {
            Kind::Bool(flag) if self.version.is_2020() => Value::Bool(*flag),
            Kind::Map(_) => self.map(at, spot, read_only),
            Kind::Bool(_) | Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                self.refuse(at, "a schema must be an object")
            }
        };
        self.nesting -= 1;
        value
    }

    fn map(&mut self, at: &Cursor<'_>, spot: Spot, read_only: &BTreeSet<String>) -> Value {
        if at.node.get("$ref").is_some()
            && (self.version == Version::V30
                || at.members().all(|(n, _)| is_annotation(n) || n == "$ref"))
        {
            return self.reference(at, spot, read_only);
        }
        // A branch of `oneOf` and the like has read-only members of its own.
        let mut own = self.read_only_names(at);
        if spot != Spot::Root {
            own.extend(read_only.iter().cloned());
        }
        let read_only = &own;
        let mut out = Map::new();
        for (name, child) in at.members() {
            self.keyword(name, &child, (at, spot, read_only), &mut out);
        }
        // What a service says is as open as its document: a new member breaks no client.
        if spot == Spot::Root && self.direction == Direction::Request {
            close(&mut out);
        }
        Value::Object(out)
    }

    /// `$ref`, to a definition of our own.
    fn reference(&mut self, at: &Cursor<'_>, spot: Spot, read_only: &BTreeSet<String>) -> Value {
        match at.target() {
            Ok(target) => self.definition(&target, spot, read_only),
            Err(mistake) => {
                self.report.push(mistake);
                Value::Bool(false)
            }
        }
    }

    fn definition(
        &mut self,
        target: &Cursor<'_>,
        spot: Spot,
        read_only: &BTreeSet<String>,
    ) -> Value {
        let read_only = if spot == Spot::InPlace { read_only.clone() } else { BTreeSet::new() };
        let (file, pointer) = (target.file, target.pointer.clone());
        let key = Key { file, pointer, spot, read_only };
        let index = match self.known.get(&key).copied() {
            Some(index) => {
                self.recursive |= self.open.contains(&index);
                index
            }
            None => {
                let index = self.definitions.len();
                if index >= DEFINITIONS_MAX {
                    return self.refuse(target, format!("more than {DEFINITIONS_MAX} references"));
                }
                self.definitions.push(Value::Bool(false));
                let read_only = key.read_only.clone();
                self.known.insert(key, index);
                let outer = self.within.replace(index);
                self.open.push(index);
                let written = self.schema(target, spot, &read_only);
                self.open.pop();
                self.within = outer;
                if let Some(slot) = self.definitions.get_mut(index) {
                    *slot = written;
                }
                index
            }
        };
        if let Some(from) = self.within {
            self.edges.push((from, index));
        }
        json!({ "$ref": format!("#/$defs/{index}") })
    }

    /// A schema of a member or an item: the value is another one.
    fn child(&mut self, at: &Cursor<'_>, spot: Spot) -> Value {
        let outer = self.within.take();
        let value = self.schema(at, spot.child(), &BTreeSet::new());
        self.within = outer;
        value
    }

    /// Members that the document shows but does not take, at this value.
    fn read_only_names(&self, at: &Cursor<'_>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for part in in_place_parts(at) {
            if let Some(properties) = part.get("properties").and_then(|p| resolved_map(&p)) {
                for (name, property) in properties.members() {
                    if self.is_hidden(&property) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        names
    }

    /// Whether a member belongs to the other direction only.
    fn is_hidden(&self, property: &Cursor<'_>) -> bool {
        let word = match self.direction {
            Direction::Request => "readOnly",
            Direction::Answer => "writeOnly",
        };
        is_marked(property, word)
    }

    fn has_cycle(&self) -> bool {
        let mut incoming = vec![0_usize; self.definitions.len()];
        let mut outgoing = vec![Vec::new(); self.definitions.len()];
        for (from, to) in &self.edges {
            if let (Some(out), Some(count)) = (outgoing.get_mut(*from), incoming.get_mut(*to)) {
                out.push(*to);
                *count += 1;
            }
        }
        let mut free: Vec<usize> =
            incoming.iter().enumerate().filter(|(_, n)| **n == 0).map(|(i, _)| i).collect();
        let mut removed = 0;
        while let Some(index) = free.pop() {
            removed += 1;
            for to in outgoing.get(index).into_iter().flatten() {
                if let Some(count) = incoming.get_mut(*to) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(*to);
                    }
                }
            }
        }
        removed < self.definitions.len()
    }
}

/// The schema and those applied to the same value through `$ref` and `allOf`.
pub(crate) fn in_place_parts<'a>(at: &Cursor<'a>) -> Vec<Cursor<'a>> {
    let mut parts: Vec<Cursor<'a>> = Vec::new();
    let mut waiting = vec![at.clone()];
    while let Some(next) = waiting.pop() {
        let seen = |part: &Cursor<'_>| part.file == next.file && part.pointer == next.pointer;
        if parts.len() >= NESTING_MAX || parts.iter().any(seen) {
            continue;
        }
        if next.node.get("$ref").is_some() {
            waiting.extend(next.target().ok());
        }
        waiting.extend(next.get("allOf").iter().flat_map(Cursor::items));
        parts.push(next);
    }
    parts
}

fn is_marked(property: &Cursor<'_>, word: &str) -> bool {
    let marked = |part: &Cursor<'_>| part.node.get(word).and_then(|n| n.as_bool()) == Some(true);
    if marked(property) {
        return true;
    }
    if property.node.get("$ref").is_some() {
        return property.resolved().is_ok_and(|target| marked(&target));
    }
    property
        .get("allOf")
        .iter()
        .flat_map(Cursor::items)
        .any(|part| part.resolved().is_ok_and(|target| marked(&target)))
}

/// A map of schemas, or what stands for it: `$ref` with a text can be no schema, so some authors
/// (and bundlers) take it for a reference.
fn resolved_map<'a>(at: &Cursor<'a>) -> Option<Cursor<'a>> {
    if at.text("$ref").is_some() { at.resolved().ok() } else { Some(at.clone()) }
}

/// Keywords that check nothing in a request.
fn is_annotation(name: &str) -> bool {
    const ANNOTATIONS: [&str; 17] = [
        "title",
        "description",
        "summary",
        "default",
        "example",
        "examples",
        "externalDocs",
        "xml",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$defs",
        "definitions",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    ];
    name.starts_with("x-") || ANNOTATIONS.contains(&name)
}

/// Members that the schema does not name are refused, unless it says what they are.
fn close(out: &mut Map<String, Value>) {
    const APPLICATORS: [&str; 8] =
        ["$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas"];
    let in_place = APPLICATORS.iter().any(|name| out.contains_key(*name));
    let allows = |kind: &str| match out.get("type") {
        None => true,
        Some(Value::String(own)) => own == kind,
        Some(other) => other.as_array().is_some_and(|list| list.iter().any(|own| own == kind)),
    };
    let open_array = allows("array") && !in_place;
    let undeclared = !out.contains_key("items") && !out.contains_key("prefixItems");
    let stated =
        out.contains_key("additionalProperties") || out.contains_key("unevaluatedProperties");
    if allows("object") && !stated {
        let keyword = if in_place { "unevaluatedProperties" } else { "additionalProperties" };
        out.insert(keyword.to_owned(), Value::Bool(false));
    }
    // The items of an array that says nothing about them are closed as well.
    if open_array && undeclared && !out.contains_key("unevaluatedItems") {
        out.insert("items".to_owned(), json!({ "additionalProperties": false }));
    }
}

//! Which texts, lists and objects of a schema have no bound of their own, so that a default one holds. It judges no value.

use std::collections::HashSet;

use serde_json::Value;

use super::facts::{is_tight, parts};
use super::{Schema, Types, formats, push};

/// Levels that are looked at.
const DEPTH_MAX: usize = 32;
/// What is told of one schema at most.
const FOUND_MAX: usize = 1_000;

/// A place, as an RFC 6901 pointer with `*` for any item or member, and the name of the limit that holds there.
pub(crate) type Unbounded = (String, &'static str);

/// What is bound at one value.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    text: bool,
    list: bool,
    object: bool,
    /// What the value may be, where that is said.
    types: Option<Types>,
    /// A text that is a file.
    is_file: bool,
}

struct Walk<'s> {
    root: &'s Value,
    /// Schemas that are being looked at: a recursive one is told of once.
    seen: HashSet<usize>,
    found: Vec<Unbounded>,
}

impl Schema {
    /// Every place without a bound; a schema that is used in several places is told at the first.
    pub(crate) fn unbounded(&self) -> Vec<Unbounded> {
        let mut walk = Walk { root: &self.written, seen: HashSet::new(), found: Vec::new() };
        walk.value(vec![&self.written], "", Bounds::default(), 0);
        walk.found
    }
}

impl Bounds {
    fn add(&mut self, part: &Value) {
        let has = |name: &str| part.get(name).is_some();
        let text = |name: &str| part.get(name).and_then(Value::as_str);
        let closes = |name: &str| part.get(name) == Some(&Value::Bool(false));
        self.text |= has("maxLength")
            || text("format").is_some_and(formats::is_bound)
            || text("pattern").is_some_and(|pattern| is_tight(pattern) && is_finite(pattern));
        self.list |= has("maxItems") || closes("items");
        self.object |= has("maxProperties")
            || closes("additionalProperties")
            || closes("unevaluatedProperties");
        self.is_file |= text("format") == Some("binary");
        let mut types = Types::default();
        match part.get("type") {
            Some(Value::String(name)) => types.add(name),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).for_each(|name| types.add(name));
            }
            _ => return,
        }
        self.types = Some(types);
    }
}

/// Whether every value is written out.
fn is_listed(part: &Value) -> bool {
    part.get("enum").is_some() || part.get("const").is_some()
}

/// Whether a tight pattern repeats nothing without an end.
fn is_finite(pattern: &str) -> bool {
    !pattern.contains(['*', '+']) && !pattern.contains(",}")
}

impl<'s> Walk<'s> {
    fn value(&mut self, schemas: Vec<&'s Value>, pointer: &str, mut bounds: Bounds, depth: usize) {
        let address = schemas.first().map(|schema| std::ptr::from_ref(*schema) as usize);
        if depth > DEPTH_MAX || !address.is_some_and(|address| self.seen.insert(address)) {
            return;
        }
        let parts = parts(self.root, schemas);
        if parts.iter().any(|part| is_listed(part)) {
            return;
        }
        parts.iter().for_each(|part| bounds.add(part));
        let mut branches = 0_usize;
        for part in &parts {
            let lists = ["anyOf", "oneOf"].map(|name| part.get(name).and_then(Value::as_array));
            let lists = lists.into_iter().flatten().flatten();
            for branch in lists.chain(["then", "else"].iter().filter_map(|name| part.get(*name))) {
                branches += 1;
                self.value(vec![branch], pointer, bounds, depth + 1);
            }
        }
        if branches == 0 {
            self.tell(pointer, bounds);
        }
        for part in &parts {
            let members = part.get("properties").and_then(Value::as_object);
            for (name, member) in members.into_iter().flatten() {
                let mut below = pointer.to_owned();
                push(&mut below, name);
                self.below(member, &below, depth);
            }
            for name in ["items", "additionalProperties", "unevaluatedProperties"] {
                if let Some(other) = part.get(name) {
                    self.below(other, &format!("{pointer}/*"), depth);
                }
            }
        }
    }

    fn below(&mut self, schema: &'s Value, pointer: &str, depth: usize) {
        if schema.is_object() {
            self.value(vec![schema], pointer, Bounds::default(), depth + 1);
        }
    }

    fn tell(&mut self, pointer: &str, bounds: Bounds) {
        let any = Types { string: true, array: true, object: true, ..Types::default() };
        let types = bounds.types.unwrap_or(any);
        let text = if bounds.is_file { "body_bytes_max" } else { "string_bytes_max" };
        for (open, limit) in [
            (types.string && !bounds.text, text),
            (types.array && !bounds.list, "items_max"),
            (types.object && !bounds.object, "members_max"),
        ] {
            let told = (pointer.to_owned(), limit);
            if open && self.found.len() < FOUND_MAX && !self.found.contains(&told) {
                self.found.push(told);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::schema;
    use crate::document::Version;

    fn told(text: &str) -> Vec<String> {
        let found = schema(Version::V31, text).unbounded();
        let mut told: Vec<String> =
            found.into_iter().map(|(pointer, limit)| format!("{pointer} {limit}")).collect();
        told.sort();
        told
    }

    #[test]
    fn what_has_no_bound_is_told_with_the_limit_that_holds() {
        for (text, found) in [
            ("S: { type: string }", &[" string_bytes_max"][..]),
            ("S: { type: string, maxLength: 3 }", &[]),
            ("S: { type: string, format: uuid }", &[]),
            ("S: { type: string, format: email }", &[" string_bytes_max"]),
            ("S: { enum: [a] }", &[]),
            ("S: { type: string, pattern: '^[a-z]{3}$' }", &[]),
            ("S: { type: string, pattern: '^[a-z]+$' }", &[" string_bytes_max"]),
            ("S: { type: integer }", &[]),
            ("S: { type: array, items: { type: string } }", &["/* string_bytes_max", " items_max"]),
            ("S: { type: array, maxItems: 2, items: { type: boolean } }", &[]),
            (
                "S: { type: object, properties: { 'a/b': { type: string } } }",
                &["/a~1b string_bytes_max"],
            ),
            ("S: { type: object, additionalProperties: { type: integer } }", &[" members_max"]),
            ("S: { type: object, maxProperties: 4, additionalProperties: { type: integer } }", &[]),
            (
                "S: { oneOf: [ { type: string, maxLength: 1 }, { type: string } ] }",
                &[" string_bytes_max"],
            ),
            ("S: { maxLength: 9, oneOf: [ { type: string }, { type: integer } ] }", &[]),
            ("S: { allOf: [ { type: string }, { maxLength: 5 } ] }", &[]),
        ] {
            let mut found: Vec<&str> = found.to_vec();
            found.sort_unstable();
            assert_eq!(told(text), found, "{text}");
        }
    }

    #[test]
    fn a_recursive_schema_is_told_of_once() {
        let text =
            "S: { type: object, properties: { next: { $ref: '#/S' }, name: { type: string } } }";
        assert!(told(text).contains(&"/name string_bytes_max".to_owned()), "{:?}", told(text));
        assert!(told(text).len() < 4, "{:?}", told(text));
    }
}

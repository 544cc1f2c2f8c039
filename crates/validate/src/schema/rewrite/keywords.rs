//! One keyword of a schema, written for 2020-12. It knows neither references nor closing.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Rewriter, Spot, formats, is_annotation};
use crate::document::{Cursor, Kind, Version, is_known_dialect};
use crate::schema::pattern_mistake;

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// The schema a keyword belongs to, where it stands, and which members are read-only there.
pub(super) type Around<'c, 'n, 'd> = (&'c Cursor<'d>, Spot, &'n BTreeSet<String>);

impl Rewriter<'_> {
    pub(super) fn keyword(
        &mut self,
        name: &str,
        at: &Cursor<'_>,
        around: Around<'_, '_, '_>,
        out: &mut Map<String, Value>,
    ) {
        let (schema, spot, read_only) = around;
        let value = match name {
            "$ref" => {
                let reference = self.reference(schema, spot.in_place(), read_only);
                return push_all_of(out, reference);
            }
            "allOf" => {
                let parts = self.list(at, spot.in_place(), read_only);
                return parts.into_iter().for_each(|part| push_all_of(out, part));
            }
            "anyOf" | "oneOf" if spot != Spot::Faithful && is_chosen(name, schema) => return,
            "anyOf" | "oneOf" => Value::Array(self.list(at, spot.in_place(), read_only)),
            "discriminator" => return self.discriminator(at, around, out),
            "not" | "if" => self.schema(at, Spot::Faithful, read_only),
            "then" | "else" => self.schema(at, spot.in_place(), read_only),
            "contains" | "propertyNames" => self.child(at, Spot::Faithful),
            "required" => required(at, spot, read_only),
            "dependentSchemas" => {
                self.map_of(at, |this, child| this.schema(child, spot.in_place(), read_only))
            }
            "nullable" => return self.nullable(at),
            "$schema" => return self.dialect(at),
            "format" => return self.format(at, out),
            "$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef"
            | "$recursiveAnchor" | "$vocabulary" | "id" | "dependencies" | "additionalItems"
            | "extends" | "disallow" | "divisibleBy" => {
                return self.refuse_only(at, format!("schema keyword `{name}` is not supported"));
            }
            other if is_annotation(other) => return,
            other => match self.simple_keyword(other, at, (schema, spot)) {
                Some(value) => value,
                None => return,
            },
        };
        out.insert(name.to_owned(), value);
    }

    /// Keywords that do not apply other schemas to the same value.
    fn simple_keyword(
        &mut self,
        name: &str,
        at: &Cursor<'_>,
        (schema, spot): (&Cursor<'_>, Spot),
    ) -> Option<Value> {
        match name {
            "properties" => Some(self.properties(at, spot)),
            "patternProperties" => {
                self.check_pattern_names(at);
                Some(self.map_of(at, |this, child| this.child(child, spot)))
            }
            "additionalProperties" | "unevaluatedProperties" | "items" | "unevaluatedItems" => {
                Some(self.flag_or_child(at, spot))
            }
            "prefixItems" => {
                Some(Value::Array(at.items().map(|item| self.child(&item, spot)).collect()))
            }
            "type" => Some(self.type_names(at, schema)),
            "pattern" => Some(self.pattern(at)),
            "exclusiveMinimum" | "exclusiveMaximum" => self.exclusive(name, at, schema),
            "minimum" | "maximum" => plain_bound(name, at, schema),
            "enum" | "const" | "multipleOf" | "minLength" | "maxLength" | "minItems"
            | "maxItems" | "uniqueItems" | "minProperties" | "maxProperties" | "minContains"
            | "maxContains" | "dependentRequired" => Some(at.node.to_json()),
            _ => {
                let what = format!("unknown schema keyword `{name}` checks nothing");
                self.report.note(at, what);
                None
            }
        }
    }

    pub(super) fn refuse_only(&mut self, at: &Cursor<'_>, what: impl Into<String>) {
        self.report.mistake(at, what);
    }

    fn list(&mut self, at: &Cursor<'_>, spot: Spot, read_only: &BTreeSet<String>) -> Vec<Value> {
        if at.node.as_list().is_none_or(<[_]>::is_empty) {
            self.refuse_only(at, "must be a list of at least one schema");
        }
        at.items().map(|part| self.schema(&part, spot, read_only)).collect()
    }

    fn map_of<'d>(
        &mut self,
        at: &Cursor<'d>,
        mut write: impl FnMut(&mut Self, &Cursor<'d>) -> Value,
    ) -> Value {
        if at.node.as_map().is_none() {
            return self.refuse(at, "must be a map of schemas");
        }
        let members: Vec<_> = at.members().collect();
        let written = members.iter().map(|(name, child)| ((*name).to_owned(), write(self, child)));
        Value::Object(written.collect())
    }

    fn properties(&mut self, at: &Cursor<'_>, spot: Spot) -> Value {
        let Some(at) = super::resolved_map(at) else {
            return self.refuse(at, "the reference leads nowhere");
        };
        let at = &at;
        self.names.extend(at.members().map(|(name, _)| name.to_owned()));
        self.map_of(at, |this, child| {
            if spot != Spot::Faithful && this.is_hidden(child) {
                Value::Bool(false)
            } else {
                this.child(child, spot)
            }
        })
    }

    fn flag_or_child(&mut self, at: &Cursor<'_>, spot: Spot) -> Value {
        match at.node.as_bool() {
            Some(flag) => Value::Bool(flag),
            None if at.node.as_list().is_some() => {
                self.refuse(at, "a list of schemas is written `prefixItems` in 2020-12")
            }
            None => self.child(at, spot),
        }
    }

    fn type_names(&mut self, at: &Cursor<'_>, schema: &Cursor<'_>) -> Value {
        let mut names: Vec<String> = match &at.node.kind {
            Kind::Text(name) => vec![name.clone()],
            Kind::List(_) if self.version.is_2020() => {
                at.items().map(|n| n.node.as_str().unwrap_or_default().to_owned()).collect()
            }
            Kind::List(_) | Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Map(_) => {
                return self.refuse(at, "`type` must be a type name");
            }
        };
        if let Some(name) = names.iter().find(|name| !TYPES.contains(&name.as_str())) {
            return self.refuse(at, format!("unknown type `{name}`"));
        }
        let old = self.version == Version::V30;
        if old && names == ["array"] && schema.node.get("items").is_none() {
            return self.refuse(at, "an array must say its `items`");
        }
        if old && schema.node.get("nullable").and_then(|n| n.as_bool()) == Some(true) {
            names.push("null".to_owned());
        }
        if names.is_empty() { self.refuse(at, "`type` names no type") } else { json!(names) }
    }

    fn nullable(&mut self, at: &Cursor<'_>) {
        if self.version.is_2020() && at.node.as_bool() == Some(true) {
            let what = "`nullable` means nothing since 3.1, null is refused: write `type: [..., \"null\"]`";
            self.report.note(at, what);
        }
    }

    fn pattern(&mut self, at: &Cursor<'_>) -> Value {
        let Some(pattern) = at.node.as_str() else {
            return self.refuse(at, "`pattern` must be a regular expression");
        };
        match pattern_mistake(pattern) {
            Some(what) => self.refuse(at, what),
            None => Value::String(pattern.to_owned()),
        }
    }

    fn check_pattern_names(&mut self, at: &Cursor<'_>) {
        let members: Vec<_> = at.members().collect();
        for (pattern, child) in members {
            if let Some(what) = pattern_mistake(pattern) {
                self.refuse_only(&child, what);
            }
        }
    }

    fn format(&mut self, at: &Cursor<'_>, out: &mut Map<String, Value>) {
        let Some(name) = at.node.as_str() else {
            return self.refuse_only(at, "`format` must be a name");
        };
        if let Some(bounds) = formats::number_bounds(name) {
            push_all_of(out, bounds);
        } else if formats::is_known(name) {
            out.insert("format".to_owned(), Value::String(name.to_owned()));
        } else if !formats::checks_nothing(name) {
            self.report.note(at, format!("unknown format `{name}` checks nothing"));
        }
    }

    /// Boolean in 3.0 (it sharpens `minimum`), a number in 3.1.
    fn exclusive(&mut self, name: &str, at: &Cursor<'_>, schema: &Cursor<'_>) -> Option<Value> {
        match at.node.kind {
            Kind::Number(_) => Some(at.node.to_json()),
            Kind::Bool(sharp) if self.version == Version::V30 => {
                let plain = if name == "exclusiveMinimum" { "minimum" } else { "maximum" };
                sharp.then(|| schema.node.get(plain).map(|n| n.to_json())).flatten()
            }
            Kind::Bool(_) | Kind::Null | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                self.refuse_only(at, format!("`{name}` must be a number"));
                None
            }
        }
    }

    fn dialect(&mut self, at: &Cursor<'_>) {
        if !at.node.as_str().is_some_and(is_known_dialect) {
            self.refuse_only(at, "only the JSON Schema 2020-12 dialect is supported");
        }
    }
}

/// Whether the alternatives under this keyword are chosen by the schema's discriminator.
fn is_chosen(name: &str, schema: &Cursor<'_>) -> bool {
    schema.node.get("discriminator").is_some()
        && (name == "oneOf" || schema.node.get("oneOf").is_none())
}

fn plain_bound(name: &str, at: &Cursor<'_>, schema: &Cursor<'_>) -> Option<Value> {
    let sharp = if name == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
    let replaced = schema.node.get(sharp).and_then(|n| n.as_bool()) == Some(true);
    (!replaced).then(|| at.node.to_json())
}

fn required(at: &Cursor<'_>, spot: Spot, read_only: &BTreeSet<String>) -> Value {
    let kept = at.items().filter(|name| {
        let name = name.node.as_str();
        spot == Spot::Faithful || !name.is_some_and(|name| read_only.contains(name))
    });
    Value::Array(kept.map(|name| name.node.to_json()).collect())
}

/// `allOf` gathers what several keywords of one schema demand.
pub(super) fn push_all_of(out: &mut Map<String, Value>, part: Value) {
    let list = out.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut() {
        list.push(part);
    }
}

//! `discriminator` of OpenAPI as plain JSON Schema: the named member selects one schema, an
//! unknown value is refused. It knows only schemas that are alternatives by reference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::keywords::{Around, push_all_of};
use super::{Rewriter, Spot};
use crate::document::Cursor;

impl Rewriter<'_> {
    pub(super) fn discriminator(
        &mut self,
        at: &Cursor<'_>,
        (schema, spot, read_only): Around<'_, '_, '_>,
        out: &mut Map<String, Value>,
    ) {
        if spot == Spot::Faithful {
            return;
        }
        let Some(list) = schema.get("oneOf").or_else(|| schema.get("anyOf")) else {
            let what = "a discriminator without oneOf or anyOf is not followed: only the members \
                        of this very schema are taken";
            return self.report.note(at, what);
        };
        let Some(property) = at.text("propertyName") else {
            return self.refuse_only(at, "a discriminator needs its `propertyName`");
        };
        self.names.insert(property.to_owned());
        let mut values = Vec::new();
        for (value, target) in self.choices(at, &list) {
            let then = self.definition(&target, spot.in_place(), read_only);
            let when =
                json!({ "properties": { property: { "const": value } }, "required": [property] });
            push_all_of(out, json!({ "if": when, "then": then }));
            values.push(value);
        }
        if let Some(stated) = at.get("defaultMapping") {
            return self.otherwise((&stated, &list), (property, &values), (spot, read_only), out);
        }
        // A part of its own, so that it does not replace the schema's own `properties`.
        push_all_of(
            out,
            json!({
                "type": "object",
                "properties": { property: { "enum": values } },
                "required": [property],
            }),
        );
    }

    /// The schema of a value whose member is away or unknown (3.2).
    fn otherwise(
        &mut self,
        (stated, list): (&Cursor<'_>, &Cursor<'_>),
        (property, values): (&str, &[String]),
        (spot, read_only): (Spot, &BTreeSet<String>),
        out: &mut Map<String, Value>,
    ) {
        let wanted = stated.node.as_str().unwrap_or_default();
        let mut targets = list.items().filter_map(|alternative| alternative.target().ok());
        let Some(target) = targets.find(|target| is_meant(wanted, target)) else {
            let what = format!("`{wanted}` is not among the alternatives");
            return self.refuse_only(stated, what);
        };
        let otherwise = self.definition(&target, spot.in_place(), read_only);
        let known =
            json!({ "properties": { property: { "enum": values } }, "required": [property] });
        push_all_of(out, json!({ "type": "object" }));
        push_all_of(out, json!({ "if": known, "else": otherwise }));
    }

    /// Value of the member -> schema: by mapping, else by the name of the schema.
    fn choices<'d>(&mut self, at: &Cursor<'d>, list: &Cursor<'d>) -> BTreeMap<String, Cursor<'d>> {
        let mut targets = Vec::new();
        for alternative in list.items() {
            if let Ok(target) = alternative.target() {
                targets.push(target);
            } else {
                let what = "alternatives beside a discriminator must be a `$ref` that is found";
                self.refuse_only(&alternative, what);
            }
        }
        let mut choices = BTreeMap::new();
        let mut mapped = Vec::new();
        for (value, reference) in at.get("mapping").iter().flat_map(Cursor::members) {
            let wanted = reference.node.as_str().unwrap_or_default();
            if let Some(target) = targets.iter().find(|target| is_meant(wanted, target)) {
                mapped.push((target.file, target.pointer.clone()));
                choices.insert(value.to_owned(), target.clone());
            } else {
                let what = format!("`{wanted}` is not among the alternatives");
                self.refuse_only(&reference, what);
            }
        }
        for target in targets {
            if !mapped.contains(&(target.file, target.pointer.clone())) {
                choices.entry(schema_name(&target)).or_insert(target);
            }
        }
        choices
    }
}

/// The last part of the way to a schema; of a whole file, the file's name.
fn schema_name(target: &Cursor<'_>) -> String {
    let last = target.pointer.rsplit('/').next().unwrap_or_default();
    if !last.is_empty() {
        return last.to_owned();
    }
    let file = target.file_name();
    let stem = file.rsplit('/').next().unwrap_or_default();
    stem.split('.').next().unwrap_or_default().to_owned()
}

/// A mapping names a schema, or refers to it.
fn is_meant(wanted: &str, target: &Cursor<'_>) -> bool {
    match wanted.split_once('#') {
        Some((file, fragment)) => {
            fragment == target.pointer
                && target.file_name().ends_with(file.trim_start_matches("./"))
        }
        None if wanted.contains('.') && target.pointer.is_empty() => {
            target.file_name().ends_with(wanted.trim_start_matches("./").trim_start_matches("../"))
        }
        None => schema_name(target) == wanted,
    }
}

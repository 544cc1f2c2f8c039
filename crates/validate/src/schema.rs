//! A schema of the document, ready to check values: written for 2020-12, compiled once at load,
//! without back-tracking patterns and without the network. It knows no parameters and no HTTP.

use std::collections::HashSet;

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::document::{Cursor, Report, Version};
use crate::json::{Node, TapeJson};
use crate::violation::{Place, VIOLATIONS_MAX, Violation};

mod facts;
mod formats;
mod kept;
mod plan;
mod rewrite;
mod texts;
mod unbounded;

#[cfg(test)]
mod tests;

pub(crate) use facts::{Member, Members, Types, item_types, lengths, members, members_of, types};
pub(crate) use kept::Kept;
pub(crate) use rewrite::{Direction, in_place_parts};
pub(crate) use texts::{Take, free_texts};

/// A compiled schema with what the document calls its members.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator<TapeJson>,
    /// The schema in 2020-12, for facts that the validator does not tell.
    pub(crate) written: Value,
    names: HashSet<String>,
    recursive: bool,
    plan: plan::Plan,
}

impl Schema {
    /// Compiles the schema at `cursor`; where that fails, `report` says why.
    pub(crate) fn compile(
        cursor: &Cursor<'_>,
        version: Version,
        report: &mut Report,
    ) -> Option<Self> {
        Self::compile_for(cursor, (version, Direction::Request), report)
    }

    /// The same for values of one direction.
    pub(crate) fn compile_for(
        cursor: &Cursor<'_>,
        dialect: (Version, Direction),
        report: &mut Report,
    ) -> Option<Self> {
        let before = report.mistakes.len();
        let rewritten = rewrite::rewrite(cursor, dialect, report);
        if report.mistakes.len() > before {
            return None;
        }
        match build(&rewritten.schema) {
            Ok(validator) => {
                let rewrite::Rewritten { schema: written, names, recursive } = rewritten;
                let plan = plan::Plan::of(&written);
                Some(Self { validator, written, names, recursive, plan })
            }
            Err(what) => {
                report.mistake(cursor, format!("the schema does not compile: {what}"));
                None
            }
        }
    }

    pub(crate) fn is_valid(&self, value: Node<'_>) -> bool {
        self.validator.is_valid(value)
    }

    /// Whether it says how long a text may be.
    pub(crate) fn bounds_length(&self) -> bool {
        lengths(self).1.is_some()
    }

    /// What a parameter breaks, under the parameter's name.
    pub(crate) fn check_parameter(&self, value: Node<'_>, place: &Place, out: &mut Vec<Violation>) {
        if self.is_valid(value) {
            return;
        }
        if self.recursive {
            return out.push(Violation::new(place.clone(), "schema"));
        }
        for error in self.validator.iter_errors(value).take(1) {
            out.push(Violation::new(place.clone(), rule(&error)));
        }
    }

    /// What a body breaks, each under its pointer.
    pub(crate) fn check_body(&self, value: Node<'_>, out: &mut Vec<Violation>) {
        if self.is_valid(value) {
            return;
        }
        if self.recursive {
            // Whether such a value is valid is remembered at each level; why it is not would be gathered from every
            // branch of every level: a few hundred bytes of body could fill all memory.
            return out.push(Violation::new(Place::body(), "schema"));
        }
        for error in self.validator.iter_errors(value).take(VIOLATIONS_MAX) {
            let place = Place::Body { pointer: self.pointer(&error) };
            out.push(Violation::new(place, rule(&error)));
        }
    }

    /// The name as a pointer shows it: the document's own, else a star.
    fn shown<'n>(&self, name: &'n str) -> &'n str {
        if self.names.contains(name) { name } else { "*" }
    }

    fn pointer(&self, error: &ValidationError<'_>) -> String {
        let mut pointer = String::new();
        for segment in error.instance_path().segments() {
            match segment {
                LocationSegment::Property(name) => push(&mut pointer, self.shown(&name)),
                LocationSegment::Index(index) => push(&mut pointer, &index.to_string()),
            }
        }
        if let ValidationErrorKind::Required { property } = error.kind()
            && let Some(name) = property.as_str()
        {
            // A name that the schema demands is the document's, not the request's.
            push(&mut pointer, name);
        }
        pointer
    }
}

/// Adds one token to an RFC 6901 pointer.
pub(crate) fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    if token.contains(['~', '/']) {
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
    } else {
        pointer.push_str(token);
    }
}

fn build(schema: &Value) -> Result<Validator<TapeJson>, String> {
    jsonschema::options_for::<TapeJson>()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .with_pattern_options(PatternOptions::regex())
        .with_format("byte", formats::is_base64)
        .with_format("base64url", formats::is_base64url)
        .build(schema)
        .map_err(|error| error.to_string())
}

/// What keeps a pattern from being matched in linear time, if anything does.
fn pattern_mistake(pattern: &str) -> Option<String> {
    let schema = serde_json::json!({ "pattern": pattern });
    build(&schema).err().map(|_| {
        "not a pattern that can be matched in linear time (no look-around, no back-reference)"
            .to_owned()
    })
}

/// The name of the broken rule. The two ways of closing an object have one name.
fn rule(error: &ValidationError<'_>) -> &'static str {
    const RULES: [&str; 31] = [
        "anyOf",
        "pattern",
        "const",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxItems",
        "maximum",
        "maxLength",
        "maxProperties",
        "minItems",
        "minimum",
        "minLength",
        "minProperties",
        "multipleOf",
        "not",
        "oneOf",
        "propertyNames",
        "required",
        "type",
        "unevaluatedItems",
        "uniqueItems",
        "$ref",
        "dependentRequired",
        "minContains",
        "maxContains",
        "additionalItems",
    ];
    match error.kind().keyword() {
        "additionalProperties" | "unevaluatedProperties" => "additionalProperties",
        "falseSchema" => "forbidden",
        other => RULES.iter().find(|rule| **rule == other).copied().unwrap_or("schema"),
    }
}

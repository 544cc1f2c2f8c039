//! Parameter objects of a document, compiled. It knows how they are written on the wire, but
//! reads no request.

use super::{Cursor, Report, Version};
use crate::schema::{Schema, Types, item_types, types};
use crate::violation::{ParameterIn, Place};

/// One declared parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) location: ParameterIn,
    pub(crate) required: bool,
    pub(crate) allow_empty: bool,
    pub(crate) wire: Wire,
    pub(crate) schema: Schema,
}

/// How the value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One text.
    One(Types),
    /// Texts between commas: `simple`, and `form` without `explode`.
    Commas(Types),
    /// The name repeated: `form` with `explode`.
    Repeated(Types),
    /// `name[member]=text`.
    Deep,
}

impl Parameter {
    pub(crate) fn place(&self) -> Place {
        Place::Parameter { location: self.location, name: self.name.clone() }
    }
}

/// The parameters of an operation: its own, and those of its path that it does not replace.
pub(super) fn all(
    item: &Cursor<'_>,
    operation: &Cursor<'_>,
    version: Version,
    report: &mut Report,
) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (own, level) in [(true, operation), (false, item)] {
        let inherited = found.len();
        for at in level.get("parameters").iter().flat_map(Cursor::items) {
            let Some(parameter) = resolve(&at, report).and_then(|at| one(&at, version, report))
            else {
                continue;
            };
            let same = |p: &Parameter| {
                p.location == parameter.location
                    && if p.location == ParameterIn::Header {
                        p.name.eq_ignore_ascii_case(&parameter.name)
                    } else {
                        p.name == parameter.name
                    }
            };
            match found.iter().position(same) {
                Some(index) if own || index >= inherited => {
                    report
                        .mistake(&at, format!("parameter `{}` is declared twice", parameter.name));
                }
                Some(_) => {}
                None => found.push(parameter),
            }
        }
    }
    found
}

fn resolve<'a>(at: &Cursor<'a>, report: &mut Report) -> Option<Cursor<'a>> {
    at.resolved().map_err(|mistake| report.push(mistake)).ok()
}

fn one(at: &Cursor<'_>, version: Version, report: &mut Report) -> Option<Parameter> {
    const KNOWN: [&str; 13] = [
        "name",
        "in",
        "description",
        "required",
        "deprecated",
        "allowEmptyValue",
        "style",
        "explode",
        "allowReserved",
        "schema",
        "example",
        "examples",
        "content",
    ];
    report.known_members(at, &KNOWN);
    let Some(name) = at.text("name").filter(|name| !name.is_empty()) else {
        report.mistake(at, "a parameter needs its `name`");
        return None;
    };
    let location = match at.text("in") {
        Some("path") => ParameterIn::Path,
        Some("query") => ParameterIn::Query,
        Some("header") if is_reserved(name) => {
            report
                .note(at, format!("header parameter `{name}` is ignored (OpenAPI 3.1, 4.8.12.2)"));
            return None;
        }
        Some("header") => ParameterIn::Header,
        Some("cookie") => {
            report.mistake(at, "cookie parameters are not supported yet: remove it");
            return None;
        }
        _ => {
            report.mistake(at, "`in` must be path, query or header");
            return None;
        }
    };
    let flag = |name: &str| at.node.get(name).and_then(|n| n.as_bool());
    if location == ParameterIn::Path && flag("required") != Some(true) {
        report.mistake(at, "a path parameter must say `required: true`");
    }
    if at.node.get("content").is_some() {
        report.mistake(at, "`content` of a parameter is not supported yet: use `schema`");
        return None;
    }
    let Some(schema) = at.get("schema") else {
        report.mistake(at, "a parameter needs its `schema`");
        return None;
    };
    let schema = Schema::compile(&schema, version, report)?;
    let wire = wire(at, location, &schema, report)?;
    Some(Parameter {
        name: name.to_owned(),
        location,
        required: flag("required") == Some(true),
        allow_empty: flag("allowEmptyValue") == Some(true),
        wire,
        schema,
    })
}

fn is_reserved(name: &str) -> bool {
    ["accept", "content-type", "authorization"].iter().any(|one| name.eq_ignore_ascii_case(one))
}

fn wire(
    at: &Cursor<'_>,
    location: ParameterIn,
    schema: &Schema,
    report: &mut Report,
) -> Option<Wire> {
    let query = location == ParameterIn::Query;
    let style = at.text("style").unwrap_or(if query { "form" } else { "simple" });
    let explode = at.node.get("explode").and_then(|n| n.as_bool()).unwrap_or(style == "form");
    let types = types(schema);
    match style {
        "deepObject" if query && types.object => return Some(Wire::Deep),
        "form" if query => {}
        "simple" if !query => {}
        other => {
            report.mistake(at, format!("style `{other}` is not supported here"));
            return None;
        }
    }
    if types.object {
        report.mistake(at, "an object in a parameter needs `style: deepObject` in the query");
        return None;
    }
    if !types.array {
        return Some(Wire::One(types));
    }
    let items = item_types(schema);
    if items.array || items.object {
        report.mistake(at, "items of a list parameter must be plain values");
        return None;
    }
    Some(if query && explode { Wire::Repeated(items) } else { Wire::Commas(items) })
}

//! Parameter objects of a document, compiled. It knows how they are written on the wire, but
//! reads no request.

use super::{Cursor, Report, Version, wire};
use crate::contract::wire::{Shape, Style, Wire};
use crate::json;
use crate::limits::Limits;
use crate::schema::{Schema, Types};
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
    for (index, one) in found.iter().enumerate() {
        if found.iter().skip(index + 1).any(|other| share_a_name(one, other)) {
            let what = format!("parameter `{}` and another one own the same name", one.name);
            report.mistake(operation, what);
        }
    }
    found
}

/// Whether one name in the query would belong to both: the members of an exploded object are names of their own.
fn share_a_name(one: &Parameter, other: &Parameter) -> bool {
    let names = |of: &Parameter| match &of.wire.shape {
        Shape::Object(members) if of.wire.explode && of.wire.style == Style::Form => {
            members.iter().map(|(name, _)| name.to_owned()).collect()
        }
        Shape::One(_) | Shape::List(_) | Shape::Object(_) | Shape::Json => vec![of.name.clone()],
    };
    let in_query = one.location == ParameterIn::Query && other.location == ParameterIn::Query;
    let open = one.wire.takes_others() && other.wire.takes_others();
    in_query && (open || names(one).iter().any(|name| names(other).contains(name)))
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
    let location = location(at, name, report)?;
    let flag = |name: &str| at.node.get(name).and_then(|n| n.as_bool()) == Some(true);
    if location == ParameterIn::Path && !flag("required") {
        report.mistake(at, "a path parameter must say `required: true`");
    }
    let in_query = location == ParameterIn::Query;
    for option in ["allowEmptyValue", "allowReserved"] {
        if flag(option) && !in_query {
            report.note(at, format!("`{option}` says nothing outside the query"));
        }
    }
    let (schema, wire) = match (at.get("schema"), at.get("content")) {
        (Some(stated), None) => {
            let schema = Schema::compile(&stated, version, report)?;
            let wire = wire::of_parameter(at, location, &schema, report)?;
            check_default(&stated, &schema, report);
            (schema, wire)
        }
        (None, Some(content)) => of_content(&content, version, report)?,
        (Some(_), Some(_)) => {
            report.mistake(at, "a parameter has `schema` or `content`, not both");
            return None;
        }
        (None, None) => {
            report.mistake(at, "a parameter needs its `schema`");
            return None;
        }
    };
    let allow_empty = in_query && flag("allowEmptyValue");
    let (name, required) = (name.to_owned(), flag("required"));
    Some(Parameter { name, location, required, allow_empty, wire, schema })
}

fn location(at: &Cursor<'_>, name: &str, report: &mut Report) -> Option<ParameterIn> {
    match at.text("in") {
        Some("path") => Some(ParameterIn::Path),
        Some("query") => Some(ParameterIn::Query),
        Some("header") if is_reserved(name) => {
            report
                .note(at, format!("header parameter `{name}` is ignored (OpenAPI 3.1, 4.8.12.2)"));
            None
        }
        Some("header") => Some(ParameterIn::Header),
        Some("cookie") => Some(ParameterIn::Cookie),
        Some("querystring") => {
            let what = "`in: querystring` is not read: declare the parameters of the query by name";
            report.mistake(at, what);
            None
        }
        _ => {
            report.mistake(at, "`in` must be path, query, header or cookie");
            None
        }
    }
}

/// A parameter whose text is of a media type: JSON, or plain text.
fn of_content(
    content: &Cursor<'_>,
    version: Version,
    report: &mut Report,
) -> Option<(Schema, Wire)> {
    let mut media = content.members();
    let (Some((name, only)), None) = (media.next(), media.next()) else {
        report.mistake(content, "`content` of a parameter has exactly one media type");
        return None;
    };
    let essence = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = Types { string: true, ..Types::default() };
    let shape = match essence.as_str() {
        "application/json" => Shape::Json,
        other if other.ends_with("+json") => Shape::Json,
        "text/plain" => Shape::One(text),
        _ => {
            report.mistake(&only, "`content` of a parameter is JSON or plain text");
            return None;
        }
    };
    let only = resolve(&only, report)?;
    let Some(schema) = only.get("schema") else {
        report.mistake(&only, "`content` of a parameter needs its `schema`");
        return None;
    };
    let schema = Schema::compile(&schema, version, report)?;
    Some((schema, Wire { style: Style::Simple, explode: false, shape }))
}

/// A default is what a service takes where nothing is sent: it is not sent in its place. One that the schema itself
/// would refuse tells that the document does not mean what it says.
fn check_default(stated: &Cursor<'_>, schema: &Schema, report: &mut Report) {
    let Ok(stated) = stated.resolved() else { return };
    let Some(default) = stated.get("default") else { return };
    let text = default.node.to_json().to_string();
    let fits = json::read(text.as_bytes(), &Limits::default())
        .is_ok_and(|(tape, text)| schema.is_valid(tape.view(text).root()));
    if !fits {
        report.note(&default, "the `default` does not fit its own schema");
    }
}

fn is_reserved(name: &str) -> bool {
    ["accept", "content-type", "authorization"].iter().any(|one| name.eq_ignore_ascii_case(one))
}

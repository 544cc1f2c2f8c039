//! `style` and `explode` of a parameter or of a form's field, by what its schema takes. It reads no request.

use super::{Cursor, Report};
use crate::contract::media;
use crate::contract::wire::{Shape, Style, Wire};
use crate::schema::{Member, Members, Schema, Types, item_types, members, members_of, types};
use crate::violation::ParameterIn;

/// How a parameter is written.
pub(super) fn of_parameter(
    at: &Cursor<'_>,
    location: ParameterIn,
    schema: &Schema,
    report: &mut Report,
) -> Option<Wire> {
    let types = types(schema);
    let shape = if types.object {
        let members = members(schema);
        note_members(at, &members, at.text("style") == Some("deepObject"), report);
        Shape::Object(members)
    } else if types.array {
        let items = item_types(schema);
        if items.array || items.object {
            let what = "items of a list parameter must be plain values: use `content`";
            report.mistake(at, what);
            return None;
        }
        Shape::List(items)
    } else {
        Shape::One(types)
    };
    let form = matches!(location, ParameterIn::Query | ParameterIn::Cookie);
    let name = at.text("style").unwrap_or(if form { "form" } else { "simple" });
    let style = style(name, location, &shape);
    let Some(style) = style else {
        report.mistake(at, format!("style `{name}` cannot be written here"));
        return None;
    };
    // What is separated by spaces or bars is not spread over pairs unless somebody says so.
    let explode = at.node.get("explode").and_then(|n| n.as_bool()).unwrap_or(name == "form");
    let plain = matches!(shape, Shape::One(_));
    if location == ParameterIn::Cookie && explode && !plain {
        report.mistake(
            at,
            "a list or an object in a cookie needs `explode: false`: `&` separates no cookies",
        );
        return None;
    }
    let separated = matches!(style, Style::SpaceDelimited | Style::PipeDelimited);
    if separated && explode && matches!(shape, Shape::Object(_)) {
        report.mistake(at, format!("an object of style `{name}` needs `explode: false`"));
        return None;
    }
    Some(Wire { style, explode, shape })
}

/// The style by its name, where it may stand.
fn style(name: &str, location: ParameterIn, shape: &Shape) -> Option<Style> {
    let (path, query) = (location == ParameterIn::Path, location == ParameterIn::Query);
    let plain = matches!(shape, Shape::One(_));
    match name {
        "simple" if path || location == ParameterIn::Header => Some(Style::Simple),
        "label" if path => Some(Style::Label),
        "matrix" if path => Some(Style::Matrix),
        "form" if query => Some(Style::Form),
        // One text, whose name was taken off.
        "form" if location == ParameterIn::Cookie => Some(Style::Simple),
        // A plain value has nothing to separate.
        "spaceDelimited" | "pipeDelimited" if query && plain => Some(Style::Form),
        "spaceDelimited" if query => Some(Style::SpaceDelimited),
        "pipeDelimited" if query => Some(Style::PipeDelimited),
        "deepObject" if query && matches!(shape, Shape::Object(_)) => Some(Style::DeepObject),
        _ => None,
    }
}

/// Tells of members that no style can write.
pub(super) fn note_members(at: &Cursor<'_>, members: &Members, lists: bool, report: &mut Report) {
    let simple = |types: Types| types.string || types.number || types.boolean;
    for (name, member) in members.iter() {
        let types = member.types;
        let deep = types.object || (types.array && !lists);
        if deep && !simple(types) {
            let what = format!("member `{name}` cannot be written in this style: it is refused");
            report.note(at, what);
        }
    }
}

/// How a field of a form is written, by its `encoding`. What says nothing of style is a text, a list of texts each under
/// the same name, or JSON (OpenAPI 3.1, 4.8.15.1). `None`: it cannot be written.
pub(super) fn of_field(
    at: &Cursor<'_>,
    (schema, name): (&Schema, &str),
    Member { types, items }: Member,
    report: &mut Report,
) -> Option<Wire> {
    let said = at.text("style");
    let json = at.text("contentType").is_some_and(|kind| {
        media::is_json(&kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    });
    let explode = at.node.get("explode").and_then(|n| n.as_bool());
    let style = match said {
        None | Some("form") => Style::Form,
        Some("spaceDelimited") => Style::SpaceDelimited,
        Some("pipeDelimited") => Style::PipeDelimited,
        Some("deepObject") => Style::DeepObject,
        Some(other) => {
            report.mistake(at, format!("style `{other}` cannot be written in a form"));
            return None;
        }
    };
    let explode = explode.unwrap_or(style == Style::Form);
    let shape = if json && said.is_none() || types.object && said.is_none() {
        Shape::Json
    } else if types.object && style == Style::DeepObject {
        Shape::Object(members_of(schema, name))
    } else if types.object {
        report.mistake(at, "an object in a form is JSON or of style `deepObject`");
        return None;
    } else if types.array && (items.object || items.array) {
        // Each would be JSON under the same name: nobody says how such a list is put together.
        Shape::Json
    } else if types.array {
        Shape::List(items)
    } else {
        Shape::One(types)
    };
    Some(Wire { style, explode, shape })
}

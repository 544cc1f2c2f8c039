//! `requestBody` of an operation: which media types it takes, and how each is read. What it cannot read answers 415,
//! and is noted. It reads no request.

use super::{Cursor, Report, Version, multipart, newer, wire, xml};
use crate::contract::form::{Field, Form};
use crate::contract::media::{self, BodyKind, DeclaredBody, Media};
use crate::contract::octets::Octets;
use crate::contract::wire::Wire;
use crate::schema::{Members, Schema, Types, lengths, members, types};

/// The body that an operation takes.
pub(super) fn read(at: &Cursor<'_>, version: Version, report: &mut Report) -> Option<DeclaredBody> {
    let stated = at.get("requestBody")?;
    let body = match stated.resolved() {
        Ok(body) => body,
        Err(mistake) => {
            report.push(mistake);
            return None;
        }
    };
    report.known_members(&body, &["description", "content", "required"]);
    let required = body.node.get("required").and_then(|n| n.as_bool()) == Some(true);
    let mut media = Vec::new();
    for (name, content) in body.get("content").iter().flat_map(Cursor::members) {
        // A media type may stand among the components (3.2).
        match content.resolved() {
            Ok(content) => media.extend(one(name, &content, version, report)),
            Err(mistake) => report.push(mistake),
        }
    }
    if media.is_empty() {
        report.note(&body, "no media type of this body is supported: it answers 415");
    }
    // The exact names are asked before the ranges, and the ranges before the one of everything.
    media.sort_by_key(|one: &Media| one.name.matches('*').count());
    Some(DeclaredBody { required, media })
}

fn one(name: &str, content: &Cursor<'_>, version: Version, report: &mut Report) -> Option<Media> {
    let essence = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    newer::check_encodings(content, report);
    if newer::is_sequence(content, version, report) {
        return None;
    }
    let range = essence == "*/*" || essence == "application/*";
    let kind = match essence.as_str() {
        json if range || media::is_json(json) => json_body(content, version, report)?,
        "application/x-www-form-urlencoded" => form(content, version, report)?,
        xml if xml == "text/xml"
            || xml == "application/xml"
            || xml.ends_with("+xml") && !xml.starts_with("image/") =>
        {
            xml::read(content, version, report)?
        }
        "multipart/form-data" => multipart::read(content, version, report)?,
        text if text.starts_with("text/") => {
            let schema = match content.get("schema") {
                Some(schema) => Some(Schema::compile(&schema, version, report)?),
                None => None,
            };
            BodyKind::Text(schema)
        }
        other if is_structured(other) => {
            report.note(content, format!("`{essence}` is not supported: it answers 415"));
            return None;
        }
        _ => octets(content, version, report)?,
    };
    if range {
        report.note(content, "a media range takes JSON only");
    }
    Some(Media { name: essence, kind })
}

/// Whether bodies of this type hold values that somebody would have to read.
fn is_structured(essence: &str) -> bool {
    essence.starts_with("multipart/")
        || essence.starts_with("message/")
        || essence.contains("json")
        || essence.contains("yaml")
        || essence.starts_with("application/grpc")
        || essence.contains('*')
}

fn json_body(content: &Cursor<'_>, version: Version, report: &mut Report) -> Option<BodyKind> {
    let Some(schema) = content.get("schema") else {
        let what = "JSON without a `schema`: write one (`additionalProperties: true` opens)";
        report.mistake(content, what);
        return None;
    };
    Some(BodyKind::Json(Schema::compile(&schema, version, report)?))
}

fn octets(content: &Cursor<'_>, version: Version, report: &mut Report) -> Option<BodyKind> {
    report.note(content, "its bodies are held to their size and their first bytes only");
    let mut octets = Octets::default();
    if let Some(schema) = content.get("schema") {
        let schema = Schema::compile(&schema, version, report)?;
        (octets.least, octets.most) = lengths(&schema);
    }
    Some(BodyKind::Octets(octets))
}

fn form(content: &Cursor<'_>, version: Version, report: &mut Report) -> Option<BodyKind> {
    let schema = object_of(content, version, report)?;
    let members = members(&schema);
    let mut fields = Vec::new();
    for (name, member) in members.iter() {
        let encoding = content.get("encoding").and_then(|all| all.get(name));
        let wire = match wire::of_field(
            encoding.as_ref().unwrap_or(content),
            (&schema, name),
            member,
            report,
        ) {
            Some(wire) => wire,
            None => Wire::text(),
        };
        fields.push(Field { name: name.to_owned(), wire });
    }
    unknown_encodings(content, &members, report);
    Some(BodyKind::Form(Form { schema, fields, members }))
}

/// The schema of a body that is made of named parts: an object.
pub(super) fn object_of(
    content: &Cursor<'_>,
    version: Version,
    report: &mut Report,
) -> Option<Schema> {
    let Some(stated) = content.get("schema") else {
        report.mistake(content, "a form without a `schema`: write one that names its fields");
        return None;
    };
    let schema = Schema::compile(&stated, version, report)?;
    let types = types(&schema);
    if !types.object && types != Types::default() {
        report.mistake(&stated, "the schema of a form is an object");
        return None;
    }
    Some(schema)
}

/// An encoding of a field that nobody declares is a mistyped one.
pub(super) fn unknown_encodings(content: &Cursor<'_>, members: &Members, report: &mut Report) {
    const KNOWN: [&str; 5] = ["contentType", "headers", "style", "explode", "allowReserved"];
    for (name, encoding) in content.get("encoding").iter().flat_map(Cursor::members) {
        report.known_members(&encoding, &KNOWN);
        if !members.knows(name) {
            report.mistake(&encoding, format!("the schema has no field `{name}`"));
        }
    }
}

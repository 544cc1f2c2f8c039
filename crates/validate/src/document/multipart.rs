//! `multipart/form-data` of a document: what each part is, by its property's schema and its `encoding` (OpenAPI 3.1,
//! 4.8.14.4). It reads no request.

use super::{Cursor, Report, Version, body};
use crate::contract::media::{BodyKind, is_json};
use crate::contract::multipart::{Field, Header, Kind, Multipart};
use crate::schema::{Schema, in_place_parts, members};

/// Compiles the body.
pub(super) fn read(
    content: &Cursor<'_>,
    version: Version,
    report: &mut Report,
) -> Option<BodyKind> {
    let schema = body::object_of(content, version, report)?;
    let stated = content.get("schema")?;
    let members = members(&schema);
    body::unknown_encodings(content, &members, report);
    let mut fields = Vec::new();
    for (name, member) in members.iter() {
        let encoding = content.get("encoding").and_then(|all| all.get(name));
        let media = media(encoding.as_ref());
        let property = property(&stated, name);
        let json = media.first().is_some_and(|media| is_json(media));
        let files = property.as_ref().and_then(|property| files(property, version));
        let (kind, is_list) = if json {
            (Kind::Json, false)
        } else if let Some(is_list) = files {
            (Kind::File, is_list)
        } else if member.types.array {
            let deep = member.items.object || member.items.array;
            (if deep { Kind::Json } else { Kind::Text(member.items) }, true)
        } else if member.types.object {
            (Kind::Json, false)
        } else {
            (Kind::Text(member.types), false)
        };
        if kind == Kind::File {
            let at = property.as_ref().unwrap_or(content);
            report.note(at, "files are held to their size and their first bytes only");
        }
        let headers = headers(encoding.as_ref(), version, report);
        fields.push(Field { name: name.to_owned(), kind, is_list, media, headers });
    }
    Some(BodyKind::Multipart(Multipart { schema, fields, members }))
}

/// The media types and ranges that a part may have.
fn media(encoding: Option<&Cursor<'_>>) -> Vec<String> {
    let text = encoding.and_then(|encoding| encoding.text("contentType")).unwrap_or_default();
    let essence = |one: &str| one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    text.split(',').map(essence).filter(|essence| !essence.is_empty()).collect()
}

/// Header fields that a part may have; `Content-Type` is said by `contentType`.
fn headers(encoding: Option<&Cursor<'_>>, version: Version, report: &mut Report) -> Vec<Header> {
    let mut found = Vec::new();
    let stated = encoding.and_then(|encoding| encoding.get("headers"));
    for (name, header) in stated.iter().flat_map(Cursor::members) {
        let header = match header.resolved() {
            Ok(header) => header,
            Err(mistake) => {
                report.push(mistake);
                continue;
            }
        };
        let name = name.to_ascii_lowercase();
        if name == "content-type" {
            continue;
        }
        let required = header.node.get("required").and_then(|n| n.as_bool()) == Some(true);
        let schema = header.get("schema").and_then(|s| Schema::compile(&s, version, report));
        found.push(Header { name, required, schema });
    }
    found
}

/// The schema of a property, as it is written.
fn property<'d>(schema: &Cursor<'d>, name: &str) -> Option<Cursor<'d>> {
    in_place_parts(schema).iter().find_map(|part| part.get("properties")?.get(name))
}

/// Whether a property is a file, and whether there may be several of it.
fn files(property: &Cursor<'_>, version: Version) -> Option<bool> {
    let parts = in_place_parts(property);
    if let Some(items) = parts.iter().find_map(|part| part.get("items")) {
        return is_file(&in_place_parts(&items), version).then_some(true);
    }
    is_file(&parts, version).then_some(false)
}

/// `format: binary`; in 3.1 a `contentMediaType` without an encoding, and a schema that says nothing at all.
fn is_file(parts: &[Cursor<'_>], version: Version) -> bool {
    let has = |name: &str| parts.iter().any(|part| part.node.get(name).is_some());
    let is_binary = parts.iter().any(|part| part.text("format") == Some("binary"));
    let is_octets = has("contentMediaType") && !has("contentEncoding");
    let says = ["type", "enum", "const", "properties", "items", "oneOf", "anyOf", "pattern"];
    let is_silent = version.is_2020() && !says.iter().any(|name| has(name));
    is_binary || is_octets || is_silent
}

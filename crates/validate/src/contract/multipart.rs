//! Bodies of `multipart/form-data` (RFC 7578): every part is declared, its type and its size are, and no two readers
//! find other parts in the bytes, which go inside as they came. It knows no request.

use bytes::Bytes;

use super::body::Taken;
use super::media::{self, ContentType};
use super::octets::misfit;
use super::wire::{Rule, push_json, push_text};
use super::{Findings, form};
use crate::json::{Entry, Tape, View};
use crate::limits::Limits;
use crate::schema::{Members, Schema, Types, push};
use crate::violation::Place;

mod parts;

use parts::Part;

/// A declared body of parts.
#[derive(Debug)]
pub(crate) struct Multipart {
    pub(crate) schema: Schema,
    pub(crate) fields: Vec<Field>,
    /// What parts without a field are, where the schema is open to them.
    pub(crate) members: Members,
}

/// What one part is.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether several parts may have its name.
    pub(crate) is_list: bool,
    /// Media types and ranges it may have; any where none is said.
    pub(crate) media: Vec<String>,
    pub(crate) headers: Vec<Header>,
}

/// How the content of a part is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text(Types),
    Json,
    File,
}

/// A header field that a part may have.
#[derive(Debug)]
pub(crate) struct Header {
    /// In lower case.
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) schema: Option<Schema>,
}

/// Where the parts of a name are checked.
struct Reading<'r> {
    limits: &'r Limits,
    place: Place,
    tape: &'r mut Tape,
    found: &'r mut Findings,
}

impl Multipart {
    /// Reads a body into one object and holds it against the schema.
    pub(crate) fn read(
        &self,
        content: &ContentType,
        body: &Bytes,
        limits: &Limits,
        found: &mut Findings,
    ) -> Taken {
        let parts = match &content.boundary {
            Some(boundary) => parts::split(body, boundary, limits),
            None => Err("boundary"),
        };
        let parts = match parts {
            Ok(parts) => parts,
            Err(rule) => {
                found.refuse(Place::body(), rule);
                found.unread(Place::body(), &String::from_utf8_lossy(body));
                return Taken::default();
            }
        };
        let before = found.violations.len();
        let tape = self.values(&parts, limits, found);
        if found.violations.len() == before {
            self.schema.check_body(tape.view("").root(), &mut found.violations);
        }
        Taken { tape: Some(tape), written: None }
    }

    fn values(&self, parts: &[Part<'_>], limits: &Limits, found: &mut Findings) -> Tape {
        let mut tape = Tape::default();
        let (at, mut count) = (tape.open(), 0);
        for field in &self.fields {
            let own: Vec<&Part<'_>> = parts.iter().filter(|part| part.name == field.name).collect();
            let Some(first) = own.first() else { continue };
            let mut pointer = String::new();
            push(&mut pointer, &field.name);
            let place = Place::Body { pointer };
            tape.own_text(&field.name);
            count += 1;
            let mut reading = Reading { limits, place, tape: &mut tape, found };
            if field.is_list {
                reading.list(field, &own);
            } else if own.len() > 1 {
                reading.broken("repeated");
            } else {
                reading.part(field, first);
            }
        }
        count += self.undeclared(parts, limits, &mut tape, found);
        if !tape.close_object(at, count, "") {
            found.refuse(Place::body(), "repeated");
        }
        tape
    }

    /// Parts without a field: texts, which the schema may be open to.
    fn undeclared(
        &self,
        parts: &[Part<'_>],
        limits: &Limits,
        tape: &mut Tape,
        found: &mut Findings,
    ) -> usize {
        let mut seen: Vec<&str> = Vec::new();
        let declared = |name: &str| self.fields.iter().any(|field| field.name == name);
        for part in parts.iter().filter(|part| !declared(part.name)) {
            if seen.contains(&part.name) {
                found.refuse(Place::body(), "repeated");
            }
            seen.push(part.name);
            tape.own_text(part.name);
            let types = self.members.of(part.name).types;
            let mut reading = Reading { limits, place: Place::body(), tape, found };
            let field = Field {
                name: String::new(),
                kind: Kind::Text(types),
                is_list: false,
                media: Vec::new(),
                headers: Vec::new(),
            };
            reading.part(&field, part);
        }
        seen.len()
    }
}

impl Reading<'_> {
    fn broken(&mut self, rule: Rule) {
        self.found.refuse(self.place.clone(), rule);
        self.tape.push(Entry::Null);
    }

    fn list(&mut self, field: &Field, own: &[&Part<'_>]) {
        if own.len() > self.limits.items_max {
            return self.broken("items_max");
        }
        let at = self.tape.open();
        for part in own {
            self.part(field, part);
        }
        self.tape.close_array(at, own.len());
    }

    fn part(&mut self, field: &Field, part: &Part<'_>) {
        let place = self.place.clone();
        self.found.text(place.clone(), part.file_name.unwrap_or_default(), false);
        let head = self.head(field, part).and_then(|()| self.content(field, part));
        if let Err(rule) = head {
            self.broken(rule);
        }
    }

    /// What stands before the content: its type, its file name, fields of its own.
    fn head(&mut self, field: &Field, part: &Part<'_>) -> Result<(), Rule> {
        for (name, value) in &part.headers {
            let declared = field.headers.iter().find(|header| header.name == *name);
            let declared = declared.ok_or("part_header")?;
            self.found.text(self.place.clone(), value, false);
            if let Some(schema) = &declared.schema {
                let entry = [Entry::whole(value)];
                let fits = schema.is_valid(View::of_one(&entry, value).root());
                if !fits {
                    return Err("part_header");
                }
            }
        }
        let has = |name: &str| part.headers.iter().any(|(own, _)| own == name);
        if field.headers.iter().any(|header| header.required && !has(&header.name)) {
            return Err("part_header");
        }
        match (field.kind, part.file_name) {
            // Some services take what has a file name for a file and nothing else.
            (Kind::Text(_), Some(_)) | (Kind::File, None) => Err("file_name"),
            (Kind::Text(_), None) | (Kind::File, Some(_)) | (Kind::Json, _) => Ok(()),
        }
    }

    fn content(&mut self, field: &Field, part: &Part<'_>) -> Result<(), Rule> {
        let stated = part.content_type.map(media::parse).transpose()?;
        if let Some(text) = part.content_type.filter(|text| text.contains(';')) {
            self.found.text(self.place.clone(), text, false);
        }
        let essence = stated.as_ref().map(|stated| stated.essence.as_str());
        // A part within a part is read by some services, and by others not.
        if essence.is_some_and(|e| e.starts_with("multipart/") || e.starts_with("message/")) {
            return Err("nested_multipart");
        }
        match field.kind {
            Kind::Text(types) => {
                field.takes(essence.unwrap_or("text/plain"), &["text/plain"])?;
                let text = form::text_of(part.content)?;
                if text.contains('\0') {
                    return Err("nul");
                }
                if text.len() > self.limits.string_bytes_max {
                    return Err("string_bytes_max");
                }
                push_text(text, types, self.limits, self.tape);
            }
            Kind::Json => {
                if let Some(essence) = essence
                    && !media::is_json(essence)
                {
                    return Err("contentType");
                }
                push_json(form::text_of(part.content)?, self.limits, self.tape)?;
            }
            Kind::File => {
                // RFC 7578 4.4: a part that says nothing is text.
                let own = essence.unwrap_or("text/plain");
                field.takes(own, &["*/*"])?;
                if let Some(essence) = essence
                    && let Some(rule) = misfit(essence, part.content)
                {
                    return Err(rule);
                }
                self.tape.push(Entry::octets(part.content.len()));
            }
        }
        Ok(())
    }
}

impl Field {
    /// Whether the part may have this media type. A range takes no SVG: it is a document that runs script, not a picture.
    fn takes(&self, essence: &str, otherwise: &[&str]) -> Result<(), Rule> {
        let fits = |name: &str| {
            let by_range = name.contains('*') && !otherwise.contains(&name);
            media::is_within(essence, name) && !(by_range && essence == "image/svg+xml")
        };
        let fits = match self.media.as_slice() {
            [] => otherwise.iter().any(|name| fits(name)),
            media => media.iter().any(|name| fits(name)),
        };
        if fits { Ok(()) } else { Err("contentType") }
    }
}

#[cfg(test)]
mod tests;

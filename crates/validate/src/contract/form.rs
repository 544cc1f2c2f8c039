//! Bodies of `application/x-www-form-urlencoded`, read as strictly as a query and written anew from what was read, so
//! that no second reader finds other fields in them. It knows no request.

use bytes::Bytes;

use super::Findings;
use super::body::Taken;
use super::query::{self, Pair};
use super::wire::{Rule, Wire, push_text};
use crate::json::Tape;
use crate::limits::Limits;
use crate::schema::{Members, Schema, push};
use crate::violation::Place;

/// A declared form.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) schema: Schema,
    /// How each declared field is written.
    pub(crate) fields: Vec<Field>,
    /// What the others are, where the schema is open to them.
    pub(crate) members: Members,
}

/// One field of a form.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) wire: Wire,
}

impl Field {
    fn place(&self) -> Place {
        let mut pointer = String::new();
        push(&mut pointer, &self.name);
        Place::Body { pointer }
    }
}

/// The text of a body: UTF-8 without a byte order mark.
pub(crate) fn text(body: &Bytes) -> Result<&str, Rule> {
    text_of(body)
}

/// The same of a part of one.
pub(crate) fn text_of(body: &[u8]) -> Result<&str, Rule> {
    if body.starts_with(b"\xEF\xBB\xBF") {
        return Err("byte_order_mark");
    }
    std::str::from_utf8(body).map_err(|_| "utf8")
}

impl Form {
    /// Reads a body into one object and holds it against the schema.
    pub(crate) fn read(&self, body: &Bytes, limits: &Limits, found: &mut Findings) -> Taken {
        let pairs = text(body).and_then(|text| query::fields(text, limits));
        let pairs = match pairs {
            Ok(pairs) => pairs,
            Err(rule) => {
                found.refuse(Place::body(), rule);
                found.unread(Place::body(), &String::from_utf8_lossy(body));
                return Taken::default();
            }
        };
        let owners: Vec<Option<&Field>> = pairs.iter().map(|pair| self.owner(&pair.name)).collect();
        let before = found.violations.len();
        let tape = self.values(&pairs, &owners, limits, found);
        if found.violations.len() > before {
            found.unread(Place::body(), &String::from_utf8_lossy(body));
            return Taken::default();
        }
        self.schema.check_body(tape.view("").root(), &mut found.violations);
        let mut written = String::with_capacity(body.len());
        for (pair, owner) in pairs.iter().zip(owners) {
            let text = match owner {
                Some(field) => field.wire.rewritten(pair.raw, limits),
                None => Wire::text().rewritten(pair.raw, limits),
            };
            query::append(&mut written, &pair.name, &text);
        }
        Taken { tape: Some(tape), written: Some(written.into_bytes()) }
    }

    fn owner(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.wire.owns(&field.name, name))
    }

    /// The object of all fields; a field that cannot be read is a violation of its own.
    fn values(
        &self,
        pairs: &[Pair<'_>],
        owners: &[Option<&Field>],
        limits: &Limits,
        found: &mut Findings,
    ) -> Tape {
        let mut tape = Tape::default();
        let (at, mut count) = (tape.open(), 0);
        for field in &self.fields {
            let is_own =
                |owner: &Option<&Field>| owner.is_some_and(|owner| std::ptr::eq(owner, field));
            let own: Vec<&Pair<'_>> =
                pairs.iter().zip(owners).filter(|(_, owner)| is_own(owner)).map(|p| p.0).collect();
            let Some(read) = field.wire.read_pairs(&field.name, &own, limits) else { continue };
            tape.own_text(&field.name);
            count += 1;
            if let Err(rule) = read.and_then(|read| field.wire.push(&read, limits, &mut tape)) {
                found.refuse(field.place(), rule);
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for (pair, _) in pairs.iter().zip(owners).filter(|(_, owner)| owner.is_none()) {
            if seen.contains(&pair.name.as_str()) {
                found.refuse(Place::body(), "repeated");
            }
            seen.push(&pair.name);
            let text = query::form_decoded(pair.raw, limits);
            let text = text.unwrap_or_else(|rule| {
                found.refuse(Place::body(), rule);
                String::new()
            });
            tape.own_text(&pair.name);
            push_text(&text, self.members.of(&pair.name).types, limits, &mut tape);
            count += 1;
        }
        if !tape.close_object(at, count, "") {
            found.refuse(Place::body(), "repeated");
        }
        tape
    }
}

/// A query that nobody declared, written anew; its names and values are texts.
pub(crate) fn read_open(
    raw: &str,
    place: &Place,
    limits: &Limits,
    found: &mut Findings,
) -> Result<String, Rule> {
    write_anew(query::pairs(raw, limits)?, place, limits, found)
}

/// The same for a body.
pub(crate) fn read_open_body(
    raw: &str,
    place: &Place,
    limits: &Limits,
    found: &mut Findings,
) -> Result<String, Rule> {
    write_anew(query::fields(raw, limits)?, place, limits, found)
}

fn write_anew(
    pairs: Vec<Pair<'_>>,
    place: &Place,
    limits: &Limits,
    found: &mut Findings,
) -> Result<String, Rule> {
    let mut written = String::new();
    for pair in pairs {
        let value = query::form_decoded(pair.raw, limits)?;
        query::append(&mut written, &pair.name, &query::encoded(&value));
        found.text(place.clone(), &pair.name, true);
        found.text(place.clone(), &value, false);
    }
    Ok(written)
}

//! How the body of a request is read: planned by what the head says of it, then read by that plan. It knows neither
//! parameters nor answers.

use bytes::Bytes;

use super::coding::Coding;
use super::media::{self, BodyKind, ContentType};
use super::{Contract, Findings, RequestView, form};
use crate::json::{self, Entry, Tape, View};
use crate::limits::Limits;
use crate::schema::Schema;
use crate::violation::{Place, Violation};

const FORM: &str = "application/x-www-form-urlencoded";

/// How a body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    Nothing,
    /// By the declared media type of this index, as this content type.
    Media(usize, ContentType),
    /// Strict JSON without a schema.
    Json,
    Form,
    Opaque,
    /// Its head was refused, and the refusal is only observed.
    Unreadable,
}

/// What reading a body gives.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Its values.
    pub(crate) tape: Option<Tape>,
    /// The body written anew, where that is what goes inside.
    pub(crate) written: Option<Vec<u8>>,
}

impl Contract {
    /// How the body will be read, and what it must be decoded by before, from what the head says of it.
    pub(super) fn body_plan(
        &self,
        request: &RequestView<'_>,
        out: &mut Vec<Violation>,
    ) -> (Plan, Option<Coding>) {
        let mut refuse = |place: Place, rule: &'static str| {
            out.push(Violation::new(place, rule));
            (Plan::Unreadable, None)
        };
        let declared = self.declared.as_ref();
        let body = declared.and_then(|declared| declared.body.as_ref());
        if !request.has_body {
            return match body {
                Some(body) if body.required => refuse(Place::body(), "required"),
                _ => (Plan::Nothing, None),
            };
        }
        if declared.is_some() && body.is_none() {
            return refuse(Place::body(), "undeclared");
        }
        let content = match media::content_type(request.headers) {
            Ok(content) => content,
            Err(rule) => return refuse(Place::ContentType, rule),
        };
        let coding = Coding::of(request.headers, self.handling.codings);
        let Some(body) = body else {
            let plan = open_plan(content.as_ref());
            return match coding {
                Ok(coding) => (plan, coding),
                // What nobody reads may be coded as it likes.
                Err(_) if plan == Plan::Opaque => (plan, None),
                Err(rule) => refuse(Place::ContentType, rule),
            };
        };
        let coding = match coding {
            Ok(coding) => coding,
            Err(rule) => return refuse(Place::ContentType, rule),
        };
        let Some(content) = content else { return refuse(Place::ContentType, "required") };
        match body.find(&content.essence) {
            Some(index) => (Plan::Media(index, content), coding),
            None => refuse(Place::ContentType, "undeclared"),
        }
    }

    /// Reads a body by its plan.
    pub(super) fn read_body(&self, plan: &Plan, body: &Bytes, found: &mut Findings) -> Taken {
        match plan {
            Plan::Nothing if body.is_empty() => {}
            Plan::Nothing => {
                found.refuse(Place::body(), "undeclared");
                found.unread(Place::body(), &String::from_utf8_lossy(body));
            }
            Plan::Media(_, content) => {
                if let Some(kind) = self.media(plan) {
                    let mut taken = kind.read(content, body, &self.limits, found);
                    if self.handling.rewrites_json && matches!(kind, BodyKind::Json(_)) {
                        taken.written = written_anew(&taken, body);
                    }
                    return taken;
                }
            }
            Plan::Json => return read_json(None, body, &self.limits, found),
            Plan::Form => return read_form(body, &self.limits, found),
            Plan::Opaque => {}
            Plan::Unreadable => found.unread(Place::body(), &String::from_utf8_lossy(body)),
        }
        Taken::default()
    }

    pub(super) fn media(&self, plan: &Plan) -> Option<&BodyKind> {
        let Plan::Media(index, _) = plan else { return None };
        let body = self.declared.as_ref()?.body.as_ref()?;
        body.media.get(*index).map(|media| &media.kind)
    }
}

/// Of an API without a document.
fn open_plan(content: Option<&ContentType>) -> Plan {
    match content.map(|content| content.essence.as_str()) {
        Some(essence) if media::is_json(essence) => Plan::Json,
        Some(FORM) => Plan::Form,
        Some(_) | None => Plan::Opaque,
    }
}

impl BodyKind {
    fn read(
        &self,
        content: &ContentType,
        body: &Bytes,
        limits: &Limits,
        found: &mut Findings,
    ) -> Taken {
        match self {
            Self::Json(schema) => return read_json(Some(schema), body, limits, found),
            Self::Text(schema) => read_text(schema.as_ref(), body, limits, found),
            Self::Form(form) => return form.read(body, limits, found),
            Self::Multipart(multipart) => return multipart.read(content, body, limits, found),
            Self::Xml(xml) => return xml.read(body, limits, found),
            Self::Octets(octets) => octets.check(&content.essence, body, found),
        }
        Taken::default()
    }
}

fn read_json(
    schema: Option<&Schema>,
    body: &Bytes,
    limits: &Limits,
    found: &mut Findings,
) -> Taken {
    match json::read(body, limits) {
        Ok((tape, text)) => {
            if let Some(schema) = schema {
                schema.check_body(tape.view(text).root(), &mut found.violations);
            }
            Taken { tape: Some(tape), written: None }
        }
        Err(error) => {
            found.refuse(Place::body(), error.rule());
            found.unread(Place::body(), &String::from_utf8_lossy(body));
            Taken::default()
        }
    }
}

/// A body of JSON from the values that were checked: whatever reads it, reads those.
fn written_anew(taken: &Taken, body: &Bytes) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    taken.tape.as_ref().map(|tape| tape.view(text).root().written().into_bytes())
}

/// A form of an API without a document.
fn read_form(body: &Bytes, limits: &Limits, found: &mut Findings) -> Taken {
    let place = Place::body();
    let read = form::text(body).and_then(|text| form::read_open_body(text, &place, limits, found));
    match read {
        Ok(written) => Taken { tape: None, written: Some(written.into_bytes()) },
        Err(rule) => {
            found.refuse(place.clone(), rule);
            found.unread(place, &String::from_utf8_lossy(body));
            Taken::default()
        }
    }
}

fn read_text(schema: Option<&Schema>, body: &Bytes, limits: &Limits, found: &mut Findings) {
    let text = match form::text(body) {
        Ok(text) => text,
        Err(rule) => {
            found.unread(Place::body(), &String::from_utf8_lossy(body));
            return found.refuse(Place::body(), rule);
        }
    };
    if text.contains('\0') {
        found.refuse(Place::body(), "nul");
    }
    // A schema that says how long a text may be is believed.
    let bounded = schema.is_some_and(Schema::bounds_length);
    if !bounded && text.len() > limits.string_bytes_max {
        found.refuse(Place::body(), "string_bytes_max");
    }
    if let Some(schema) = schema {
        let entry = [Entry::whole(text)];
        schema.check_body(View::of_one(&entry, text).root(), &mut found.violations);
    }
    found.text(Place::body(), text, false);
}

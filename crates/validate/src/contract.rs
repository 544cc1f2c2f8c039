//! What one operation takes, and the two steps of holding a request against it: parameters and
//! content type first, the body then. It knows no route and reads no socket.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::document::parameter::Parameter;
use crate::json::{self, Entry, Tape, View};
use crate::limits::Limits;
use crate::schema::{Schema, Take, free_texts};
use crate::violation::{ParameterIn, Place, VIOLATIONS_MAX, Violation};

pub(crate) mod media;
mod parameters;
mod query;

#[cfg(test)]
mod tests;

use media::{BodyKind, DeclaredBody};

/// What a stage does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Refuse it.
    #[default]
    Enforce,
    /// Report it and let it pass; sizes are still enforced.
    Observe,
    /// Say nothing; sizes are still enforced.
    Off,
}

/// The parts of a request that stand before its body.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'r> {
    /// Names of the template with their values as sent, still percent-encoded.
    pub path_parameters: &'r [(&'r str, &'r str)],
    /// The query without `?`.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// Whether the framing announces a body that may not be empty.
    pub has_body: bool,
}

/// What an operation declares.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<DeclaredBody>,
}

/// What requests of one operation must fit.
#[derive(Debug)]
pub struct Contract {
    /// `None`: an API without a document.
    declared: Option<Declared>,
    limits: Limits,
}

/// A text for the filter that stands in no body of JSON, and where it was found.
#[derive(Debug)]
struct FreeText {
    place: Place,
    text: String,
    /// A name that the document does not have, rather than a value.
    is_name: bool,
}

/// What one reading has found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<Violation>,
    texts: Vec<FreeText>,
}

impl Findings {
    fn text(&mut self, place: Place, text: &str, is_name: bool) {
        if !text.is_empty() {
            self.texts.push(FreeText { place, text: text.to_owned(), is_name });
        }
    }

    /// Something that could not be read is one text for the filter, as it came.
    fn unread(&mut self, place: Place, text: &str) {
        self.text(place, text, false);
    }
}

impl Contract {
    pub(crate) fn declared(declared: Declared, limits: Limits) -> Self {
        Self { declared: Some(declared), limits }
    }

    /// For an API without a document: the query is read strictly, JSON too; other bodies are
    /// opaque up to the limit.
    #[must_use]
    pub fn prefix(limits: Limits) -> Self {
        Self { declared: None, limits }
    }

    /// Bytes of the largest body that is taken.
    #[must_use]
    pub fn body_bytes_max(&self) -> usize {
        self.limits.body_bytes_max
    }

    /// Checks all that stands before the body.
    ///
    /// # Errors
    /// At least one violation; only with [`Mode::Enforce`].
    pub fn open(
        self: &Arc<Self>,
        request: &RequestView<'_>,
        mode: Mode,
    ) -> Result<Opened, Vec<Violation>> {
        let mut found = Findings::default();
        let written = match &self.declared {
            Some(declared) => {
                parameters::check(&declared.parameters, request, &self.limits, &mut found)
            }
            None => self.open_query(request, &mut found),
        };
        let whole = found.violations.is_empty();
        let body = self.body_plan(request, &mut found.violations);
        if mode == Mode::Enforce && !found.violations.is_empty() {
            found.violations.truncate(VIOLATIONS_MAX);
            return Err(found.violations);
        }
        // A query that breaks the contract and may pass is passed as it came.
        let query = if whole { written } else { request.query.map(str::to_owned) };
        Ok(Opened { contract: Arc::clone(self), mode, query, body, found })
    }

    /// Path parameters have no names here that anybody declared; the query is read pair by pair.
    fn open_query(&self, request: &RequestView<'_>, found: &mut Findings) -> Option<String> {
        for (_, raw) in request.path_parameters {
            let place = Place::undeclared(ParameterIn::Path);
            match query::decoded(raw, &self.limits) {
                Ok(text) => found.text(place, &text, false),
                Err(rule) => {
                    found.unread(place.clone(), raw);
                    found.violations.push(Violation::new(place, rule));
                }
            }
        }
        let raw = request.query?;
        let place = Place::undeclared(ParameterIn::Query);
        let written = self.form(raw, &place, found);
        if let Err(rule) = written {
            found.violations.push(Violation::new(place.clone(), rule));
            found.unread(place, raw);
        }
        written.ok()
    }

    fn form(&self, raw: &str, place: &Place, found: &mut Findings) -> Result<String, &'static str> {
        let mut written = String::new();
        for pair in query::pairs(raw, &self.limits)? {
            let value = query::form_decoded(pair.raw, &self.limits)?;
            query::append(&mut written, &pair.name, &query::encoded(&value));
            found.text(place.clone(), &pair.name, true);
            found.text(place.clone(), &value, false);
        }
        Ok(written)
    }

    /// How the body will be read, by what the head says of it.
    fn body_plan(&self, request: &RequestView<'_>, out: &mut Vec<Violation>) -> Plan {
        let mut refuse = |place: Place, rule: &'static str| {
            out.push(Violation::new(place, rule));
            Plan::Unreadable
        };
        let declared = self.declared.as_ref();
        let body = declared.and_then(|declared| declared.body.as_ref());
        if !request.has_body {
            return match body {
                Some(body) if body.required => refuse(Place::body(), "required"),
                _ => Plan::Nothing,
            };
        }
        if declared.is_some() && body.is_none() {
            return refuse(Place::body(), "undeclared");
        }
        let essence = match media::content_type(request.headers) {
            Ok(essence) => essence,
            Err(rule) => return refuse(Place::ContentType, rule),
        };
        let identity = media::is_identity(request.headers);
        let Some(body) = body else {
            return match essence.as_deref() {
                Some(essence) if media::is_json(essence) && identity => Plan::Json,
                Some(essence) if media::is_json(essence) => {
                    refuse(Place::ContentType, "content_encoding")
                }
                Some("application/x-www-form-urlencoded") if identity => Plan::Form,
                _ => Plan::Opaque,
            };
        };
        if !identity {
            return refuse(Place::ContentType, "content_encoding");
        }
        let Some(essence) = essence else { return refuse(Place::ContentType, "required") };
        match body.find(&essence) {
            Some(index) => Plan::Media(index),
            None => refuse(Place::ContentType, "undeclared"),
        }
    }
}

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Nothing,
    /// By the declared media type of this index.
    Media(usize),
    /// Strict JSON without a schema.
    Json,
    Form,
    Opaque,
    /// Its head was refused, and the refusal is only observed.
    Unreadable,
}

/// A request whose head fits; its body is still to be read.
#[derive(Debug)]
pub struct Opened {
    contract: Arc<Contract>,
    mode: Mode,
    query: Option<String>,
    body: Plan,
    found: Findings,
}

impl Opened {
    /// Bytes to read at most; one more is answered 413.
    #[must_use]
    pub fn body_bytes_max(&self) -> usize {
        self.contract.body_bytes_max()
    }

    /// Leaves the body unread: nothing vouches for what it holds. Its media type was held against the contract.
    #[must_use]
    pub fn unread(self) -> Payload {
        let mut observed = self.found.violations;
        observed.truncate(VIOLATIONS_MAX);
        if self.mode == Mode::Off {
            observed.clear();
        }
        let (query, texts) = (self.query, self.found.texts);
        Payload { query, body: Bytes::new(), observed, texts, read: None }
    }

    /// Checks the whole body.
    ///
    /// # Errors
    /// At least one violation; with other modes than [`Mode::Enforce`] only of the size.
    pub fn finish(mut self, body: Bytes) -> Result<Payload, Vec<Violation>> {
        if body.len() > self.body_bytes_max() {
            return Err(vec![Violation::new(Place::Size, "body_bytes_max")]);
        }
        let tape = self.contract.read_body(self.body, &body, &mut self.found);
        let mut violations = self.found.violations;
        violations.truncate(VIOLATIONS_MAX);
        match self.mode {
            Mode::Enforce if !violations.is_empty() => return Err(violations),
            Mode::Enforce | Mode::Observe => {}
            Mode::Off => violations.clear(),
        }
        let read = tape.map(|tape| Read { tape, contract: self.contract, plan: self.body });
        let (query, texts) = (self.query, self.found.texts);
        Ok(Payload { query, body, observed: violations, texts, read })
    }
}

impl Contract {
    /// Reads a body by its plan; one of JSON gives the tape that its texts are read from.
    fn read_body(&self, plan: Plan, body: &Bytes, found: &mut Findings) -> Option<Tape> {
        match plan {
            Plan::Nothing if body.is_empty() => {}
            Plan::Nothing => {
                found.violations.push(Violation::new(Place::body(), "undeclared"));
                found.unread(Place::body(), &String::from_utf8_lossy(body));
            }
            Plan::Media(_) => match self.media(plan) {
                Some(BodyKind::Json(schema)) => return self.read_json(Some(schema), body, found),
                Some(BodyKind::Text(schema)) => read_text(schema.as_ref(), body, found),
                Some(BodyKind::Octets) | None => {}
            },
            Plan::Json => return self.read_json(None, body, found),
            Plan::Form => {
                let read = std::str::from_utf8(body)
                    .map_err(|_| "utf8")
                    .and_then(|text| self.form(text, &Place::body(), found));
                if let Err(rule) = read {
                    found.violations.push(Violation::new(Place::body(), rule));
                    found.unread(Place::body(), &String::from_utf8_lossy(body));
                }
            }
            Plan::Opaque => {}
            Plan::Unreadable => found.unread(Place::body(), &String::from_utf8_lossy(body)),
        }
        None
    }

    fn media(&self, plan: Plan) -> Option<&BodyKind> {
        let Plan::Media(index) = plan else { return None };
        let body = self.declared.as_ref()?.body.as_ref()?;
        body.media.get(index).map(|media| &media.kind)
    }

    fn read_json(
        &self,
        schema: Option<&Schema>,
        body: &Bytes,
        found: &mut Findings,
    ) -> Option<Tape> {
        match json::read(body, &self.limits) {
            Ok((tape, text)) => {
                if let Some(schema) = schema {
                    schema.check_body(tape.view(text).root(), &mut found.violations);
                }
                Some(tape)
            }
            Err(error) => {
                found.violations.push(Violation::new(Place::body(), error.rule()));
                found.unread(Place::body(), &String::from_utf8_lossy(body));
                None
            }
        }
    }
}

fn read_text(schema: Option<&Schema>, body: &Bytes, found: &mut Findings) {
    let Ok(text) = std::str::from_utf8(body) else {
        found.unread(Place::body(), &String::from_utf8_lossy(body));
        return found.violations.push(Violation::new(Place::body(), "utf8"));
    };
    if text.contains('\0') {
        found.violations.push(Violation::new(Place::body(), "nul"));
    }
    if let Some(schema) = schema {
        let entry = [Entry::whole(text)];
        schema.check_body(View::of_one(&entry, text).root(), &mut found.violations);
    }
    found.text(Place::body(), text, false);
}

/// A body of JSON as it was read.
#[derive(Debug)]
struct Read {
    tape: Tape,
    contract: Arc<Contract>,
    plan: Plan,
}

impl Read {
    fn each_text(&self, body: &Bytes, take: Take<'_>) -> Option<(&'static str, Place)> {
        // It was read as UTF-8 before.
        let text = std::str::from_utf8(body).ok()?;
        let schema = match self.contract.media(self.plan) {
            Some(BodyKind::Json(schema)) => Some(schema),
            Some(BodyKind::Text(_) | BodyKind::Octets) | None => None,
        };
        let view = self.tape.view(text);
        let hit = free_texts(schema, view.root(), take)?;
        Some((hit.rule, Place::Body { pointer: hit.pointer() }))
    }
}

/// Proof that a request fits its contract, or that somebody chose only to observe; with the very
/// bytes that were checked.
#[derive(Debug)]
pub struct Payload {
    query: Option<String>,
    body: Bytes,
    observed: Vec<Violation>,
    texts: Vec<FreeText>,
    read: Option<Read>,
}

impl Payload {
    /// The query written anew from the parsed parameters.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What was let pass by [`Mode::Observe`].
    #[must_use]
    pub fn observed(&self) -> &[Violation] {
        &self.observed
    }

    /// Hands over every free text; where one ends it, its rule and its place.
    pub(crate) fn each_text(&self, take: Take<'_>) -> Option<(&'static str, Place)> {
        for text in &self.texts {
            if let ControlFlow::Break(rule) = take(&text.text, text.is_name) {
                return Some((rule, text.place.clone()));
            }
        }
        self.read.as_ref()?.each_text(&self.body, take)
    }

    pub(crate) fn into_parts(self) -> (Option<String>, Bytes, Vec<Violation>) {
        (self.query, self.body, self.observed)
    }
}

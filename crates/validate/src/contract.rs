//! What one operation takes, and the two steps of holding a request against it: parameters and
//! content type first, the body then. It knows no route and reads no socket.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::document::parameter::Parameter;
use crate::json;
use crate::limits::Limits;
use crate::schema::push;
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

/// A text for the filter and where it was found.
#[derive(Debug)]
pub(crate) struct FreeText {
    pub(crate) place: Place,
    pub(crate) text: String,
    /// A name that the document does not have, rather than a value.
    pub(crate) is_name: bool,
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

    /// Checks the whole body.
    ///
    /// # Errors
    /// At least one violation; with other modes than [`Mode::Enforce`] only of the size.
    pub fn finish(mut self, body: Bytes) -> Result<Payload, Vec<Violation>> {
        if body.len() > self.body_bytes_max() {
            return Err(vec![Violation::new(Place::Size, "body_bytes_max")]);
        }
        let contract = Arc::clone(&self.contract);
        contract.read_body(self.body, &body, &mut self.found);
        let mut violations = self.found.violations;
        violations.truncate(VIOLATIONS_MAX);
        match self.mode {
            Mode::Enforce if !violations.is_empty() => return Err(violations),
            Mode::Enforce | Mode::Observe => {}
            Mode::Off => violations.clear(),
        }
        Ok(Payload { query: self.query, body, observed: violations, texts: self.found.texts })
    }
}

impl Contract {
    fn read_body(&self, plan: Plan, body: &Bytes, found: &mut Findings) {
        match plan {
            Plan::Nothing if body.is_empty() => {}
            Plan::Nothing => {
                found.violations.push(Violation::new(Place::body(), "undeclared"));
                found.unread(Place::body(), &String::from_utf8_lossy(body));
            }
            Plan::Media(index) => {
                let declared = self.declared.as_ref().and_then(|d| d.body.as_ref());
                match declared.and_then(|body| body.media.get(index)).map(|media| &media.kind) {
                    Some(BodyKind::Json(schema)) => self.read_json(Some(schema), body, found),
                    Some(BodyKind::Text(schema)) => self.read_text(schema.as_ref(), body, found),
                    Some(BodyKind::Octets) | None => {}
                }
            }
            Plan::Json => self.read_json(None, body, found),
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
    }

    fn read_json(
        &self,
        schema: Option<&crate::schema::Schema>,
        body: &Bytes,
        found: &mut Findings,
    ) {
        let value = match json::read(body, &self.limits) {
            Ok(value) => value,
            Err(error) => {
                found.violations.push(Violation::new(Place::body(), error.rule()));
                return found.unread(Place::body(), &String::from_utf8_lossy(body));
            }
        };
        match schema {
            Some(schema) => {
                schema.check_body(&value, &mut found.violations);
                schema.free_texts(&value, &mut |pointer, text, is_name| {
                    found.text(Place::Body { pointer }, text, is_name);
                });
            }
            None => all_texts(&value, &mut String::new(), found),
        }
    }

    fn read_text(
        &self,
        schema: Option<&crate::schema::Schema>,
        body: &Bytes,
        found: &mut Findings,
    ) {
        let Ok(text) = std::str::from_utf8(body) else {
            found.unread(Place::body(), &String::from_utf8_lossy(body));
            return found.violations.push(Violation::new(Place::body(), "utf8"));
        };
        if text.contains('\0') {
            found.violations.push(Violation::new(Place::body(), "nul"));
        }
        if let Some(schema) = schema {
            schema.check_body(&Value::String(text.to_owned()), &mut found.violations);
        }
        found.text(Place::body(), text, false);
    }
}

/// Every text of a value that no schema describes.
fn all_texts(value: &Value, pointer: &mut String, found: &mut Findings) {
    match value {
        Value::String(text) => found.text(Place::Body { pointer: pointer.clone() }, text, false),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let length = pointer.len();
                push(pointer, &index.to_string());
                all_texts(item, pointer, found);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let length = pointer.len();
                push(pointer, "*");
                found.text(Place::Body { pointer: pointer.clone() }, name, true);
                all_texts(member, pointer, found);
                pointer.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Proof that a request fits its contract, or that somebody chose only to observe; with the very
/// bytes that were checked.
#[derive(Debug)]
pub struct Payload {
    query: Option<String>,
    body: Bytes,
    observed: Vec<Violation>,
    pub(crate) texts: Vec<FreeText>,
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

    pub(crate) fn into_parts(self) -> (Option<String>, Bytes, Vec<Violation>) {
        (self.query, self.body, self.observed)
    }
}

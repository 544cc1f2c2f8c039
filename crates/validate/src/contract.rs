//! What one operation takes, and the two steps of holding a request against it: parameters and
//! content type first, the body then. It knows no route and reads no socket.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::document::parameter::Parameter;
use crate::limits::Limits;
use crate::violation::{ParameterIn, Place, VIOLATIONS_MAX, Violation};

pub(crate) mod answer;
mod body;
mod bounds;
pub(crate) mod coding;
mod cookies;
mod findings;
pub(crate) mod form;
pub(crate) mod handling;
pub(crate) mod media;
pub(crate) mod multipart;
pub(crate) mod octets;
mod parameters;
mod payload;
pub(crate) mod query;
pub(crate) mod wire;
pub(crate) mod xml;

#[cfg(test)]
mod tests;

use answer::Answers;
pub use answer::{AnswerPlan, AnswerSchema};
use body::Plan;
pub use bounds::Unbounded;
use coding::Coding;
pub(crate) use findings::Findings;
pub use handling::{Codings, Handling, Undeclared};
use media::{BodyKind, DeclaredBody};
use parameters::{Rules, Written};
pub use payload::Payload;
use wire::Style;

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
    /// Where answers are looked at.
    pub(crate) answers: Option<Answers>,
}

/// What requests of one operation must fit.
#[derive(Debug)]
pub struct Contract {
    /// `None`: an API without a document.
    declared: Option<Declared>,
    limits: Limits,
    handling: Handling,
}

impl Contract {
    pub(crate) fn declared(declared: Declared, limits: Limits, handling: Handling) -> Self {
        Self { declared: Some(declared), limits, handling }
    }

    /// For an API without a document: the query is read strictly, JSON too; other bodies are
    /// opaque up to the limit.
    #[must_use]
    pub fn prefix(limits: Limits) -> Self {
        Self { declared: None, limits, handling: Handling::default() }
    }

    /// Bytes of the largest body that is taken.
    #[must_use]
    pub fn body_bytes_max(&self) -> usize {
        self.limits.body_bytes_max
    }

    /// Whether a path may hold `;`: a parameter of the operation is written so.
    #[must_use]
    pub fn takes_matrix(&self) -> bool {
        let parameters = self.declared.iter().flat_map(|declared| &declared.parameters);
        parameters.into_iter().any(|parameter| parameter.wire.style == Style::Matrix)
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
            Some(Declared { parameters, .. }) => {
                let (limits, handling) = (&self.limits, &self.handling);
                Rules { declared: parameters, limits, handling }.check(request, &mut found)
            }
            None => Written { query: self.open_query(request, &mut found), cookies: None },
        };
        let whole = found.violations.is_empty();
        let (body, coding) = self.body_plan(request, &mut found.violations);
        if mode == Mode::Enforce && !found.violations.is_empty() {
            found.violations.truncate(VIOLATIONS_MAX);
            return Err(found.violations);
        }
        let Written { query, cookies } = written;
        // A query that breaks the contract and may pass is passed as it came.
        let query = if whole { query } else { request.query.map(str::to_owned) };
        Ok(Opened { contract: Arc::clone(self), mode, query, cookies, body, coding, found })
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
        let written = form::read_open(raw, &place, &self.limits, found);
        if let Err(rule) = written {
            found.violations.push(Violation::new(place.clone(), rule));
            found.unread(place, raw);
        }
        written.ok()
    }
}

/// A request whose head fits; its body is still to be read.
#[derive(Debug)]
pub struct Opened {
    contract: Arc<Contract>,
    mode: Mode,
    query: Option<String>,
    cookies: Option<String>,
    body: Plan,
    coding: Option<Coding>,
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
        let (query, cookies, texts) = (self.query, self.cookies, self.found.texts);
        let (body, decoded, read) = (Bytes::new(), false, None);
        Payload { query, cookies, body, decoded, observed, texts, read }
    }

    /// Checks the whole body.
    ///
    /// # Errors
    /// At least one violation; with other modes than [`Mode::Enforce`] only of the size.
    pub fn finish(mut self, body: Bytes) -> Result<Payload, Vec<Violation>> {
        let size = |rule| vec![Violation::new(Place::Size, rule)];
        if body.len() > self.body_bytes_max() {
            return Err(size("body_bytes_max"));
        }
        let (mut body, mut decoded) = (body, false);
        match self.coding.map(|coding| coding.decode(&body, &self.contract.limits)) {
            None => {}
            Some(Ok(plain)) => (body, decoded) = (plain, true),
            Some(Err(coding::Undecoded::Size(rule))) => return Err(size(rule)),
            Some(Err(coding::Undecoded::Broken)) => {
                self.found.refuse(Place::body(), "content_encoding");
                self.body = Plan::Unreadable;
            }
        }
        let before = self.found.violations.len();
        let body::Taken { tape, written } =
            self.contract.read_body(&self.body, &body, &mut self.found);
        let mut violations = self.found.violations;
        // What breaks the contract and may pass is passed as it came.
        let fits = violations.len() == before;
        let written = written.filter(|_| fits);
        violations.truncate(VIOLATIONS_MAX);
        match self.mode {
            Mode::Enforce if !violations.is_empty() => return Err(violations),
            Mode::Enforce | Mode::Observe => {}
            Mode::Off => violations.clear(),
        }
        let (contract, plan) = (self.contract, self.body);
        let read =
            tape.map(|tape| payload::Read { tape, contract, plan, source: body.clone(), fits });
        let body = written.map_or(body, Bytes::from);
        let (query, cookies, texts) = (self.query, self.cookies, self.found.texts);
        Ok(Payload { query, cookies, body, decoded, observed: violations, texts, read })
    }
}

//! The proof that a request was held against its contract, with what goes inside. It judges nothing.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, COOKIE};
use http::{HeaderMap, HeaderValue};

use super::body::Plan;
use super::findings::FreeText;
use super::{BodyKind, Contract};
use crate::json::Tape;
use crate::schema::{Take, free_texts};
use crate::violation::{Place, Violation};

/// A body that was read into values.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) tape: Tape,
    pub(crate) contract: Arc<Contract>,
    pub(crate) plan: Plan,
    /// The bytes whose ranges the tape holds; those that go inside may be written anew.
    pub(crate) source: Bytes,
    /// Whether they fit their schema; what does not may pass where that is only observed.
    pub(crate) fits: bool,
}

impl Read {
    fn each_text(&self, take: Take<'_>) -> Option<(&'static str, Place)> {
        // A body of JSON was read as UTF-8 before; of any other the tape holds all texts itself.
        let text = std::str::from_utf8(&self.source).unwrap_or_default();
        let schema = self.contract.media(&self.plan).and_then(BodyKind::schema);
        let view = self.tape.view(text);
        let hit = free_texts(schema, view.root(), self.fits, take)?;
        Some((hit.rule, Place::Body { pointer: hit.pointer() }))
    }
}

/// Proof that a request fits its contract, or that somebody chose only to observe; with the very
/// bytes that were checked.
#[derive(Debug)]
pub struct Payload {
    pub(super) query: Option<String>,
    pub(super) cookies: Option<String>,
    pub(super) body: Bytes,
    pub(super) decoded: bool,
    pub(super) observed: Vec<Violation>,
    pub(super) texts: Vec<FreeText>,
    pub(super) read: Option<Read>,
}

impl Payload {
    /// The query written anew from the parsed parameters.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The body as it goes inside: as it came, decoded where it came compressed, a form written anew.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What was let pass by [`super::Mode::Observe`].
    #[must_use]
    pub fn observed(&self) -> &[Violation] {
        &self.observed
    }

    /// Sets the fields that must say the same as what was checked: the cookies that go inside, and no coding where the
    /// body was decoded.
    pub fn amend(&self, headers: &mut HeaderMap) {
        if let Some(cookies) = &self.cookies {
            headers.remove(COOKIE);
            // They are pieces of a field that was one.
            if let Ok(value) = HeaderValue::from_str(cookies)
                && !cookies.is_empty()
            {
                headers.insert(COOKIE, value);
            }
        }
        if self.decoded {
            headers.remove(CONTENT_ENCODING);
        }
    }

    /// Hands over every free text; where one ends it, its rule and its place.
    pub(crate) fn each_text(&self, take: Take<'_>) -> Option<(&'static str, Place)> {
        for text in &self.texts {
            if let ControlFlow::Break(rule) = take(&text.text, text.is_name) {
                return Some((rule, text.place.clone()));
            }
        }
        self.read.as_ref()?.each_text(take)
    }

    /// Whether the body came compressed.
    pub(crate) fn is_decoded(&self) -> bool {
        self.decoded
    }

    pub(crate) fn into_parts(self) -> (Option<String>, Bytes, Vec<Violation>) {
        (self.query, self.body, self.observed)
    }
}

//! What a service answers, held against what its operation declares: status and media type first, then the JSON of the
//! body. It knows no requests.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::Contract;
use super::media;
use crate::json;
use crate::schema::{Kept, Schema};
use crate::violation::{Place, Violation};

/// The answers of one operation.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The most exact first.
    pub(crate) declared: Vec<Declared>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) status: Status,
    pub(crate) media: Vec<Content>,
}

/// Which statuses; the more exact comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Exact(u16),
    Class(u16),
    Any,
}

/// One media type of an answer.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) schema: Option<Schema>,
    /// Where what it does not name is dropped.
    pub(crate) kept: Option<Kept>,
}

/// What of an answer is still to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerPlan {
    /// Nothing: it passes as it comes.
    Passes,
    /// Its body is JSON, to be read whole and handed to [`Contract::check_answer`].
    Whole(AnswerSchema),
}

/// Which schema a body is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerSchema {
    answer: usize,
    content: usize,
}

impl Contract {
    /// Bytes of the largest answer that is read whole.
    #[must_use]
    pub fn answer_bytes_max(&self) -> usize {
        self.limits.body_bytes_max
    }

    /// Holds the head of an answer against the document; `empty`: it has no body.
    ///
    /// # Errors
    /// The status or the media type that is not declared.
    pub fn open_answer(
        &self,
        status: u16,
        headers: &HeaderMap,
        empty: bool,
    ) -> Result<AnswerPlan, Violation> {
        let declared = self.declared.as_ref().and_then(|declared| declared.answers.as_ref());
        let Some(answers) = declared else { return Ok(AnswerPlan::Passes) };
        let fits = |one: &Declared| match one.status {
            Status::Exact(code) => code == status,
            Status::Class(class) => status / 100 == class,
            Status::Any => true,
        };
        let Some(answer) = answers.declared.iter().position(fits) else {
            return Err(Violation::new(Place::body(), "status"));
        };
        // A service says 304 where the client asks whether anything has changed (RFC 9110 15.4.5).
        let media =
            answers.declared.get(answer).map(|one| one.media.as_slice()).unwrap_or_default();
        if empty {
            return Ok(AnswerPlan::Passes);
        }
        let refuse = |rule| Err(Violation::new(Place::ContentType, rule));
        let mut fields = headers.get_all(CONTENT_TYPE).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return refuse("required") };
        let Ok(text) = field.to_str() else { return refuse("malformed") };
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let content = media.iter().position(|one| media::is_within(&essence, &one.name));
        let Some(content) = content else { return refuse("undeclared") };
        let has_schema = media.get(content).is_some_and(|one| one.schema.is_some());
        if !has_schema || !media::is_json(&essence) {
            return Ok(AnswerPlan::Passes);
        }
        // Nobody was asked for a coding, and what is coded is not read.
        if headers.contains_key(CONTENT_ENCODING) {
            return refuse("content_encoding");
        }
        Ok(AnswerPlan::Whole(AnswerSchema { answer, content }))
    }

    /// Whether members are dropped from answers of this operation, so that an answer which cannot be read may not pass.
    #[must_use]
    pub fn drops_members(&self) -> bool {
        let declared = self.declared.as_ref().and_then(|declared| declared.answers.as_ref());
        let mut all = declared.into_iter().flat_map(|answers| &answers.declared);
        all.any(|answer| answer.media.iter().any(|content| content.kept.is_some()))
    }

    /// The whole body of an answer without the members that its schema does not name, and how many those were; `None`:
    /// it has none, or none are dropped.
    ///
    /// # Errors
    /// It is not JSON that can be read within the limits.
    pub fn drop_members(
        &self,
        at: AnswerSchema,
        body: &[u8],
    ) -> Result<Option<(String, usize)>, Violation> {
        let Some(kept) = self.content(at).and_then(|content| content.kept.as_ref()) else {
            return Ok(None);
        };
        match json::read(body, &self.limits) {
            Ok((_, text)) => Ok(kept.cut(text).map(|left| (left.text, left.dropped))),
            Err(error) => Err(Violation::new(Place::body(), error.rule())),
        }
    }

    fn content(&self, at: AnswerSchema) -> Option<&Content> {
        let answers = self.declared.as_ref()?.answers.as_ref()?;
        answers.declared.get(at.answer)?.media.get(at.content)
    }

    /// Holds the whole body of an answer against its schema.
    ///
    /// # Errors
    /// At least one violation.
    pub fn check_answer(&self, at: AnswerSchema, body: &[u8]) -> Result<(), Vec<Violation>> {
        let Some(schema) = self.content(at).and_then(|content| content.schema.as_ref()) else {
            return Ok(());
        };
        match json::read(body, &self.limits) {
            Ok((tape, text)) => {
                let mut found = Vec::new();
                schema.check_body(tape.view(text).root(), &mut found);
                if found.is_empty() { Ok(()) } else { Err(found) }
            }
            Err(error) => Err(vec![Violation::new(Place::body(), error.rule())]),
        }
    }
}

#[cfg(test)]
mod tests;

//! An OpenAPI 3.0, 3.1 or 3.2 document as the operations it declares, each with its compiled contract.
//! What it cannot hold is a mistake at load, never skipped. It knows no routes and no requests.

use std::path::Path;
use std::sync::Arc;

use crate::contract::{Contract, Handling};
use crate::filter::Exception;
use crate::limits::Limits;

mod answers;
mod body;
mod filter;
mod library;
mod multipart;
mod newer;
mod operation;
pub(crate) mod parameter;
mod security;
mod tree;
mod wire;
mod xml;

#[cfg(test)]
mod tests;

pub(crate) use library::{Cursor, Library};
pub use security::{Requirement, Security};
pub(crate) use tree::Kind;

/// Mistakes, and notes, that are gathered for one document.
const REMARKS_MAX: usize = 1_000;

/// One thing wrong in a document, or worth knowing about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {what} (at {pointer})")]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// Line from 1; 0 where it is not known.
    pub line: u32,
    /// Column from 1; 0 where it is not known.
    pub column: u32,
    /// RFC 6901 pointer within the file.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Mistake {
    pub(crate) fn of_file(file: &str, what: String) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, pointer: String::new(), what }
    }
}

/// The dialect of the schema objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V30,
    V31,
    /// The schemas of 3.1, and more around them.
    V32,
}

impl Version {
    /// Whether a schema is JSON Schema 2020-12 as it stands.
    pub(crate) fn is_2020(self) -> bool {
        self != Self::V30
    }
}

/// What loading has found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) notes: Vec<Mistake>,
}

impl Report {
    pub(crate) fn push(&mut self, mistake: Mistake) {
        if self.mistakes.len() < REMARKS_MAX {
            self.mistakes.push(mistake);
        }
    }

    pub(crate) fn mistake(&mut self, at: &Cursor<'_>, what: impl Into<String>) {
        self.push(at.mistake(what));
    }

    pub(crate) fn note(&mut self, at: &Cursor<'_>, what: impl Into<String>) {
        let note = at.mistake(what);
        if self.notes.len() < REMARKS_MAX && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Members that the specification does not know are mistakes: a mistyped `security` is none.
    pub(crate) fn known_members(&mut self, at: &Cursor<'_>, known: &[&str]) {
        if at.node.as_map().is_none() {
            self.mistake(at, "must be a map");
        }
        for (name, child) in at.members() {
            if !known.contains(&name) && !name.starts_with("x-") {
                self.mistake(&child, format!("unknown member `{name}`"));
            }
        }
    }
}

/// One operation of a document.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`, else method and path such as `get /orders`.
    pub id: String,
    /// The method.
    pub method: http::Method,
    /// The path template after the base path of its first server.
    pub template: String,
    /// Who may call it, as the document says.
    pub security: Security,
    /// Names of declared header parameters, in lower case.
    pub declared_headers: Vec<String>,
    /// What the attack filter lets pass, by `x-filter`.
    pub exceptions: Vec<Exception>,
    /// What a request must fit.
    pub contract: Arc<Contract>,
}

/// A loaded document.
#[derive(Debug)]
pub struct Document {
    title: String,
    operations: Vec<Operation>,
    notes: Vec<Mistake>,
}

impl Document {
    /// Loads a document and the files it refers to, all within its folder.
    ///
    /// # Errors
    /// Every mistake found, at least one.
    pub fn load(path: &Path, limits: &Limits) -> Result<Self, Vec<Mistake>> {
        Self::load_for(path, limits, &Handling::default())
    }

    /// The same for requests that are handled in another way where the document leaves it open.
    ///
    /// # Errors
    /// Every mistake found, at least one.
    pub fn load_for(
        path: &Path,
        limits: &Limits,
        handling: &Handling,
    ) -> Result<Self, Vec<Mistake>> {
        let library = Library::load(path).map_err(|mistake| vec![mistake])?;
        Self::build(&library, limits, handling)
    }

    /// Reads a document of one file from memory; `name` is what mistakes call it.
    ///
    /// # Errors
    /// Every mistake found, at least one.
    pub fn parse(text: &str, name: &str, limits: &Limits) -> Result<Self, Vec<Mistake>> {
        let library = Library::parse(text, name).map_err(|mistake| vec![mistake])?;
        Self::build(&library, limits, &Handling::default())
    }

    /// The operations in the order of the document.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// `info.title`.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the document says that is not checked, or narrower than its author may expect.
    #[must_use]
    pub fn notes(&self) -> &[Mistake] {
        &self.notes
    }

    fn build(
        library: &Library,
        limits: &Limits,
        handling: &Handling,
    ) -> Result<Self, Vec<Mistake>> {
        let root = library.start().map_err(|mistake| vec![mistake])?;
        let mut report = Report::default();
        let Some(version) = version(&root, &mut report) else {
            return Err(report.mistakes);
        };
        const KNOWN: [&str; 11] = [
            "openapi",
            "$self",
            "info",
            "jsonSchemaDialect",
            "servers",
            "paths",
            "webhooks",
            "components",
            "security",
            "tags",
            "externalDocs",
        ];
        report.known_members(&root, &KNOWN);
        if let Some(own) = root.get("$self") {
            newer::check_self(&own, library, version, &mut report);
        }
        if let Some(dialect) = root.get("jsonSchemaDialect")
            && !dialect.node.as_str().is_some_and(is_known_dialect)
        {
            report.mistake(&dialect, "only the JSON Schema 2020-12 dialect is supported");
        }
        let operations = operation::all(&root, version, (limits, handling), &mut report);
        if !report.mistakes.is_empty() {
            return Err(report.mistakes);
        }
        let title = root.get("info").and_then(|info| info.text("title").map(str::to_owned));
        Ok(Self { title: title.unwrap_or_default(), operations, notes: report.notes })
    }
}

fn version(root: &Cursor<'_>, report: &mut Report) -> Option<Version> {
    match root.text("openapi") {
        Some(text) if text.starts_with("3.0.") => Some(Version::V30),
        Some(text) if text.starts_with("3.1.") => Some(Version::V31),
        Some(text) if text.starts_with("3.2.") => Some(Version::V32),
        Some(text) => {
            let what = format!("OpenAPI `{text}` is not supported: 3.0.x, 3.1.x and 3.2.x are");
            report.mistake(root, what);
            None
        }
        None => {
            report.mistake(
                root,
                "not an OpenAPI 3.0, 3.1 or 3.2 document: `openapi: \"3.1.0\"` is missing",
            );
            None
        }
    }
}

/// Whether a dialect is JSON Schema 2020-12, or OpenAPI's own since 3.1, which adds annotations to it.
pub(crate) fn is_known_dialect(uri: &str) -> bool {
    let uri = uri.trim_end_matches('#');
    uri == "https://json-schema.org/draft/2020-12/schema"
        || uri.starts_with("https://spec.openapis.org/oas/3.1/dialect/")
        || uri.starts_with("https://spec.openapis.org/oas/3.2/dialect/")
}

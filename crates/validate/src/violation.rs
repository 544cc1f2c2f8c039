//! What a request did against its contract: where and which rule. It never holds a value of the
//! request, nor a name that the document does not have.

use std::fmt;

/// Violations reported for one request; the rest is not looked for.
pub(crate) const VIOLATIONS_MAX: usize = 16;

/// What stands for a name that the document does not declare.
pub(crate) const UNDECLARED: &str = "undeclared";

/// Where a parameter travels (OpenAPI 3.1, 4.8.12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParameterIn {
    /// A templated part of the path.
    Path,
    /// The query.
    Query,
    /// A header field.
    Header,
    /// A cookie.
    Cookie,
}

impl ParameterIn {
    /// The word of OpenAPI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// Where in a request something was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A parameter, by its declared name, or `undeclared`.
    Parameter {
        /// Where it travels.
        location: ParameterIn,
        /// The name as the document writes it, or `undeclared`.
        name: String,
    },
    /// A value of the body.
    Body {
        /// RFC 6901 pointer; names that the document does not have are `*`.
        pointer: String,
    },
    /// The header fields that describe the body.
    ContentType,
    /// The size of the body.
    Size,
}

impl Place {
    pub(crate) fn undeclared(location: ParameterIn) -> Self {
        Self::Parameter { location, name: UNDECLARED.to_owned() }
    }

    pub(crate) fn body() -> Self {
        Self::Body { pointer: String::new() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { location, name } => write!(f, "{}:{name}", location.as_str()),
            Self::Body { pointer } => write!(f, "body:{pointer}"),
            Self::ContentType => f.write_str("content-type"),
            Self::Size => f.write_str("size"),
        }
    }
}

/// One rule that one place of a request breaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    /// Where.
    pub place: Place,
    /// Which rule: a JSON Schema keyword, or the name of a limit or of a reading rule.
    pub rule: &'static str,
}

impl Violation {
    pub(crate) fn new(place: Place, rule: &'static str) -> Self {
        Self { place, rule }
    }

    /// The status that answers it: 413 for size, 415 for the content type, else 400.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.place {
            Place::Size => 413,
            Place::ContentType => 415,
            Place::Parameter { .. } | Place::Body { .. } => 400,
        }
    }
}

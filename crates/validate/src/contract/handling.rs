//! What the configuration says about requests beyond their document. It knows no document.

use std::collections::HashSet;
use std::sync::Arc;

use http::HeaderName;

/// What becomes of what no operation declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undeclared {
    /// It stays outside.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
    /// It goes inside, read by the filter.
    Pass,
}

/// How requests of one API are handled where its document leaves it open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handling {
    /// Cookies that the operation does not declare.
    pub cookies: Undeclared,
    /// Where it is said, the fields that a request may have beyond those declared; others refuse it. Where it is not,
    /// whoever forwards leaves them outside.
    pub headers: Option<Arc<HashSet<HeaderName>>>,
    /// Content codings of bodies that are decoded; any other is refused.
    pub codings: Codings,
    /// Whether bodies of JSON go inside written anew from the values that were checked, rather than as they came.
    pub rewrites_json: bool,
    /// Whether answers are held against the document: their schemas are compiled then.
    pub answers: bool,
    /// Whether members that the schema of an answer does not name are dropped from it.
    pub drops_members: bool,
}

/// Content codings (RFC 9110 8.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Codings {
    /// RFC 1952.
    pub gzip: bool,
    /// RFC 7932.
    pub br: bool,
    /// RFC 8878.
    pub zstd: bool,
}

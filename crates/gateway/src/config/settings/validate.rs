//! What becomes of what a document leaves open. It does not know the document.

/// What becomes of members of JSON answers that their schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UndeclaredMembers {
    /// They pass.
    #[default]
    Pass,
    /// They are taken out.
    Drop,
}

/// What becomes of what no operation declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undeclared {
    /// It stays outside.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
}

/// A content coding (RFC 9110 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
}

/// How a body of JSON goes inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonBodies {
    /// Byte for byte.
    #[default]
    AsSent,
    /// Written anew from the values that were checked.
    Rewritten,
}

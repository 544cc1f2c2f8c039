//! `security` of an operation, else of the document. It knows names of schemes and scopes, not
//! what stands behind them.

use super::{Cursor, Report};

/// Who may call an operation, as the document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// Neither the operation nor the document says anything.
    Unstated,
    /// `[]` or only `{}`: anybody.
    Open,
    /// Any one of these lists of requirements, each of which must hold whole.
    Alternatives {
        /// The alternatives, none of them empty.
        any_of: Vec<Vec<Requirement>>,
        /// Whether `{}` is among them: nothing is an alternative, too.
        anonymous_too: bool,
    },
}

/// One security scheme with the scopes it must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Name in `components.securitySchemes`.
    pub scheme: String,
    /// Scopes (or roles), all of them needed.
    pub scopes: Vec<String>,
}

/// Reads the operation's own statement, else the document's.
pub(super) fn read(operation: &Cursor<'_>, root: &Cursor<'_>, report: &mut Report) -> Security {
    let Some(stated) = operation.get("security").or_else(|| root.get("security")) else {
        return Security::Unstated;
    };
    if stated.node.as_list().is_none() {
        report.mistake(&stated, "`security` must be a list");
        return Security::Unstated;
    }
    let schemes = root.get("components").and_then(|c| c.get("securitySchemes"));
    let mut any_of = Vec::new();
    let mut anonymous_too = false;
    for alternative in stated.items() {
        if alternative.node.as_map().is_none() {
            report.mistake(&alternative, "must be a map from scheme to scopes");
        }
        let mut requirements = Vec::new();
        for (scheme, scopes) in alternative.members() {
            if schemes.as_ref().is_none_or(|schemes| schemes.node.get(scheme).is_none()) {
                let what = format!("`{scheme}` is not among `components.securitySchemes`");
                report.mistake(&scopes, what);
            }
            if scopes.node.as_list().is_none_or(|l| l.iter().any(|s| s.as_str().is_none())) {
                report.mistake(&scopes, "scopes must be a list of strings");
            }
            let scopes = scopes.items().filter_map(|s| s.node.as_str().map(str::to_owned));
            requirements.push(Requirement { scheme: scheme.to_owned(), scopes: scopes.collect() });
        }
        if requirements.is_empty() {
            anonymous_too = true;
        } else {
            any_of.push(requirements);
        }
    }
    if any_of.is_empty() {
        Security::Open
    } else {
        Security::Alternatives { any_of, anonymous_too }
    }
}

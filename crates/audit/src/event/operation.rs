//! An operation as every event about it names it: encoded once, when it is declared.

use std::sync::Arc;

use super::{TEXT_BYTES_MAX, clipped};
use crate::facts::RouteFacts;
use crate::json::{self, Object};

/// An operation that requests are matched to, ready for their records.
#[derive(Debug, Clone)]
pub struct Operation(Arc<Parts>);

/// JSON, as it stands in an event.
#[derive(Debug)]
struct Parts {
    api: Box<[u8]>,
    path: Box<[u8]>,
    unmapped: Box<[u8]>,
}

/// The JSON of an operation, borrowed from it or from an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationJson<'a> {
    /// First members of `api`.
    pub(crate) api: &'a [u8],
    /// The value of `http_request.url.path`.
    pub(crate) path: &'a [u8],
    /// Members of `unmapped`.
    pub(crate) unmapped: &'a [u8],
}

impl From<RouteFacts> for Operation {
    fn from(route: RouteFacts) -> Self {
        let api = Object::members(|api| {
            api.text("operation", own(&route.operation));
            api.object("service", |service| service.text("name", own(&route.api)));
        });
        let mut path = Vec::new();
        json::string(&mut path, own(&route.template));
        let unmapped = Object::members(|unmapped| {
            unmapped.text("upstream", own(&route.upstream));
            unmapped.text("audit", if route.audit_required { "required" } else { "best_effort" });
        });
        Self(Arc::new(Parts { api, path: path.into(), unmapped }))
    }
}

impl Operation {
    pub(super) fn json(&self) -> OperationJson<'_> {
        OperationJson { api: &self.0.api, path: &self.0.path, unmapped: &self.0.unmapped }
    }
}

/// A text of our own documents: only its length is bounded.
pub(super) fn own(text: &str) -> &str {
    clipped(text, TEXT_BYTES_MAX)
}

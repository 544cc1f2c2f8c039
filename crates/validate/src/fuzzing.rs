//! The readers as a fuzz target sees them, to be held against readers that nobody here wrote.

use jsonschema::json::Node as _;
use serde_json::Value;

use crate::contract::query;
use crate::json;
use crate::limits::Limits;

/// The value of a JSON body, where the strict reader takes it.
#[must_use]
pub fn json_value(body: &[u8]) -> Option<Value> {
    let (tape, text) = json::read(body, &Limits::default()).ok()?;
    let view = tape.view(text);
    Some(view.root().to_value().into_owned())
}

/// The decoded names and values of a query, where it is read.
#[must_use]
pub fn query_pairs(raw: &str) -> Option<Vec<(String, String)>> {
    let limits = Limits::default();
    let pairs = query::pairs(raw, &limits).ok()?;
    let decoded =
        |pair: query::Pair<'_>| Some((pair.name, query::form_decoded(pair.raw, &limits).ok()?));
    pairs.into_iter().map(decoded).collect()
}

//! The attack filter alone, behind an API without a document: every text is free.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use validate::{Contract, Filter, FilterSettings, Limits, Mode, RequestView};

use crate::Work;

/// What people write: letters, a name with an apostrophe, brackets, a number.
const PROSE: &str =
    "Please leave it with Mr O'Brien at no. 12 (rear door), he is home until 5; thank you & bye. ";

/// A query with a value of 200 characters.
pub(crate) fn get() -> Work {
    let value: String = PROSE.chars().cycle().take(200).collect();
    let value = value.replace('&', "%26").replace(' ', "%20").replace(';', "%3B");
    inspect(Some(format!("note={value}")), None)
}

/// A JSON object of so many texts, about 20 bytes each.
pub(crate) fn fields(count: usize) -> Work {
    let field = |number: usize| {
        let from = number * 7 % (PROSE.len() - 16);
        let text = PROSE.get(from..from + 14).unwrap_or_default();
        format!("\"f{number}\":{}", serde_json::json!(text))
    };
    let fields: Vec<String> = (0..count).map(field).collect();
    inspect(None, Some(format!("{{{}}}", fields.join(","))))
}

/// A text of 64 KiB that wakes many rules and breaks none before its end.
pub(crate) fn worst() -> Work {
    let text: String = WORST.chars().cycle().take(65_000).collect();
    inspect(None, Some(serde_json::json!([text]).to_string()))
}

/// The shape that costs most of those that `filter/tests/cost.rs` has.
const WORST: &str = "<a ' ( on= {{ ${ ../ ; x | a= & \\u %2 ";

/// Attacks are refused, all else passes: both are what a run costs.
fn inspect(query: Option<String>, body: Option<String>) -> Work {
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let filter = Filter::new(FilterSettings::default());
    let body = body.map(Bytes::from);
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Box::new(move || {
        let request = RequestView {
            path_parameters: &[],
            query: query.as_deref(),
            headers: &headers,
            has_body: body.is_some(),
        };
        let opened = contract.open(black_box(&request), Mode::Enforce).expect("a good head");
        let payload = opened.finish(body.clone().unwrap_or_default()).expect("a good body");
        black_box(filter.inspect("all", payload).is_ok());
    })
}

//! Bodies, contracts and the filter: what the strict reader takes, others read too; what one mode refuses, the other reports.

use std::panic;
use std::sync::{Arc, Once, OnceLock};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use validate::{
    Action, Contract, Document, Filter, FilterSettings, Limits, Mode, Payload, RequestView, Violation,
};

/// Operations of one document that are tried; more teach nothing.
const OPERATIONS_MAX: usize = 8;

/// The bytes are a JSON body of an API without a document.
pub fn validate_json(data: &[u8]) {
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let Ok(payload) = read(&contract, None, data, Mode::Enforce) else { return };
    assert_eq!(payload.body().as_ref(), data, "not the bytes that were checked");
    if !data.is_empty() {
        serde_json::from_slice::<serde_json::Value>(data)
            .expect("another reader takes what the strict one took");
    }
}

/// The bytes are an OpenAPI document; each operation it declares is then asked about an empty request and a small body.
pub fn validate_openapi(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(document) = Document::parse(text, "fuzz.yaml", &Limits::default()) else { return };
    for operation in document.operations().iter().take(OPERATIONS_MAX) {
        let query = Some("page=1&page=2");
        for body in [&b""[..], br#"{"id":1,"items":["a",null]}"#] {
            // Refused or not: neither panics, and observing lets pass what enforcing refuses.
            let enforced = read(&operation.contract, query, body, Mode::Enforce);
            let observed =
                read(&operation.contract, query, body, Mode::Observe).expect("observing lets pass");
            assert_eq!(enforced.is_err(), !observed.observed().is_empty());
        }
    }
}

/// The bytes are a JSON object or array, else a free text in one; for the filter.
pub fn validate_filter(data: &[u8]) {
    keep_caught_panics();
    let text = String::from_utf8_lossy(data);
    let body = match data.first() {
        Some(b'{' | b'[') => data.to_vec(),
        _ => serde_json::json!({ "note": text }).to_string().into_bytes(),
    };
    let body = body.as_slice();
    static FILTERS: OnceLock<[Filter; 2]> = OnceLock::new();
    let [enforce, observe] = FILTERS.get_or_init(|| {
        [Action::Enforce, Action::Observe].map(|action| Filter::new(FilterSettings::all(action)))
    });
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let payload = || read(&contract, None, body, Mode::Observe);
    let (Ok(first), Ok(second)) = (payload(), payload()) else { return };
    let seen = observe.inspect("fuzz", second).expect("observing lets pass");
    match enforce.inspect("fuzz", first) {
        Ok(clean) => {
            assert!(clean.observed().is_empty() && seen.observed().is_empty());
            assert_eq!(clean.into_parts().1.as_ref(), body, "not the bytes that were checked");
        }
        Err(attack) => {
            assert!(
                validate::rules().iter().any(|rule| rule.id == attack.rule),
                "unknown rule {}",
                attack.rule
            );
            assert!(seen.observed().contains(&attack.rule), "{} was not observed", attack.rule);
            let word = text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(!word, "a word of letters is an attack: {text:?}");
        }
    }
}

/// The filter catches panics of the grammar it did not write; libFuzzer's panic hook would end the process before that.
fn keep_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(panic::take_hook()));
}

fn read(
    contract: &Arc<Contract>,
    query: Option<&str>,
    body: &[u8],
    mode: Mode,
) -> Result<Payload, Vec<Violation>> {
    let mut headers = HeaderMap::new();
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request =
        RequestView { path_parameters: &[], query, headers: &headers, has_body: !body.is_empty() };
    contract.open(&request, mode)?.finish(Bytes::copy_from_slice(body))
}

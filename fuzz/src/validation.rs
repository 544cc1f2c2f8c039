//! Bodies, contracts and the filter: what the strict reader takes, others read too; what one mode refuses, the other reports.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use validate::{
    Action, Contract, Document, Filter, FilterSettings, Limits, Mode, Payload, RequestView,
    Violation,
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
    let text = String::from_utf8_lossy(data);
    let body = match data.first() {
        Some(b'{' | b'[') => data.to_vec(),
        _ => note(&text),
    };
    let body = body.as_slice();
    let [enforce, observe, strip] = filters();
    let (Some(first), Some(second), Some(third)) = (payload(body), payload(body), payload(body))
    else {
        return;
    };
    let seen = observe.inspect("fuzz", second).expect("observing lets pass");
    let stripped = strip.inspect("fuzz", third);
    match enforce.inspect("fuzz", first) {
        Ok(clean) => {
            assert!(clean.observed().is_empty() && seen.observed().is_empty() && stripped.is_ok());
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
            let cure = stripped.expect_err("stripping answers what enforcing refuses").cure;
            cured(cure.as_deref());
            encoded(&text, body);
        }
    }
}

/// What is left of a stripped request is the same to a filter that strips as to one that enforces, and stripping it again
/// changes nothing that was stripped before.
fn cured(cure: Option<&validate::Cure>) {
    let [enforce, _, strip] = filters();
    let Some(cure) = cure else { return };
    let (Some(first), Some(second)) = (payload(&cure.body), payload(&cure.body)) else { return };
    let enforced = enforce.inspect("fuzz", first).is_ok();
    match strip.inspect("fuzz", second) {
        Ok(_) => assert!(enforced, "what stripping lets pass, enforcing refuses"),
        Err(attack) => {
            assert!(!enforced, "what enforcing lets pass, stripping refuses");
            let again = attack.cure.map(|again| again.body);
            assert_ne!(again.as_ref(), Some(&cure.body), "a cure that changes nothing");
        }
    }
}

/// An attack in plain letters stays one when it is percent-encoded.
fn encoded(text: &str, body: &[u8]) {
    let [enforce, ..] = filters();
    if !text.is_ascii() || body.starts_with(b"[") || body.starts_with(b"{") && body != note(text) {
        return;
    }
    let hidden: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let Some(payload) = payload(&note(&hidden)) else { return };
    assert!(enforce.inspect("fuzz", payload).is_err(), "hidden by an encoding: {text:?}");
}

/// A body that is one free text.
fn note(text: &str) -> Vec<u8> {
    serde_json::json!({ "note": text }).to_string().into_bytes()
}

fn payload(body: &[u8]) -> Option<Payload> {
    let contract = Arc::new(Contract::prefix(Limits::default()));
    read(&contract, None, body, Mode::Observe).ok()
}

/// One that enforces, one that observes, one that strips.
fn filters() -> &'static [Filter; 3] {
    static FILTERS: OnceLock<[Filter; 3]> = OnceLock::new();
    FILTERS.get_or_init(|| {
        [Action::Enforce, Action::Observe, Action::Strip]
            .map(|action| Filter::new(FilterSettings::all(action)))
    })
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

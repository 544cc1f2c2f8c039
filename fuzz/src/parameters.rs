//! Parameters. First line: the path parameter, second: the query, third: a header. The query that is written anew from
//! the parsed parameters is accepted and written the same again.
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use validate::{Contract, Document, Limits, Mode, RequestView};

const DOCUMENT: &str = r"
openapi: 3.1.0
info: { title: Parameters, version: '1' }
paths:
  /orders/{id}:
    get:
      operationId: parameters
      parameters:
        - { name: id, in: path, required: true, schema: { type: string, maxLength: 20 } }
        - { name: page, in: query, schema: { type: integer } }
        - { name: price, in: query, schema: { type: number } }
        - { name: q, in: query, schema: { type: string, maxLength: 40 } }
        - { name: tag, in: query, schema: { type: array, items: { type: string } } }
        - { name: ids, in: query, explode: false, schema: { type: array, items: { type: integer } } }
        - { name: flag, in: query, allowEmptyValue: true, schema: { type: boolean } }
        - { name: f, in: query, style: deepObject, schema: { type: object, properties: { a: { type: integer } } } }
        - { name: sp, in: query, style: spaceDelimited, schema: { type: array, items: { type: string } } }
        - { name: pi, in: query, style: pipeDelimited, schema: { type: array, items: { type: string } } }
        - { name: ob, in: query, explode: false, schema: { type: object, properties: { x: { type: string } } } }
        - { name: js, in: query, content: { application/json: { schema: { type: object, additionalProperties: true } } } }
        - { name: X-Kind, in: header, schema: { enum: [a, b] } }
";

static CONTRACT: LazyLock<Arc<Contract>> = LazyLock::new(|| {
    let document = Document::parse(DOCUMENT, "p.yaml", &Limits::default()).expect("a document");
    Arc::clone(&document.operations()[0].contract)
});

/// The bytes are three lines of text.
pub fn validate_parameters(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let id = lines.next().unwrap_or_default();
    let query = lines.next();
    let mut headers = HeaderMap::new();
    if let Some(Ok(kind)) = lines.next().map(HeaderValue::from_str) {
        headers.insert("x-kind", kind);
    }
    let Some(written) = accepted(id, query, &headers) else { return };
    let again = accepted(id, written.as_deref(), &headers);
    assert_eq!(again.as_ref(), Some(&written), "{query:?} was written as {written:?}");
}

/// The query written anew, where the request is accepted.
fn accepted(id: &str, query: Option<&str>, headers: &HeaderMap) -> Option<Option<String>> {
    let path_parameters = [("id", id)];
    let request =
        RequestView { path_parameters: &path_parameters, query, headers, has_body: false };
    let opened = CONTRACT.open(&request, Mode::Enforce).ok()?;
    let payload = opened.finish(Bytes::new()).ok()?;
    Some(payload.query().map(str::to_owned))
}

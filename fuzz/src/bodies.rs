//! Bodies that are no JSON: forms, multipart, XML, and what comes compressed. What is accepted is what goes inside.

use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use validate::{Codings, Contract, Document, Handling, Limits, Mode, RequestView};

const DOCUMENT: &str = r"
openapi: 3.1.0
info: { title: Bodies, version: '1' }
paths:
  /bodies:
    post:
      operationId: bodies
      requestBody:
        content:
          application/x-www-form-urlencoded: { schema: { $ref: '#/components/schemas/Order' } }
          multipart/form-data: { schema: { $ref: '#/components/schemas/Upload' } }
          application/xml: { schema: { $ref: '#/components/schemas/Order' } }
          text/plain: {}
components:
  schemas:
    Order:
      type: object
      xml: { name: order }
      properties:
        id: { type: integer, xml: { attribute: true } }
        name: { type: string }
        age: { type: integer }
        tags: { type: array, items: { type: string } }
        meta: { type: object, properties: { a: { type: integer } } }
        to: { type: string, xml: { prefix: s, namespace: 'urn:s' } }
    Upload:
      type: object
      properties:
        name: { type: string }
        meta: { type: object, properties: { a: { type: integer } } }
        photo: { type: string, format: binary }
";

static CONTRACT: LazyLock<Arc<Contract>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bodies.yaml");
    let mut file = std::fs::File::create(&path).expect("a file");
    file.write_all(DOCUMENT.as_bytes()).expect("a document");
    let codings = Codings { gzip: true, br: true, zstd: true };
    let handling = Handling { codings, ..Handling::default() };
    let document = Document::load_for(&path, &Limits::default(), &handling).expect("a document");
    Arc::clone(&document.operations()[0].contract)
});

/// The bytes are a form.
pub fn validate_form(data: &[u8]) {
    let kind = "application/x-www-form-urlencoded";
    let Some(written) = accepted(kind, None, data) else { return };
    let again = accepted(kind, None, &written);
    assert_eq!(again.as_ref(), Some(&written), "{data:?} was written as {written:?}");
}

/// The bytes are a multipart body with the boundary `b`.
pub fn validate_multipart(data: &[u8]) {
    let Some(taken) = accepted("multipart/form-data; boundary=b", None, data) else { return };
    assert_eq!(taken, data, "not the bytes that were checked");
}

/// The bytes are an XML body.
pub fn validate_xml(data: &[u8]) {
    let Some(taken) = accepted("application/xml", None, data) else { return };
    assert_eq!(taken, data, "not the bytes that were checked");
    let text = std::str::from_utf8(data).expect("text");
    let plain = text.split("<![CDATA[").next().unwrap_or_default();
    assert!(!plain.contains("<!DOCTYPE") && !plain.contains("<!--"), "{text}");
}

/// The first byte says the coding, the others are the body.
pub fn validate_coding(data: &[u8]) {
    let Some((coding, body)) = data.split_first() else { return };
    let coding = ["gzip", "br", "zstd"][usize::from(coding % 3)];
    let Some(plain) = accepted("text/plain", Some(coding), body) else { return };
    assert!(plain.len() <= Limits::default().body_bytes_max);
}

/// The body that goes inside, where the request is accepted.
fn accepted(kind: &'static str, coding: Option<&'static str>, body: &[u8]) -> Option<Bytes> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    let request =
        RequestView { path_parameters: &[], query: None, headers: &headers, has_body: true };
    let opened = CONTRACT.open(&request, Mode::Enforce).ok()?;
    Some(opened.finish(Bytes::copy_from_slice(body)).ok()?.body().clone())
}

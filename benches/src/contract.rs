//! A request against its contract, and then through the filter.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use validate::{Contract, Document, Filter, FilterSettings, Limits, Mode, RequestView};

use crate::Work;

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Cores, version: "1" }
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      parameters:
        - { name: id, in: path, required: true, schema: { type: string, pattern: "^[a-z0-9-]{1,36}$" } }
        - { name: page, in: query, schema: { type: integer, minimum: 1, maximum: 1000 } }
      responses: {}
  /orders:
    post:
      operationId: placeOrder
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [reference, items]
              properties:
                reference: { type: string, maxLength: 100 }
                items:
                  type: array
                  maxItems: 1000
                  items:
                    type: object
                    additionalProperties: false
                    required: [sku, quantity]
                    properties:
                      sku: { type: string, pattern: "^[A-Z]{2}-[0-9]{4}$" }
                      quantity: { type: integer, minimum: 1, maximum: 1000 }
                      price: { type: number, minimum: 0 }
                      note: { type: string, maxLength: 200 }
      responses: {}
"#;

pub(crate) fn get() -> Work {
    let contract = operation("getOrder");
    let headers = HeaderMap::new();
    Box::new(move || {
        let request = RequestView {
            path_parameters: &[("id", "o-17")],
            query: Some("page=2"),
            headers: &headers,
            has_body: false,
        };
        let opened = contract.open(black_box(&request), Mode::Enforce).expect("a good head");
        black_box(opened.finish(Bytes::new()).expect("no body"));
    })
}

/// A body of about `bytes`; `filtered`: through the filter, too.
pub(crate) fn json(bytes: usize, filtered: bool) -> Work {
    let contract = operation("placeOrder");
    let filter = Filter::new(FilterSettings::default());
    let body = body(bytes);
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Box::new(move || {
        let request =
            RequestView { path_parameters: &[], query: None, headers: &headers, has_body: true };
        let opened = contract.open(black_box(&request), Mode::Enforce).expect("a good head");
        let payload = opened.finish(body.clone()).expect("a good body");
        if filtered {
            black_box(filter.inspect("orders", payload).expect("no attack"));
        } else {
            black_box(payload);
        }
    })
}

/// The same body and schema by the two libraries that one would take: a tree of values, then the schema over it.
pub(crate) fn json_by_others(bytes: usize) -> Work {
    let document: serde_json::Value =
        serde_saphyr::from_str(DOCUMENT).expect("the document as values");
    let schema = document
        .pointer("/paths/~1orders/post/requestBody/content/application~1json/schema")
        .expect("the schema of the body");
    let validator = jsonschema::draft202012::new(schema).expect("a schema");
    let body = body(bytes);
    Box::new(move || {
        let value: serde_json::Value = serde_json::from_slice(black_box(&body)).expect("JSON");
        assert!(black_box(validator.is_valid(&value)));
    })
}

fn operation(id: &str) -> Arc<Contract> {
    let document = Document::parse(DOCUMENT, "cores.yaml", &Limits::default()).expect("a document");
    let found = document.operations().iter().find(|operation| operation.id == id);
    Arc::clone(&found.expect("an operation").contract)
}

fn body(bytes: usize) -> Bytes {
    let item = r#"{"sku":"AB-1000","quantity":2,"price":12.5,"note":"leave it at the door"}"#;
    let items = vec![item; bytes / item.len()].join(",");
    format!(r#"{{"reference":"r-1","items":[{items}]}}"#).into()
}

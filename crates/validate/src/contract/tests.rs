//! Requests against contracts: every refusal beside a near miss that passes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{Codings, Contract, Handling, Mode, Payload, RequestView};
use crate::{Document, Limits};

mod bodies;
mod limits;
mod parameters;

const SHOP: &str = r"
openapi: 3.1.0
info: { title: Shop, version: '1' }
paths:
  /orders/{id}:
    post:
      parameters:
        - { name: id, in: path, required: true, schema: { type: integer, minimum: 1 } }
        - { name: page, in: query, schema: { type: integer } }
        - { name: q, in: query, schema: { type: string, maxLength: 20 } }
        - { name: tag, in: query, schema: { type: array, maxItems: 2, items: { type: string } } }
        - { name: ids, in: query, explode: false, schema: { type: array, items: { type: integer } } }
        - { name: flag, in: query, allowEmptyValue: true, schema: { type: boolean } }
        - { name: f, in: query, style: deepObject, schema: { type: object, properties: { a: { type: integer } } } }
        - { name: X-Kind, in: header, schema: { enum: [a, b] } }
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties: { name: { type: string, maxLength: 10 }, n: { type: integer } }
          text/plain: { schema: { type: string, maxLength: 5 } }
    get:
      parameters: [ { name: id, in: path, required: true, schema: { type: integer } } ]
    put:
      parameters: [ { name: id, in: path, required: true, schema: { type: integer } } ]
      requestBody: { required: true, content: { 'application/*': { schema: { type: object } } } }
";

fn contract(method: &str) -> Arc<Contract> {
    let limits = Limits { body_bytes_max: 200, query_parameters_max: 4, ..Limits::default() };
    let document = Document::parse(SHOP, "shop", &limits).unwrap_or_else(|m| panic!("{m:#?}"));
    let found = document.operations().iter().find(|o| o.method.as_str() == method).unwrap();
    Arc::clone(&found.contract)
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

fn shown(found: Vec<crate::Violation>) -> String {
    let one = |v: &crate::Violation| format!("{} {} {}", v.status(), v.place, v.rule);
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

struct Sent<'a> {
    id: &'a str,
    query: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    body: Option<&'a str>,
}

const PLAIN: Sent<'static> = Sent { id: "1", query: None, headers: &[], body: None };

fn run(contract: &Arc<Contract>, sent: &Sent<'_>, mode: Mode) -> Result<Payload, String> {
    let view = RequestView {
        path_parameters: &[("id", sent.id)],
        query: sent.query,
        headers: &headers(sent.headers),
        has_body: sent.body.is_some(),
    };
    let opened = contract.open(&view, mode).map_err(shown)?;
    let body = Bytes::copy_from_slice(sent.body.unwrap_or_default().as_bytes());
    opened.finish(body).map_err(shown)
}

fn post(sent: &Sent<'_>) -> Result<Payload, String> {
    run(&contract("POST"), sent, Mode::Enforce)
}

#[test]
fn path_and_headers_are_typed() {
    assert!(post(&Sent { id: "12", ..PLAIN }).is_ok());
    assert_eq!(post(&Sent { id: "0", ..PLAIN }).unwrap_err(), "400 path:id minimum");
    assert_eq!(post(&Sent { id: "x", ..PLAIN }).unwrap_err(), "400 path:id type");
    assert_eq!(post(&Sent { id: "%3", ..PLAIN }).unwrap_err(), "400 path:id percent_encoding");
    assert_eq!(post(&Sent { id: "%ff", ..PLAIN }).unwrap_err(), "400 path:id utf8");
    assert!(post(&Sent { headers: &[("x-kind", "a")], ..PLAIN }).is_ok());
    assert_eq!(
        post(&Sent { headers: &[("x-kind", "c")], ..PLAIN }).unwrap_err(),
        "400 header:X-Kind enum"
    );
    let twice = [("x-kind", "a"), ("x-kind", "b")];
    assert_eq!(post(&Sent { headers: &twice, ..PLAIN }).unwrap_err(), "400 header:X-Kind repeated");
    assert!(post(&Sent { headers: &[("x-other", "c")], ..PLAIN }).is_ok());
}

#[test]
fn queries_are_declared_typed_and_written_anew() {
    for (query, written) in [
        ("page=2", "page=2"),
        ("q=a+b%26c", "q=a%20b%26c"),
        ("tag=a&tag=b", "tag=a&tag=b"),
        ("ids=1,2", "ids=1,2"),
        ("flag=", "flag="),
        ("flag", "flag="),
        ("flag=true", "flag=true"),
        ("f[a]=1", "f%5Ba%5D=1"),
        ("f%5Ba%5D=1", "f%5Ba%5D=1"),
        ("%70age=2", "page=2"),
    ] {
        let payload = post(&Sent { query: Some(query), ..PLAIN });
        let payload = payload.unwrap_or_else(|found| panic!("{query}: {found}"));
        assert_eq!(payload.query(), Some(written), "{query}");
    }
    for (query, found) in [
        ("page=two", "400 query:page type"),
        ("page=1&page=2", "400 query:page repeated"),
        ("page=", "400 query:page type"),
        ("debug=1", "400 query:undeclared undeclared"),
        ("page=1&&q=a", "400 query:undeclared query_syntax"),
        ("=1", "400 query:undeclared query_syntax"),
        ("q=%zz", "400 query:q percent_encoding"),
        ("q=%00", "400 query:q nul"),
        ("q=aaaaaaaaaaaaaaaaaaaaaaa", "400 query:q maxLength"),
        ("tag=a&tag=b&tag=c", "400 query:tag maxItems"),
        ("tag=1&tag=2&tag=3&tag=4&tag=5", "400 query:undeclared query_parameters_max"),
        ("ids=1,x", "400 query:ids type"),
        ("f[a]=x", "400 query:f type"),
        ("f[b]=1", "400 query:f additionalProperties"),
        ("f[a]=1&f[a]=2", "400 query:f repeated"),
        ("f[$gt]=1", "400 query:f additionalProperties"),
        ("flag=yes", "400 query:flag type"),
    ] {
        assert_eq!(post(&Sent { query: Some(query), ..PLAIN }).unwrap_err(), found, "{query}");
    }
}

#[test]
fn content_types_are_declared() {
    let send = |fields: &[(&str, &str)]| {
        post(&Sent { headers: fields, body: Some(r#"{"name":"a"}"#), ..PLAIN }).map(|_| ())
    };
    for good in ["application/json", "Application/JSON; charset=\"UTF-8\""] {
        assert_eq!(send(&[("content-type", good)]), Ok(()), "{good}");
    }
    for (fields, rule) in [
        (&[][..], "required"),
        (&[("content-type", "application/xml")], "undeclared"),
        (&[("content-type", "application/json; charset=latin1")], "charset"),
        (&[("content-type", "json")], "malformed"),
        (&[("content-type", "application/json"), ("content-type", "text/plain")], "repeated"),
        (&[("content-type", "application/json"), ("content-encoding", "gzip")], "content_encoding"),
    ] {
        assert_eq!(send(fields), Err(format!("415 content-type {rule}")), "{fields:?}");
    }
    assert_eq!(
        send(&[("content-type", "application/json"), ("content-encoding", "identity")]),
        Ok(())
    );
}

#[test]
fn bodies_fit_their_schema() {
    let send = |kind: &str, body: &str| {
        post(&Sent { headers: &[("content-type", kind)], body: Some(body), ..PLAIN }).map(|_| ())
    };
    let json = |body: &str| send("application/json", body);
    assert_eq!(json(r#"{"name":"a","n":1}"#), Ok(()));
    for (body, found) in [
        (r#"{"n":1}"#, "400 body:/name required"),
        (r#"{"name":"a","x":1}"#, "400 body: additionalProperties"),
        (r#"{"name":1}"#, "400 body:/name type"),
        (r#"{"name":"aaaaaaaaaaaaaaa"}"#, "400 body:/name maxLength"),
        (r#"{"name":"a","name":"b"}"#, "400 body: duplicate_member"),
        (r#"{"name":"a"} x"#, "400 body: trailing_data"),
        ("", "400 body: json_syntax"),
        ("<a/>", "400 body: json_syntax"),
    ] {
        assert_eq!(json(body), Err(found.to_owned()), "{body}");
    }
    assert_eq!(json(&" ".repeat(201)), Err("413 size body_bytes_max".to_owned()));
    assert_eq!(send("text/plain", "hello"), Ok(()));
    assert_eq!(send("text/plain", "hello!"), Err("400 body: maxLength".to_owned()));
}

#[test]
fn json_is_written_anew_where_that_is_configured() {
    let send = |rewrites_json: bool, body: &'static str| {
        let handling = Handling { rewrites_json, ..Handling::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.yaml");
        std::fs::write(&path, SHOP).unwrap();
        let document = Document::load_for(&path, &Limits::default(), &handling).unwrap();
        let posts = |one: &&crate::Operation| one.method.as_str() == "POST";
        let contract = &document.operations().iter().find(posts).unwrap().contract;
        let headers = headers(&[("content-type", "application/json")]);
        let request = RequestView {
            path_parameters: &[("id", "1")],
            query: None,
            headers: &headers,
            has_body: true,
        };
        let opened = contract.open(&request, Mode::Enforce).map_err(shown)?;
        opened.finish(Bytes::from(body)).map_err(shown)
    };
    let body = " { \"n\": 10 ,\n \"name\":\"\\u0061\\/\" } ";
    assert_eq!(send(false, body).unwrap().body(), body.as_bytes());
    let payload = send(true, body).unwrap();
    assert_eq!(payload.body(), r#"{"n":10,"name":"a/"}"#.as_bytes());
    assert_eq!(send(true, r#"{"name":1}"#).unwrap_err(), "400 body:/name type");
}

#[test]
fn a_body_is_there_when_it_is_declared() {
    let run = |method: &str, body| {
        let fields = [("content-type", "application/json")];
        run(&contract(method), &Sent { headers: &fields, body, ..PLAIN }, Mode::Enforce).map(|_| ())
    };
    assert_eq!(run("GET", None), Ok(()));
    assert_eq!(run("GET", Some("{}")), Err("400 body: undeclared".to_owned()));
    assert_eq!(run("PUT", None), Err("400 body: required".to_owned()));
    assert_eq!(run("PUT", Some("{}")), Ok(()));
    assert_eq!(run("POST", None), Ok(()));
}

#[test]
fn observing_reports_and_passes_the_request_as_it_came() {
    let sent = Sent { query: Some("debug=%31"), ..PLAIN };
    let payload = run(&contract("POST"), &sent, Mode::Observe).unwrap();
    assert_eq!(payload.query(), Some("debug=%31"));
    assert_eq!(payload.observed()[0].rule, "undeclared");
    assert!(run(&contract("POST"), &sent, Mode::Off).unwrap().observed().is_empty());
    let large = " ".repeat(201);
    let sent =
        Sent { headers: &[("content-type", "application/json")], body: Some(&large), ..PLAIN };
    assert!(run(&contract("POST"), &sent, Mode::Off).is_err());
}

#[test]
fn without_a_document_reading_is_strict_all_the_same() {
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let send = |query, kind, body| {
        let fields = [("content-type", kind)];
        run(
            &contract,
            &Sent { query: Some(query), headers: &fields, body: Some(body), ..PLAIN },
            Mode::Enforce,
        )
    };
    let payload = send("a=1&a=2", "application/json", r#"{"a":1}"#).unwrap();
    assert_eq!((payload.query(), &payload.body()[..]), (Some("a=1&a=2"), &br#"{"a":1}"#[..]));
    assert!(send("a=%zz", "application/json", "{}").is_err());
    assert!(send("a=1", "application/problem+json", r#"{"a":1,"a":1}"#).is_err());
    assert!(send("a=1", "image/png", "\u{1}").is_ok());
    assert!(send("a=1", "application/x-www-form-urlencoded", "a=%zz").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_query_and_path_end_without_panic(id in "\\PC{0,12}", query in "[a-z%&=+,\\[\\]0-9$.]{0,40}|page=\\PC{0,9}") {
        let contract = contract("GET");
        let sent = Sent { id: &id, query: Some(&query), ..PLAIN };
        for mode in [Mode::Enforce, Mode::Observe] {
            prop_assert!(run(&contract, &sent, mode).is_ok() || mode == Mode::Enforce);
        }
        // What was written anew is read as the same again.
        let prefix = Arc::new(Contract::prefix(Limits::default()));
        if let Ok(first) = run(&prefix, &sent, Mode::Enforce) {
            let second = Sent { query: first.query(), ..sent };
            let second = run(&prefix, &second, Mode::Enforce).unwrap();
            prop_assert_eq!(first.query().unwrap_or_default(), second.query().unwrap_or_default());
        }
    }
}

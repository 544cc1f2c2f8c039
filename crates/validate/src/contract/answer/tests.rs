//! Answers: every refusal beside a near miss that passes.

use std::sync::Arc;

use http::HeaderMap;

use super::{AnswerPlan, AnswerSchema};
use crate::{Contract, Document, Handling, Limits, Violation};

const SHOP: &str = r"
openapi: 3.1.0
info: { title: Answers, version: '1' }
paths:
  /a:
    get:
      responses:
        '200':
          description: One
          content:
            application/json:
              schema:
                type: object
                required: [id, secret]
                properties: { id: { type: integer }, secret: { type: string, writeOnly: true }, made: { type: string, readOnly: true } }
            text/csv: {}
        '204': { description: Nothing }
        4XX: { description: Wrong, content: { 'application/*': { schema: { type: object } } } }
";

fn contract(answers: bool) -> Arc<Contract> {
    handled(Handling { answers, ..Handling::default() })
}

fn handled(handling: Handling) -> Arc<Contract> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    std::fs::write(&path, SHOP).unwrap();
    let limits = Limits { string_bytes_max: 50, ..Limits::default() };
    let document = Document::load_for(&path, &limits, &handling);
    let document = document.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    Arc::clone(&document.operations()[0].contract)
}

fn head(status: u16, fields: &[(&'static str, &str)]) -> Result<AnswerPlan, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    let shown = |v: Violation| format!("{} {}", v.place, v.rule);
    contract(true).open_answer(status, &headers, fields.is_empty()).map_err(shown)
}

fn body(text: &str) -> Result<(), String> {
    let plan = head(200, &[("content-type", "application/json; charset=utf-8")]).unwrap();
    let AnswerPlan::Whole(schema) = plan else { panic!("{plan:?}") };
    let shown = |found: Vec<Violation>| format!("{} {}", found[0].place, found[0].rule);
    contract(true).check_answer(schema, text.as_bytes()).map_err(shown)
}

#[test]
fn heads_are_declared() {
    let json = ("content-type", "application/json");
    let whole = |plan| matches!(plan, Ok(AnswerPlan::Whole(_)));
    assert!(whole(head(200, &[json])));
    assert!(whole(head(404, &[("content-type", "application/problem+json")])));
    assert_eq!(head(204, &[]), Ok(AnswerPlan::Passes));
    assert_eq!(head(200, &[("content-type", "Text/CSV; x=y")]), Ok(AnswerPlan::Passes));
    assert_eq!(head(200, &[]), Ok(AnswerPlan::Passes));
    for (status, fields, found) in [
        (201, &[json][..], "body: status"),
        (500, &[], "body: status"),
        (200, &[("content-type", "text/html")], "content-type undeclared"),
        (204, &[json], "content-type undeclared"),
        (404, &[("content-type", "text/html")], "content-type undeclared"),
        (200, &[("x-other", "1")], "content-type required"),
        (200, &[json, json], "content-type required"),
        (200, &[json, ("content-encoding", "gzip")], "content-type content_encoding"),
    ] {
        assert_eq!(head(status, fields), Err(found.to_owned()), "{status} {fields:?}");
    }
    let silent = contract(false).open_answer(500, &HeaderMap::new(), false);
    assert_eq!(silent, Ok(AnswerPlan::Passes));
}

#[test]
fn bodies_fit_their_schema() {
    assert_eq!(body(r#"{"id":1,"made":"a"}"#), Ok(()));
    assert_eq!(body(r#"{"id":1,"new":"a"}"#), Ok(()), "an answer is as open as its document");
    for (text, found) in [
        (r#"{"made":"a"}"#, "body:/id required"),
        (r#"{"id":"1"}"#, "body:/id type"),
        (r#"{"id":1,"secret":"a"}"#, "body:/secret forbidden"),
        (r#"{"id":1,"id":2}"#, "body: duplicate_member"),
        ("<html>", "body: json_syntax"),
        ("", "body: json_syntax"),
    ] {
        assert_eq!(body(text), Err(found.to_owned()), "{text}");
    }
}

#[test]
fn undeclared_members_are_dropped_where_asked() {
    let handling = Handling { answers: true, drops_members: true, ..Handling::default() };
    let (drops, passes) = (handled(handling), contract(true));
    assert!(drops.drops_members() && !passes.drops_members());
    let json = |contract: &Arc<Contract>| -> AnswerSchema {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let Ok(AnswerPlan::Whole(at)) = contract.open_answer(200, &headers, false) else {
            panic!()
        };
        at
    };
    let body = br#"{"id":1.0,"new":"a","secret":"s"}"#;
    let dropped = drops.drop_members(json(&drops), body).unwrap();
    assert_eq!(dropped, Some((r#"{"id":1.0}"#.to_owned(), 2)), "what is writeOnly is dropped too");
    assert_eq!(drops.drop_members(json(&drops), br#"{"id":1}"#), Ok(None));
    assert_eq!(passes.drop_members(json(&passes), body), Ok(None));
    for (body, rule) in
        [(&b"<html>"[..], "json_syntax"), (br#"{"id":1,"id":2}"#, "duplicate_member")]
    {
        assert_eq!(drops.drop_members(json(&drops), body).unwrap_err().rule, rule);
    }
}

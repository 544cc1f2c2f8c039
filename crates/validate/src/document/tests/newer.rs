//! What OpenAPI 3.2 adds: each is followed, or refused with its place.

use crate::{Document, Limits, Mistake, Mode, RequestView};

fn load(version: &str, rest: &str) -> Result<Document, Vec<Mistake>> {
    let text = format!("openapi: {version}\ninfo: {{ title: T, version: '1' }}\n{rest}");
    Document::parse(&text, "t.yaml", &Limits::default())
}

fn notes(rest: &str) -> String {
    let document = load("3.2.0", rest).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    document.notes().iter().map(|note| format!("{} {}\n", note.pointer, note.what)).collect()
}

#[test]
fn query_is_a_method() {
    let text = "paths: { /a: { query: { requestBody: { content: { application/json: { schema: { type: object } } } } } } }";
    let document = load("3.2.0", text).unwrap();
    assert_eq!(document.operations()[0].method.as_str(), "QUERY");
    assert!(load("3.1.0", text).unwrap_err()[0].what.contains("unknown member `query`"));
}

#[test]
fn what_is_not_followed_is_a_mistake_at_its_place() {
    let media = |name: &str, inner: &str| {
        format!(
            "paths: {{ /a: {{ post: {{ requestBody: {{ content: {{ {name}: {{ {inner} }} }} }} }} }} }}"
        )
    };
    for (text, pointer, word) in [
        ("paths: { /a: { additionalOperations: { COPY: {} } } }".to_owned(), "/paths/~1a/additionalOperations/COPY", "COPY"),
        (
            "paths: { /a: { get: { parameters: [ { name: q, in: querystring, content: { application/json: { schema: {} } } } ] } } }".to_owned(),
            "/paths/~1a/get/parameters/0",
            "querystring",
        ),
        (
            media("multipart/form-data", "schema: { type: object }, itemEncoding: {}"),
            "/paths/~1a/post/requestBody/content/multipart~1form-data/itemEncoding",
            "itemEncoding",
        ),
    ] {
        let found = load("3.2.0", &text).unwrap_err();
        assert!(found[0].what.contains(word) && found[0].line > 2, "{found:?}");
        assert_eq!(found[0].pointer, pointer);
    }
    let sequence = media("application/jsonl", "itemSchema: { type: object }");
    assert!(notes(&sequence).contains("415"), "{}", notes(&sequence));
    assert!(load("3.1.0", &sequence).is_err());
}

#[test]
fn a_document_that_names_itself_is_one_file() {
    let own = "$self: https://example.com/a.yaml\npaths: { /a: { get: {} } }";
    assert!(load("3.2.0", own).is_ok());
    assert!(load("3.1.0", own).unwrap_err()[0].what.contains("$self"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.yaml"), "get: {}").unwrap();
    let path = folder.path().join("a.yaml");
    let write = |own: &str| {
        std::fs::write(&path, format!("openapi: 3.2.0\n{own}paths: {{ /a: {{ $ref: b.yaml }} }}"))
            .unwrap();
        Document::load(&path, &Limits::default())
    };
    assert!(write("").is_ok());
    assert!(write("$self: /other/a.yaml\n").unwrap_err()[0].what.contains("relative"));
}

#[test]
fn media_types_stand_among_the_components() {
    let text = "
components: { mediaTypes: { J: { schema: { type: object, properties: { a: { type: integer } } } } } }
paths:
  /a:
    post: { requestBody: { content: { application/json: { $ref: '#/components/mediaTypes/J' } } } }
    put: { requestBody: { content: { application/json: { $ref: '#/components/mediaTypes/None' } } } }";
    let found = load("3.2.0", text).unwrap_err();
    assert!(found.len() == 1 && found[0].what.contains("nowhere"), "{found:?}");
    let document = load("3.2.0", text.rsplit_once('\n').unwrap().0).unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let passes = |body: &'static str| {
        let request =
            RequestView { path_parameters: &[], query: None, headers: &headers, has_body: true };
        let opened = document.operations()[0].contract.open(&request, Mode::Enforce).unwrap();
        opened.finish(body.into()).is_ok()
    };
    assert!(passes(r#"{"a":1}"#) && !passes(r#"{"a":"x"}"#));
}

#[test]
fn xml_of_other_node_types_is_not_read() {
    let text = |kind: &str| {
        format!(
            "paths: {{ /a: {{ post: {{ requestBody: {{ content: {{ application/xml: {{ schema: {{ type: object, xml: {{ name: a }}, properties: {{ b: {{ type: string, xml: {{ nodeType: {kind} }} }} }} }} }} }} }} }} }} }}"
        )
    };
    assert!(notes(&text("cdata")).contains("nodeType"));
    assert!(!notes(&text("attribute")).contains("nodeType"));
}

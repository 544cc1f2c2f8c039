//! Loading: what is taken, and each mistake beside its near miss.

mod newer;

use proptest::prelude::*;

use super::{Document, Mistake, Security};
use crate::limits::Limits;

const HEAD: &str = "openapi: 3.1.0\ninfo: { title: Shop, version: '1' }\n";

fn load(rest: &str) -> Result<Document, Vec<Mistake>> {
    Document::parse(&format!("{HEAD}{rest}"), "shop.yaml", &Limits::default())
}

fn loaded(rest: &str) -> Document {
    load(rest).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn mistake(rest: &str) -> Mistake {
    load(rest).unwrap_err().remove(0)
}

fn with_schema(schema: &str) -> String {
    format!(
        "paths:\n  /a:\n    post:\n      requestBody:\n        content:\n          \
         application/json:\n            schema: {schema}\n"
    )
}

#[test]
fn operations_have_ids_templates_headers_and_security() {
    let document = loaded(
        "servers: [ { url: 'https://api.example.com/{v}/', variables: { v: { default: v1 } } } ]
components: { securitySchemes: { oauth: { type: oauth2 } } }
security: [ { oauth: [ read ] } ]
paths:
  /orders/{id}:
    parameters: [ { name: id, in: path, required: true, schema: { type: integer } } ]
    get:
      operationId: getOrder
      parameters: [ { name: X-Trace, in: header, schema: { type: string } } ]
    delete: { security: [ {}, { oauth: [] } ] }
    put: { security: [] }
",
    );
    assert_eq!(document.title(), "Shop");
    let by_id = |id: &str| document.operations().iter().find(|o| o.id == id).unwrap();
    let get = by_id("getOrder");
    assert_eq!(get.template, "/v1/orders/{id}");
    assert_eq!(get.method, http::Method::GET);
    assert_eq!(get.declared_headers, ["x-trace"]);
    let Security::Alternatives { any_of, anonymous_too: false } = &get.security else { panic!() };
    assert_eq!(
        (any_of[0][0].scheme.as_str(), &any_of[0][0].scopes[..]),
        ("oauth", &["read".to_owned()][..])
    );
    let delete = by_id("delete /orders/{id}");
    assert!(matches!(delete.security, Security::Alternatives { anonymous_too: true, .. }));
    assert_eq!(by_id("put /orders/{id}").security, Security::Open);
    assert_eq!(loaded("paths: { /a: { get: {} } }").operations()[0].security, Security::Unstated);
}

#[test]
fn a_mistake_says_file_line_column_and_pointer() {
    let found = mistake("paths:\n  /a:\n    get:\n      secuirty: []\n");
    assert_eq!((found.file.as_str(), found.line, found.column), ("shop.yaml", 6, 17));
    assert_eq!(found.pointer, "/paths/~1a/get/secuirty");
    let found = mistake("paths: [\n");
    assert!(found.line > 0, "{found:?}");
}

#[test]
fn what_would_weaken_is_a_mistake() {
    for (schema, word) in [
        ("{ type: sting }", "unknown type"),
        ("{ type: string, pattern: '(?=a)b' }", "linear"),
        ("{ type: string, pattern: '(a)\\1' }", "linear"),
        ("{ $ref: 'https://example.com/a.yaml' }", "remote"),
        ("{ $ref: '#/components/schemas/None' }", "nowhere"),
        ("{ $ref: 'other.yaml#/A' }", "was not read"),
        ("{ $dynamicRef: '#x' }", "not supported"),
        ("{ type: array, items: [ { type: string } ] }", "prefixItems"),
        ("{ type: number, exclusiveMinimum: true }", "must be a number"),
        ("{ type: string, maxLength: -1 }", "compile"),
        ("{ $schema: 'http://json-schema.org/draft-04/schema#' }", "dialect"),
    ] {
        let found = mistake(&with_schema(schema));
        assert!(found.what.contains(word), "{schema}: {found:?}");
    }
    for schema in
        ["{ type: string }", "{ type: string, pattern: '^a+$' }", "{ type: [string, 'null'] }"]
    {
        loaded(&with_schema(schema));
    }
}

#[test]
fn parameters_and_paths_must_agree() {
    let parameter =
        |text: &str| format!("paths: {{ '/a/{{id}}': {{ get: {{ parameters: [ {text} ] }} }} }}");
    let good = "{ name: id, in: path, required: true, schema: { type: string } }";
    loaded(&parameter(good));
    for (text, word) in [
        ("", "not declared"),
        ("{ name: id, in: path, schema: { type: string } }", "required"),
        ("{ name: id, in: path, required: true }", "schema"),
        ("{ name: id, in: path, required: true, style: form, schema: { type: string } }", "style"),
        (&format!("{good}, {good}"), "twice"),
        (
            &format!("{good}, {{ name: c, in: cookie, schema: {{ type: array }} }}"),
            "explode: false",
        ),
        (&format!("{good}, {{ name: c, in: body, schema: {{ type: string }} }}"), "cookie"),
        (&format!("{good}, {{ name: o, in: query, style: matrix, schema: {{}} }}"), "style"),
        (
            &format!("{good}, {{ name: o, in: query, content: {{ application/xml: {{}} }} }}"),
            "JSON or plain text",
        ),
        (
            &format!(
                "{good}, {{ name: o, in: query, schema: {{ type: object, properties: {{ a: {{}} }} }} }}, {{ name: a, in: query, schema: {{}} }}"
            ),
            "own the same name",
        ),
    ] {
        let found = load(&parameter(text)).unwrap_err();
        assert!(found.iter().any(|m| m.what.contains(word)), "{text}: {found:?}");
    }
    assert!(mistake("paths: { '/a/{b}': { get: {} } }").what.contains("not declared"));
}

#[test]
fn parameters_of_one_segment_can_be_told_apart() {
    let load = |path: &str, style: &str| {
        let one = |name: &str| {
            format!(
                "{{ name: {name}, in: path, required: true, style: {style}, schema: {{ type: string }} }}"
            )
        };
        load(&format!(
            "paths: {{ '{path}': {{ get: {{ parameters: [{}, {}] }} }} }}",
            one("a"),
            one("b")
        ))
    };
    for path in ["/c/{a}...{b}", "/c/v{a}-{b}.json", "/{a}/{b}", "/{a}.x/{b}"] {
        load(path, "simple").unwrap_or_else(|found| panic!("{path}: {found:?}"));
    }
    for (path, style, word) in [
        ("/c/{a}{b}", "simple", "`/c/{a}{b}`: nothing stands between"),
        ("/c/{a}-{b}", "label", "`/c/{a}-{b}`: `a` shares its segment"),
        ("/{a}/{b}/}", "simple", "`/{a}/{b}/}`: a brace"),
        ("/{a}/{b}/{", "simple", "a brace"),
        ("/{a}/{b}/{}", "simple", "a brace"),
    ] {
        let found = load(path, style).unwrap_err();
        assert!(found.iter().any(|m| m.what.contains(word)), "{path}: {found:?}");
    }
    load("/{a}/{b}", "label").unwrap();
}

#[test]
fn versions_schemes_and_duplicates() {
    let parse = |text: &str| Document::parse(text, "x", &Limits::default());
    assert!(parse("swagger: '2.0'").is_err());
    assert!(parse("openapi: 3.3.0\npaths: {}").is_err());
    assert!(parse("{\"openapi\": \"3.0.3\", \"paths\": {}}").is_ok());
    assert!(parse("openapi: 3.0.3\nopenapi: 3.0.3\npaths: {}").is_err());
    assert!(
        mistake("security: [ { ghost: [] } ]\npaths: { /a: { get: {} } }").what.contains("ghost")
    );
    let twice = "paths: { /a: { get: { operationId: x } }, /b: { get: { operationId: x } } }";
    assert!(mistake(twice).what.contains("twice"));
}

#[test]
fn a_schema_must_not_consist_of_itself() {
    let loops = "components: { schemas: { A: { allOf: [ { $ref: '#/components/schemas/B' } ] }, B: { anyOf: [ { $ref: '#/components/schemas/A' } ] } } }\n";
    let found = mistake(&(loops.to_owned() + &with_schema("{ $ref: '#/components/schemas/A' }")));
    assert!(found.what.contains("itself"), "{found:?}");
    let tree = "components: { schemas: { A: { type: object, properties: { a: { $ref: '#/components/schemas/A' } } } } }\n";
    loaded(&(tree.to_owned() + &with_schema("{ $ref: '#/components/schemas/A' }")));
}

#[test]
fn other_files_are_read_below_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("api");
    std::fs::create_dir_all(inner.join("models")).unwrap();
    std::fs::write(folder.path().join("secret.yaml"), "{ type: string }").unwrap();
    std::fs::write(inner.join("models/a.yaml"), "A: { $ref: 'b.yaml' }").unwrap();
    std::fs::write(inner.join("models/b.yaml"), "{ type: integer }").unwrap();
    let write = |reference: &str| {
        let text = HEAD.to_owned() + &with_schema(&format!("{{ $ref: '{reference}' }}"));
        std::fs::write(inner.join("api.yaml"), text).unwrap();
        Document::load(&inner.join("api.yaml"), &Limits::default())
    };
    assert!(write("./models/a.yaml#/A").is_ok());
    let outside = write("../secret.yaml").unwrap_err();
    assert!(outside[0].what.contains("outside"), "{outside:?}");
    assert!(write("models/none.yaml").is_err());
}

#[test]
fn what_is_not_checked_is_noted() {
    let text = "paths: { /a: { post: { requestBody: { content: { application/xml: {}, application/octet-stream: {} } } } } }";
    let notes: Vec<String> = loaded(text).notes().iter().map(|n| n.what.clone()).collect();
    assert!(notes.iter().any(|n| n.contains("XML")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("first bytes")), "{notes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_ends_without_panic(text in "[ -~\n]{0,200}", schema in "[a-zA-Z0-9{}:, $#/\\[\\]'-]{0,60}") {
        prop_assert!(Document::parse(&text, "x", &Limits::default()).is_err());
        let found = load(&with_schema(&schema));
        prop_assert!(found.is_ok() || !found.unwrap_err().is_empty());
    }
}

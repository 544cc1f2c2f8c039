//! Parameters of every style in every place, through a whole contract.

use super::*;
use crate::{Handling, Undeclared};

const STYLES: &str = r"
openapi: 3.1.0
info: { title: Styles, version: '1' }
paths:
  /s/{simple}/{label}/{matrix}:
    get:
      parameters:
        - { name: simple, in: path, required: true, explode: true, schema: { $ref: '#/components/schemas/P' } }
        - { name: label, in: path, required: true, style: label, schema: { type: array, items: { type: integer } } }
        - { name: matrix, in: path, required: true, style: matrix, explode: true, schema: { type: array, items: { type: integer } } }
        - { name: sp, in: query, style: spaceDelimited, schema: { type: array, items: { type: integer } } }
        - { name: pi, in: query, style: pipeDelimited, schema: { type: array, items: { type: integer } } }
        - { name: ob, in: query, schema: { $ref: '#/components/schemas/P' } }
        - { name: fo, in: query, explode: false, schema: { $ref: '#/components/schemas/P' } }
        - { name: de, in: query, style: deepObject, schema: { type: object, properties: { l: { type: array, items: { type: integer } }, t: { type: string } } } }
        - { name: js, in: query, content: { application/json: { schema: { type: object, required: [a], properties: { a: { type: integer }, t: { type: string } } } } } }
        - { name: url, in: query, allowReserved: true, schema: { type: string, default: none } }
        - { name: X-List, in: header, schema: { type: array, maxItems: 3, items: { type: integer } } }
        - { name: X-Json, in: header, content: { application/json: { schema: { type: integer } } } }
        - { name: session, in: cookie, schema: { type: string, pattern: '^[a-z%0-9=]+$' } }
        - { name: days, in: cookie, explode: false, schema: { type: array, items: { type: integer } } }
  /needed:
    get:
      parameters:
        - { name: session, in: cookie, required: true, schema: { type: string } }
        - { name: open, in: query, schema: { type: object, additionalProperties: { type: integer } } }
components:
  schemas:
    P: { type: object, properties: { x: { type: integer }, y: { type: boolean } } }
";

fn styles(index: usize, handling: &Handling) -> Arc<Contract> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("styles.yaml");
    std::fs::write(&path, STYLES).unwrap();
    let document = Document::load_for(&path, &Limits::default(), handling);
    let document = document.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert_eq!(document.operations()[0].declared_headers, ["x-list", "x-json", "cookie"]);
    Arc::clone(&document.operations()[index].contract)
}

type Path<'a> = [(&'a str, &'a str); 3];

const PATH: Path<'static> =
    [("simple", "x=1,y=true"), ("label", ".1,2"), ("matrix", ";matrix=1;matrix=2")];

fn send(path: &Path<'_>, query: &str, fields: &[(&str, &str)]) -> Result<Payload, String> {
    let handling = Handling::default();
    ask(&styles(0, &handling), path, query, fields)
}

fn ask(
    contract: &Arc<Contract>,
    path: &[(&str, &str)],
    query: &str,
    fields: &[(&str, &str)],
) -> Result<Payload, String> {
    let view = RequestView {
        path_parameters: path,
        query: Some(query),
        headers: &headers(fields),
        has_body: false,
    };
    let opened = contract.open(&view, Mode::Enforce).map_err(shown)?;
    opened.finish(Bytes::new()).map_err(shown)
}

#[test]
fn paths_take_simple_label_and_matrix() {
    assert!(styles(0, &Handling::default()).takes_matrix());
    assert!(!styles(1, &Handling::default()).takes_matrix());
    assert!(send(&PATH, "", &[]).is_ok());
    for (index, raw, found) in [
        (0, "x=1,z=1", "400 path:simple additionalProperties"),
        (0, "x=1,x=2", "400 path:simple repeated"),
        (0, "x=one", "400 path:simple type"),
        (0, "x=1;y=true", "400 path:simple path_character"),
        (1, ".1,b", "400 path:label type"),
        (1, "1,2", "400 path:label style"),
        (1, ".1;2", "400 path:label path_character"),
        (2, ";matrix=1;other=2", "400 path:matrix style"),
        (2, ";matrix=a", "400 path:matrix type"),
        (2, "1", "400 path:matrix style"),
    ] {
        let mut path = PATH;
        path[index].1 = raw;
        assert_eq!(send(&path, "", &[]).unwrap_err(), found, "{raw}");
    }
}

#[test]
fn queries_take_every_style_and_are_written_anew() {
    for (query, written) in [
        ("sp=1%202+3", "sp=1%202%203"),
        ("pi=1|2%7C3", "pi=1%7C2%7C3"),
        ("y=true&x=1", "y=true&x=1"),
        ("fo=x,1,y,true", "fo=x,1,y,true"),
        ("de[l]=1&de[l]=2&de[t]=1", "de%5Bl%5D=1&de%5Bl%5D=2&de%5Bt%5D=1"),
        ("js={\"a\":1}", "js=%7B%22a%22%3A1%7D"),
        ("js=%7B%22a%22:1%7D", "js=%7B%22a%22%3A1%7D"),
        ("url=https://a.example/?b", "url=https%3A%2F%2Fa.example%2F%3Fb"),
    ] {
        let payload = send(&PATH, query, &[]).unwrap_or_else(|found| panic!("{query}: {found}"));
        assert_eq!(payload.query(), Some(written), "{query}");
        let again = send(&PATH, written, &[]).unwrap();
        assert_eq!(again.query(), Some(written), "{query}, again");
    }
    for (query, found) in [
        ("sp=1%20a", "400 query:sp type"),
        ("sp=1,2", "400 query:sp type"),
        ("sp=1&sp=2", "400 query:sp repeated"),
        ("pi=1|x", "400 query:pi type"),
        ("x=1&x=2", "400 query:ob repeated"),
        ("x=one", "400 query:ob type"),
        ("ob=x,1", "400 query:undeclared undeclared"),
        ("fo=x,1,y", "400 query:fo style"),
        ("fo=z,1", "400 query:fo additionalProperties"),
        ("de[t]=a&de[t]=b", "400 query:de repeated"),
        ("de[l][a]=1", "400 query:undeclared undeclared"),
        ("js={}", "400 query:js required"),
        ("js={\"a\":1,\"a\":2}", "400 query:js duplicate_member"),
        ("js={\"a\":1}x", "400 query:js trailing_data"),
        ("js=%5B1", "400 query:js json_syntax"),
    ] {
        assert_eq!(send(&PATH, query, &[]).unwrap_err(), found, "{query}");
    }
}

#[test]
fn an_open_object_takes_what_nobody_else_owns() {
    let contract = styles(1, &Handling::default());
    let cookie = [("cookie", "session=a")];
    assert!(ask(&contract, &[], "any=1&other=2", &cookie).is_ok());
    assert_eq!(ask(&contract, &[], "any=x", &cookie).unwrap_err(), "400 query:open type");
    assert_eq!(ask(&contract, &[], "a=1&a=2", &cookie).unwrap_err(), "400 query:open repeated");
}

#[test]
fn headers_take_lists_and_json() {
    let refused = |fields: &[(&str, &str)]| send(&PATH, "", fields).err();
    assert_eq!(refused(&[("x-list", "1, 2"), ("x-list", "3")]), None);
    assert_eq!(refused(&[("x-json", "12")]), None);
    for (fields, found) in [
        (&[("x-list", "1,2,3,4")][..], "400 header:X-List maxItems"),
        (&[("x-list", "1,x")], "400 header:X-List type"),
        (&[("x-json", "{")], "400 header:X-Json json_syntax"),
        (&[("x-json", "1"), ("x-json", "2")], "400 header:X-Json repeated"),
    ] {
        assert_eq!(refused(fields).as_deref(), Some(found), "{fields:?}");
    }
}

#[test]
fn cookies_are_typed_and_written_anew() {
    let written = |fields: &[(&str, &str)]| -> Result<Option<String>, String> {
        let payload = send(&PATH, "", fields)?;
        let mut amended = headers(fields);
        payload.amend(&mut amended);
        assert!(amended.get_all("cookie").iter().count() < 2);
        Ok(amended.get("cookie").map(|value| value.to_str().unwrap().to_owned()))
    };
    let some = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(written(&[]), Ok(None));
    assert_eq!(written(&[("cookie", "session=a%3D; tracker=\"x y\"")]), some("session=a%3D"));
    assert_eq!(
        written(&[("cookie", "session=a"), ("cookie", "days=1,2")]),
        some("session=a; days=1,2")
    );
    assert_eq!(written(&[("cookie", "tracker=1")]), Ok(None));
    for (cookie, found) in [
        ("session=A", "400 cookie:session pattern"),
        ("session=a; session=b", "400 cookie:session repeated"),
        ("session=\"a\"", "400 cookie:session cookie_syntax"),
        ("session=a,b", "400 cookie:session cookie_syntax"),
        ("session=a b", "400 cookie:session cookie_syntax"),
        ("session=%", "400 cookie:session percent_encoding"),
        ("days=1,x", "400 cookie:days type"),
        ("=a", "400 cookie:undeclared cookie_syntax"),
    ] {
        assert_eq!(written(&[("cookie", cookie)]), Err(found.to_owned()), "{cookie}");
    }
    let needed = styles(1, &Handling::default());
    let found = ask(&needed, &[], "", &[]).unwrap_err();
    assert_eq!(found, "400 cookie:session required");
}

#[test]
fn what_is_undeclared_is_handled_as_configured() {
    let sent = [("cookie", "session=a; tracker=1"), ("x-other", "1")];
    let with = |handling: Handling| {
        let payload = ask(&styles(0, &handling), &PATH, "", &sent)?;
        let mut amended = headers(&sent);
        payload.amend(&mut amended);
        Ok::<_, String>(amended["cookie"].to_str().unwrap().to_owned())
    };
    let cookies = |cookies| Handling { cookies, ..Handling::default() };
    assert_eq!(with(cookies(Undeclared::Drop)), Ok("session=a".to_owned()));
    assert_eq!(with(cookies(Undeclared::Pass)), Ok("session=a; tracker=1".to_owned()));
    let refused = "400 cookie:undeclared undeclared".to_owned();
    assert_eq!(with(cookies(Undeclared::Refuse)), Err(refused));
    let expecting = |names: &[&str]| {
        let names = names.iter().map(|name| HeaderName::try_from(*name).unwrap()).collect();
        Handling { headers: Some(Arc::new(names)), ..Handling::default() }
    };
    let refused = "400 header:undeclared undeclared".to_owned();
    assert_eq!(with(expecting(&["cookie"])), Err(refused));
    assert!(with(expecting(&["cookie", "x-other"])).is_ok());
}

/// The filter reads every text, wherever it stands.
#[test]
fn every_text_of_a_parameter_is_handed_over() {
    let mut path = PATH;
    path[0].1 = "x=1";
    let query = "js={\"a\":1,\"t\":\"in-json\"}&de[t]=in-deep&url=in-query";
    let payload = send(&path, query, &[("cookie", "session=abc")]).unwrap();
    let mut texts = Vec::new();
    let none = payload.each_text(&mut |text, _| {
        texts.push(text.to_owned());
        std::ops::ControlFlow::Continue(())
    });
    assert!(none.is_none());
    for wanted in ["in-json", "in-deep", "in-query", "abc"] {
        assert!(texts.iter().any(|text| text == wanted), "{wanted}: {texts:?}");
    }
}

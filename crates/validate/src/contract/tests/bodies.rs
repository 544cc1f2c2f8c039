//! Bodies of every kind but JSON, through a whole contract.

use std::ops::ControlFlow;

use super::*;

const BODIES: &str = r"
openapi: 3.1.0
info: { title: Bodies, version: '1' }
paths:
  /b:
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [name]
              properties:
                name: { type: string, maxLength: 10 }
                age: { type: integer }
                tags: { type: array, maxItems: 2, items: { type: string } }
                meta: { type: object, properties: { a: { type: integer } } }
                deep: { type: object, properties: { a: { type: integer } } }
            encoding:
              deep: { style: deepObject }
          text/plain: { schema: { type: string, maxLength: 5 } }
          text/csv: {}
          application/octet-stream: { schema: { maxLength: 4 } }
          image/png: {}
          multipart/form-data:
            schema:
              type: object
              required: [name]
              properties:
                name: { type: string, maxLength: 10 }
                age: { type: integer }
                tags: { type: array, items: { type: string } }
                meta: { type: object, required: [a], properties: { a: { type: integer }, t: { type: string } } }
                photo: { type: string, format: binary, maxLength: 12 }
                files: { type: array, maxItems: 2, items: { type: string, format: binary } }
            encoding:
              photo: { contentType: 'image/png, image/jpeg', headers: { X-Rate: { schema: { enum: ['1'] } } } }
";

fn bodies() -> Arc<Contract> {
    let limits = Limits { body_bytes_max: 2_000, string_bytes_max: 100, ..Limits::default() };
    let document = Document::parse(BODIES, "bodies", &limits).unwrap_or_else(|m| panic!("{m:#?}"));
    Arc::clone(&document.operations()[0].contract)
}

fn send(kind: &str, body: &[u8]) -> Result<Payload, String> {
    let fields = headers(&[("content-type", kind)]);
    let view = RequestView { path_parameters: &[], query: None, headers: &fields, has_body: true };
    let opened = bodies().open(&view, Mode::Enforce).map_err(shown)?;
    opened.finish(Bytes::copy_from_slice(body)).map_err(shown)
}

fn texts(payload: &Payload) -> Vec<String> {
    let mut texts = Vec::new();
    payload.each_text(&mut |text, is_name| {
        texts.push(if is_name { format!("name {text}") } else { text.to_owned() });
        ControlFlow::Continue(())
    });
    texts
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn forms_are_typed_checked_and_written_anew() {
    for (body, written) in [
        ("name=a+b", "name=a%20b"),
        ("name=%61&age=3&tags=x&tags=y", "name=a&age=3&tags=x&tags=y"),
        ("name=a&meta=%7B%22a%22:1}", "name=a&meta=%7B%22a%22%3A1%7D"),
        ("name=a&deep[a]=1", "name=a&deep%5Ba%5D=1"),
        ("name", "name="),
        // Some readers separate at `;`: written anew, it separates nothing.
        ("name=a;age=1", "name=a%3Bage%3D1"),
    ] {
        let payload = send(FORM, body.as_bytes()).unwrap_or_else(|f| panic!("{body}: {f}"));
        assert_eq!(payload.body(), written, "{body}");
        assert_eq!(send(FORM, written.as_bytes()).unwrap().body(), written);
    }
    for (body, found) in [
        ("age=3", "400 body:/name required"),
        ("", "400 body:/name required"),
        ("name=a&age=three", "400 body:/age type"),
        ("name=a&name=b", "400 body:/name repeated"),
        ("name=aaaaaaaaaaaaaa", "400 body:/name maxLength"),
        ("name=a&tags=1&tags=2&tags=3", "400 body:/tags maxItems"),
        ("name=a&admin=true", "400 body: additionalProperties"),
        ("name=a&admin=1&admin=2", "400 body: repeated"),
        ("name=a&meta={}x", "400 body:/meta trailing_data"),
        ("name=a&meta={\"b\":1}", "400 body:/meta additionalProperties"),
        ("name=a&deep[a]=x", "400 body:/deep/a type"),
        ("name=a&deep[b]=1", "400 body:/deep additionalProperties"),
        ("name=a&&age=1", "400 body: query_syntax"),
        ("name=%zz", "400 body:/name percent_encoding"),
        ("name=%ff", "400 body:/name utf8"),
        ("name=%00", "400 body:/name nul"),
    ] {
        assert_eq!(send(FORM, body.as_bytes()).unwrap_err(), found, "{body}");
    }
    assert_eq!(send(FORM, b"name=\xff").unwrap_err(), "400 body: utf8");
    let payload = send(FORM, b"name=free&tags=one").unwrap();
    assert_eq!(texts(&payload), ["free", "one"]);
}

#[test]
fn texts_and_octets_are_bounded() {
    assert!(send("text/plain", b"hello").is_ok());
    assert_eq!(send("text/plain", b"hello!").unwrap_err(), "400 body: maxLength");
    assert_eq!(send("text/plain", b"a\0").unwrap_err(), "400 body: nul");
    assert_eq!(send("text/plain", b"\xff").unwrap_err(), "400 body: utf8");
    assert_eq!(send("text/plain", b"\xEF\xBB\xBFa").unwrap_err(), "400 body: byte_order_mark");
    assert_eq!(
        send("text/plain; charset=iso-8859-1", b"a").unwrap_err(),
        "415 content-type charset"
    );
    assert!(send("text/csv", "a,é".as_bytes()).is_ok());
    assert_eq!(send("text/csv", &[b'a'; 101]).unwrap_err(), "400 body: string_bytes_max");
    assert!(send("application/octet-stream", b"\xff\0\0\0").is_ok());
    assert_eq!(send("application/octet-stream", b"12345").unwrap_err(), "400 body: maxLength");
    assert!(send("image/png", b"\x89PNG\r\n\x1a\n").is_ok());
    assert_eq!(send("image/png", b"<svg/>").unwrap_err(), "400 body: file_type");
    assert_eq!(send("image/gif", b"GIF89a").unwrap_err(), "415 content-type undeclared");
}

const MULTIPART: &str = "multipart/form-data; boundary=b";

/// A body of these parts: what follows the name in its head, and its content.
fn parts(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (head, content) in parts {
        let head = format!("content-disposition: form-data; name={head}");
        body.push_str(&format!("--b\r\n{head}\r\n\r\n{content}\r\n"));
    }
    (body + "--b--\r\n").into_bytes()
}

const PNG: &str = "\u{89}";

#[test]
fn multipart_bodies_fit_their_fields() {
    let name = ("name", "a");
    let file = "photo; filename=\"p.png\"\r\ncontent-type: image/png";
    let mut png = parts(&[name, (file, PNG)]);
    let at = png.windows(2).position(|two| two == PNG.as_bytes()).unwrap();
    png.splice(at..at + 2, *b"\x89PNG\r\n\x1a\n!!!!");
    let payload = send(MULTIPART, &png).unwrap();
    assert_eq!(payload.body(), &png[..], "the bytes that were checked");
    let longer: Vec<u8> =
        png.iter().flat_map(|b| if *b == b'!' { vec![b'!', b'!'] } else { vec![*b] }).collect();
    assert_eq!(send(MULTIPART, &longer).unwrap_err(), "400 body:/photo maxLength");
    for good in [
        &[name][..],
        &[name, ("age", "3"), ("tags", "x"), ("tags", "y")],
        &[name, ("meta", r#"{"a":1}"#)],
        &[name, ("meta; filename=blob\r\ncontent-type: application/json", r#"{"a":1}"#)],
        &[name, ("files; filename=a", "x"), ("files; filename=b", "y")],
        &[("name\r\ncontent-type: text/plain; charset=utf-8", "a")],
    ] {
        send(MULTIPART, &parts(good)).unwrap_or_else(|found| panic!("{good:?}: {found}"));
    }
}

#[test]
fn multipart_bodies_that_do_not_fit_are_refused() {
    let name = ("name", "a");
    let file = "photo; filename=\"p.png\"\r\ncontent-type: image/png";
    for (bad, found) in [
        (&[("age", "3")][..], "400 body:/name required"),
        (&[name, name], "400 body:/name repeated"),
        (&[name, ("age", "x")], "400 body:/age type"),
        (&[("name", "aaaaaaaaaaaaaaa")], "400 body:/name maxLength"),
        (&[name, ("admin", "1")], "400 body: additionalProperties"),
        (&[name, ("meta", r#"{"a":1,"a":2}"#)], "400 body:/meta duplicate_member"),
        (&[name, ("meta", "{}")], "400 body:/meta/a required"),
        (&[name, ("meta\r\ncontent-type: text/html", "{}")], "400 body:/meta contentType"),
        (&[("name; filename=x", "a")], "400 body:/name file_name"),
        (&[("name\r\ncontent-type: text/html", "a")], "400 body:/name contentType"),
        (&[("name\r\ncontent-type: text/plain; charset=utf-16", "a")], "400 body:/name charset"),
        (&[("name\r\ncontent-transfer-encoding: base64", "YQ==")], "400 body:/name part_header"),
        (&[name, ("photo", "x")], "400 body:/photo file_name"),
        (&[name, (file, "<svg onload=x>")], "400 body:/photo file_type"),
        (
            &[name, ("photo; filename=a\r\ncontent-type: text/html", "x")],
            "400 body:/photo contentType",
        ),
        (
            &[name, ("photo; filename=a\r\ncontent-type: image/png\r\nx-rate: 2", "")],
            "400 body:/photo part_header",
        ),
        (
            &[name, ("files; filename=a\r\ncontent-type: multipart/mixed; boundary=c", "x")],
            "400 body:/files nested_multipart",
        ),
        (&[name, ("files; filename=\"../a\"", "x")], "400 body: file_name"),
        (
            &[
                name,
                ("files; filename=a", "x"),
                ("files; filename=a", "x"),
                ("files; filename=a", "x"),
            ],
            "400 body:/files maxItems",
        ),
        (&[("name", "\u{0}")], "400 body:/name nul"),
    ] {
        assert_eq!(send(MULTIPART, &parts(bad)).unwrap_err(), found, "{bad:?}");
    }
}

#[test]
fn boundaries_are_said_once_and_plainly() {
    let body = parts(&[("name", "a")]);
    for good in [MULTIPART, "Multipart/Form-Data; Boundary=\"b\"", "multipart/form-data;boundary=b"]
    {
        assert!(send(good, &body).is_ok(), "{good}");
    }
    for (bad, rule) in [
        ("multipart/form-data", "400 body: boundary"),
        ("multipart/form-data; boundary=", "415 content-type boundary"),
        ("multipart/form-data; boundary=b; boundary=c", "415 content-type boundary"),
        ("multipart/form-data; boundary=b; boundary*=c", "415 content-type boundary"),
        ("multipart/form-data; boundary=b; x=y", "415 content-type boundary"),
        ("multipart/form-data; boundary=\"b\\\"\"", "415 content-type malformed"),
        ("multipart/form-data; boundary=c", "400 body: multipart_syntax"),
    ] {
        assert_eq!(send(bad, &body).unwrap_err(), rule, "{bad}");
    }
}

#[test]
fn every_text_of_a_multipart_body_is_handed_over() {
    let body = parts(&[
        ("name", "value"),
        ("meta", r#"{"a":1,"t":"in-json"}"#),
        ("files; filename=\"some name\"\r\ncontent-type: text/csv; x=odd", "1,2"),
    ]);
    let found = texts(&send(MULTIPART, &body).unwrap());
    for wanted in ["value", "in-json", "some name", "text/csv; x=odd"] {
        assert!(found.iter().any(|text| text == wanted), "{wanted}: {found:?}");
    }
}

#[test]
fn compressed_bodies_go_inside_decoded_where_that_is_configured() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bodies.yaml");
    std::fs::write(&path, BODIES).unwrap();
    let pack = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let send = |gzip: bool, body: Vec<u8>| {
        let codings = Codings { gzip, ..Codings::default() };
        let handling = Handling { codings, ..Handling::default() };
        let limits = Limits { body_bytes_max: 2_000, ..Limits::default() };
        let document = Document::load_for(&path, &limits, &handling).unwrap();
        let mut fields = headers(&[("content-type", "text/plain"), ("content-encoding", "gzip")]);
        let view =
            RequestView { path_parameters: &[], query: None, headers: &fields, has_body: true };
        let contract = &document.operations()[0].contract;
        let opened = contract.open(&view, Mode::Enforce).map_err(shown)?;
        let payload = opened.finish(body.into()).map_err(shown)?;
        payload.amend(&mut fields);
        assert!(!fields.contains_key("content-encoding"), "it is not coded any more");
        Ok::<_, String>(payload.body().clone())
    };
    assert_eq!(send(true, pack(b"hello")).as_deref(), Ok(&b"hello"[..]));
    assert_eq!(send(false, pack(b"hello")).unwrap_err(), "415 content-type content_encoding");
    assert_eq!(send(true, pack(b"hello!")).unwrap_err(), "400 body: maxLength");
    assert_eq!(send(true, b"hello".to_vec()).unwrap_err(), "400 body: content_encoding");
    assert_eq!(send(true, pack(&[b'a'; 2_001])).unwrap_err(), "413 size body_bytes_max");
}

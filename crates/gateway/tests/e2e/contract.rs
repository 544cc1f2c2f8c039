//! The contract through the binary: what it refuses, each beside a near miss, and what arrives at a service that writes
//! down every byte.

use std::process::Command;

use bytes::Bytes;
use http::Request;

use crate::attacks::recorder::{Arrived, Recorder};
use crate::client::{Client, PROTOCOLS};
use crate::issuer::Issuer;
use crate::site::{FILE_SINK, Gateway, Site, WIDE_LIMITS};

mod ends;

/// A gateway whose contract is enforced, in front of a recorder.
struct Held {
    _site: Site,
    _gateway: Gateway,
    recorder: Recorder,
    client: Client,
}

impl Held {
    fn new() -> Self {
        Self::with("{ decode: [gzip] }", Vec::new())
    }

    /// With another section `validate`, and a service that answers so.
    fn with(validate: &str, answers: Vec<&'static [u8]>) -> Self {
        let site = site();
        let recorder = Recorder::start(answers);
        configure(&site, recorder.address);
        site.amend("validate: { decode: [gzip] }", &format!("validate: {validate}"));
        let gateway = site.start();
        let client = Client::new(&site.authority.ca_pem(), gateway.address);
        Self { _site: site, _gateway: gateway, recorder, client }
    }

    /// Sends one request on each protocol; what they were answered, and what arrived of the last.
    async fn send(&self, row: &Row<'_>) -> (u16, String, Option<Arrived>) {
        let mut heard = Vec::new();
        let mut last = None;
        for protocol in PROTOCOLS {
            let answer = self.client.send(protocol, row.request()).await;
            heard
                .push((answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned()));
            last = self.recorder.take().pop();
        }
        let statuses: Vec<u16> = heard.iter().map(|(status, _)| *status).collect();
        assert!(statuses.iter().all(|status| *status == statuses[0]), "{row:?}: {statuses:?}");
        let (status, body) = heard.swap_remove(0);
        (status, body, last)
    }

    async fn refused(&self, row: Row<'_>, status: u16, rule: &str) {
        let (answered, body, arrived) = self.send(&row).await;
        assert_eq!(answered, status, "{row:?}: {body}");
        assert!(body.contains(rule), "{row:?}: {body}");
        assert!(arrived.is_none(), "{row:?}: {arrived:?}");
    }

    async fn passes(&self, row: Row<'_>) -> Arrived {
        let (answered, body, arrived) = self.send(&row).await;
        assert_eq!(answered, 200, "{row:?}: {body}");
        arrived.unwrap_or_else(|| panic!("{row:?}: nothing arrived"))
    }
}

fn site() -> Site {
    let site = Site::new();
    let document = include_str!("contract.openapi.yaml");
    std::fs::write(site.path("orders.openapi.yaml"), document).unwrap();
    Issuer::new(&site);
    site
}

fn configure(site: &Site, upstream: std::net::SocketAddr) {
    site.configure(&Issuer::configuration(), upstream, &format!("{WIDE_LIMITS}{FILE_SINK}"));
    site.amend(
        "    access:\n      - { operations: [deleteOrder], clients: [backoffice] }\n",
        "    anonymous: [item, map, bodies, told, told_head, search, compare]\n    validate: { decode: [gzip] }\n",
    );
    site.amend(&format!("https://{upstream}"), &format!("http://{upstream}"));
    site.amend(
        "    tls: { ca: ca.pem, certificate: { chain: client.pem, key: client.key }, name: orders.internal }\n",
        "    insecure_plaintext: true\n",
    );
}

/// What is sent.
#[derive(Debug, Clone)]
struct Row<'a> {
    target: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    body: Option<Vec<u8>>,
}

fn get(target: &str) -> Row<'_> {
    Row { target, fields: Vec::new(), body: None }
}

fn post<'a>(kind: &'a str, body: impl Into<Vec<u8>>) -> Row<'a> {
    Row { target: "/bodies", fields: vec![("content-type", kind)], body: Some(body.into()) }
}

impl<'a> Row<'a> {
    fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.fields.push((name, value));
        self
    }

    fn request(&self) -> Request<Bytes> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let mut builder = Request::builder().method(method).uri(self.target);
        for (name, value) in &self.fields {
            builder = builder.header(*name, *value);
        }
        builder.body(self.body.clone().unwrap_or_default().into()).unwrap()
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";
const XML: &str = "application/xml";

/// Where validators fail open, this one refuses (the table of the issue).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_fails_closed() {
    let held = Held::new();
    held.refused(get("/items/1?debug=1"), 400, "undeclared").await;
    held.refused(post(JSON, r#"{"admin":true}"#), 400, "additionalProperties").await;
    let untyped = Row { fields: Vec::new(), ..post(JSON, "{}") };
    held.refused(untyped, 415, "required").await;
    held.refused(post("application/yaml", "{}"), 415, "undeclared").await;
    held.refused(post(JSON, r#"{"name":"a","name":"b"}"#), 400, "duplicate_member").await;
    held.refused(post(JSON, r#"{"name":"a"}{}"#), 400, "trailing_data").await;
    let deep = format!(r#"{{"list":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    held.refused(post(JSON, deep), 400, "depth_max").await;
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(70_000));
    held.refused(post(JSON, long), 400, "string_bytes_max").await;
    let arrived = held.passes(post(JSON, r#"{"name":"a","list":[[1]]}"#)).await;
    assert_eq!(arrived.body, br#"{"name":"a","list":[[1]]}"#);
    held.passes(get("/items/1?page=2")).await;
    // 8 MB: refused when its announced length is read, on each protocol.
    let huge = post(JSON, format!(r#"{{"name":"{}"}}"#, "a".repeat(8_000_000)));
    let answer = held.client.try_send(PROTOCOLS[1], huge.request()).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 413));
    assert!(held.recorder.take().is_empty());
}

/// A schema that does not compile stops the start: it is not skipped.
#[test]
fn contract_that_does_not_compile_is_refused_at_load() {
    let site = site();
    configure(&site, ([127, 0, 0, 1], 9).into());
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("check").arg(site.path("gateway.yaml")).output().unwrap()
    };
    let good = check();
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    // What has no size of its own is told with the one that holds, and is no mistake.
    let told = String::from_utf8_lossy(&good.stdout);
    assert!(told.contains(": bodies: body:/") && told.contains("_max "), "{told}");
    let path = site.path("orders.openapi.yaml");
    let broken = include_str!("contract.openapi.yaml").replace("maxLength: 16", "maxLength: -1");
    std::fs::write(path, broken).unwrap();
    let bad = check();
    let told =
        format!("{}{}", String::from_utf8_lossy(&bad.stdout), String::from_utf8_lossy(&bad.stderr));
    assert!(!bad.status.success() && told.contains("compile"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_parameters_holds() {
    let held = Held::new();
    let arrived = held.passes(get("/items/1?tags=a%7Cb&filter=%7B%22a%22:1%7D")).await;
    assert_eq!(arrived.line(), "GET /items/1?tags=a%7Cb&filter=%7B%22a%22%3A1%7D");
    held.refused(get("/items/1?page=1&page=2"), 400, "repeated").await;
    held.refused(get("/items/1?filter=%7B%22a%22:1,%22a%22:2%7D"), 400, "duplicate_member").await;
    let arrived = held.passes(get("/items/1").with("cookie", "theme=dark; tracker=\"x\"")).await;
    assert_eq!(arrived.field("cookie"), Some("theme=dark"), "{}", arrived.head);
    held.refused(get("/items/1").with("cookie", "theme=blue"), 400, "enum").await;
    held.refused(get("/items/1").with("cookie", "theme=dark; theme=light"), 400, "repeated").await;
    // `;` stands in a path only where an operation declares it, and only as it declares it.
    let arrived = held.passes(get("/map/;x=1;y=2")).await;
    assert_eq!(arrived.line(), "GET /map/;x=1;y=2");
    held.refused(get("/map/;x=1;z=2"), 400, "additionalProperties").await;
    for target in ["/items/1;x=2", "/items;x/1", "/map;a/;x=1", "/other/;x=1", "/map/..;/items"] {
        held.refused(get(target), 400, "").await;
    }
}

/// Where undeclared fields are refused, those of browsers and of proxies are not: none goes inside as it came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_undeclared_fields_holds() {
    let validate = "{ undeclared_headers: refuse, undeclared_cookies: refuse }";
    let held = Held::with(validate, Vec::new());
    held.refused(get("/items/1").with("x-shop-debug", "1"), 400, "undeclared").await;
    held.refused(get("/items/1").with("cookie", "theme=dark; tracker=1"), 400, "undeclared").await;
    let passed_on = get("/items/1")
        .with("cookie", "theme=dark")
        .with("sec-fetch-mode", "cors")
        .with("x-forwarded-proto", "gopher")
        .with("x-real-ip", "192.0.2.1")
        .with("client-cert", ":AAAA:");
    let arrived = held.passes(passed_on).await;
    assert_eq!(arrived.field("x-forwarded-proto"), Some("https"), "{}", arrived.head);
    for name in ["x-real-ip", "client-cert", "sec-fetch-mode"] {
        assert_eq!(arrived.field(name), None, "{}", arrived.head);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_forms_and_parts_holds() {
    let held = Held::new();
    let arrived = held.passes(post(FORM, "name=a+b;c&age=3")).await;
    assert_eq!(arrived.body, b"name=a%20b%3Bc&age=3", "written anew");
    held.refused(post(FORM, "name=a&age=x"), 400, "type").await;
    held.refused(post(FORM, "name=a&admin=1"), 400, "additionalProperties").await;
    held.refused(post(FORM, "name=' or 1=1 --"), 403, "").await;

    let part = |head: &str, content: &[u8]| {
        let head = format!("--b\r\ncontent-disposition: form-data; name={head}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let whole = |parts: &[Vec<u8>]| [parts.concat(), b"--b--\r\n".to_vec()].concat();
    let photo = "photo; filename=\"a.png\"\r\ncontent-type: image/png";
    let body = whole(&[part("name", b"a"), part(photo, b"\x89PNG\r\n\x1a\n")]);
    let arrived = held.passes(post(MULTIPART, body.clone())).await;
    assert_eq!(arrived.body, body, "the bytes that were checked");
    let svg = whole(&[part("name", b"a"), part(photo, b"<svg onload=alert(1)>")]);
    held.refused(post(MULTIPART, svg), 400, "file_type").await;
    held.refused(post(MULTIPART, whole(&[part("admin", b"a")])), 400, "").await;
    held.refused(post(MULTIPART, whole(&[part("name", b"' or 1=1 --")])), 403, "").await;
    let named = photo.replace("a.png", "<script>alert(1)<script>.png");
    let body = whole(&[part("name", b"a"), part(&named, b"\x89PNG\r\n\x1a\n")]);
    held.refused(post(MULTIPART, body), 403, "").await;
    let twice = "multipart/form-data; boundary=b; boundary=c";
    held.refused(post(twice, whole(&[part("name", b"a")])), 415, "boundary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_xml_texts_and_octets_holds() {
    let held = Held::new();
    let body = r#"<order id="1"><name>a &amp; b</name></order>"#;
    assert_eq!(held.passes(post(XML, body)).await.body, body.as_bytes());
    for (body, rule) in [
        (
            r#"<!DOCTYPE order [<!ENTITY a SYSTEM "file:///etc/passwd">]><order><name>&a;</name></order>"#,
            "xml_doctype",
        ),
        ("<order><name>&a;</name></order>", "xml_entity"),
        ("<order><admin>1</admin></order>", "undeclared"),
        (r#"<order id="x"/>"#, "type"),
        ("<order/><order/>", "xml_syntax"),
    ] {
        held.refused(post(XML, body), 400, rule).await;
    }
    held.refused(
        post(XML, "<order><name>&lt;script&gt;alert(1)&lt;/script&gt;</name></order>"),
        403,
        "",
    )
    .await;
    held.passes(post("text/plain", "hello")).await;
    held.refused(post("text/plain", "a".repeat(17)), 400, "maxLength").await;
    held.refused(post("text/plain; charset=latin1", "a"), 415, "charset").await;
    held.passes(post("application/octet-stream", [0xff; 8])).await;
    held.refused(post("application/octet-stream", [0xff; 9]), 400, "maxLength").await;
}

/// A body that comes compressed goes inside as it was checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_compressed_bodies_holds() {
    let held = Held::new();
    let packed = gzip(br#"{"name":"a"}"#);
    let arrived = held.passes(post(JSON, packed.clone()).with("content-encoding", "gzip")).await;
    assert_eq!(arrived.body, br#"{"name":"a"}"#);
    assert_eq!(arrived.field("content-encoding"), None, "{}", arrived.head);
    let inside = gzip(br#"{"admin":1}"#);
    held.refused(post(JSON, inside).with("content-encoding", "gzip"), 400, "additionalProperties")
        .await;
    let more = [packed.clone(), packed.clone()].concat();
    held.refused(post(JSON, more).with("content-encoding", "gzip"), 400, "content_encoding").await;
    held.refused(post(JSON, packed).with("content-encoding", "br"), 415, "content_encoding").await;
}

/// What a service answers, and what the client hears where answers are enforced, and where they are observed.
const ANSWERS: [(&[u8], u16, u16); 6] = [
    (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{\"id\":1}", 200, 200),
    (b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: 3\r\n\r\na,b", 200, 200),
    (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{\"id\":\"x\"}", 502, 200),
    (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{\"id\":1,\"secret\":\"s\"}", 502, 200),
    (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>", 502, 200),
    (b"HTTP/1.1 500 No\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\ntrace", 502, 500),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_answers_holds() {
    let all: Vec<&'static [u8]> = ANSWERS.iter().map(|(answer, _, _)| *answer).collect();
    for (validate, enforced) in [("{ response: enforce }", true), ("{ response: observe }", false)]
    {
        let held = Held::with(validate, all.clone());
        for (number, (answer, refused, passed)) in ANSWERS.into_iter().enumerate() {
            let target = Recorder::answer(number);
            let (status, body, arrived) = held.send(&get(&target)).await;
            let wanted = if enforced { refused } else { passed };
            assert_eq!(status, wanted, "{validate} {number}: {body}");
            assert!(arrived.is_some(), "{number}: it was asked");
            let sent = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            let same = body.as_bytes() == &answer[sent..];
            assert_eq!(same, status != 502, "{validate} {number}: {body}");
        }
    }
}

/// Members that no schema names stay inside, and what cannot be read is not let out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_drops_undeclared_members() {
    let json = |fields: &str, body: &str| -> &'static [u8] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{fields}");
        format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes().leak()
    };
    let chunked: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
        9\r\n{\"new\":1,\r\n9\r\n\"id\":1.0}\r\n0\r\n\r\n";
    let tagged = "etag: \"a\"\r\ncontent-digest: sha-256=:AA==:\r\n";
    let coded = "content-encoding: gzip\r\n";
    let answers = vec![
        json(tagged, r#"{ "id" : 1, "secret":"s", "new":{"a":[1]} }"#),
        json(tagged, r#"{ "id" : 1 }"#),
        chunked,
        json("", r#"{"id":"x","new":1}"#),
        json(coded, r#"{"id":1,"new":1}"#),
        json("", r#"{"id":1,"new":}"#),
        long_answer(),
    ];
    for (validate, wrong) in [("enforce", 502), ("observe", 200)] {
        let validate = format!("{{ response: {validate}, undeclared_members: drop }}");
        let held = Held::with(&validate, answers.clone());
        for (number, status, left) in [
            (0, 200, r#"{ "id" : 1 }"#),
            (1, 200, r#"{ "id" : 1 }"#),
            (2, 200, r#"{"id":1.0}"#),
            (3, wrong, r#"{"id":"x"}"#),
            (4, 502, ""),
            (5, 502, ""),
            (6, 502, ""),
        ] {
            let target = Recorder::answer(number);
            let (answered, body, _) = held.send(&get(&target)).await;
            assert_eq!(answered, status, "{validate} {number}: {body}");
            assert!(status == 502 || body == left, "{validate} {number}: {body}");
        }
        for protocol in PROTOCOLS {
            let cut = held.client.send(protocol, get(&Recorder::answer(0)).request()).await;
            assert_eq!(cut.headers.get("etag").unwrap(), "W/\"a\"");
            assert!(cut.headers.get("content-digest").is_none());
            let same = held.client.send(protocol, get(&Recorder::answer(1)).request()).await;
            assert_eq!(same.headers.get("etag").unwrap(), "W/\"a\"");
            assert!(same.headers.get("content-digest").is_some());
        }
    }
}

/// An answer that is too long to be read whole passes where answers are observed, every byte of it, and is refused where they are enforced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_observes_long_answers_as_they_stream() {
    let whole = 1_200_000 + r#"{"id":1,"new":""}"#.len();
    let held = Held::with("{ response: observe }", vec![long_answer()]);
    let (status, body, _) = held.send(&get(&Recorder::answer(0))).await;
    assert_eq!((status, body.len()), (200, whole));
    assert!(body.ends_with("aa\"}"));
    let held = Held::with("{ response: enforce }", vec![long_answer()]);
    let (status, _, _) = held.send(&get(&Recorder::answer(0))).await;
    assert_eq!(status, 502);
}

/// 1.2 MB of JSON in chunks.
fn long_answer() -> &'static [u8] {
    let mut answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    answer.extend(b"f\r\n{\"id\":1,\"new\":\"\r\n");
    for _ in 0..12 {
        answer.extend(format!("{:x}\r\n{}\r\n", 100_000, "a".repeat(100_000)).into_bytes());
    }
    answer.extend(b"2\r\n\"}\r\n0\r\n\r\n");
    answer.leak()
}

/// One stored block (RFC 1951 3.2.4) in a member of gzip (RFC 1952).
fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut sum = u32::MAX;
    for byte in plain {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    let length = u16::try_from(plain.len()).unwrap();
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(plain);
    packed.extend((!sum).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

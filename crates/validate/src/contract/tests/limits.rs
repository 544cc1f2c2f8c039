//! Every limit of a request: at the limit it passes, one more is refused under the name of that limit.

use std::io::Write as _;

use super::*;

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Limits, version: "1" }
paths:
  /all:
    post:
      operationId: all
      parameters:
        - { name: tag, in: query, schema: { type: array, items: { type: string } } }
        - { name: c, in: cookie, schema: { type: string } }
      requestBody:
        content:
          application/json: { schema: true }
          application/x-www-form-urlencoded: { schema: { type: object, additionalProperties: true } }
          multipart/form-data: { schema: { type: object, properties: { p: { type: array, items: { type: string } } } } }
          application/xml:
            schema:
              type: object
              xml: { name: a }
              properties:
                b: { type: string, xml: { attribute: true } }
                c: { type: string, xml: { attribute: true } }
                d: { type: string, xml: { attribute: true } }
      responses: {}
"#;

const JSON: &str = "application/json";

/// What is sent: content type, body, query, a field.
#[derive(Debug, Default)]
struct Sent {
    kind: &'static str,
    body: Vec<u8>,
    query: Option<String>,
    field: Option<(&'static str, String)>,
}

fn json(body: String) -> Sent {
    Sent { kind: JSON, body: body.into_bytes(), ..Sent::default() }
}

fn outcome(limits: Limits, sent: Sent) -> Result<(), &'static str> {
    let codings = Codings { gzip: true, ..Codings::default() };
    let handling = Handling { codings, ..Handling::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.yaml");
    std::fs::write(&path, DOCUMENT).unwrap();
    let document = Document::load_for(&path, &limits, &handling).unwrap();
    let contract = Arc::clone(&document.operations()[0].contract);
    let mut headers = HeaderMap::new();
    if !sent.kind.is_empty() {
        headers.insert(http::header::CONTENT_TYPE, sent.kind.parse().unwrap());
    }
    if let Some((name, value)) = &sent.field {
        headers.insert(*name, value.parse().unwrap());
    }
    let request = RequestView {
        path_parameters: &[],
        query: sent.query.as_deref(),
        headers: &headers,
        has_body: !sent.body.is_empty(),
    };
    let opened = contract.open(&request, Mode::Enforce);
    let finished = opened.and_then(|opened| opened.finish(sent.body.into()));
    finished.map(drop).map_err(|found| found[0].rule)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn parts(count: usize, header: usize) -> Sent {
    let disposition = r#"Content-Disposition: form-data; name="p""#;
    let head = format!("{disposition}{}", " ".repeat(header.saturating_sub(disposition.len())));
    let part = format!("--b\r\n{head}\r\n\r\nv\r\n");
    let body = format!("{}--b--\r\n", part.repeat(count)).into_bytes();
    Sent { kind: "multipart/form-data; boundary=b", body, ..Sent::default() }
}

/// A limit by its name, how it is set, and a request that has so much of it.
type Row = (&'static str, usize, fn(usize) -> Limits, fn(usize) -> Sent);

/// The default limits but for one.
macro_rules! only {
    ($field:ident) => {
        |most| Limits { $field: most, ..Limits::default() }
    };
}

const ROWS: [Row; 15] = [
    ("body_bytes_max", 40, only!(body_bytes_max), |n| json(format!("[{}]", " ".repeat(n - 2)))),
    ("string_bytes_max", 9, only!(string_bytes_max), |n| json(format!("[\"{}\"]", "a".repeat(n)))),
    // Decoded, not as it is written.
    ("string_bytes_max", 9, only!(string_bytes_max), |n| {
        json(format!("[\"{}\"]", "\\u0041".repeat(n)))
    }),
    ("items_max", 3, only!(items_max), |n| json(format!("[{}]", vec!["1"; n].join(",")))),
    ("members_max", 3, only!(members_max), |n| {
        let members: Vec<String> = (0..n).map(|at| format!("\"m{at}\":1")).collect();
        json(format!("{{{}}}", members.join(",")))
    }),
    ("members_max", 3, only!(members_max), |n| {
        let fields: Vec<String> = (0..n).map(|at| format!("m{at}=1")).collect();
        let body = fields.join("&").into_bytes();
        Sent { kind: "application/x-www-form-urlencoded", body, ..Sent::default() }
    }),
    ("depth_max", 4, only!(depth_max), |n| json(format!("{}{}", "[".repeat(n), "]".repeat(n)))),
    ("values_max", 5, only!(values_max), |n| json(format!("[{}]", vec!["1"; n - 1].join(",")))),
    ("number_chars_max", 5, only!(number_chars_max), |n| json(format!("[{}]", "1".repeat(n)))),
    ("query_bytes_max", 20, only!(query_bytes_max), |n| Sent {
        query: Some(format!("tag={}", "a".repeat(n - 4))),
        ..Sent::default()
    }),
    ("query_parameters_max", 3, only!(query_parameters_max), |n| Sent {
        query: Some(vec!["tag=a"; n].join("&")),
        ..Sent::default()
    }),
    ("cookies_max", 3, only!(cookies_max), |n| {
        let cookies: Vec<String> = (0..n).map(|at| format!("c{at}=1")).collect();
        Sent { field: Some(("cookie", cookies.join("; "))), ..Sent::default() }
    }),
    ("parts_max", 3, only!(parts_max), |n| parts(n, 0)),
    ("part_header_bytes_max", 64, only!(part_header_bytes_max), |n| parts(1, n)),
    ("attributes_max", 2, only!(attributes_max), |n| {
        let attributes = ["", " b=\"1\"", " b=\"1\" c=\"1\"", " b=\"1\" c=\"1\" d=\"1\""][n];
        let body = format!("<a{attributes}/>").into_bytes();
        Sent { kind: "application/xml", body, ..Sent::default() }
    }),
];

#[test]
fn at_the_limit_it_passes_and_one_more_is_refused() {
    for (name, most, limits, sent) in ROWS {
        assert_eq!(outcome(limits(most), sent(most)), Ok(()), "{name} {:?}", sent(most));
        assert_eq!(outcome(limits(most), sent(most + 1)), Err(name), "{:?}", sent(most + 1));
        // It is this limit that refuses.
        assert_eq!(outcome(limits(most + 1), sent(most + 1)), Ok(()), "{name}");
    }
}

#[test]
fn a_ratio_is_asked_of_what_is_larger_than_small_bodies_are() {
    let coded = |plain: usize| Sent {
        field: Some(("content-encoding", "gzip".to_owned())),
        ..json_of(gzip(format!("[{}]", " ".repeat(plain - 2)).as_bytes()))
    };
    let plain = 100_000_usize;
    let least = plain.div_ceil(coded(plain).body.len());
    let limits = |ratio_max| Limits { ratio_max, ..Limits::default() };
    assert_eq!(outcome(limits(least), coded(plain)), Ok(()));
    assert_eq!(outcome(limits(least - 1), coded(plain)), Err("ratio_max"));
    assert_eq!(outcome(limits(1), coded(64 * 1024)), Ok(()));
}

fn json_of(body: Vec<u8>) -> Sent {
    Sent { kind: JSON, body, ..Sent::default() }
}

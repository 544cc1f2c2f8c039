//! What is easily forgotten: the method QUERY, answers without a body from which members would be dropped, and the bounds
//! of an API as its configuration has them.

use super::*;

/// A safe method with a body (OpenAPI 3.2): the same contract and filter as of any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_query_holds() {
    let held = Held::new();
    let query = |body: &str| {
        let builder = Request::builder().method("QUERY").uri("/search");
        builder.header("content-type", JSON).body(Bytes::from(body.to_owned())).unwrap()
    };
    for protocol in PROTOCOLS {
        let answer = held.client.send(protocol, query(r#"{"text":"lamp"}"#)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let arrived = held.recorder.take().pop().expect("it arrived");
        assert_eq!(arrived.line(), "QUERY /search");
        assert_eq!(arrived.body, br#"{"text":"lamp"}"#);
        for (body, status) in [
            (r#"{"text":"lamp","admin":true}"#, 400),
            (r#"{"text":"lamp","text":"x"}"#, 400),
            (r#"{"text":"' or 1=1--"}"#, 403),
            ("", 400),
        ] {
            let answer = held.client.send(protocol, query(body)).await;
            assert_eq!(answer.status, status, "{body}");
            assert!(held.recorder.take().is_empty(), "{body}");
        }
    }
    // Another method with the same body is none of the operation.
    let post = Row { target: "/search", ..post(JSON, r#"{"text":"lamp"}"#) };
    held.refused(post, 405, "").await;
}

/// What a service says of a body that it does not send is about one that members would be dropped from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_drops_what_is_said_of_bodies_that_are_not_sent() {
    let said = "content-type: application/json\r\ncontent-length: 41\r\netag: \"a\"\r\n\
                content-digest: sha-256=:AA==:\r\nrepr-digest: sha-256=:AA==:\r\n\
                digest: sha-256=AA==\r\ncontent-md5: AA==\r\n\r\n";
    let answer = |status: &str| -> &'static [u8] {
        format!("HTTP/1.1 {status}\r\n{said}").into_bytes().leak()
    };
    let answers = vec![answer("200 OK"), answer("304 Not Modified")];
    let gone = ["content-length", "content-digest", "repr-digest", "digest", "content-md5"];
    for mode in ["enforce", "observe"] {
        let validate = format!("{{ response: {mode}, undeclared_members: drop }}");
        let held = Held::with(&validate, answers.clone());
        for (number, method, status) in [(0, "HEAD", 200), (1, "GET", 304), (1, "HEAD", 304)] {
            let uri = Recorder::answer(number);
            let asked =
                Request::builder().method(method).uri(&uri).header("if-none-match", "\"a\"");
            let asked = asked.body(Bytes::new()).unwrap();
            let heard = held.client.send(PROTOCOLS[1], asked).await;
            assert_eq!(heard.status, status, "{mode} {method} {status}");
            assert!(heard.body.is_empty());
            assert_eq!(heard.headers.get("etag").unwrap(), "W/\"a\"", "{mode} {method} {status}");
            for name in gone {
                assert!(heard.headers.get(name).is_none(), "{mode} {method} {status}: {name}");
            }
        }
    }
    // Where nothing is dropped, what is said of the body stays.
    let held = Held::with("{ response: enforce }", answers);
    let uri = Recorder::answer(0);
    let asked = Request::builder().method("HEAD").uri(&uri).body(Bytes::new()).unwrap();
    let heard = held.client.send(PROTOCOLS[1], asked).await;
    assert_eq!(heard.headers.get("etag").unwrap(), "\"a\"");
    assert!(heard.headers.get("content-digest").is_some());
}

/// Each bound of the configuration is the one that holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_bounds_are_those_of_the_configuration() {
    let bounds = "{ max_body: 2KiB, max_string: 1KiB, max_items: 3, max_members: 2, max_depth: 3, max_values: 9, \
                  max_numbers: 5, max_query: 1KiB, max_parameters: 2, max_cookies: 2, max_parts: 2, max_part_header: 1KiB, \
                  max_attributes: 1, max_ratio: 50 }";
    let held = Held::with(&format!("{{ decode: [gzip] }}\n    bounds: {bounds}"), Vec::new());
    let list = |list: &str| post(JSON, format!(r#"{{"list":{list}}}"#));
    let open = |open: &str| post(JSON, format!(r#"{{"open":{open}}}"#));
    let name = |count: usize| post(JSON, format!(r#"{{"name":"{}"}}"#, "a".repeat(count)));
    let parts = |count: usize| {
        let part = "--b\r\ncontent-disposition: form-data; name=name\r\n\r\na\r\n".repeat(count);
        post(MULTIPART, format!("{part}--b--\r\n"))
    };
    let spaced = |count: usize| post(JSON, format!("{{{}}}", " ".repeat(count - 2)));
    let query = |count: usize| format!("/items/1?tags={}", "a".repeat(count - 5));
    let (fits, longer) = (query(1024), query(1025));
    for (row, status, rule) in [
        // Refused while it comes: nobody has read it.
        (spaced(2049), 413, ""),
        (name(1025), 400, "string_bytes_max"),
        (list("[1,2,3,4]"), 400, "items_max"),
        (open(r#"{"a":1,"b":2,"c":3}"#), 400, "members_max"),
        (list("[[[1]]]"), 400, "depth_max"),
        (list("[[1,1],[1,1],[1,1]]"), 400, "values_max"),
        (list("[123456]"), 400, "number_chars_max"),
        (get(&longer), 400, "query_bytes_max"),
        (get("/items/1?page=1&tags=a&filter=%7B%7D"), 400, "query_parameters_max"),
        (get("/items/1").with("cookie", "theme=dark; a=1; b=1"), 400, "cookies_max"),
        (parts(3), 400, "parts_max"),
        (post(XML, r#"<order id="1" a="2"/>"#), 400, "attributes_max"),
    ] {
        held.refused(row, status, rule).await;
    }
    for row in [
        spaced(2048),
        name(1024),
        list("[1,2,3]"),
        open(r#"{"a":1,"b":2}"#),
        list("[[1]]"),
        list("[[1,1],[1]]"),
        list("[12345]"),
        get(&fits),
        get("/items/1?page=1&tags=a"),
        get("/items/1").with("cookie", "theme=dark; a=1"),
        parts(1),
        post(XML, r#"<order id="1"/>"#),
    ] {
        held.passes(row).await;
    }
}

/// Several parameters of one segment, where there is one way to split it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_of_segments_with_several_parameters_holds() {
    let held = Held::new();
    assert_eq!(held.passes(get("/compare/main...7")).await.line(), "GET /compare/main...7");
    held.passes(get("/compare/a.b...7")).await;
    held.refused(get("/compare/main...x"), 400, "path").await;
    held.refused(get("/compare/123456789...7"), 400, "maxLength").await;
    for target in ["/compare/main", "/compare/main...", "/compare/...7", "/compare/a...b...7"] {
        held.refused(get(target), 404, "").await;
    }
}

/// Where the configuration asks for it, a service reads JSON that nobody can read in another way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_writes_json_anew_where_it_is_asked_to() {
    let sent = " { \"name\" : \"\\u0061\\/\" ,\r\n\t\"list\":[ 1E2, -0.50 ] } ";
    let as_sent = Held::new().passes(post(JSON, sent)).await;
    assert_eq!(as_sent.body, sent.as_bytes());
    let held = Held::with("{ json: rewritten }", Vec::new());
    let arrived = held.passes(post(JSON, sent)).await;
    assert_eq!(arrived.body, br#"{"name":"a/","list":[100.0,-0.5]}"#);
    assert_eq!(arrived.field("content-length"), Some("33"), "{}", arrived.head);
    held.refused(post(JSON, r#"{"name":"a","name":"b"}"#), 400, "duplicate_member").await;
    held.refused(post(JSON, r#"{"name":"\u0027 or 1=1--"}"#), 403, "").await;
}

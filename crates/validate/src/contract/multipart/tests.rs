//! Multipart bodies: every refusal beside a near miss that passes.

use proptest::prelude::*;

use super::parts::{Part, split};
use super::*;

fn parts<'b>(body: &'b [u8], limits: &Limits) -> Result<Vec<Part<'b>>, Rule> {
    split(body, "b", limits)
}

fn rule(body: &str) -> Option<Rule> {
    parts(body.as_bytes(), &Limits::default()).err()
}

const HEAD: &str = "content-disposition: form-data; name=\"a\"";

fn one(head: &str) -> String {
    format!("--b\r\n{head}\r\n\r\nx\r\n--b--\r\n")
}

#[test]
fn a_body_is_split_in_one_way_or_not_at_all() {
    let body = format!(
        "--b\r\n{HEAD}\r\n\r\n1\r\n\r\n--b\r\ncontent-disposition: form-data; name=f; filename=\"a b.png\"\r\n\
         Content-Type: image/png\r\n\r\n\r\n--b--"
    );
    let limits = Limits::default();
    let found = parts(body.as_bytes(), &limits).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].name, found[0].content), ("a", &b"1\r\n"[..]));
    assert_eq!((found[1].name, found[1].file_name), ("f", Some("a b.png")));
    assert_eq!((found[1].content_type, found[1].content), (Some("image/png"), &b""[..]));
    assert_eq!(rule("--b--\r\n"), None);
    for body in [
        String::new(),
        "preamble\r\n--b--\r\n".to_owned(),
        format!("\r\n{}", one(HEAD)),
        format!("{}epilogue", one(HEAD)),
        format!("{}--b--\r\n", one(HEAD)),
        one(HEAD).replace("--b--", "--b"),
        one(HEAD).replace("\r\n", "\n"),
        one(HEAD).replace("x\r\n--b--", "x\n--b--"),
        one(HEAD).replace("x\r\n", "x --b y\r\n"),
        one(HEAD).replace("x\r\n", "x\r\n--bc\r\n"),
        one(HEAD).replace("--b\r\n", "--b \r\n"),
        one("").replace("\r\n\r\nx", "\r\nx"),
    ] {
        assert_eq!(rule(&body), Some("multipart_syntax"), "{body:?}");
    }
}

#[test]
fn headers_of_parts_are_read_in_one_way_or_not_at_all() {
    for head in [
        HEAD,
        "Content-Disposition:form-data;name=a",
        "content-disposition: form-data; filename=\"\"; name=\"a\"",
        "content-disposition: form-data; name=\"a;b=c\"",
    ] {
        assert_eq!(rule(&one(head)), None, "{head}");
    }
    for head in [
        "content-type: text/plain",
        "content-disposition: attachment; name=\"a\"",
        "content-disposition: form-data",
        "content-disposition: form-data; name=\"\"",
        "content-disposition: form-data; name=\"a",
        "content-disposition: form-data; name=\"a\\\"b\"",
        "content-disposition: form-data; name=\"a\"; name=\"b\"",
        "content-disposition: form-data; name=\"a\"; filename*=UTF-8''x",
        "content-disposition: form-data; name=\"a\" ; filename=x",
        "content-disposition: form-data; NAME=\"a\"",
        "content-disposition: form-data, name=\"a\"",
        "content-disposition : form-data; name=\"a\"",
        "content-disposition: form-data;\r\n name=\"a\"",
        "content-disposition: form-data; name=\"a\"\r\ncontent-disposition: form-data; name=\"b\"",
        "content-disposition: form-data; name=\"a\u{1}\"",
        "content-disposition: form-data; name=\"a\"\nx: y",
    ] {
        assert_eq!(rule(&one(head)), Some("part_header"), "{head:?}");
    }
    for name in ["../a", "..", "a/b", "a\u{7f}", &"a".repeat(256), "c:a"] {
        let head = format!("{HEAD}; filename=\"{name}\"");
        let found = rule(&one(&head));
        assert!(matches!(found, Some("file_name" | "part_header")), "{name}: {found:?}");
    }
    assert_eq!(rule(&one(&format!("{HEAD}; filename=\"..a\"",))), None);
}

#[test]
fn parts_and_their_headers_are_bounded() {
    let limits = Limits { parts_max: 2, part_header_bytes_max: 60, ..Limits::default() };
    let many =
        |count: usize| format!("{}--b--", format!("--b\r\n{HEAD}\r\n\r\nx\r\n").repeat(count));
    assert!(parts(many(2).as_bytes(), &limits).is_ok());
    assert_eq!(parts(many(3).as_bytes(), &limits), Err("parts_max"));
    let long = one(&format!("{HEAD}\r\nx: {}", "y".repeat(60)));
    assert_eq!(parts(long.as_bytes(), &limits), Err("part_header_bytes_max"));
    assert!(parts(long.as_bytes(), &Limits::default()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_bytes_end_without_panic(
        text in "(--b|\r\n|\n|content-disposition: form-data; name=a|;|filename=\"x\"|[a-z:=\"]|\\PC){0,20}",
    ) {
        for body in [text.clone(), one(&text), one(HEAD).replace('x', &text)] {
            if let Ok(found) = parts(body.as_bytes(), &Limits::default()) {
                let contents: usize = found.iter().map(|part| part.content.len()).sum();
                prop_assert!(contents < body.len());
                prop_assert!(found.iter().all(|part| !part.name.is_empty()));
            }
        }
    }

    /// Whatever a content is, it comes back whole.
    #[test]
    fn contents_come_back(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assume!(memchr::memmem::find(&content, b"--b").is_none());
        let body = [format!("--b\r\n{HEAD}\r\n\r\n").as_bytes(), &content, b"\r\n--b--\r\n"].concat();
        let limits = Limits::default();
        let found = parts(&body, &limits).unwrap();
        prop_assert_eq!(found[0].content, &content[..]);
    }
}

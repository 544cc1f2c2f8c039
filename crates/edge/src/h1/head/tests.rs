//! One row for each rule of a head, with its near miss; and that how a head is cut in pieces changes nothing.

use proptest::prelude::*;

use super::*;
use crate::settings::Limits;

fn read(head: &[u8]) -> Result<Option<(usize, Framing)>, Malformed> {
    HeadReader::new(&Limits::default()).advance(head)
}

fn with(field: &str) -> Result<Framing, Malformed> {
    let head = format!("POST /a HTTP/1.1\r\nhost: localhost\r\n{field}\r\n\r\n");
    let (bytes, framing) = read(head.as_bytes())?.unwrap();
    assert_eq!(bytes, head.len());
    Ok(framing)
}

#[test]
fn request_lines_have_one_form() {
    let line = |line: &str| read(format!("{line}\r\nhost: a\r\n\r\n").as_bytes()).map(|_| ());
    for good in [
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "PATCH /a?b=%22{} HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET https://localhost/a HTTP/1.1",
        "PURGE /a HTTP/1.1",
    ] {
        assert_eq!(line(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("", Malformed::RequestLine),
        ("GET", Malformed::RequestLine),
        ("GET /", Malformed::RequestLine),
        ("GET  / HTTP/1.1", Malformed::RequestLine),
        ("GET /  HTTP/1.1", Malformed::RequestLine),
        (" GET / HTTP/1.1", Malformed::RequestLine),
        ("GET / HTTP/1.1 ", Malformed::RequestLine),
        ("GET\t/ HTTP/1.1", Malformed::RequestLine),
        ("G(T / HTTP/1.1", Malformed::RequestLine),
        ("GET / http/1.1", Malformed::RequestLine),
        ("GET / HTTP/1.", Malformed::RequestLine),
        ("GET / HTTP/11", Malformed::RequestLine),
        ("GET / HTTP/2.0", Malformed::Version),
        ("GET / HTTP/0.9", Malformed::Version),
        ("PRI * HTTP/2.0", Malformed::Version),
        ("GET /a#b HTTP/1.1", Malformed::PathCharacter),
        ("GET /\u{1} HTTP/1.1", Malformed::TargetForm),
        ("GET /\u{e9} HTTP/1.1", Malformed::TargetForm),
        ("GET a HTTP/1.1/ HTTP/1.1", Malformed::RequestLine),
    ] {
        assert_eq!(line(bad), Err(why), "{bad:?}");
    }
    let long = "A".repeat(METHOD_BYTES_MAX + 1);
    assert_eq!(line(&format!("{long} / HTTP/1.1")), Err(Malformed::RequestLine));
}

#[test]
fn lines_end_with_crlf() {
    for bad in [
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
        "GET / HTTP/1.1\r\nhost: a\rx: b\r\n\r\n",
        "GET / HTTP/1.1\r\r\nhost: a\r\n\r\n",
    ] {
        assert_eq!(read(bad.as_bytes()), Err(Malformed::LineEnding), "{bad:?}");
    }
    assert_eq!(read(b"\r\nGET / HTTP/1.1\r\n\r\n"), Err(Malformed::RequestLine));
}

#[test]
fn fields_have_one_form() {
    for good in ["x:", "x: a", "x:a", "x:\t a \t", "x: \u{e9}", "x_y: 1", "x: a\tb"] {
        assert_eq!(with(good), Ok(Framing::Length(0)), "{good:?}");
    }
    for (bad, why) in [
        ("x", Malformed::FieldSyntax),
        (": a", Malformed::FieldSyntax),
        ("x : a", Malformed::FieldSyntax),
        ("x\t: a", Malformed::FieldSyntax),
        (" x: a", Malformed::FieldSyntax),
        ("x: a\r\n b", Malformed::FieldSyntax),
        ("x: a\r\n\tb: c", Malformed::FieldSyntax),
        ("x(y): a", Malformed::FieldSyntax),
        ("x\u{e9}: a", Malformed::FieldSyntax),
        ("x: a\0b", Malformed::FieldValue),
        ("x: \u{7f}", Malformed::FieldValue),
        ("transfer-encoding:\u{b}chunked", Malformed::FieldValue),
        ("transfer-encoding:\u{c}chunked", Malformed::FieldValue),
    ] {
        assert_eq!(with(bad), Err(why), "{bad:?}");
    }
}

#[test]
fn a_body_has_one_framing() {
    assert_eq!(with("content-length: 5"), Ok(Framing::Length(5)));
    assert_eq!(with("Content-Length:007"), Ok(Framing::Length(7)));
    assert_eq!(with("Transfer-Encoding: Chunked"), Ok(Framing::Chunked));
    for (bad, why) in [
        ("content-length: +5", Malformed::ContentLength),
        ("content-length: -5", Malformed::ContentLength),
        ("content-length: 0x5", Malformed::ContentLength),
        ("content-length: 5, 5", Malformed::ContentLength),
        ("content-length: 5 5", Malformed::ContentLength),
        ("content-length:", Malformed::ContentLength),
        ("content-length: 9999999999999999999", Malformed::ContentLength),
        ("content-length: 5\r\ncontent-length: 5", Malformed::FieldRepeated),
        ("content-length: 5\r\ntransfer-encoding: chunked", Malformed::TransferEncoding),
        ("transfer-encoding: chunked\r\ncontent-length: 5", Malformed::TransferEncoding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", Malformed::TransferEncoding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: x", Malformed::TransferEncoding),
        ("transfer-encoding: x\r\ntransfer-encoding: chunked", Malformed::TransferEncoding),
        ("transfer-encoding: gzip, chunked", Malformed::TransferEncoding),
        ("transfer-encoding: identity", Malformed::TransferEncoding),
        ("transfer-encoding: chunked, identity", Malformed::TransferEncoding),
        ("transfer-encoding: xchunked", Malformed::TransferEncoding),
        ("transfer-encoding: \"chunked\"", Malformed::TransferEncoding),
        ("transfer-encoding: chunked;q=1", Malformed::TransferEncoding),
    ] {
        assert_eq!(with(bad), Err(why), "{bad:?}");
    }
    let old = b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(read(old), Err(Malformed::TransferEncoding));
}

#[test]
fn sizes_are_bounded_before_a_line_ends() {
    let limits = Limits::default();
    let line_max = limits.target_bytes_max + LINE_OVERHEAD_BYTES;
    assert_eq!(read(&vec![b'a'; line_max]), Ok(None));
    assert_eq!(read(&vec![b'a'; line_max + 1]), Err(Malformed::TargetTooLong));
    let mut head = b"GET / HTTP/1.1\r\nx: ".to_vec();
    head.resize(limits.engine_head_bytes(), b'a');
    assert_eq!(read(&head), Ok(None));
    head.push(b'a');
    assert_eq!(read(&head), Err(Malformed::FieldBytes));
    let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "x: a\r\n".repeat(count));
    assert!(read(fields(limits.header_count_max).as_bytes()).unwrap().is_some());
    let many = fields(limits.header_count_max + 1);
    assert_eq!(read(many.as_bytes()), Err(Malformed::FieldCount));
}

proptest! {
    /// Whatever the pieces, the verdict is the one on the whole.
    #[test]
    fn pieces_change_nothing(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("GET / HTTP/1.1\r\n".to_owned()),
                Just("host: a\r\n".to_owned()),
                Just("content-length: 3\r\n".to_owned()),
                Just("transfer-encoding: chunked\r\n".to_owned()),
                Just("\r\n".to_owned()),
                Just("\n".to_owned()),
                "[ -~]{0,12}",
            ],
            0..8,
        ),
        cut in 0_usize..64,
    ) {
        let head = parts.concat().into_bytes();
        let whole = read(&head);
        let cut = cut.min(head.len());
        let mut reader = HeadReader::new(&Limits::default());
        let pieces = match reader.advance(&head[..cut]) {
            Ok(None) => reader.advance(&head),
            early => early,
        };
        prop_assert_eq!(pieces, whole);
    }
}

//! The rows of HTTP/1.1: what is sent, and what becomes of it.

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// This answer, then the end of the connection; nothing reaches the service.
    Refused(u16),
    /// This answer; the connection may go on, and then it does in step. Nothing of the row reaches the service.
    Answered(u16),
    /// So many answers 200, and the connection goes on in step.
    Passes(usize),
}

/// One row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) sent: Vec<u8>,
    pub(crate) fate: Fate,
    /// Request lines that the service sees, without the tail.
    pub(crate) seen: &'static [&'static str],
}

fn row(name: &'static str, sent: impl Into<Vec<u8>>, fate: Fate) -> Row {
    let seen: &[&str] = if matches!(fate, Fate::Passes(_)) { &["GET /api/open"] } else { &[] };
    Row { name, sent: sent.into(), fate, seen }
}

fn refused(name: &'static str, sent: impl Into<Vec<u8>>) -> Row {
    row(name, sent, Fate::Refused(400))
}

fn answered(name: &'static str, sent: impl Into<Vec<u8>>) -> Row {
    row(name, sent, Fate::Answered(400))
}

fn passes(name: &'static str, sent: impl Into<Vec<u8>>) -> Row {
    row(name, sent, Fate::Passes(1))
}

/// A request with a target.
fn target(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// A request with a field line.
fn field(line: &str) -> String {
    format!("GET /api/open HTTP/1.1\r\nhost: localhost\r\n{line}\r\n\r\n")
}

/// A POST with field lines and what follows them.
fn post(lines: &str, body: &str) -> String {
    format!(
        "POST /api/open HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{lines}\r\n\r\n{body}"
    )
}

/// What an attacker wants the service to see.
pub(crate) const HIDDEN: &str = "GET /admin/s HTTP/1.1\r\nhost: localhost\r\n\r\n";
const POSTED: &[&str] = &["POST /api/open"];

/// Both framings, neither, or one in a spelling that somebody may read otherwise.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn framing() -> Vec<Row> {
    let chunked_hidden = format!("0\r\n\r\n{HIDDEN}");
    let te = |line: &str| post(line, &chunked_hidden);
    let length = HIDDEN.len() + 5;
    let both = |first: &str, second: &str| post(&format!("{first}\r\n{second}"), &chunked_hidden);
    let cl = format!("content-length: {length}");
    vec![
        refused("CVE-2026-1760 CL+TE", both(&cl, "transfer-encoding: chunked")),
        refused("CVE-2026-2835 TE+CL", both("transfer-encoding: chunked", &cl)),
        refused("CVE-2026-2708 two CLs", both("content-length: 3", "content-length: 5")),
        refused("CVE-2026-23941 two CLs, first shorter", both("content-length: 0", &cl)),
        refused("two equal CLs", both(&cl, &cl)),
        refused("CL list", te("content-length: 5, 5")),
        refused("GHSA-f3pg-qwvg-p99c CL with a sign", te("content-length: +5")),
        refused("CL negative", te("content-length: -1")),
        refused("CL hex", te("content-length: 0x5")),
        refused("CL with a space in it", te("content-length: 5 5")),
        refused("CL empty", te("content-length:")),
        refused("CL beyond 64 bits", te("content-length: 18446744073709551621")),
        refused(
            "CVE-2019-18277 TE after a vertical tab",
            both(&cl, "transfer-encoding:\x0bchunked"),
        ),
        refused("CVE-2019-16276 space before the colon", te("transfer-encoding : chunked")),
        refused("CVE-2019-16869 tab before the colon", te("transfer-encoding\t: chunked")),
        refused("CVE-2019-20445 CL and spaced TE", both(&cl, "transfer-encoding : chunked")),
        refused(
            "RUSTSEC-2021-0020 chunked, then another",
            te("transfer-encoding: chunked\r\ntransfer-encoding: x"),
        ),
        refused(
            "RUSTSEC-2021-0020 another, then chunked",
            te("transfer-encoding: x\r\ntransfer-encoding: chunked"),
        ),
        refused("chunked twice", te("transfer-encoding: chunked\r\ntransfer-encoding: chunked")),
        refused("CVE-2022-32213 identity, chunked", te("transfer-encoding: identity, chunked")),
        refused("CVE-2022-32213 chunked, identity", te("transfer-encoding: chunked, identity")),
        refused("TE in quotes", te("transfer-encoding: \"chunked\"")),
        refused("TE xchunked", te("transfer-encoding: xchunked")),
        refused("TE gzip, chunked", te("transfer-encoding: gzip, chunked")),
        refused("TE folded", te("transfer-encoding:\r\n chunked")),
        answered("TE underscore", both(&cl, "transfer_encoding: chunked")),
        answered(
            "content_length",
            post("content_length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        ),
        refused(
            "CVE-2026-2835 TE in HTTP/1.0",
            te("transfer-encoding: chunked").replace(
                "HTTP/1.1\r\nhost: localhost\r\ncontent",
                "HTTP/1.0\r\nhost: localhost\r\ncontent",
            ),
        ),
        // Nominating a field that frames the message does not take it away.
        Row {
            seen: POSTED,
            ..passes(
                "CVE-2026-26365 Connection: Transfer-Encoding",
                post(
                    "connection: transfer-encoding\r\ntransfer-encoding: chunked",
                    "2\r\n{}\r\n0\r\n\r\n",
                ),
            )
        },
        Row {
            seen: POSTED,
            ..passes(
                "near miss: chunked",
                post("Transfer-Encoding: Chunked", "2\r\n{}\r\n0\r\n\r\n"),
            )
        },
        Row { seen: POSTED, ..passes("near miss: a length", post("content-length: 2", "{}")) },
        Row {
            seen: POSTED,
            ..passes(
                "near miss: a request as a body is a body",
                post(&format!("content-length: {}", HIDDEN.len()), HIDDEN),
            )
        },
    ]
}

/// Chunks that two readers could end in different places.
pub(crate) fn chunks() -> Vec<Row> {
    let chunked = |body: &str| post("transfer-encoding: chunked", body);
    let with = |body: &str| chunked(&format!("{body}{HIDDEN}"));
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(1024 * 1024));
    let dribble = "1\r\n \r\n".repeat(3_000);
    let trailers = format!("2\r\n{{}}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    vec![
        refused("CVE-2022-24801 chunk size with a sign", with("+3\r\nabc\r\n0\r\n\r\n")),
        refused("CVE-2022-24801 chunk size 0x3", with("0x3\r\nabc\r\n0\r\n\r\n")),
        refused("chunk size with a space", with("3 \r\nabc\r\n0\r\n\r\n")),
        refused("chunk size empty", with("\r\nabc\r\n0\r\n\r\n")),
        refused("chunk size negative", with("-3\r\nabc\r\n0\r\n\r\n")),
        refused(
            "GHSA-5h46-h7hh-c6x9 chunk size 2^64+3",
            with("10000000000000003\r\nabc\r\n0\r\n\r\n"),
        ),
        refused("CVE-2023-38697 LF in an extension", with("3;a\nb\r\nabc\r\n0\r\n\r\n")),
        refused("CVE-2025-55315 extension with CR and LF", with("2;\nxx\r\n{}\r\n0\r\n\r\n")),
        refused(
            "CVE-2026-33870 extension with a quoted line end",
            with("1;a=\"\r\nx\r\n0\r\n\r\n"),
        ),
        refused("CVE-2023-39326 an extension of 1 MiB", chunked(&extension)),
        refused("an extension at all", with("2;a=b\r\n{}\r\n0\r\n\r\n")),
        refused("CVE-2025-22871 bare LF after a size", with("3\nabc\r\n0\r\n\r\n")),
        refused("bare LF after a chunk", with("3\r\nabc\n0\r\n\r\n")),
        refused("bare CR after a size", with("3\rabc\r\n0\r\n\r\n")),
        refused("a chunk longer than its size", with("3\r\nabcd\r\n0\r\n\r\n")),
        refused("CVE-2024-52304 bare LF in a trailer", with("00000\r\nX: y\n\r\n")),
        refused("trailer without a colon", with("0\r\nXY\r\n\r\n")),
        refused("CVE-2025-58068 trailer content-length", with("0\r\ncontent-length: 50\r\n\r\n")),
        refused("CVE-2025-58068 trailer host", with("0\r\nhost: other\r\n\r\n")),
        refused("CVE-2025-58068 trailer authorization", with("0\r\nauthorization: x\r\n\r\n")),
        refused("trailers without end", chunked(&trailers)),
        Row {
            seen: POSTED,
            ..passes("near miss: many chunks of one byte", chunked(&format!("{dribble}0\r\n\r\n")))
        },
        Row {
            seen: POSTED,
            ..passes("near miss: a trailer", chunked("2\r\n{}\r\n0\r\nx-checksum: 1\r\n\r\n"))
        },
        Row {
            seen: POSTED,
            ..passes("near miss: zeros before a size", chunked("0002\r\n{}\r\n0\r\n\r\n"))
        },
    ]
}

/// Lines of a head that are none.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn heads() -> Vec<Row> {
    let host = "GET /api/open HTTP/1.1\r\nhost: localhost\r\n";
    let hidden = |line: &str| format!("{}{HIDDEN}", field(line));
    let long_name = field(&format!("{}: b", "a".repeat(70 * 1024)));
    let many = "a: b\r\n".repeat(300);
    vec![
        answered("CVE-2019-9900 NUL in a value", field("x-a: b\0c")),
        answered("NUL in a name", field("x\0a: b")),
        answered("DEL in a value", field("x-a: b\x7f")),
        answered("CVE-2019-20444 no colon", field("XA")),
        answered("CVE-2023-25725 no name", field(": b")),
        answered("CVE-2019-9516 no name at all", field(":")),
        answered("CVE-2023-30589 bare CR ends a line", hidden("x-a: b\rx-injected: 1")),
        answered("bare LF ends a line", hidden("x-a: b\nx-injected: 1")),
        answered("bare LF ends the head", format!("{host}\n{HIDDEN}")),
        answered("CVE-2025-32094 folded", field("x-a: b\r\n c")),
        answered("CVE-2025-32094 folded Expect", field("expect:\r\n 100-continue")),
        answered("CVE-2025-32094 Expect: y 100-continue", field("expect: y 100-continue")),
        answered("space before the colon", field("x-a : b")),
        answered(
            "space before the first field",
            "GET /api/open HTTP/1.1\r\n host: localhost\r\n\r\n",
        ),
        answered("bytes above 127 in a name", field("x-\u{e4}: b")),
        answered("empty lines in front", format!("\r\n\r\n{host}\r\n")),
        answered("CVE-2021-32777 two Hosts", field("host: other.example")),
        answered("two equal Hosts", field("host: localhost")),
        answered("no Host", "GET /api/open HTTP/1.1\r\n\r\n"),
        answered(
            "Host with user information",
            "GET /api/open HTTP/1.1\r\nhost: a@localhost\r\n\r\n",
        ),
        answered("Host with a path", "GET /api/open HTTP/1.1\r\nhost: localhost/admin\r\n\r\n"),
        answered("port beyond 65535", "GET /api/open HTTP/1.1\r\nhost: localhost:99999999\r\n\r\n"),
        answered(
            "Host and target differ",
            "GET https://other.example/api/open HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        row(
            "another Host",
            "GET /api/open HTTP/1.1\r\nhost: other.example\r\n\r\n",
            Fate::Answered(421),
        ),
        answered(
            "CVE-2026-26308 two Authorizations, the first benign",
            field("authorization: Bearer a\r\nauthorization: Bearer b"),
        ),
        answered(
            "CVE-2026-26308 two content types",
            field("content-type: text/plain\r\ncontent-type: application/json"),
        ),
        row("CVE-2021-40346 a name of 70 KiB", long_name, Fate::Answered(431)),
        row("300 fields", format!("{host}{many}\r\n"), Fate::Answered(431)),
        passes("near miss: a plain field", field("x-a: b")),
        passes("near miss: an empty value", field("x-a:")),
        passes("near miss: a tab in a value", field("x-a: b\tc")),
        passes(
            "near miss: the port of https",
            "GET /api/open HTTP/1.1\r\nhost: localhost:443\r\n\r\n",
        ),
        passes(
            "near miss: absolute form",
            "GET https://localhost/api/open HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
    ]
}

/// Request lines that are none, and methods nobody declares.
pub(crate) fn lines() -> Vec<Row> {
    let line = |line: &str| format!("{line}\r\nhost: localhost\r\n\r\n");
    let long = format!("{} /api/open HTTP/1.1", "A".repeat(8 * 1024));
    vec![
        answered("CVE-2023-25690 space in the target", line("GET /api/open HTTP/1.1 HTTP/1.1")),
        answered(
            "CVE-2023-25690 line end in the target",
            line("GET /api/open%0d%0aX:%20y HTTP/1.1"),
        ),
        answered("two spaces", line("GET  /api/open HTTP/1.1")),
        answered("tab for a space", line("GET\t/api/open HTTP/1.1")),
        answered("HTTP/0.9", line("GET /api/open")),
        answered("lower case version", line("GET /api/open http/1.1")),
        answered("a method of 8 KiB", line(&long)),
        answered("a method that is no token", line("G(T /api/open HTTP/1.1")),
        answered("TRACE", line("TRACE /api/open HTTP/1.1")),
        answered("CVE-2026-73547 CONNECT", line("CONNECT localhost:443 HTTP/1.1")),
        answered("CONNECT without a target", line("CONNECT / HTTP/1.1")),
        answered("asterisk", line("OPTIONS * HTTP/1.1")),
        answered("plain http", line("GET http://localhost/api/open HTTP/1.1")),
        answered("file", line("GET file:///etc/passwd HTTP/1.1")),
        row("HTTP/1.2", line("GET /api/open HTTP/1.2"), Fate::Answered(505)),
        row("HTTP/2.0 in a line", line("GET /api/open HTTP/2.0"), Fate::Answered(505)),
        row(
            "a target of 64 KiB",
            target(&format!("/{}", "a".repeat(64 * 1024))),
            Fate::Answered(414),
        ),
        row("PURGE is declared nowhere", line("PURGE /api/open HTTP/1.1"), Fate::Answered(400)),
        row("DELETE is not declared here", line("DELETE /api/open HTTP/1.1"), Fate::Answered(405)),
        passes("near miss: GET", line("GET /api/open HTTP/1.1")),
    ]
}

/// Bodies and upgrades of which somebody could take the bytes behind them for a request, or the other way round.
pub(crate) fn desync() -> Vec<Row> {
    let length = format!("content-length: {}", HIDDEN.len());
    let to = |path: &str, lines: &str| {
        post(&format!("{length}{lines}"), HIDDEN).replace("/api/open", path)
    };
    let upgrade = |name: &str| {
        format!("{}{HIDDEN}", field(&format!("connection: upgrade\r\nupgrade: {name}")))
    };
    // What follows is a request of its own, and judged as one.
    let answered_hidden =
        |name, sent: String| Row { seen: &["GET /api/open"], ..row(name, sent, Fate::Passes(1)) };
    vec![
        row("CL.0: POST with a request as its body", to("/nowhere", ""), Fate::Answered(404)),
        row("CVE-2025-4366 a body on a closed route", to("/admin/s", ""), Fate::Answered(405)),
        row(
            "CL.0: a body on a GET that is answered here",
            to("/admin/s", "").replace("POST", "GET"),
            Fate::Answered(401),
        ),
        row(
            "Expect and the body at once",
            to("/nowhere", "\r\nexpect: 100-continue"),
            Fate::Answered(404),
        ),
        Row {
            seen: POSTED,
            ..passes(
                "near miss: Expect where the body is wanted",
                to("/api/open", "\r\nexpect: 100-continue"),
            )
        },
        answered_hidden(
            "h2c upgrade smuggling",
            upgrade("h2c\r\nhttp2-settings: AAMAAABkAAQAAP__"),
        ),
        Row {
            // No operation here opens one; what is behind it is read as a request of its own.
            seen: &[],
            ..row(
                "CVE-2026-2833 websocket and a request behind it",
                upgrade(
                    "websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13",
                ),
                Fate::Passes(0),
            )
        },
        answered_hidden(
            "CVE-2026-73548 an unknown upgrade and a request behind it",
            upgrade("foo"),
        ),
        Row {
            seen: &["GET /api/open", "GET /api/open"],
            ..row(
                "near miss: two requests in one piece",
                target("/api/open").repeat(2),
                Fate::Passes(2),
            )
        },
    ]
}

/// Spellings of a path that stays closed, each of which somebody normalised to it.
pub(crate) const PATHS: [&str; 44] = [
    "/api/../admin/s",
    "/api/%2e%2e/admin/s",
    "/api/%2E%2E/admin/s",
    "/api/.%2e/admin/s",
    "/api/%2e./admin/s",
    "/api/open/../../admin/s",
    "/api/..;/admin/s",
    "/api/..;a=b/admin/s",
    "/api/;/../admin/s",
    "/admin;x=1/s",
    "/admin/s;x=1",
    "/admin/s;",
    "/;/admin/s",
    "/api/..%2fadmin/s",
    "/api/..%2Fadmin/s",
    "/api%2f..%2fadmin/s",
    "/api/%2e%2e%2fadmin/s",
    "/api/..%5cadmin/s",
    "/api/..\\admin/s",
    "/api\\..\\admin\\s",
    "/admin%2fs",
    "/admin%5cs",
    "//admin/s",
    "/admin//s",
    "/api//../admin/s",
    "/./admin/s",
    "/admin/./s",
    "/admin/s/.",
    "/admin/s/..",
    "/%2e/admin/s",
    "/api/%252e%252e/admin/s",
    "/%2561dmin/s",
    "/api/%c0%ae%c0%ae/admin/s",
    "/api/%uff0e%uff0e/admin/s",
    "/api/..%00/admin/s",
    "/admin/s%00",
    "/admin/s%0a",
    "/admin/s%20",
    "/admin/s%",
    "/admin/s%2",
    "/admin/s%zz",
    "/api/open#/../admin/s",
    "/api/open/..%c0%af../admin/s",
    "/\u{ff0e}\u{ff0e}/admin/s",
];

/// Spellings that are no attack but plain other ways to write it: the route is found, and is closed.
pub(crate) const CLOSED: [&str; 3] = ["/admin/s", "/%61dmin/s", "/admin/%73"];

/// Other paths: not declared.
pub(crate) const UNDECLARED: [&str; 4] = ["/Admin/s", "/admin", "/admin/s/", "/admin/s.json"];

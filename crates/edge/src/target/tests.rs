//! Targets as tables: every refusal beside a near miss that passes, and two properties of the canonical form.

use http::Request;
use proptest::prelude::*;

use super::*;

/// A request head: version, method, target, fields.
fn head(version: Version, method: &str, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().version(version).method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn h1(target: &str) -> Parts {
    head(Version::HTTP_11, "GET", target, &[("host", "api.example")])
}

fn parse(head: &Parts) -> Result<Target, Malformed> {
    Target::parse(head, None, &Limits::default())
}

#[test]
fn paths_become_canonical_or_are_refused() {
    let cases = [
        ("/", Ok("/")),
        ("/a/b", Ok("/a/b")),
        ("/a/b/", Ok("/a/b/")),
        ("/%61%2d%7E", Ok("/a-~")),
        ("/caf%c3%a9", Ok("/caf%C3%A9")),
        ("/a:b@c,d=e", Ok("/a:b@c,d=e")),
        ("/.well-known/x", Ok("/.well-known/x")),
        ("/...", Ok("/...")),
        ("/a%3bb", Ok("/a%3Bb")),
        ("/100%25", Ok("/100%25")),
        ("/a/../b", Err(Malformed::PathDots)),
        ("/a/./b", Err(Malformed::PathDots)),
        ("/a/%2e%2e/b", Err(Malformed::PathDots)),
        ("/a/.%2e/b", Err(Malformed::PathDots)),
        ("/a/..", Err(Malformed::PathDots)),
        ("//a", Err(Malformed::PathSlashes)),
        ("/a//b", Err(Malformed::PathSlashes)),
        ("/a%2fb", Err(Malformed::PathSeparator)),
        ("/a%5cb", Err(Malformed::PathSeparator)),
        ("/a\\b", Err(Malformed::PathCharacter)),
        ("/api/..;/admin", Err(Malformed::PathCharacter)),
        ("/api/.;x=1/admin", Err(Malformed::PathCharacter)),
        ("/api/%2e.;/admin", Err(Malformed::PathCharacter)),
        ("/map/;x=1;y=2", Ok("/map/;x=1;y=2")),
        ("/a|b", Err(Malformed::PathCharacter)),
        ("/a%00b", Err(Malformed::PathControl)),
        ("/a%0d%0ab", Err(Malformed::PathControl)),
        ("/a%7f", Err(Malformed::PathControl)),
        ("/a%", Err(Malformed::PathEscape)),
        ("/a%4", Err(Malformed::PathEscape)),
        ("/a%zz", Err(Malformed::PathEscape)),
        ("/%252e%252e/b", Err(Malformed::PathEscape)),
        ("/%25%32%65", Err(Malformed::PathEscape)),
        ("/%25%7a0", Ok("/%25z0")),
        ("/a%ff", Err(Malformed::PathUtf8)),
        ("/%c0%ae", Err(Malformed::PathUtf8)),
    ];
    for (sent, expected) in cases {
        let found = parse(&h1(sent));
        assert_eq!(found.as_ref().map(Target::path).map_err(|e| *e), expected, "{sent}");
    }
}

#[test]
fn queries_stay_as_sent_or_are_refused() {
    assert_eq!(parse(&h1("/a?x=%2F&y")).unwrap().query(), Some("x=%2F&y"));
    assert_eq!(parse(&h1("/a?")).unwrap().query(), Some(""));
    assert_eq!(parse(&h1("/a")).unwrap().query(), None);
    assert_eq!(parse(&h1("/a?x=%2")), Err(Malformed::Query));
    assert_eq!(parse(&h1("/a?x=é")), Err(Malformed::Query));
}

#[test]
fn hosts_are_one_and_well_formed() {
    let cases: [(&[&str], Result<&str, Malformed>); 24] = [
        (&["api.example"], Ok("api.example")),
        (&["API.Example:8443"], Ok("api.example")),
        (&["127.0.0.1:1"], Ok("127.0.0.1")),
        (&["[::1]:443"], Ok("[::1]")),
        (&["[2001:DB8::1]"], Ok("[2001:db8::1]")),
        (&["localhost"], Ok("localhost")),
        (&[], Err(Malformed::HostMissing)),
        (&[""], Err(Malformed::HostMissing)),
        (&["api.example", "api.example"], Err(Malformed::FieldRepeated)),
        (&["user@api.example"], Err(Malformed::Userinfo)),
        (&["api.example:"], Err(Malformed::HostSyntax)),
        (&["api.example:0"], Err(Malformed::HostSyntax)),
        (&["api.example:+80"], Err(Malformed::HostSyntax)),
        (&["api.example:99999999"], Err(Malformed::HostSyntax)),
        (&["api.example:1:2"], Err(Malformed::HostSyntax)),
        (&["api.example."], Err(Malformed::HostSyntax)),
        (&["api..example"], Err(Malformed::HostSyntax)),
        (&["-api.example"], Err(Malformed::HostSyntax)),
        (&["api example"], Err(Malformed::HostSyntax)),
        (&["api.example/x"], Err(Malformed::HostSyntax)),
        (&["127.1"], Err(Malformed::HostSyntax)),
        (&["0x7f.0x1"], Err(Malformed::HostSyntax)),
        (&["[::1"], Err(Malformed::HostSyntax)),
        (&["[::1]x"], Err(Malformed::HostSyntax)),
    ];
    for (hosts, expected) in cases {
        let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        let found = parse(&head(Version::HTTP_11, "GET", "/", &fields));
        assert_eq!(found.as_ref().map(Target::host).map_err(|e| *e), expected, "{hosts:?}");
    }
}

#[test]
fn authority_and_host_must_agree() {
    let host = [("host", "api.example")];
    let absolute = |target, fields| parse(&head(Version::HTTP_11, "GET", target, fields));
    assert!(absolute("https://API.example/a", &host).is_ok());
    assert_eq!(absolute("https://other.example/a", &host), Err(Malformed::HostMismatch));
    assert_eq!(absolute("https://api.example:1/a", &host), Err(Malformed::HostMismatch));
    assert_eq!(absolute("http://api.example/a", &host), Err(Malformed::Scheme));
    assert_eq!(absolute("https://u@api.example/a", &host), Err(Malformed::Userinfo));
    assert_eq!(absolute("https://api.example/a", &[]), Err(Malformed::HostMissing));
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let parse = |target, fields| parse(&head(version, "GET", target, fields));
        assert!(parse("https://api.example/a", &[]).is_ok());
        assert!(parse("https://api.example/a", &host).is_ok());
        assert_eq!(parse("https://other.example/a", &host), Err(Malformed::HostMismatch));
        assert_eq!(parse("/a", &host), Err(Malformed::Scheme));
    }
}

#[test]
fn the_host_is_the_one_of_the_handshake() {
    let limits = Limits::default();
    let parse = |sni| Target::parse(&h1("/"), sni, &limits);
    assert!(parse(None).is_ok());
    assert!(parse(Some("api.example")).is_ok());
    assert_eq!(parse(Some("other.example")), Err(Malformed::Misdirected));
    assert_eq!(Malformed::Misdirected.status(), 421);
}

#[test]
fn methods_and_forms() {
    let host = [("host", "api.example")];
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert!(parse(&head(Version::HTTP_11, method, "/", &host)).is_ok(), "{method}");
    }
    for method in ["TRACE", "CONNECT", "get", "PROPFIND"] {
        let found = parse(&head(Version::HTTP_11, method, "/", &host));
        assert_eq!(found, Err(Malformed::Method), "{method}");
    }
    let asterisk = parse(&head(Version::HTTP_11, "OPTIONS", "*", &host));
    assert_eq!(asterisk, Err(Malformed::TargetForm));
    let authority = parse(&head(Version::HTTP_11, "GET", "api.example:443", &host));
    assert_eq!(authority, Err(Malformed::TargetForm));
}

#[test]
fn fields_are_checked() {
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Fields<'_>, Result<(), Malformed>); 16] = [
        (&[("x-a", "b"), ("x-a", "c")], Ok(())),
        (&[("x_a", "b")], Err(Malformed::FieldName)),
        (&[("x.a", "b")], Err(Malformed::FieldName)),
        (&[("content-length", "3")], Ok(())),
        (&[("content-length", "3"), ("content-length", "3")], Err(Malformed::FieldRepeated)),
        (&[("content-length", "3, 3")], Err(Malformed::ContentLength)),
        (&[("content-length", "+3")], Err(Malformed::ContentLength)),
        (&[("content-length", "")], Err(Malformed::ContentLength)),
        (&[("content-length", "9999999999999999999")], Err(Malformed::ContentLength)),
        (&[("transfer-encoding", "chunked")], Ok(())),
        (&[("transfer-encoding", "gzip, chunked")], Err(Malformed::TransferEncoding)),
        (
            &[("transfer-encoding", "chunked"), ("content-length", "3")],
            Err(Malformed::TransferEncoding),
        ),
        (&[("authorization", "a"), ("authorization", "b")], Err(Malformed::FieldRepeated)),
        (&[("content-type", "a"), ("content-type", "b")], Err(Malformed::FieldRepeated)),
        (&[("expect", "100-Continue")], Ok(())),
        (&[("expect", "y 100-continue")], Err(Malformed::Expect)),
    ];
    for (fields, expected) in cases {
        let all: Vec<_> = fields.iter().copied().chain([("host", "a.example")]).collect();
        let found = parse(&head(Version::HTTP_11, "POST", "/", &all));
        assert_eq!(found.map(drop), expected, "{fields:?}");
    }
    for field in [("transfer-encoding", "chunked"), ("connection", "close"), ("te", "gzip")] {
        let found = parse(&head(Version::HTTP_2, "POST", "https://a.example/", &[field]));
        assert_eq!(found, Err(Malformed::ConnectionField), "{field:?}");
    }
    assert!(
        parse(&head(Version::HTTP_3, "GET", "https://a.example/", &[("te", "trailers")])).is_ok()
    );
    let old = [("host", "a.example"), ("transfer-encoding", "chunked")];
    let found = parse(&head(Version::HTTP_10, "POST", "/", &old));
    assert_eq!(found, Err(Malformed::TransferEncoding));
}

#[test]
fn sizes_have_bounds() {
    let limits = Limits {
        target_bytes_max: 8,
        header_count_max: 2,
        header_bytes_max: 200,
        ..Limits::default()
    };
    let parse = |target: &str, fields: &[(&str, &str)]| {
        Target::parse(&head(Version::HTTP_11, "GET", target, fields), None, &limits).map(drop)
    };
    let host = ("host", "a.example");
    assert_eq!(parse("/234567?", &[host]).map_err(Malformed::status), Ok(()));
    assert_eq!(parse("/234567?9", &[host]).map_err(Malformed::status), Err(414));
    assert_eq!(parse("/", &[host, ("x", "y")]), Ok(()));
    assert_eq!(parse("/", &[host, ("x", "y"), ("x", "z")]), Err(Malformed::FieldCount));
    let value = "v".repeat(122);
    assert_eq!(parse("/", &[host, ("x", &value)]), Ok(()));
    let value = "v".repeat(123);
    assert_eq!(parse("/", &[host, ("x", &value)]), Err(Malformed::FieldBytes));
    assert_eq!(Malformed::FieldBytes.status(), 431);
}

#[test]
fn one_field_has_so_many_bytes() {
    let limits = Limits { field_bytes_max: 100, ..Limits::default() };
    let read = |value: &str| {
        let fields = [("host", "localhost"), ("x", value)];
        Target::parse(&head(Version::HTTP_11, "GET", "/", &fields), None, &limits).map(|_| ())
    };
    assert_eq!(read(&"v".repeat(99)), Ok(()));
    assert_eq!(read(&"v".repeat(100)), Err(Malformed::FieldTooLong));
    assert_eq!(Malformed::FieldTooLong.status(), 431);
}

proptest! {
    #[test]
    fn the_canonical_path_is_its_own(path in "/[a-zA-Z0-9%./~:é-]{0,40}") {
        if let Ok(once) = path::canonical(&path) {
            prop_assert_eq!(path::canonical(&once), Ok(once.clone()));
            prop_assert!(once.len() <= path.len(), "{path} grew to {once}");
        }
    }

    #[test]
    fn no_dot_segment_passes_in_any_spelling(
        before in "(/[a-z]{0,3}){0,2}", dots in "(\\.|%2[eE]|%252[eE]){1,2}", after in "(/[a-z]{0,3}){0,2}",
    ) {
        let path = format!("{before}/{dots}{after}");
        prop_assert!(path::canonical(&path).is_err(), "{path}");
        // One more letter, and it is a name like any other.
        let name = dots.replace("%25", "%");
        let near = path::canonical(&format!("/{name}a"));
        prop_assert!(near.is_ok_and(|near| near.ends_with('a')));
    }

    #[test]
    fn escapes_never_reach_another_path(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let sent: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        if let Ok(found) = path::canonical(&format!("/a/{sent}")) {
            prop_assert!(found.starts_with("/a/"));
            prop_assert_eq!(found.matches('/').count(), 2);
            prop_assert_eq!(path::canonical(&found), Ok(found.clone()));
        }
    }

    #[test]
    fn any_host_is_read_or_refused(host in "\\PC{0,40}") {
        if let Ok(found) = host::parse(&host) {
            let name = found.into_name();
            prop_assert!(host.to_ascii_lowercase().starts_with(&*name) || name.starts_with('['));
        }
    }
}

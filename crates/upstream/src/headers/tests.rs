//! What a client may say, what it may not in any spelling, and what the gateway says instead.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{
    AllowList, ClientScheme, OWNED, OWNED_PREFIXES, STANDARD_HEADERS, Said, fold, is_gateway_owned,
};
use crate::fault::Fault;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

/// Fields with which services have been deceived, each in the spellings that got past somebody.
const SPOOFED: [(&str, &[&str]); 12] = [
    (
        "the assertion",
        &[
            "X-Gateway-Assertion",
            "x-gateway-assertion",
            "X_Gateway_Assertion",
            "X.Gateway.Assertion",
            "X-Gateway_Assertion",
        ],
    ),
    (
        "the transaction",
        &["Txn-Token", "X-Request-Id", "X_Request_Id", "traceparent", "tracestate", "baggage"],
    ),
    (
        "where it came from",
        &[
            "Forwarded",
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X.Forwarded.For",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
        ],
    ),
    (
        "the same",
        &[
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Real-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "Via",
        ],
    ),
    (
        "certificates",
        &["X-Forwarded-Client-Cert", "Client-Cert", "Client-Cert-Chain", "Client_Cert"],
    ),
    ("certificates of others", &["SSL-Client-Cert", "X-SSL-Client-Verify", "X-ARR-ClientCert"]),
    (
        "users",
        &[
            "Remote-User",
            "X-Remote-User",
            "X-Authenticated-User",
            "X-Forwarded-User",
            "X-Auth-Request-User",
            "Impersonate-User",
        ],
    ),
    (
        "users of others",
        &[
            "X-Userinfo",
            "X-Consumer-ID",
            "X-Credential-Identifier",
            "x-jwt-payload",
            "X-Anonymous-Consumer",
        ],
    ),
    ("other proxies", &["x-envoy-original-path", "x-envoy-internal"]),
    (
        "another request",
        &[
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "X_HTTP_Method_Override",
            "Host",
        ],
    ),
    ("signatures", &["Signature", "Signature-Input", "Content-Digest"]),
    (
        "the connection",
        &[
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "HTTP2-Settings",
            "Proxy-Authorization",
            "Expect",
            "Content-Length",
        ],
    ),
];

#[test]
fn no_owned_field_passes_in_any_spelling_listed_or_not() {
    for (what, names) in SPOOFED {
        let listed = AllowList::new(names.iter().copied());
        for name in names {
            let client = headers(&[(name, "spoof"), (name, "twice"), ("accept", "*/*")]);
            for list in [&AllowList::default(), &listed] {
                assert!(!list.allows(name), "{what}: {name}");
                assert_eq!(list.filter(&client), headers(&[("accept", "*/*")]), "{what}: {name}");
            }
        }
    }
}

#[test]
fn standard_and_named_fields_pass_with_all_their_values() {
    let list = AllowList::new(["X-Tenant", "authorization"]);
    let client = headers(&[
        ("accept", "a"),
        ("accept", "b"),
        ("X-Tenant", "acme"),
        ("authorization", "Bearer t"),
        ("cookie", "access_token=x"),
        ("x-other", "1"),
    ]);
    let expected =
        [("accept", "a"), ("accept", "b"), ("x-tenant", "acme"), ("authorization", "Bearer t")];
    assert_eq!(list.filter(&client), headers(&expected));
    assert_eq!(AllowList::default().filter(&client), headers(&[("accept", "a"), ("accept", "b")]));
}

#[test]
fn an_alias_of_an_allowed_field_does_not_pass() {
    let list = AllowList::new(["x-tenant"]);
    let client =
        headers(&[("x_tenant", "a"), ("x.tenant", "b"), ("content_type", "c"), ("x-tenant", "d")]);
    assert_eq!(list.filter(&client), headers(&[("x-tenant", "d")]));
}

#[test]
fn a_field_nominated_by_connection_stays_behind() {
    let client = headers(&[
        ("connection", "close , X-Tenant"),
        ("connection", "prefer"),
        ("x-tenant", "a"),
        ("prefer", "b"),
        ("accept", "c"),
    ]);
    assert_eq!(AllowList::new(["x-tenant"]).filter(&client), headers(&[("accept", "c")]));
}

#[test]
fn a_nominated_field_of_ours_is_said_all_the_same() {
    let client = headers(&[("connection", "x-request-id, via, forwarded")]);
    let mut inside = AllowList::default().filter(&client);
    said("192.0.2.1", "api.example.com").write(&mut inside).unwrap();
    for name in ["x-request-id", "via", "forwarded"] {
        assert_eq!(inside.get_all(name).iter().count(), 1, "{name}");
    }
}

fn said<'a>(address: &str, host: &'a str) -> Said<'a> {
    Said {
        transaction: "t-1",
        client_address: address.parse().unwrap(),
        host,
        scheme: ClientScheme::Https,
        trace_parent: Some("00-a-b-01"),
    }
}

#[test]
fn the_gateway_says_who_asked_for_what() {
    let mut inside = HeaderMap::new();
    said("192.0.2.1", "api.example.com").write(&mut inside).unwrap();
    let expected = [
        ("x-request-id", "t-1"),
        ("forwarded", "for=192.0.2.1;host=\"api.example.com\";proto=https"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "api.example.com"),
        ("via", "1.1 sallyport"),
        ("traceparent", "00-a-b-01"),
    ];
    assert_eq!(inside, headers(&expected));
}

#[test]
fn plain_http_is_called_so() {
    let mut inside = HeaderMap::new();
    let said = Said { scheme: ClientScheme::Http, ..said("192.0.2.1", "api.example.com") };
    said.write(&mut inside).unwrap();
    assert_eq!(inside["forwarded"], "for=192.0.2.1;host=\"api.example.com\";proto=http");
    assert_eq!(inside["x-forwarded-proto"], "http");
}

#[test]
fn an_ipv6_client_is_quoted_and_a_mapped_one_is_ipv4() {
    for (address, forwarded, bare) in [
        ("2001:db8::1", "for=\"[2001:db8::1]\";host=\"a:8443\";proto=https", "2001:db8::1"),
        ("::ffff:192.0.2.1", "for=192.0.2.1;host=\"a:8443\";proto=https", "192.0.2.1"),
    ] {
        let mut inside = HeaderMap::new();
        said(address, "a:8443").write(&mut inside).unwrap();
        assert_eq!(inside["forwarded"], forwarded);
        assert_eq!(inside["x-forwarded-for"], bare);
    }
}

#[test]
fn a_host_that_could_end_its_quotes_is_refused() {
    for host in ["", "a\"", "a;b", "a b", "a\r\nb"] {
        assert_eq!(
            said("192.0.2.1", host).write(&mut HeaderMap::new()),
            Err(Fault::Request),
            "{host}"
        );
    }
}

#[test]
fn the_lists_are_folded_and_do_not_contradict() {
    for name in OWNED.iter().chain(&OWNED_PREFIXES).chain(&STANDARD_HEADERS) {
        assert_eq!(fold(name), *name);
    }
    assert!(STANDARD_HEADERS.iter().all(|name| !is_gateway_owned(name)));
}

proptest! {
    #[test]
    fn whatever_the_separators_and_the_case_an_owned_name_is_owned(
        index in 0..OWNED.len(),
        separators in prop::collection::vec(prop::sample::select(vec!['-', '_', '.', '!', '~', '+']), 4),
        upper: bool,
    ) {
        let mut separators = separators.into_iter().cycle();
        let spelled: String =
            OWNED[index].chars().map(|c| if c == '-' { separators.next().unwrap() } else { c }).collect();
        let spelled = if upper { spelled.to_ascii_uppercase() } else { spelled };
        prop_assert!(is_gateway_owned(&spelled));
        prop_assert!(!AllowList::new([spelled.as_str()]).allows(&spelled));
    }

    #[test]
    fn only_listed_names_ever_pass(name in "[a-z0-9!#$%&'*+.^_`|~-]{1,30}") {
        let Ok(field) = name.parse::<HeaderName>() else { return Ok(()) };
        let client: HeaderMap = [(field, HeaderValue::from_static("v"))].into_iter().collect();
        let passed = !AllowList::default().filter(&client).is_empty();
        prop_assert_eq!(passed, STANDARD_HEADERS.contains(&name.as_str()));
    }
}

//! Settings that contradict each other or have no effect: each is refused, with a near miss.

use super::{Place, minimal, shipped};
use crate::config::Mistake;

/// A change of an example, and where and what is told (`""`: must pass).
pub(super) type Case = (&'static str, &'static str, &'static str);

/// Changes of the minimal example.
const CASES: &[Case] = &[
    // A name that is written twice.
    ("version: 1", "version: 1\nversion: 1", "`version` is written twice"),
    ("shop: {", "shop: { issuer: https://a.example, ", "issuers.shop: `issuer` is written twice"),
    (
        "upstreams:",
        "  - { openapi: orders.openapi.yaml, upstream: orders, audience: b }\nupstreams:",
        "",
    ),
    // Issuers: how keys are fetched, where none are fetched that way.
    (
        "realms/shop }",
        "realms/shop, jwks: keys/partners.jwks.json, ca: tls/partner-ca.pem }",
        "shop.ca: without effect",
    ),
    ("realms/shop }", "realms/shop, jwks: https://a.example/keys, ca: tls/partner-ca.pem }", ""),
    ("realms/shop }", "realms/shop, ca: tls/partner-ca.pem }", ""),
    (
        "realms/shop }",
        "realms/shop, jwks: http://a.example/keys, insecure_http: true, ca: tls/partner-ca.pem }",
        "shop.ca: without effect",
    ),
    (
        "realms/shop }",
        "realms/shop, jwks: keys/partners.jwks.json, insecure_http: true }",
        "insecure_http: without effect",
    ),
    (
        "realms/shop }",
        "realms/shop, jwks: https://a.example/keys, insecure_http: true }",
        "insecure_http: without effect",
    ),
    ("realms/shop }", "realms/shop, jwks: keys/partners.jwks.json, insecure_http: false }", ""),
    ("realms/shop }", "realms/shop, insecure_http: true }", ""),
    // APIs.
    (
        "openapi: orders.openapi.yaml",
        "prefix: /x/, methods: [GET], validate: { request: observe }",
        "validate: not with `prefix`",
    ),
    ("openapi: orders.openapi.yaml", "prefix: /x/, methods: [GET], filter: observe", ""),
    ("api.example.com }", "api.example.com, validate: { request: observe } }", ""),
    ("api.example.com }", "api.example.com, methods: [GET] }", "methods: only with `prefix`"),
    ("api.example.com }", "api.example.com, pass_headers: [X-Forwarded-For] }", "never passes"),
    ("api.example.com }", "api.example.com, pass_headers: [traceparent] }", "never passes"),
    ("api.example.com }", "api.example.com, pass_headers: [cookie] }", ""),
    ("api.example.com }", "api.example.com, pass_headers: [x-a, X-A] }", "written twice"),
    (
        "api.example.com }",
        "api.example.com, anonymous: [a], access: [{ scopes: [b] }] }",
        "anonymous[0]: may be called without a token",
    ),
    (
        "api.example.com }",
        "api.example.com, anonymous: [a], access: [{ operations: [a], clients: [b] }] }",
        "anonymous[0]: may be called without a token",
    ),
    (
        "api.example.com }",
        "api.example.com, anonymous: [a], access: [{ operations: [c], clients: [b] }] }",
        "",
    ),
    (
        "api.example.com }",
        "api.example.com, anonymous: [a], access: [{ networks: [10.0.0.0/8] }] }",
        "",
    ),
    (
        "api.example.com }",
        "api.example.com, validate: { undeclared_members: drop } }",
        "undeclared_members: `drop` needs",
    ),
    (
        "api.example.com }",
        "api.example.com, validate: { response: observe, undeclared_members: drop } }",
        "",
    ),
    // Upstreams.
    (
        "identity: { key",
        "insecure_plaintext: true\n    identity: { key",
        "insecure_plaintext: without effect",
    ),
    ("identity: { key", "insecure_plaintext: false\n    identity: { key", ""),
    (
        "[https://orders.internal:8443]",
        "[https://a:1, http://b:1]\n    insecure_plaintext: true",
        "",
    ),
    (
        "[https://orders.internal:8443]",
        "[http://b:1]\n    insecure_plaintext: true",
        "tls: without effect",
    ),
    ("[https://orders.internal:8443]", "[https://a:1, https://a:1]", "written twice"),
    (
        "identity: { key",
        "timeout: { connect: 20s }\n    identity: { key",
        "`connect` is longer than `response`",
    ),
    (
        "identity: { key",
        "timeout: { response: 500ms }\n    identity: { key",
        "`connect` is longer than `response`",
    ),
    ("identity: { key", "timeout: { connect: 15s }\n    identity: { key", ""),
    (
        "identity: { key",
        "retry: { attempts: 2, on: [] }\n    identity: { key",
        "attempts: without effect",
    ),
    (
        "identity: { key",
        "retry: { attempts: 1, on: [connect] }\n    identity: { key",
        "on: without effect",
    ),
    ("identity: { key", "retry: { on: [] }\n    identity: { key", ""),
    ("identity: { key", "retry: { attempts: 1 }\n    identity: { key", ""),
    // Limits.
    (
        "version: 1",
        "limits: { tiers: { a: { rate: 1/s, burst: 9, quota: 8/day } } }\nversion: 1",
        "a.quota: less than `burst`",
    ),
    (
        "version: 1",
        "limits: { tiers: { a: { rate: 1/s, burst: 9, quota: 9/day } } }\nversion: 1",
        "",
    ),
    (
        "version: 1",
        "limits: { tiers: { a: { rate: 1/s, burst: 9, quota: 60/m } } }\nversion: 1",
        "a.quota: without effect",
    ),
    (
        "version: 1",
        "limits: { tiers: { a: { rate: 1/s, burst: 9, quota: 59/m } } }\nversion: 1",
        "",
    ),
    (
        "version: 1",
        "limits: { address: { rate: 1/day, burst: 53 } }\nversion: 1",
        "address.burst: at this rate",
    ),
    ("version: 1", "limits: { address: { rate: 1/day, burst: 52 } }\nversion: 1", ""),
    (
        "version: 1",
        "limits: { address: { rate: 1000000001/s, burst: 1 } }\nversion: 1",
        "at most 1000000000",
    ),
    ("version: 1", "limits: { address: { rate: 1000000000/s, burst: 1 } }\nversion: 1", ""),
    (
        "version: 1",
        "limits: { connections: { max: 100, max_per_address: 101 } }\nversion: 1",
        "max_per_address: without effect",
    ),
    ("version: 1", "limits: { connections: { max: 100, max_per_address: 100 } }\nversion: 1", ""),
    (
        "version: 1",
        "limits: { connections: { new_per_address: { rate: 1/day, burst: 53 } } }\nversion: 1",
        "new_per_address.burst: at this rate",
    ),
    (
        "version: 1",
        "limits: { connections: { max_requests: 0 } }\nversion: 1",
        "max_requests: must be from 1",
    ),
    ("version: 1", "limits: { connections: { max_age: 999ms } }\nversion: 1", "must be from 1s"),
    ("version: 1", "limits: { connections: { max_age: 168h } }\nversion: 1", ""),
    (
        "version: 1",
        "limits: { connections: { max_streams: 0 } }\nversion: 1",
        "max_streams: must be from 1",
    ),
    (
        "version: 1",
        "limits: { head: { size: 8KiB, field: 9KiB } }\nversion: 1",
        "field: without effect",
    ),
    ("version: 1", "limits: { head: { size: 8KiB, field: 8KiB } }\nversion: 1", ""),
    ("version: 1", "limits: { head: { target: 65KiB } }\nversion: 1", "must be from 1KiB to 64KiB"),
    ("version: 1", "limits: { head: { fields: 7 } }\nversion: 1", "must be from 8 to 1000"),
    ("version: 1", "limits: { wait: { idle: 99ms } }\nversion: 1", "must be from 100ms"),
    ("version: 1", "limits: { wait: { idle: 1h, write: 100ms } }\nversion: 1", ""),
    ("version: 1", "limits: { floods: { resets: 0 } }\nversion: 1", "must be from 1"),
    ("version: 1", "limits: { floods: { resets: 1, control: 16 } }\nversion: 1", ""),
    ("version: 1", "limits: { body: { grace: 99ms } }\nversion: 1", "must be from 100ms"),
    ("version: 1", "limits: { body: { min_rate: 1, grace: 5m } }\nversion: 1", ""),
    // Audit: what is collected holds events and nothing else.
    (
        "version: 1",
        "audit: { spool: { directory: a/spool }, sinks: [{ file: { directory: a } }] }\nversion: 1",
        "shares a directory with the spool",
    ),
    (
        "version: 1",
        "audit: { spool: { directory: a }, sinks: [{ file: { directory: a/events } }] }\nversion: 1",
        "shares a directory with the spool",
    ),
    (
        "version: 1",
        "audit: { spool: { directory: a/b }, sinks: [{ file: { directory: a/bc } }] }\nversion: 1",
        "",
    ),
    (
        "version: 1",
        "audit: { sinks: [{ file: { directory: secrets } }], pseudonym: { key: { file: secrets/pseudonym } } }\nversion: 1",
        "holds the pseudonym key",
    ),
    (
        "version: 1",
        "audit: { sinks: [{ file: { directory: secret } }], pseudonym: { key: { file: secrets/pseudonym } } }\nversion: 1",
        "",
    ),
    // Rules of the masker: bounded, particular, and blind to what masking leaves.
    (
        "version: 1",
        "audit: { mask: { staff: { pattern: 'EMP-[0-9]+' } } }\nversion: 1",
        "audit.mask.staff: the pattern has no bound",
    ),
    (
        "version: 1",
        "audit: { mask: { staff: { pattern: 'EMP-[0-9' } } }\nversion: 1",
        "audit.mask.staff: the pattern is no regular",
    ),
    (
        "version: 1",
        "audit: { mask: { staff: { pattern: '[0-9]{0,3}' } } }\nversion: 1",
        "matches the empty text",
    ),
    (
        "version: 1",
        "audit: { mask: { staff: { pattern: 'sta' } } }\nversion: 1",
        "what the masker puts into a text",
    ),
    (
        "version: 1",
        "audit: { mask: { staff: { pattern: 'EMP-[0-9]{5}', replacement: 'a b' } } }\nversion: 1",
        "a replacement is 1 to 64",
    ),
    (
        "version: 1",
        "audit: { mask: { staff: { pattern: 'EMP-[0-9]{5}', replacement: '***' } } }\nversion: 1",
        "",
    ),
];

/// What cannot be said of a pin, and its near miss: the items of `audit.seal.pins`.
const PIN_CASES: &[Case] = &[
    ("version: 1", "{ every: 2s }", "exactly one of `file`, `http` and `kafka`"),
    ("version: 1", "{ file: { path: a }, http: { url: https://a.example/ } }", "exactly one of"),
    ("version: 1", "{ file: { path: a/b } }", ""),
    ("version: 1", "{ file: { path: audit/spool/pins } }", "in the directory of the spool"),
    ("version: 1", "{ http: { url: https://a.example/notes, ca: tls/internal-ca.pem } }", ""),
    ("version: 1", "{ http: { url: http://a.example/notes } }", "plain HTTP lets"),
    ("version: 1", "{ http: { url: http://a.example/notes, insecure_http: true } }", ""),
    ("version: 1", "{ http: { url: https://a.example/, insecure_http: true } }", "without effect"),
    (
        "version: 1",
        "{ http: { url: http://a.example/, insecure_http: true, ca: tls/internal-ca.pem } }",
        "without effect",
    ),
    ("version: 1", "{ http: { url: https://a.example/, token: { file: none } } }", "No such file"),
    ("version: 1", "{ file: { path: a/b } }, { file: { path: a/b } }", "same as a pin before"),
    ("version: 1", "{ file: { path: a/b } }, { file: { path: a/c } }", ""),
    ("version: 1", "{ file: { path: a/b }, every: 1ms }", "must be from 1s to 24h"),
];

#[test]
fn pins_are_outside_and_their_way_is_kept() {
    let wrong = wrong_answers(PIN_CASES, |from, pins| {
        minimal(from, &format!("audit: {{ seal: {{ pins: [{pins}] }} }}\n{from}"))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Changes of the example with Redis and Kafka.
#[cfg(all(feature = "redis", feature = "kafka", feature = "otlp"))]
const SHARED_CASES: &[Case] = &[
    (
        "ca: tls/redis-ca.pem",
        "insecure_plaintext: true",
        "redis.insecure_plaintext: contradicts the URL",
    ),
    ("ca: tls/redis-ca.pem", "insecure_plaintext: false", ""),
    ("url: ${REDIS_URL}", "url: redis://127.0.0.1:6379", "redis.ca: without effect"),
    ("url: ${REDIS_URL}", "url: rediss://127.0.0.1:6379", ""),
    ("topics: audit ", "insecure_plaintext: true ", "kafka.insecure_plaintext: contradicts `tls`"),
    ("topics: audit ", "insecure_plaintext: false ", ""),
];

/// Every case of which the answer is another.
pub(super) fn wrong_answers(cases: &[Case], change: impl Fn(&str, &str) -> String) -> Vec<String> {
    let place = Place::new();
    let told = |from, to| match place.parse(&change(from, to)) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    };
    let mut wrong = Vec::new();
    for (from, to, expected) in cases {
        let told: Vec<String> = told(from, to);
        let right = match *expected {
            "" => told.is_empty(),
            // One mistake is told once, with its place.
            expected => matches!(told.as_slice(), [one] if one.contains(expected)
                && one.split(':').nth(1).is_some_and(|line| line.parse::<u32>().is_ok())),
        };
        if !right {
            wrong.push(format!("{to}\n   expected: {expected}\n   got: {told:#?}"));
        }
    }
    wrong
}

#[test]
fn contradictions_are_refused_and_near_misses_pass() {
    let wrong = wrong_answers(CASES, minimal);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(all(feature = "redis", feature = "kafka", feature = "otlp"))]
#[test]
fn contradictions_about_redis_and_kafka_are_refused_and_near_misses_pass() {
    let shared = shipped("shared.yaml");
    let wrong = wrong_answers(SHARED_CASES, |from, to| {
        assert!(shared.contains(from), "{from} is not in the example");
        shared.replace(from, to)
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_tier_that_nobody_can_get_is_refused() {
    let place = Place::new();
    let example = shipped("gateway.yaml");
    assert!(place.parse(&example).is_ok(), "an issuer without `may_grant` may grant every tier");
    let closed = |tiers: &str| {
        let may_grant = format!("may_grant: {{ tiers: [{tiers}] }}\n    profile: rfc9068");
        example.replacen("profile: rfc9068", &may_grant, 1)
    };
    let told: Vec<String> = place.refused(&closed("free"));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("limits.tiers.gold: nobody can get this tier"), "{told:#?}");
    assert!(place.parse(&closed("gold")).is_ok());
    let told: Result<_, Vec<Mistake>> = place.parse(&closed("glod"));
    assert!(told.is_err_and(|told| told.iter().any(|m| m.nearest.as_deref() == Some("gold"))));
}

//! Every weakening that a configuration can ask for is told, with its place.

use super::{Place, minimal, shipped};
use crate::config::weaknesses;

/// A change of the minimal example, and the place of the weakening it asks for.
const CASES: &[(&str, &str, &str)] = &[
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], min_version: \"1.2\" }",
        "listeners[0].tls.min_version",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [10.0.0.0/8], insecure_direct: true }\n    tls: { cer",
        "listeners[0].client_address.insecure_direct",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [10.0.0.0/8, '::/0'] }\n    tls: { cer",
        "listeners[0].client_address.trusted_proxies[1]",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required, ca: tls/partner-ca.pem } }",
        "listeners[0].tls.client_certificates.crl",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: optional, ca: tls/partner-ca.pem, \
         crl: tls/partner-ca.pem } }",
        "listeners[0].tls.client_certificates.mode",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required, ca: tls/partner-ca.pem, \
         crl: tls/partner-ca.pem, resumption: true } }",
        "listeners[0].tls.client_certificates.resumption",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required, ca: tls/partner-ca.pem, \
         crl: tls/partner-ca.pem } }\n    client_address: { trusted_proxies: [10.0.0.0/8] }\n    \
         forwarded_certificates: { proxies: ['dns:lb.internal'], ca: tls/partner-ca.pem }",
        "listeners[0].forwarded_certificates.crl",
    ),
    ("realms/shop }", "realms/shop, insecure_http: true }", "issuers.shop.insecure_http"),
    ("openapi: orders.openapi.yaml", "prefix: /x/, methods: [GET]", "apis[0].prefix"),
    (
        "api.example.com }",
        "api.example.com, validate: { request: observe } }",
        "apis[0].validate.request",
    ),
    (
        "api.example.com }",
        "api.example.com, bounds: { max_depth: 33 } }",
        "apis[0].bounds.max_depth",
    ),
    (
        "api.example.com }",
        "api.example.com, bounds: { max_body: 2MiB } }",
        "apis[0].bounds.max_body",
    ),
    ("api.example.com }", "api.example.com, filter: observe }", "apis[0].filter"),
    ("api.example.com }", "api.example.com, filter: off }", "apis[0].filter"),
    ("api.example.com }", "api.example.com, audit: best_effort }", "apis[0].audit"),
    ("api.example.com }", "api.example.com, anonymous: [listOrders] }", "apis[0].anonymous[0]"),
    (
        "api.example.com }",
        "api.example.com, pass_headers: [x-a, Cookie] }",
        "apis[0].pass_headers[1]",
    ),
    (
        "https://orders.internal:8443]",
        "https://orders.internal:8443, http://orders.internal:8080]\n    insecure_plaintext: true",
        "upstreams.orders.insecure_plaintext",
    ),
    (
        ", certificate: { chain: tls/gateway.pem, key: tls/gateway.key }",
        "",
        "upstreams.orders.tls.certificate",
    ),
    (
        "    tls: { cer",
        "    insecure_plaintext: true\n  - address: 0.0.0.0:8444\n    tls: { cer",
        "listeners[0].insecure_plaintext",
    ),
    (
        "    tls: { cer",
        "    redirect: https\n  - address: 0.0.0.0:8444\n    tls: { cer",
        "listeners[0].redirect",
    ),
    ("listeners:\n", "listeners:\n  - address: 127.0.0.1:8080\n", "listeners[0].tls"),
    ("    tls: { cer", "    http: [3]\n    tls: { cer", "listeners[0].http"),
    (
        "version: 1",
        "audit: { spool: { durability: queued } }\nversion: 1",
        "audit.spool.durability",
    ),
    ("version: 1", "audit: { digests: off }\nversion: 1", "audit.digests"),
    (
        "version: 1",
        "audit: { seal: { pins: [{ http: { url: http://a.example/, insecure_http: true } }] } }\nversion: 1",
        "audit.seal.pins[0].http.insecure_http",
    ),
];

#[test]
fn each_weakening_is_told_with_its_place() {
    let place = Place::new();
    for (from, to, expected) in CASES {
        let settings = place.parse(&minimal(from, to)).expect("weak, but valid");
        let told = weaknesses(&settings);
        let places: Vec<&str> = told.iter().map(|weakening| weakening.place.as_str()).collect();
        assert_eq!(places, [*expected], "{told:#?}");
    }
}

#[test]
fn what_is_strong_is_not_told() {
    let place = Place::new();
    let strong = "api.example.com, validate: { request: enforce }, filter: enforce, \
                  audit: required, pass_headers: [x-a], anonymous: [] }";
    let settings = place.parse(&minimal("api.example.com }", strong)).expect("valid");
    assert_eq!(weaknesses(&settings), []);
    let proxied = "    client_address: { trusted_proxies: [10.0.0.0/8] }\n    tls: { cer";
    let proxied = minimal("    tls: { cer", proxied);
    assert_eq!(weaknesses(&place.parse(&proxied).expect("valid")), []);
    let strong = "key: tls/edge.key }], client_certificates: { mode: required, \
                  ca: tls/partner-ca.pem, crl: tls/partner-ca.pem } }";
    let settings = place.parse(&minimal("key: tls/edge.key }] }", strong)).expect("valid");
    assert_eq!(weaknesses(&settings), []);
    // Beside TCP, which announces it, HTTP/3 is no weakening.
    let announced = minimal("    tls: { cer", "    http: [2, 3]\n    tls: { cer");
    assert_eq!(weaknesses(&place.parse(&announced).expect("valid")), []);
}

#[cfg(all(feature = "redis", feature = "kafka", feature = "otlp"))]
#[test]
fn what_an_outage_lets_through_is_told() {
    let place = Place::new();
    let shared = shipped("shared.yaml");
    for (word, weak) in [("local", true), ("allow", true), ("refuse", false)] {
        let text = shared.replace("on_outage: local", &format!("on_outage: {word}"));
        let told = weaknesses(&place.parse(&text).expect("valid"));
        let found = told.iter().any(|w| w.place == "limits.store.redis.on_outage");
        assert_eq!(found, weak, "{word}: {told:#?}");
    }
    let text = shared.replace("https://collector.internal", "http://collector.internal");
    let told = weaknesses(&place.parse(&text).expect("valid"));
    assert!(told.iter().any(|weakening| weakening.place == "telemetry.otlp"), "{told:#?}");
}

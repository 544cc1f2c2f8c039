//! Contradictions about listeners: what needs TLS, what needs proxies, what excludes what; each with a near miss.

use super::contradictions::{Case, wrong_answers};
use super::minimal;

/// A listener behind proxies that show certificates of their own, up to what it believes of those that they pass on.
macro_rules! proxied {
    () => {
        "key: tls/edge.key }], client_certificates: { mode: optional, ca: tls/partner-ca.pem } }\n    \
         client_address: { trusted_proxies: [10.0.0.0/8] }\n    forwarded_certificates: "
    };
}

/// Changes of the minimal example.
const CASES: &[Case] = &[
    // Listeners: TLS 1.2 where every connection is QUIC.
    ("    tls: { cer", "    http: [3]\n    tls: { min_version: \"1.2\", cer", "always TLS 1.3"),
    ("    tls: { cer", "    http: [2, 3]\n    tls: { min_version: \"1.2\", cer", ""),
    ("    tls: { cer", "    http: [3]\n    tls: { min_version: \"1.3\", cer", ""),
    // Listeners: proxies that cannot say who the client is, and nobody who may.
    (
        "    tls: { cer",
        "    http: [1, 3]\n    client_address: { trusted_proxies: [10.0.0.0/8], from: proxy-protocol }\n    tls: { cer",
        "client_address.from: HTTP/3 has no PROXY protocol",
    ),
    (
        "    tls: { cer",
        "    http: [1, 2]\n    client_address: { trusted_proxies: [10.0.0.0/8], from: proxy-protocol }\n    tls: { cer",
        "",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [10.0.0.0/8], from: proxy-protocol }\n    tls: { cer",
        "",
    ),
    (
        "    tls: { cer",
        "    http: [1, 3]\n    client_address: { trusted_proxies: [10.0.0.0/8], from: forwarded }\n    tls: { cer",
        "",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [], from: proxy-protocol }\n    tls: { cer",
        "client_address.from: without effect",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [], from: x-forwarded-for }\n    tls: { cer",
        "",
    ),
    (
        "    tls: { cer",
        "    client_address: { insecure_direct: true }\n    tls: { cer",
        "insecure_direct: without effect",
    ),
    ("    tls: { cer", "    client_address: { insecure_direct: false }\n    tls: { cer", ""),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [10.0.0.0/8, 10.0.0.0/8] }\n    tls: { cer",
        "trusted_proxies[1]: is written twice",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [10.0.0.1/8] }\n    tls: { cer",
        "bits are set after the prefix",
    ),
    (
        "    tls: { cer",
        "    client_address: { trusted_proxies: [10.0.0.0/8], from: x-real-ip }\n    tls: { cer",
        "client_address.from",
    ),
    // Certificates that proxies pass on: only from proxies, which are known by certificates of their own.
    (
        "key: tls/edge.key }] }",
        concat!(proxied!(), "{ proxies: ['dns:lb.internal'], ca: tls/partner-ca.pem }"),
        "",
    ),
    (
        "key: tls/edge.key }] }",
        concat!(
            proxied!(),
            "{ proxies: ['dns:lb.internal', 'uri:spiffe://a/lb', 'ip:10.0.0.1'], ca: tls/partner-ca.pem }"
        ),
        "",
    ),
    (
        "key: tls/edge.key }] }",
        concat!(proxied!(), "{ proxies: [lb.internal], ca: tls/partner-ca.pem }"),
        "proxies[0]: expected an alternative name",
    ),
    (
        "key: tls/edge.key }] }",
        concat!(proxied!(), "{ proxies: ['dns:*.internal'], ca: tls/partner-ca.pem }"),
        "proxies[0]: expected an alternative name",
    ),
    (
        "key: tls/edge.key }] }",
        concat!(proxied!(), "{ proxies: [], ca: tls/partner-ca.pem }"),
        "forwarded_certificates.proxies: is empty",
    ),
    (
        "key: tls/edge.key }] }",
        concat!(proxied!(), "{ proxies: ['dns:a', 'dns:a'], ca: tls/partner-ca.pem }"),
        "proxies[1]: is written twice",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }] }\n    client_address: { trusted_proxies: [10.0.0.0/8] }\n    \
         forwarded_certificates: { proxies: ['dns:lb.internal'], ca: tls/partner-ca.pem }",
        "forwarded_certificates: needs `tls.client_certificates`",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required, ca: tls/partner-ca.pem } }\n    \
         forwarded_certificates: { proxies: ['dns:lb.internal'], ca: tls/partner-ca.pem }",
        "forwarded_certificates: without effect: nobody may pass one on",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required, ca: tls/partner-ca.pem } }\n    \
         client_address: { trusted_proxies: [10.0.0.0/8], from: proxy-protocol }\n    \
         forwarded_certificates: { proxies: ['dns:lb.internal'], ca: tls/partner-ca.pem }",
        "forwarded_certificates: contradicts `client_address.from`",
    ),
    (
        "listeners:\n",
        "listeners:\n  - address: 127.0.0.1:8080\n    client_address: { trusted_proxies: [10.0.0.0/8] }\n    \
         forwarded_certificates: { proxies: ['dns:lb.internal'], ca: tls/partner-ca.pem }\n",
        "forwarded_certificates: needs `tls`",
    ),
    // Listeners without TLS: on a loopback address, or asked for; then nothing of TLS, and HTTP/1 only.
    ("listeners:\n", "listeners:\n  - address: '[::1]:8080'\n", ""),
    ("listeners:\n", "listeners:\n  - address: 10.0.0.1:8080\n", "listeners[0]: needs `tls`"),
    (
        "listeners:\n",
        "listeners:\n  - { address: 10.0.0.1:8080, insecure_plaintext: false }\n",
        "listeners[0]: needs `tls`",
    ),
    ("listeners:\n", "listeners:\n  - { address: 10.0.0.1:8080, insecure_plaintext: true }\n", ""),
    (
        "    tls: { cer",
        "    insecure_plaintext: true\n    tls: { cer",
        "insecure_plaintext: contradicts `tls`",
    ),
    ("    tls: { cer", "    insecure_plaintext: false\n    tls: { cer", ""),
    (
        "listeners:\n",
        "listeners:\n  - { address: 127.0.0.1:8080, http: [1, 2] }\n",
        "http[1]: without `tls` only HTTP/1.1",
    ),
    ("listeners:\n", "listeners:\n  - { address: 127.0.0.1:8080, http: [1] }\n", ""),
    // Listeners that redirect: to where there is something, and nothing beside it.
    ("listeners:\n", "listeners:\n  - { address: 0.0.0.0:8080, redirect: https }\n", ""),
    (
        "listeners:\n",
        "listeners:\n  - { address: 0.0.0.0:8080, redirect: https, redirect_port: 443 }\n",
        "",
    ),
    (
        "listeners:\n",
        "listeners:\n  - { address: 0.0.0.0:8080, redirect_port: 443, insecure_plaintext: true }\n",
        "redirect_port: without effect",
    ),
    (
        "listeners:\n",
        "listeners:\n  - { address: 0.0.0.0:8080, redirect: https, insecure_plaintext: true }\n",
        "insecure_plaintext: without effect",
    ),
    ("    tls: { cer", "    redirect: https\n    tls: { cer", "redirect: contradicts `tls`"),
    (
        "listeners:\n",
        "listeners:\n  - { address: 0.0.0.0:8080, redirect: http }\n",
        "listeners[0].redirect",
    ),
    (
        "    tls: { cer",
        "    redirect: https\n  - address: 0.0.0.0:8444\n    http: [3]\n    tls: { cer",
        "redirect: needs `redirect_port`",
    ),
    (
        "    tls: { cer",
        "    redirect: https\n  - address: 0.0.0.0:0\n    tls: { cer",
        "redirect: needs `redirect_port`",
    ),
    (
        "    tls: { cer",
        "    redirect: https\n  - address: 0.0.0.0:8444\n    tls: { certificates: [{ chain: tls/edge.pem, \
         key: tls/edge.key }] }\n  - address: 0.0.0.0:8445\n    tls: { cer",
        "redirect: needs `redirect_port`",
    ),
    // Client certificates: nothing beside `off`, and authorities beside the others.
    ("key: tls/edge.key }] }", "key: tls/edge.key }], client_certificates: { mode: off } }", ""),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: off, ca: tls/partner-ca.pem } }",
        "client_certificates.ca: without effect",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: off, crl: tls/partner-ca.pem } }",
        "client_certificates.crl: without effect",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: off, resumption: true } }",
        "client_certificates.resumption: without effect",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: off, resumption: false } }",
        "",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required } }",
        "client_certificates: needs `ca`",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: optional, crl: tls/partner-ca.pem } }",
        "client_certificates: needs `ca`",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { ca: tls/partner-ca.pem } }",
        "`mode`",
    ),
    (
        "key: tls/edge.key }] }",
        "key: tls/edge.key }], client_certificates: { mode: required, ca: tls/partner-ca.pem } }",
        "",
    ),
];

#[test]
fn contradictions_of_listeners_are_refused_and_near_misses_pass() {
    let wrong = wrong_answers(CASES, minimal);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

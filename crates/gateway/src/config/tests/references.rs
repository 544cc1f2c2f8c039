//! References between sections and rules within one: each mistake, and a near miss that passes.

use super::{Place, minimal, shipped};

/// A change of the minimal example, and what the first mistake must hold (`""`: must pass).
const CASES: &[(&str, &str, &str)] = &[
    // Listeners.
    ("version: 1", "version: 2", "must be from 1 to 1"),
    ("address: 0.0.0.0:8443", "address: 0.0.0.0:9901", "listeners[0].address"),
    ("address: 0.0.0.0:8443", "address: 0.0.0.0:0", ""),
    ("    tls: { cer", "    http: [1, 4]\n    tls: { cer", "must be from 1 to 3"),
    ("    tls: { cer", "    http: []\n    tls: { cer", "http"),
    ("    tls: { cer", "    http: [2]\n    tls: { cer", ""),
    ("    tls: { cer", "    http: [1, 1]\n    tls: { cer", "twice"),
    (
        "tls: { certificates: [{ chain: tls/edge.pem, key: tls/edge.key }] }",
        "tls: { certificates: [] }",
        "certificates",
    ),
    ("key: tls/edge.key }] }", "key: tls/edge.key }], min_version: 1.3 }", "put it in quotes"),
    ("key: tls/edge.key }] }", "key: tls/edge.key }], min_version: \"1.2\" }", ""),
    ("key: tls/edge.key }] }", "key: tls/edge.key }], min_version: \"1.1\" }", "`1.3` or `1.2`"),
    ("issuers:", "admin: { address: 192.0.2.1:9900 }\nissuers:", "loopback"),
    ("issuers:", "admin: { address: 127.0.0.1:9902 }\nissuers:", "identity"),
    ("issuers:", "admin: { address: unix:run/admin.sock }\nissuers:", ""),
    // Issuers.
    ("https://idp.", "http://idp.", "insecure_http"),
    (
        "issuer: https://idp.example.com/realms/shop",
        "issuer: http://idp.example.com, insecure_http: true",
        "",
    ),
    ("realms/shop }", "realms/shop, algorithms: [HS256] }", "`RS256`"),
    ("realms/shop }", "realms/shop, algorithms: [PS256] }", ""),
    ("realms/shop }", "realms/shop, algorithms: [] }", "algorithm"),
    ("realms/shop }", "realms/shop, tokens: { leeway: 61s } }", "from 0ms to 1m"),
    ("realms/shop }", "realms/shop, tokens: { leeway: 60s } }", ""),
    ("realms/shop }", "realms/shop, jwks: keys/absent.json }", "absent.json"),
    ("realms/shop }", "realms/shop, jwks: keys/partners.jwks.json }", ""),
    ("realms/shop }", "realms/shop, jwks: http://idp.example.com/jwks }", "insecure_http"),
    ("realms/shop }", "realms/shop, jwks: https://idp.example.com/jwks }", ""),
    ("realms/shop }", "realms/shop, may_grant: { tiers: [gold] } }", "tier"),
    ("realms/shop }", "realms/shop, may_grant: { tiers: [default] } }", ""),
    ("realms/shop }", "realms/shop }\n  other: { issuer: https://other.example }", "issuers"),
    ("realms/shop }", "realms/shop }\n  Other: { issuer: https://other.example }", "a-z"),
    // APIs.
    ("openapi: orders.openapi.yaml, ", "", "openapi"),
    ("openapi: orders.openapi.yaml", "openapi: orders.openapi.yaml, prefix: /x/", "prefix"),
    ("openapi: orders.openapi.yaml", "prefix: /x/", "methods"),
    ("openapi: orders.openapi.yaml", "prefix: /x/, methods: [GET]", ""),
    ("openapi: orders.openapi.yaml", "prefix: /x, methods: [GET]", "ends with `/`"),
    ("openapi: orders.openapi.yaml", "prefix: /x/, methods: [TRACE]", "expected GET"),
    ("openapi: orders.openapi.yaml", "prefix: /x/, methods: [GET], anonymous: [a]", "anonymous"),
    ("openapi: orders.openapi.yaml", "openapi: absent.yaml", "absent.yaml"),
    (", audience: https://api.example.com", "", "`audience` is missing"),
    ("api.example.com }", "api.example.com, issuers: [shpo] }", "did you mean `shop`"),
    ("api.example.com }", "api.example.com, issuers: [shop] }", ""),
    ("api.example.com }", "api.example.com, hosts: [\"*.example.com\"] }", "no wildcard"),
    ("api.example.com }", "api.example.com, hosts: [api.example.com:8443] }", "without port"),
    ("api.example.com }", "api.example.com, hosts: [API.example.com] }", ""),
    ("api.example.com }", "api.example.com, filter: enfroce }", "did you mean `enforce`"),
    ("api.example.com }", "api.example.com, filter: off }", ""),
    (
        "api.example.com }",
        "api.example.com, pass_headers: [connection] }",
        "belongs to the connection",
    ),
    ("api.example.com }", "api.example.com, pass_headers: [X-Channel] }", ""),
    ("api.example.com }", "api.example.com, access: [{ operations: [a] }] }", "asks for nothing"),
    ("api.example.com }", "api.example.com, access: [{ clients: [] }] }", "empty"),
    (
        "api.example.com }",
        "api.example.com, access: [{ networks: [10.0.0.1/8] }] }",
        "first address",
    ),
    ("api.example.com }", "api.example.com, access: [{ networks: [10.0.0.0/8] }] }", ""),
    ("api.example.com }", "api.example.com, access: [{ scopes: [\"a b\"] }] }", "no spaces"),
    // Upstreams.
    ("https://orders.internal:8443", "http://orders.internal:8443", "insecure_plaintext"),
    ("https://orders.internal:8443", "https://orders.internal:8443/v1", "path"),
    (
        "    identity: { key: { file: secrets/identity.pem } }",
        "    timeout: { connect: 1s }",
        "`identity` is missing",
    ),
    ("identity: { key:", "identity: { assertion: jwt, key:", ""),
    ("identity: { key:", "retry: { attempts: 6 }\n    identity: { key:", "from 1 to 5"),
    ("identity: { key:", "retry: { on: [response] }\n    identity: { key:", "`connect`"),
    // Limits, audit, the rest: added at the end.
    ("version: 1", "limits: { address: { rate: 0/s, burst: 1 } }\nversion: 1", "a rate of 0"),
    ("version: 1", "limits: { address: { rate: 50, burst: 1 } }\nversion: 1", "quotes"),
    (
        "version: 1",
        "limits: { tiers: { a: { rate: 1/s, burst: 1 }, b: { rate: 1/s, burst: 1 } } }\nversion: 1",
        "default_tier",
    ),
    (
        "version: 1",
        "limits: { tiers: { a: { rate: 1/s, burst: 1 } }, default_tier: b }\nversion: 1",
        "tier",
    ),
    ("version: 1", "limits: { tiers: { a: { rate: 1/s, burst: 1 } } }\nversion: 1", ""),
    ("version: 1", "limits: { store: disk }\nversion: 1", "`memory`"),
    ("version: 1", "audit: { sinks: [] }\nversion: 1", "sink"),
    ("version: 1", "audit: { sinks: [{ stdout: {}, file: { directory: x } }] }\nversion: 1", "one"),
    ("version: 1", "audit: { sinks: [{ stdout: {} }] }\nversion: 1", ""),
    ("version: 1", "audit: { spool: { size: 1KiB } }\nversion: 1", "from 1MiB"),
    ("version: 1", "audit: { spool: { size: 1MiB } }\nversion: 1", ""),
    ("version: 1", "audit: { spool: { durability: sometimes } }\nversion: 1", "`written`"),
    ("version: 1", "shutdown: { limit: 0s }\nversion: 1", "from 1s to 10m"),
    ("version: 1", "shutdown: { limit: 1m }\nversion: 1", ""),
];

#[test]
fn each_rule_refuses_its_mistake_and_passes_its_near_miss() {
    let place = Place::new();
    let mut bad = Vec::new();
    for (from, to, expected) in CASES {
        let text = minimal(from, to);
        let told = match place.parse(&text) {
            Ok(_) => vec![],
            Err(m) => m.iter().map(ToString::to_string).collect(),
        };
        let fine = if expected.is_empty() {
            told.is_empty()
        } else {
            told.iter().any(|t| t.contains(expected))
        };
        if !fine {
            bad.push(format!("{to}\n   expected: {expected}\n   got: {told:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[cfg(all(feature = "redis", feature = "kafka"))]
#[test]
fn plain_text_to_other_machines_must_be_asked_for() {
    let place = Place::new();
    let redis = |rest: &str| {
        minimal(
            "version: 1",
            &format!("limits: {{ store: {{ redis: {{ {rest} }} }} }}\nversion: 1"),
        )
    };
    assert!(place.parse(&redis("url: \"redis://127.0.0.1:6379\"")).is_ok());
    assert!(place.refused(&redis("url: \"redis://10.0.0.1:6379\""))[0].contains("rediss:"));
    let asked = redis("url: \"redis://10.0.0.1:6379\", insecure_plaintext: true");
    assert!(place.parse(&asked).is_ok());
    let kafka = |rest: &str| {
        minimal(
            "version: 1",
            &format!("audit: {{ sinks: [{{ kafka: {{ {rest} }} }}] }}\nversion: 1"),
        )
    };
    assert!(place.refused(&kafka("brokers: [a:9092]"))[0].contains("insecure_plaintext"));
    assert!(place.parse(&kafka("brokers: [a:9092], insecure_plaintext: true")).is_ok());
    assert!(place.parse(&kafka("brokers: [a:9093], tls: { ca: tls/kafka-ca.pem }")).is_ok());
    assert!(place.refused(&kafka("brokers: [], insecure_plaintext: true"))[0].contains("broker"));
    assert!(
        place.refused(&kafka("brokers: [a], insecure_plaintext: true"))[0].contains("host:port")
    );
}

#[test]
fn the_environment_reaches_values_and_its_secrets_reach_no_message() {
    let place = Place::new();
    let unset = place.refused(&minimal("https://idp.example.com/realms/shop", "\"${UNSET}\""));
    assert!(unset[0].contains("`UNSET` is not set"), "{unset:#?}");
    let open = place.refused(&minimal("https://idp.example.com/realms/shop", "\"${UNSET\""));
    assert!(open[0].contains("`${`"), "{open:#?}");
    let text =
        shipped("minimal.yaml").replace("https://idp.example.com/realms/shop", "\"${REDIS_URL}\"");
    let wrong = place.refused(&text);
    assert!(!wrong.concat().contains("s3cret"), "{wrong:#?}");
}

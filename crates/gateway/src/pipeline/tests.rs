//! The order of the stages: of all the faults in a request, the first stage's wins, with one record.

use super::Pipeline;
use crate::metrics::Metrics;
use crate::policy::{self, Engines};
use crate::record::Ledger;
use crate::telemetry::Telemetry;
use crate::{clock, config};
use audit::Trail;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use edge::{Connection, Exchange, TlsFacts, TlsVersion};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

const ISSUER: &str = "https://issuer.test.example";
const AUDIENCE: &str = "https://orders.test.example";
/// The stages in their order, as a record names them; `upstream` is where a request without fault arrives, and nobody
/// listens there.
const STAGES: [&str; 8] = [
    "ratelimit.address",
    "route.path_undeclared",
    "token.absent",
    "ratelimit.rate",
    "scope.missing",
    "schema.",
    "filter.",
    "upstream.",
];
const STATUSES: [u16; 8] = [429, 404, 401, 429, 403, 413, 403, 502];

/// A pipeline of real parts in a temporary folder.
struct World {
    folder: TempDir,
    pipeline: Arc<Pipeline>,
    key: Ed25519KeyPair,
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn certificates(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    write(folder, "edge.pem", &certificate.pem());
    write(folder, "edge.key", &key.serialize_pem());
    let identity = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    write(folder, "identity.pem", &identity.serialize_pem());
    write(folder, "pseudonym", "a key of a test, long enough to be taken: 0123456789");
}

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Orders, version: "1" }
paths:
  /orders:
    post:
      operationId: placeOrder
      security: [{ oauth: [write:orders] }]
      requestBody:
        required: true
        content:
          application/json:
            schema: { type: object, properties: { note: { type: string } } }
      responses: { "200": { description: Placed } }
components:
  securitySchemes:
    oauth: { type: http, scheme: bearer }
"#;

const CONFIGURATION: &str = "
version: 1
listeners:
  - { address: 127.0.0.1:0, tls: { certificates: [{ chain: edge.pem, key: edge.key }] } }
issuers: { test: { issuer: 'https://issuer.test.example', jwks: keys.json } }
apis:
  - { openapi: orders.yaml, upstream: orders, audience: 'https://orders.test.example' }
upstreams:
  orders:
    endpoints: [https://127.0.0.1:1]
    tls: { ca: edge.pem }
    identity: { assertion: jwt, audience: orders, key: { file: identity.pem } }
limits:
  address: { rate: 1/h, burst: 3 }
  tiers: { default: { rate: 100/s, burst: 100 }, once: { rate: 1/h, burst: 1 } }
  default_tier: default
audit:
  spool: { directory: spool }
  sinks: [{ file: { directory: events } }]
  pseudonym: { key: { file: pseudonym } }
";

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let key = Ed25519KeyPair::generate().unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    let jwks = json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "use": "sig", "x": x }
    ] });
    write(folder.path(), "keys.json", &jwks.to_string());
    write(folder.path(), "orders.yaml", DOCUMENT);
    write(folder.path(), "gateway.yaml", CONFIGURATION);
    let settings = config::load(&folder.path().join("gateway.yaml")).unwrap();
    let policy = policy::compile(&settings, &Engines::default()).unwrap();
    policy.engines.start();
    let trail = Trail::open(policy::trail(&settings).unwrap(), clock::now()).unwrap();
    let ledger = Ledger {
        trail,
        metrics: Arc::new(Metrics::new()),
        telemetry: Arc::new(Telemetry::default()),
    };
    World { folder, pipeline: Arc::new(Pipeline::new(policy, ledger)), key }
}

impl World {
    fn token(&self, client: &str, tier: &str, scope: &str) -> String {
        let now = clock::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!(
            "{}.{}",
            part(json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k" })),
            part(json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": client, "client_id": client, "jti": "j",
                "iat": now, "exp": now + 300, "scope": scope, "sla_tier": tier,
            })),
        );
        let signature = self.key.sign(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A request that every stage from `first` on would refuse.
    fn faulty_from(&self, first: usize) -> Exchange {
        let bad = |stage: usize| stage >= first;
        // Each case has an address of its own; the first one's is spent.
        let peer = if bad(0) { 0 } else { first };
        let mut head = http::Request::post(if bad(1) { "/none" } else { "/orders" })
            .header("host", "localhost")
            .header("content-type", "application/json");
        let scope = if bad(4) { "read:orders" } else { "write:orders" };
        let client = if bad(3) { ("spent", "once") } else { ("fresh", "default") };
        if !bad(2) {
            let token = self.token(client.0, client.1, scope);
            head = head.header("authorization", format!("Bearer {token}"));
        }
        let attack = r#"{"note":"1' OR '1'='1' --"}"#;
        let body = match (bad(5), bad(6)) {
            (true, _) => format!(r#"{{"unknown":"{}"}}"#, "x".repeat(2 << 20)),
            (false, true) => attack.to_owned(),
            (false, false) => r#"{"note":"for O'Brien"}"#.to_owned(),
        };
        let head = head.header("content-length", body.len());
        exchange(peer, head.body(Bytes::from(body)).unwrap())
    }

    /// All events, once the trail is closed.
    async fn events(&self) -> Vec<Value> {
        self.pipeline.ledger().trail.close(Duration::from_secs(60)).await;
        let mut events = Vec::new();
        for entry in std::fs::read_dir(self.folder.path().join("events")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            events.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        events.retain(|event| event["class_uid"] == 6003);
        events
    }
}

fn exchange(peer: usize, request: http::Request<Bytes>) -> Exchange {
    let tls = TlsFacts {
        version: TlsVersion::V1_3,
        cipher_suite: None,
        sni: Some("localhost".into()),
        alpn: None,
        client_certificate: None,
    };
    on(connection(peer, Some(tls)), request)
}

fn connection(peer: usize, tls: Option<TlsFacts>) -> Connection {
    let peer: SocketAddr = format!("192.0.2.{}:4711", peer + 1).parse().unwrap();
    let local: SocketAddr = "192.0.2.254:443".parse().unwrap();
    Connection::new(1, peer, local, tls)
}

fn on(connection: Connection, request: http::Request<Bytes>) -> Exchange {
    let (head, body) = request.into_parts();
    Exchange::new(Arc::new(connection), head, body.into(), &edge::Limits::default())
}

#[tokio::test]
async fn the_first_faulty_stage_wins_with_one_record() {
    let world = world();
    // Spend the first address (it has three) and the client that may ask once.
    let mut spent = Vec::new();
    for _ in 0..3 {
        spent.push(world.pipeline.serve(world.faulty_from(0)).await.status());
    }
    assert_eq!(spent, [404, 404, 404]);
    let token = world.token("spent", "once", "write:orders");
    let once = http::Request::post("/orders")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Bytes::from_static(b"{}"))
        .unwrap();
    assert_eq!(world.pipeline.serve(exchange(100, once)).await.status(), 502);

    let mut transactions = Vec::new();
    for (first, status) in STATUSES.into_iter().enumerate() {
        let reply = world.pipeline.serve(world.faulty_from(first)).await;
        assert_eq!(reply.status(), status, "stage {first}: {}", STAGES[first]);
        let transaction = reply.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(&transaction), "RFC 9457 instance");
        transactions.push(transaction);
    }
    let events = world.events().await;
    let mut records: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in &events {
        records.entry(event["metadata"]["uid"].as_str().unwrap()).or_default().push(event);
    }
    for (first, transaction) in transactions.iter().enumerate() {
        let own = records.get(transaction.as_str()).expect("a record");
        assert_eq!(own.len(), 1, "one record per request");
        let detail = own[0]["status_detail"].as_str().unwrap();
        assert!(detail.starts_with(STAGES[first]), "stage {first}: {detail}");
        let named = own[0]["actor"]["app_uid"] != "unauthenticated";
        assert_eq!(named, first > 2, "named once known, stage {first}");
    }
    assert_eq!(events.len(), transactions.len() + 4, "nothing else was recorded");
}

#[tokio::test]
async fn a_cancelled_request_leaves_a_record() {
    let world = world();
    {
        let mut served = std::pin::pin!(world.pipeline.serve(world.faulty_from(7)));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        // The service is asked over the network, so the first poll cannot be the last.
        assert!(served.as_mut().poll(&mut cx).is_pending());
    }
    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["actor"]["app_uid"], "fresh");
    assert!(!events[0]["status_detail"].as_str().unwrap_or_default().contains("upstream.connect"));
}

/// What a request carries from the first line of `serve` to the last, in bytes: it is moved more than once on its way.
#[tokio::test]
async fn a_request_carries_little() {
    let world = world();
    let size = size_of_val(&world.pipeline.serve(world.faulty_from(7)));
    assert!(size <= 6 * 1024, "{size} bytes");
}

/// What a redirecting listener is asked (method, target, host), and the status and the location that it answers.
const REDIRECTED: [(&str, &str, &str, u16, &str); 7] = [
    ("GET", "/orders?a=%2F&b", "localhost", 308, "https://localhost:8443/orders?a=%2F&b"),
    ("POST", "/%6frders", "LOCALHOST:80", 308, "https://localhost:8443/orders"),
    ("OPTIONS", "/none", "localhost", 308, "https://localhost:8443/none"),
    ("GET", "http://localhost/orders", "localhost", 308, "https://localhost:8443/orders"),
    ("GET", "/orders", "evil.example", 421, ""),
    ("GET", "//evil.example/", "localhost", 400, ""),
    ("GET", "/orders", "localhost@evil.example", 400, ""),
];

#[tokio::test]
async fn a_listener_that_redirects_serves_nothing() {
    let world = world();
    let token = world.token("fresh", "default", "write:orders");
    // A request without fault, which any other listener would serve: in one piece, and as a gRPC call.
    let good = |kind: &str| {
        http::Request::post("/orders")
            .header("host", "localhost")
            .header("content-type", kind)
            .header("authorization", format!("Bearer {token}"))
            .body(Bytes::from_static(b"{}"))
            .unwrap()
    };
    let mut reasons = Vec::new();
    for kind in ["application/json", "application/grpc"] {
        let asked = on(connection(50, None).redirecting_to(443), good(kind));
        let reply = world.pipeline.serve(asked).await;
        let found = (reply.status().as_u16(), reply.headers()["location"].to_str().unwrap());
        assert_eq!(found, (308, "https://localhost/orders"));
        assert!(!reply.headers().contains_key("strict-transport-security"));
        reasons.push("route.redirected");
    }
    for (number, (method, target, host, status, location)) in REDIRECTED.into_iter().enumerate() {
        let request = http::Request::builder().method(method).uri(target).header("host", host);
        let request = request.body(Bytes::from_static(b"unread")).unwrap();
        let asked = on(connection(60 + number, None).redirecting_to(8443), request);
        let reply = world.pipeline.serve(asked).await;
        assert_eq!(reply.status(), status, "{target} {host}");
        let found = reply.headers().get("location").map(|value| value.to_str().unwrap());
        assert_eq!(found.unwrap_or_default(), location, "{target} {host}");
        reasons.push(match status {
            308 => "route.redirected",
            421 => "route.host_undeclared",
            _ => "edge.",
        });
    }
    // The near miss: without TLS as well, and it gets as far as to the service, which is not there.
    let served = on(connection(51, None), good("application/json"));
    assert_eq!(world.pipeline.serve(served).await.status(), 502);
    reasons.push("upstream.");
    let events = world.events().await;
    assert_eq!(events.len(), reasons.len(), "one record per request");
    for (event, reason) in events.iter().zip(reasons) {
        assert!(event["status_detail"].as_str().unwrap().starts_with(reason), "{reason}: {event}");
        // Where no operation was found, there is no URL to tell.
        let found = reason == "upstream.";
        let scheme = &event["http_request"]["url"]["scheme"];
        assert_eq!(*scheme, if found { Value::from("http") } else { Value::Null });
        assert_eq!(event["unmapped"]["tls_version"], Value::Null);
    }
}

//! The main job on real input: tokens of a real provider, nginx with mutual TLS as the service, real Redis, real Kafka;
//! all three protocol versions; every transaction on the topic once; nothing secret anywhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::client::{Answer, Client, PROTOCOLS, Protocol, request};
use crate::parts::idp::{self, Algorithm, Idp};
use crate::parts::kafka::{Kafka, Message};
use crate::parts::nginx::{self, Nginx};
use crate::parts::process::wait_until;
use crate::parts::redis::Redis;
use crate::plain;
use crate::site::{AUDIENCE, LIMIT, Site, redis_and_kafka};
use crate::world::service;

/// Planted in requests; none of it may appear in any record.
const CARD: &str = "4111111111111111";
const EMAIL: &str = "jane.doe@mail.example";

const GOOD: &str = r#"{"item":"pencil","quantity":3,"note":"for O'Brien"}"#;
const INJECTION: &str = r#"{"item":"pencil","quantity":3,"note":"1' OR '1'='1' --"}"#;
const UNKNOWN_FIELD: &str = r#"{"item":"pencil","quantity":3,"admin":true}"#;

fn client(id: &'static str, tier: &str) -> idp::Client {
    let claims: Map<String, Value> =
        [("tenant".to_owned(), Value::from("acme")), ("sla_tier".to_owned(), Value::from(tier))]
            .into_iter()
            .collect();
    idp::Client { id, secret: "a-secret-of-a-test-client", claims }
}

async fn token(idp: &Idp, client: &idp::Client, scope: &str, algorithm: Algorithm) -> String {
    idp.token(idp::Wanted { client, audience: AUDIENCE, scope, algorithm, seconds: 600 }).await
}

/// One request of the table and what must come of it.
struct Case {
    name: &'static str,
    request: http::Request<bytes::Bytes>,
    status: u16,
    /// The beginning of `status_detail`; empty where the request is let in.
    decision: &'static str,
    client: Option<&'static str>,
}

/// The tokens of the table.
struct Tokens {
    good: String,
    narrow: String,
}

fn cases(tokens: &Tokens) -> Vec<Case> {
    let good = Some(tokens.good.as_str());
    let case =
        |name, request, status, decision, client| Case { name, request, status, decision, client };
    let known = Some("shop");
    let agent = format!("test {EMAIL} {CARD}");
    let with_agent = |mut r: http::Request<bytes::Bytes>| {
        r.headers_mut().insert("user-agent", agent.parse().unwrap());
        r
    };
    vec![
        case("read", with_agent(request("GET", "/orders?limit=5", good, "")), 200, "", known),
        case("write", request("POST", "/orders", good, GOOD), 200, "", known),
        case("no token", request("GET", "/orders", None, ""), 401, "token.absent", None),
        case(
            "scope",
            request("POST", "/orders", Some(&tokens.narrow), GOOD),
            403,
            "scope.",
            Some("narrow"),
        ),
        case("path", request("GET", &format!("/{EMAIL}"), good, ""), 404, "route.path", None),
        case("method", request("PUT", "/orders", good, ""), 405, "route.method", None),
        case(
            "query",
            request("GET", &format!("/orders?card={CARD}"), good, ""),
            400,
            "schema.",
            known,
        ),
        case("field", request("POST", "/orders", good, UNKNOWN_FIELD), 400, "schema.", known),
        case("injection", request("POST", "/orders", good, INJECTION), 403, "filter.", known),
    ]
}

fn detail(event: &Value) -> &str {
    event["status_detail"].as_str().unwrap_or_default()
}

/// What one answer must leave in the events.
fn holds(event: &Value, case: &Case, answer: &Answer, protocol: Protocol) {
    let at = format!("{} on {protocol:?}: {event:#}", case.name);
    assert_eq!(event["class_uid"], 6003, "{at}");
    assert_eq!(event["http_response"]["code"], answer.status.as_u16(), "{at}");
    assert_eq!(event["src_endpoint"]["ip"], "127.0.0.1", "{at}");
    assert!(event["time"].as_u64().is_some_and(|time| time > 1_600_000_000_000), "{at}");
    if case.decision.is_empty() {
        assert_eq!(event["action_id"], 1, "{at}");
    } else {
        assert!(detail(event).starts_with(case.decision), "{at}");
        assert_eq!(event["action_id"], 2, "{at}");
    }
    if let Some(client) = case.client {
        assert_eq!(event["actor"]["app_uid"], client, "{at}");
    }
}

/// The assertion that nginx saw verifies with the keys that the gateway publishes.
fn assertion_verifies(seen: &nginx::Seen, identity: u16) {
    let identity = (std::net::Ipv4Addr::LOCALHOST, identity).into();
    let jwks = plain::ask(identity, "GET", "/.well-known/jwks.json").body;
    let jwks: Value = serde_json::from_str(&jwks).unwrap();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwks["keys"][0].clone()).unwrap();
    let header = jsonwebtoken::decode_header(seen.assertion()).unwrap();
    assert_eq!(header.typ.as_deref(), Some("gw-assertion+jwt"));
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&["orders"]);
    rules.set_issuer(&["sallyport"]);
    // It lives for 30 s, and this test may be later than that; how long it lives is looked at below.
    rules.validate_exp = false;
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let claims = jsonwebtoken::decode::<Value>(seen.assertion(), &key, &rules).unwrap().claims;
    assert_eq!(claims["htm"], seen.method);
    assert_eq!(claims["htu"], seen.target);
    assert_eq!(claims["client_id"], "shop");
    assert_eq!(claims["tenant"], "acme");
    assert!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() <= 30);
    assert_eq!(claims["bdh"].is_string(), !seen.body.is_empty());
}

type Answered = BTreeMap<String, (Case, Answer, Protocol)>;

/// Sends the whole table on each protocol, each with a token of another algorithm.
async fn walk(idp: &Idp, [shop, narrow]: [&idp::Client; 2], client: &Client) -> Answered {
    let mut answered = Answered::new();
    let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    for (protocol, algorithm) in PROTOCOLS.into_iter().zip(algorithms) {
        let tokens = Tokens {
            good: token(idp, shop, "read:orders write:orders", algorithm).await,
            narrow: token(idp, narrow, "read:orders", algorithm).await,
        };
        for case in cases(&tokens) {
            let answer = client.send(protocol, case.request.clone()).await;
            let at = format!("{} on {protocol:?}: {answer:?}", case.name);
            assert_eq!(answer.status.as_u16(), case.status, "{at}");
            answered.insert(answer.transaction().to_owned(), (case, answer, protocol));
        }
    }
    answered
}

/// Too many: the tier allows two an hour, and the three protocols share it.
async fn too_many(client: &Client, token: &str) {
    let mut limited = 0;
    for protocol in PROTOCOLS {
        let answer = client.send(protocol, request("GET", "/orders", Some(token), "")).await;
        limited += u32::from(answer.status == 429);
        assert_eq!(answer.status == 429, answer.headers.contains_key("retry-after"));
    }
    assert_eq!(limited, 1, "two of three pass");
}

/// What arrived: the gateway's certificate, an assertion that verifies, no token; and nothing that was refused.
fn arrived(service: &Nginx, let_in: usize, identity: u16) {
    let seen = service.await_seen(let_in);
    assert_eq!(seen.len(), let_in, "nothing refused arrived");
    for seen in &seen {
        assert_eq!(seen.client_verify, "SUCCESS");
        assert!(seen.client_dn.contains("gateway.internal"));
        assert_eq!(seen.fields["authorization"], "", "the token stays outside");
    }
    for seen in seen.iter().filter(|seen| seen.method == "POST" || seen.target.contains('?')) {
        assertion_verifies(seen, identity);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn main_job() {
    let site = Site::new();
    let service = service(&site, &["authorization"]);
    let (redis, kafka) = (Redis::start(), Kafka::start(1));
    kafka.create_topic("audit.events");
    kafka.create_topic("audit.checkpoints");
    let [shop, narrow, slow] =
        [client("shop", "wide"), client("narrow", "wide"), client("slow", "tiny")];
    let idp = Idp::start(
        &site.authority,
        &[AUDIENCE],
        &["read:orders", "write:orders"],
        &[shop.clone(), narrow.clone(), slow.clone()],
    );
    let issuer = format!("    issuer: {}\n    ca: ca.pem", idp.issuer());
    site.configure(&issuer, service.address(), &redis_and_kafka(&redis, &kafka));
    let mut gateway = site.start();
    gateway.await_all_up();
    let client = Client::new(&site.authority.ca_pem(), gateway.address);

    let answered = walk(&idp, [&shop, &narrow], &client).await;
    too_many(&client, &token(&idp, &slow, "read:orders", Algorithm::Es256).await).await;
    assert!(!redis.command(&["KEYS", "*"]).unwrap().trim().is_empty(), "Redis counted");

    let messages = await_on_topic(&kafka, answered.keys());
    let events: Vec<Value> =
        messages.iter().map(|m| serde_json::from_str(&m.payload).expect("JSON")).collect();
    for (transaction, (case, answer, protocol)) in &answered {
        let own: Vec<&Value> =
            events.iter().filter(|e| e["metadata"]["uid"] == transaction.as_str()).collect();
        assert_eq!(own.len(), 1, "once each: {} on {protocol:?}", case.name);
        holds(own[0], case, answer, *protocol);
    }
    let let_in = answered.values().filter(|(case, ..)| case.decision.is_empty()).count() + 2;
    arrived(&service, let_in, site.identity);

    let metrics = plain::ask(gateway.status, "GET", "/metrics").body;
    assert!(metrics.contains("sallyport_requests_total"), "{metrics}");
    gateway.process.signal("TERM");
    assert!(gateway.process.wait(2 * LIMIT).success(), "{}", gateway.log());
    nothing_secret(&site, &gateway.log(), &metrics, &messages);
}

/// Waits until the topic tells of each of these transactions, and reads it whole. The number of messages says nothing:
/// starts and broken connections are on it, too.
fn await_on_topic<'t>(
    kafka: &Kafka,
    transactions: impl Iterator<Item = &'t String> + Clone,
) -> Vec<Message> {
    let mut messages = Vec::new();
    wait_until("all transactions on the topic", 2 * LIMIT, || {
        messages = kafka.read("audit.events");
        transactions.clone().all(|id| messages.iter().any(|m| m.payload.contains(id)))
    });
    messages
}

/// No token, card number or address in topic, spool, log or metrics.
fn nothing_secret(site: &Site, log: &str, metrics: &str, messages: &[Message]) {
    let mut places: Vec<(String, String)> =
        vec![("log".into(), log.into()), ("metrics".into(), metrics.into())];
    places.extend(messages.iter().map(|m| ("topic".into(), m.payload.clone())));
    for folder in ["spool", "events"] {
        for entry in std::fs::read_dir(site.path(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            places.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    assert!(places.iter().any(|(_, text)| text.contains("6003")), "something was searched");
    for (place, text) in places {
        // Three letters are soon among so many hashes in base64.
        let hashes = place.contains("checkpoints") || place.contains("seal.key");
        for secret in [CARD, EMAIL, "eyJ", "a-secret-of-a-test-client"] {
            let chance = hashes && secret == "eyJ";
            assert!(chance || !text.contains(secret), "{secret} in {place}");
        }
    }
}

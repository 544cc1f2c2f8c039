//! What happens when something is bad or away: tokens, requests, configuration, issuer, Redis, Kafka, the process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, Protocol, request};
use crate::issuer::{Issuer, claims, header, now};
use crate::parts::idp::{self, Idp};
use crate::parts::kafka::Kafka;
use crate::parts::process::wait_until;
use crate::parts::redis::Redis;
use crate::parts::{accepts, free_port};
use crate::site::{AUDIENCE, FILE_SINK, LIMIT, WIDE_LIMITS};
use crate::world::{reason, usual, world};

/// Every bad token is a 401 with the challenge, and the reason is only in the event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_tokens_are_refused() {
    let world = world(&usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let good = claims("shop", "read:orders");
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    let sign = |h: &Value, c: &Value| world.issuer.sign(h, c);
    let none = json!({ "alg": "none", "typ": "at+jwt", "kid": "one" });
    let hs256 = hs256(&world.issuer, &good);
    let mut forged = world.token();
    forged.truncate(forged.len() - 6);
    forged.push_str("AAAAAA");
    let cases = [
        ("garbage".to_owned(), "token."),
        (sign(&none, &good), "token."),
        (hs256, "token."),
        (forged, "token.signature"),
        (sign(&header(), &with("exp", json!(now() - 3600))), "token.expired"),
        (sign(&header(), &with("aud", json!("https://other.example"))), "token.audience"),
        (sign(&header(), &with("iss", json!("https://evil.example"))), "token.issuer"),
        (sign(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": "one" }), &good), "token.typ"),
    ];
    for (index, (token, expected)) in cases.iter().enumerate() {
        let protocol = PROTOCOLS[index % 3];
        let answer = client.send(protocol, request("GET", "/orders", Some(token), "")).await;
        assert_eq!(answer.status, 401, "{expected} on {protocol:?}");
        assert_eq!(answer.headers["www-authenticate"], r#"Bearer error="invalid_token""#);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!body.contains("signature") && !body.contains("expired"), "{body}");
        let event = world.site.await_event_of(answer.transaction());
        assert!(reason(&event).starts_with(expected), "{expected}: {event:#}");
    }
    // The near miss: the same, good.
    let answer =
        client.send(Protocol::H1, request("GET", "/orders", Some(&world.token()), "")).await;
    assert_eq!(answer.status, 200, "{}", gateway.log());
}

/// A token signed with the public key as if it were a shared secret.
fn hs256(issuer: &Issuer, claims: &Value) -> String {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let head = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "one" }).to_string();
    let input = format!("{}.{}", encode(head.as_bytes()), encode(claims.to_string().as_bytes()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, issuer.public_key());
    let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", encode(tag.as_ref()))
}

/// Bodies that are not JSON, too deep, too large, of another type, with a name twice; on each protocol.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bodies_are_refused() {
    let world = world(&usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let large = format!(r#"{{"item":"{}","quantity":1}}"#, "a".repeat(3 << 20));
    let twice = r#"{"item":"a","item":"b","quantity":1}"#;
    let cases: [(&str, u16); 5] =
        [("not json", 400), (&deep, 400), (&large, 413), (twice, 400), (r#"{"item":"a"}"#, 400)];
    for protocol in PROTOCOLS {
        for (body, status) in &cases {
            let sent =
                client.try_send(protocol, request("POST", "/orders", Some(&token), body)).await;
            // A client that still sends when a 413 comes may see the connection close instead.
            let Ok(answer) = sent else {
                assert_eq!(*status, 413, "{protocol:?}: {sent:?}");
                continue;
            };
            assert_eq!(answer.status.as_u16(), *status, "{protocol:?} {:.40}", body);
            world.site.await_event_of(answer.transaction());
        }
        let mut typed = request("POST", "/orders", Some(&token), r#"{"item":"a","quantity":1}"#);
        typed.headers_mut().insert("content-type", "text/xml".parse().unwrap());
        assert_eq!(client.send(protocol, typed).await.status, 415, "{protocol:?}");
        let good = request("POST", "/orders", Some(&token), r#"{"item":"a","quantity":1}"#);
        assert_eq!(client.send(protocol, good).await.status, 200, "{protocol:?}");
    }
    assert_eq!(world.service.await_seen(3).len(), 3, "nothing bad arrived");
}

/// Bytes that are no TLS leave one event of the network class.
#[test]
fn broken_connections_leave_an_event() {
    let world = world(&usual());
    let gateway = world.site.start();
    let mut socket = TcpStream::connect(gateway.address).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    drop(socket.read_to_end(&mut rest));
    let broken = || {
        let events = world.site.events();
        events.iter().filter(|e| e["class_uid"] == 4001 && reason(e).contains("not_tls")).count()
    };
    wait_until("the event of a broken connection", LIMIT, || broken() > 0);
    assert_eq!(broken(), 1);
}

/// A bad configuration never starts: exit 2, the place and the nearest name.
#[test]
fn bad_configuration_exits_2() {
    let world = world(&usual());
    let path = world.site.path("gateway.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace("audience:", "audiance:");
    std::fs::write(&path, text).unwrap();
    for command in ["run", "check"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_gateway")).arg(command).arg(&path).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("gateway.yaml:") && told.contains("audience"), "{told}");
    }
}

/// A document with an operation that asks for no credential stops the start unless the configuration names it.
#[test]
fn open_operation_stops_the_start() {
    let world = world(&usual());
    let document = world.site.path("orders.openapi.yaml");
    let text = std::fs::read_to_string(&document).unwrap();
    let open = text.replacen("      security: [{ oauth: [read:orders] }]\n", "", 1);
    std::fs::write(&document, open).unwrap();
    let check = || {
        let path = world.site.path("gateway.yaml");
        Command::new(env!("CARGO_BIN_EXE_gateway")).arg("check").arg(path).output().unwrap()
    };
    let output = check();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("listOrders"));
    let path = world.site.path("gateway.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let named = text.replace("    access:", "    anonymous: [listOrders]\n    access:");
    std::fs::write(&path, named).unwrap();
    let output = check();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("anonymous"), "listed as a weakening");
}

/// Killed between intent and outcome: the next start records status Unknown, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_intent_and_outcome_is_unknown() {
    let world = world(&usual());
    let mut gateway = world.site.start();
    let ca = world.site.authority.ca_pem();
    let client = Client::new(&ca, gateway.address);
    let token = world.token();
    let answer = client.send(Protocol::H1, request("GET", "/orders", Some(&token), "")).await;
    assert_eq!(answer.status, 200, "{}", gateway.log());
    world.service.pause();
    let address = gateway.address;
    let asked = request("GET", "/orders", Some(&token), "");
    let stuck =
        tokio::spawn(async move { Client::new(&ca, address).try_send(Protocol::H2, asked).await });
    let spooled = || {
        let read = |path: std::path::PathBuf| std::fs::read(path).unwrap_or_default();
        let files = std::fs::read_dir(world.site.path("spool")).unwrap();
        let all: Vec<u8> = files.flat_map(|entry| read(entry.unwrap().path())).collect();
        String::from_utf8_lossy(&all).matches("listOrders").count()
    };
    // Intent and outcome of the first request, intent of the second.
    wait_until("the intent in the spool", LIMIT, || spooled() >= 3);
    gateway.process.kill();
    world.service.resume();
    assert!(stuck.await.unwrap().is_err(), "nobody answered");
    drop(gateway);
    let gateway = world.site.start();
    let unknown = || {
        let all = world.site.transactions();
        all.into_iter().filter(|event| event["status_id"] == 0).collect::<Vec<_>>()
    };
    wait_until("the unknown transaction", LIMIT, || !unknown().is_empty());
    assert_eq!(unknown().len(), 1, "{}", gateway.log());
    assert_eq!(unknown()[0]["actor"]["app_uid"], "shop");
}

/// The service is away: 502. It comes back: 200.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_away_is_502() {
    let mut world = world(&usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    world.service.stop();
    for protocol in PROTOCOLS {
        let answer = client.send(protocol, request("GET", "/orders", Some(&token), "")).await;
        assert_eq!(answer.status, 502, "{protocol:?}");
        let event = world.site.await_event_of(answer.transaction());
        assert!(reason(&event).starts_with("upstream."), "{event:#}");
    }
    world.service.restart();
    let answer = client.send(Protocol::H1, request("GET", "/orders", Some(&token), "")).await;
    assert_eq!(answer.status, 200, "{}", gateway.log());
}

/// The issuer is away at the start: the gateway starts, and answers 503 where its keys are needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issuer_away_is_503() {
    let world = world(&usual());
    let nobody = free_port();
    let issuer = format!("    issuer: https://127.0.0.1:{nobody}\n    ca: ca.pem");
    world.site.configure(&issuer, world.service.address(), &usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let mut claims = claims("shop", "read:orders");
    claims["iss"] = json!(format!("https://127.0.0.1:{nobody}"));
    let token = world.issuer.sign(&header(), &claims);
    let answer = client.send(Protocol::H2, request("GET", "/orders", Some(&token), "")).await;
    assert_eq!(answer.status, 503);
    let event = world.site.await_event_of(answer.transaction());
    assert_eq!(reason(&event), "token.issuer_unavailable");
    // Where no key is needed, the answer is the usual one.
    let answer = client.send(Protocol::H2, request("GET", "/nothing", None, "")).await;
    assert_eq!(answer.status, 404);
}

/// A reload under which the keys still come from the same place keeps them: an issuer that is away now is not missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_keeps_known_keys() {
    let world = world(&usual());
    let site = &world.site;
    let shop = idp::Client { id: "shop", secret: "a-secret", claims: serde_json::Map::new() };
    let scope = "read:orders";
    let mut idp = Idp::start(&site.authority, &[AUDIENCE], &[scope], std::slice::from_ref(&shop));
    let issuer = format!("    issuer: {}\n    ca: ca.pem", idp.issuer());
    site.configure(&issuer, world.service.address(), &usual());
    let algorithm = idp::Algorithm::Es256;
    let wanted = idp::Wanted { client: &shop, audience: AUDIENCE, scope, algorithm, seconds: 3600 };
    let token = idp.token(wanted).await;
    let gateway = site.start();
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    gateway.await_all_up();
    idp.stop();
    let changes = [
        // Other rules for the same keys, and the same rules elsewhere in the file.
        ("    ca: ca.pem", "    ca: ca.pem\n    tokens: { leeway: 10s }", 200),
        ("version: 1", "# Everything is a line lower.\nversion: 1", 200),
        // The near miss: keys of other algorithms are fetched anew, and nobody is there.
        ("    tokens: {", "    algorithms: [ES256]\n    tokens: {", 503),
    ];
    for (round, (from, to, status)) in (1..).zip(changes) {
        site.amend(from, to);
        gateway.process.signal("HUP");
        wait_until("the reload", LIMIT, || {
            gateway.metric(&["sallyport_reloads_total"]) == f64::from(round)
        });
        let answer = client.send(Protocol::H1, request("GET", "/orders", Some(&token), "")).await;
        assert_eq!(answer.status.as_u16(), status, "round {round}: {}", gateway.log());
    }
}

/// Redis goes away: limits are local. It comes back: they are shared again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_away_is_local() {
    let mut redis = Redis::start();
    let limits = WIDE_LIMITS.replace(
        "limits:\n",
        &format!("limits:\n  store: {{ redis: {{ url: '{}', on_outage: local }} }}\n", redis.url()),
    );
    let world = world(&format!("{limits}{FILE_SINK}"));
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let ask = || client.send(Protocol::H1, request("GET", "/orders", Some(&token), ""));
    assert_eq!(ask().await.status, 200, "{}", gateway.log());
    redis.stop();
    assert_eq!(ask().await.status, 200, "local limits");
    redis.restart();
    let keys = || redis.command(&["DBSIZE"]).unwrap_or_default();
    let mut shared = false;
    for _ in 0..600 {
        assert_eq!(ask().await.status, 200);
        shared = keys().trim().trim_start_matches(':').parse::<u64>().is_ok_and(|n| n > 0);
        if shared {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(shared, "Redis counts again: {}", keys());
}

/// Kafka goes away: the spool holds, nothing blocks, delivery resumes, nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_away_loses_nothing() {
    let mut kafka = Kafka::start(1);
    kafka.create_topic("audit.events");
    kafka.create_topic("audit.checkpoints");
    let sinks = FILE_SINK.replace(
        "sinks: [",
        &format!(
            "sinks: [{{ kafka: {{ brokers: ['{}'], topics: audit, insecure_plaintext: true }} }}, ",
            kafka.brokers()
        ),
    );
    let world = world(&format!("{WIDE_LIMITS}{sinks}"));
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let mut transactions = Vec::new();
    for round in 0..3 {
        if round == 1 {
            kafka.stop();
        }
        for protocol in PROTOCOLS {
            let answer = client.send(protocol, request("GET", "/orders", Some(&token), "")).await;
            assert_eq!(answer.status, 200, "round {round}: {}", gateway.log());
            transactions.push(answer.transaction().to_owned());
        }
        if round == 1 {
            kafka.restart();
        }
    }
    let on_topic = || -> Vec<String> {
        let messages = kafka.read("audit.events");
        let events = messages.iter().map(|m| serde_json::from_str::<Value>(&m.payload).unwrap());
        events.map(|e| e["metadata"]["uid"].as_str().unwrap_or_default().to_owned()).collect()
    };
    wait_until("all transactions on the topic", 2 * LIMIT, || {
        let there = on_topic();
        transactions.iter().all(|t| there.contains(t))
    });
    let there = on_topic();
    for transaction in &transactions {
        assert_eq!(there.iter().filter(|uid| *uid == transaction).count(), 1, "once");
    }
}

/// SIGHUP puts a new policy in force, refuses a bad one; SIGTERM finishes what is under way and exits 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals() {
    let world = world(&usual());
    let path = world.site.path("gateway.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    let mut gateway = world.site.start();
    let ca = world.site.authority.ca_pem();
    let client = Client::new(&ca, gateway.address);
    let token = world.token();
    let answer = client.send(Protocol::H1, request("DELETE", "/orders/1", Some(&token), "")).await;
    assert_eq!(answer.status, 403, "{}", gateway.log());

    std::fs::write(&path, good.replace("version: 1", "version: 1\nunknown: 1")).unwrap();
    gateway.process.signal("HUP");
    wait_until("the refused reload", LIMIT, || gateway.log().contains("reload refused"));
    let answer = client.send(Protocol::H2, request("GET", "/orders", Some(&token), "")).await;
    assert_eq!(answer.status, 200, "the old policy goes on");

    let narrow = "    access:\n      - { clients: [nobody] }\n";
    std::fs::write(&path, good.replace("    access:\n", narrow)).unwrap();
    gateway.process.signal("HUP");
    let mut status = 200;
    for _ in 0..600 {
        let answer = client.send(Protocol::H2, request("GET", "/orders", Some(&token), "")).await;
        status = answer.status.as_u16();
        if status == 403 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status, 403, "the new policy is in force: {}", gateway.log());

    std::fs::write(&path, &good).unwrap();
    gateway.process.signal("HUP");
    wait_until("the last reload", LIMIT, || {
        gateway.log().matches("\"accepted\":true").count() >= 2
    });
    world.service.pause();
    let address = gateway.address;
    let asked = request("GET", "/orders", Some(&token), "");
    let before = world.service.seen().len();
    let intents = || {
        let events = std::fs::read_dir(world.site.path("spool")).unwrap();
        let sizes = events.map(|entry| entry.unwrap().metadata().unwrap().len());
        sizes.sum::<u64>()
    };
    // Read before the request is sent: its intent may be there at once.
    let size = intents();
    let under_way =
        tokio::spawn(async move { Client::new(&ca, address).try_send(Protocol::H1, asked).await });
    wait_until("the request under way", LIMIT, || {
        intents() > size || before < world.service.seen().len()
    });
    gateway.process.signal("TERM");
    wait_until("the closed door", LIMIT, || !accepts(gateway.address));
    world.service.resume();
    let answer = under_way.await.unwrap();
    assert_eq!(answer.map(|a| a.status.as_u16()), Ok(200), "{}", gateway.log());
    assert!(gateway.process.wait(LIMIT).success());
}

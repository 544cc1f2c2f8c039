//! Each part starts, does its one thing, can be taken away and comes back. Without this a failing end-to-end test could
//! not tell whose fault it is.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::authority::{Authority, Usage};
use super::idp::{Algorithm, Client, Idp, Wanted};
use super::kafka::Kafka;
use super::nginx::{Nginx, Settings};
use super::process::Process;
use super::redis::Redis;
use super::{accepts, https_client};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn parts_process_is_signalled_shows_its_output_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "trap 'exit 7' TERM; echo $$; while :; do sleep 0.1; done"]);
    let mut process = Process::start("sh", &mut command, &folder.path().join("sh.log"));
    let id = process.id().to_string();
    let log = folder.path().join("sh.log");
    let told = || std::fs::read_to_string(&log).is_ok_and(|text| text.trim() == id);
    process.wait_until_ready(Duration::from_secs(60), told);
    assert_eq!(process.output().trim(), id);
    process.signal("TERM");
    assert_eq!(process.wait(Duration::from_secs(60)).code(), Some(7));
}

#[test]
#[should_panic(expected = "scripts/parts/install")]
fn parts_process_that_is_missing_names_what_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("no-such-part");
    drop(Process::start("no-such-part", &mut command, &folder.path().join("log")));
}

#[test]
fn parts_redis_starts_forgets_and_comes_back() {
    let mut redis = Redis::start();
    assert!(redis.url().starts_with("redis://127.0.0.1:"));
    assert_eq!(redis.command(&["SET", "a", "1"]).unwrap(), "+OK\r\n");
    redis.pause();
    assert!(accepts(redis.address()), "the kernel still accepts");
    redis.resume();
    assert_eq!(redis.command(&["GET", "a"]).unwrap(), "$1\r\n1\r\n");
    redis.stop();
    assert!(redis.command(&["PING"]).is_err());
    redis.restart();
    assert_eq!(redis.command(&["GET", "a"]).unwrap(), "$-1\r\n");
}

#[test]
fn parts_kafka_starts_keeps_its_log_and_comes_back() {
    let mut kafka = Kafka::start(2);
    kafka.create_topic("parts");
    assert_eq!(kafka.read("parts"), []);
    let folder = tempfile::tempdir().unwrap();
    let line = folder.path().join("line");
    std::fs::write(&line, "k1:{\"n\":1}\n").unwrap();
    let line = line.display().to_string();
    assert!(kafka.kcat(&["-P", "-t", "parts", "-K", ":", "-l", &line]).status.success());
    let messages = kafka.read_at_least("parts", 1, Duration::from_secs(60));
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].key.as_deref(), Some("k1"));
    assert_eq!(messages[0].payload, "{\"n\":1}");
    kafka.pause();
    kafka.resume();
    kafka.stop();
    let address = kafka.brokers().parse().unwrap();
    assert!(!accepts(address));
    kafka.restart();
    assert_eq!(kafka.read("parts"), messages);
}

#[tokio::test]
async fn parts_nginx_asks_for_a_certificate_and_logs_what_it_saw() {
    let authority = Authority::new("inside");
    let server = authority.issue("orders", &["orders.internal"], &[LOOPBACK], Usage::Server);
    let client = authority.issue("gateway", &["gateway.internal"], &[], Usage::Client);
    let stranger = Authority::new("outside").issue("gateway", &[], &[], Usage::Client);
    let ca = authority.ca_pem();
    let mut nginx = Nginx::start(&Settings {
        server: &server,
        client_ca_pem: &ca,
        answer: r#"{"id":7}"#,
        fields: &["x-request-id", "authorization"],
    });
    let url = format!("https://{}/orders/7?full=1", nginx.address());

    let answer = https_client(&ca, Some(&client))
        .post(&url)
        .header("x-gateway-assertion", "a.b.c")
        .header("x-request-id", "r1")
        .body("{\"note\":\"\\u00fc\"}")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.bytes().await.unwrap(), r#"{"id":7}"#);

    let seen = nginx.await_seen(1);
    let first = &seen[0];
    assert_eq!((first.method.as_str(), first.target.as_str()), ("POST", "/orders/7?full=1"));
    assert_eq!((first.protocol.as_str(), first.status.as_str()), ("HTTP/2.0", "200"));
    assert_eq!(first.client_verify, "SUCCESS");
    assert_eq!(first.client_dn, "CN=gateway");
    assert_eq!(first.body, "{\"note\":\"\\u00fc\"}");
    assert_eq!(first.assertion(), "a.b.c");
    assert_eq!(first.fields["x-request-id"], "r1");
    assert_eq!(first.fields["authorization"], "");

    let without = https_client(&ca, None).get(&url).send().await.unwrap();
    assert_eq!(without.status(), 400, "no certificate");
    // OpenSSL refuses the chain of another authority in the handshake or nginx does with 400: never 200.
    let foreign = https_client(&ca, Some(&stranger)).get(&url).send().await;
    assert!(foreign.is_err() || foreign.is_ok_and(|answer| answer.status() == 400));

    nginx.pause();
    nginx.resume();
    nginx.stop();
    assert!(https_client(&ca, Some(&client)).get(&url).send().await.is_err());
    nginx.restart();
    assert_eq!(https_client(&ca, Some(&client)).get(&url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn parts_idp_issues_tokens_of_every_algorithm() {
    let authority = Authority::new("issuers");
    let mut claims = Map::new();
    claims.insert("sla_tier".to_owned(), json!("gold"));
    let client = Client { id: "client-1", secret: "secret-1", claims };
    let audience = "https://api.example.com";
    let mut idp =
        Idp::start(&authority, &[audience], &["read:orders"], std::slice::from_ref(&client));

    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let wanted =
            Wanted { client: &client, audience, scope: "read:orders", algorithm, seconds: 60 };
        let token = idp.token(wanted).await;
        let (header, body) = decoded(&token);
        assert_eq!(header["alg"], algorithm.name());
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(body["iss"], idp.issuer());
        assert_eq!(body["aud"], audience);
        assert_eq!(body["client_id"], "client-1");
        assert_eq!(body["scope"], "read:orders");
        assert_eq!(body["sla_tier"], "gold");
        assert_eq!(body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(), 60);
    }

    let keys = published_keys(&idp, &authority).await;
    assert_eq!(keys["keys"].as_array().unwrap().len(), 3);
    idp.stop();
    assert!(!accepts(idp.address()));
    idp.restart();
    assert_eq!(published_keys(&idp, &authority).await, keys, "the keys outlive a restart");
    idp.forget_keys();
    idp.restart();
    assert_ne!(published_keys(&idp, &authority).await, keys, "new keys");
}

async fn published_keys(idp: &Idp, authority: &Authority) -> Value {
    let client = https_client(&authority.ca_pem(), None);
    let fetch = async |url: &str| -> Value {
        let body = client.get(url).send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&body).unwrap()
    };
    let discovery = fetch(&format!("{}/.well-known/openid-configuration", idp.issuer())).await;
    assert_eq!(discovery["issuer"], idp.issuer());
    fetch(discovery["jwks_uri"].as_str().unwrap()).await
}

fn decoded(token: &str) -> (Value, Value) {
    use base64::Engine as _;
    let part = |segment: &str| {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(segment).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let segments = token.split('.').collect::<Vec<_>>();
    assert_eq!(segments.len(), 3);
    (part(segments[0]), part(segments[1]))
}

//! Digests of what passes: whoever holds the key can make them again from the bytes that were sent and received.

use aws_lc_rs::hmac;
use serde_json::Value;

use crate::client::{Client, PROTOCOLS, request};
use crate::world::{usual, world};

const BODY: &str = r#"{"item":"pencil","quantity":3}"#;
const TARGET: &str = "/orders?limit=5";

/// The key of digests that belongs to the pseudonym key of a site.
fn key(pseudonym_key: &[u8]) -> hmac::Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, pseudonym_key);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, b"sallyport audit digest").as_ref())
}

fn digest(key: &hmac::Key, number: u16, part: &str, bytes: &[u8]) -> Value {
    let tag = hmac::sign(key, &[part.as_bytes(), &[0], bytes].concat());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Value::from(format!("hm{number}:{hex}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digests_can_be_made_again_from_what_was_sent_and_received() {
    let world = world(&usual());
    let key = key(&std::fs::read(world.site.path("pseudonym")).expect("the key"));
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    for protocol in PROTOCOLS {
        let sent = request("POST", "/orders", Some(&token), BODY);
        let answer = client.send(protocol, sent).await;
        assert_eq!(answer.status, 200);
        let event = world.site.await_event_of(answer.transaction());
        let found = |name: &str| event["unmapped"][name].clone();
        assert_eq!(found("digest_target"), digest(&key, 1, "target", b"/orders"), "{protocol:?}");
        let body = BODY.as_bytes();
        assert_eq!(found("digest_received"), digest(&key, 1, "received", body), "{protocol:?}");
        assert_eq!(found("digest_forwarded"), digest(&key, 1, "forwarded", body), "{protocol:?}");
        let answered = digest(&key, 1, "response", &answer.body);
        assert_eq!(found("digest_response"), answered, "{protocol:?}");
        assert_ne!(answered, digest(&key, 1, "response", b"another"), "it tells bodies apart");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digests_of_a_refusal_name_the_key_and_stop_at_targets_where_that_is_asked_for() {
    let world = world(&usual());
    let path = world.site.path("pseudonym");
    let key = key(&std::fs::read(path).expect("the key"));
    world
        .site
        .amend("{ file: pseudonym } }", "{ file: pseudonym }, number: 7 }\n  digests: headers");
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let sent = request("GET", TARGET, None, "");
    let answer = client.send(PROTOCOLS[1], sent).await;
    assert_eq!(answer.status, 401);
    let event = world.site.await_event_of(answer.transaction());
    let target = digest(&key, 7, "target", TARGET.as_bytes());
    assert_eq!(event["unmapped"]["digest_target"], target);
    for name in ["digest_received", "digest_forwarded", "digest_response"] {
        assert_eq!(event["unmapped"][name], Value::Null, "{name}");
    }
}

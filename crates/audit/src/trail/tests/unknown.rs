//! What the next start makes of an intent: of this format version, of the one before, of none it knows.

use super::*;

/// The event that stands for a transaction whose process died here.
async fn unknown(trail: &Arc<Trail>) -> (Uuid, Vec<u8>) {
    let mut entry = trail.begin(opening()).expect("room");
    entry.knows_route(route());
    entry.knows_principal(&principal());
    entry.observed("validate", "response");
    entry.knows_digests(crate::event::tests::digests());
    entry.intends().await.expect("on record");
    let copy = snapshot(trail.spool.directory().parent().expect("a folder"));
    assert!(open(copy.path()).close(LIMIT).await);
    let text = fs::read(copy.path().join("log/audit-events.jsonl")).expect("events");
    let text = text.strip_suffix(b"\n").expect("whole lines");
    let text = text.split(|byte| *byte == b'\n').next_back().expect("the last").to_vec();
    (entry.transaction().parse().expect("a uid"), text)
}

/// A spool that another boot left: one intent with that body.
fn left(version: u8, uid: &Uuid, intent: &[u8]) -> TempDir {
    let directory = TempDir::new().expect("a folder");
    let spool = directory.path().join("spool");
    fs::create_dir(&spool).expect("a folder");
    let mut bytes = crate::spool::frame::HEADER.to_vec();
    bytes[7] = version;
    bytes.extend(crate::spool::frame::encode(Kind::Intent, uid, intent));
    fs::write(spool.join("00000000000000000001.spool"), bytes).expect("written");
    directory
}

#[tokio::test]
async fn an_unknown_transaction_keeps_all_its_members() {
    let directory = TempDir::new().expect("a folder");
    let trail = open(directory.path());
    let (uid, event) = unknown(&trail).await;
    let event = checked("api_activity", &event);
    let expected = [
        ("/metadata/uid", uid.to_string()),
        ("/unmapped/begun_in", trail.encoder().log().to_owned()),
        ("/status_detail", "audit.outcome_unknown".to_owned()),
        ("/action", "Allowed".to_owned()),
        ("/actor/app_uid", "orders-web".to_owned()),
        ("/actor/user/org/uid", "acme".to_owned()),
        ("/actor/session/credential_uid", "key-1".to_owned()),
        ("/api/operation", "createOrder".to_owned()),
        ("/api/service/name", "orders".to_owned()),
        ("/src_endpoint/ip", "203.0.113.7".to_owned()),
        ("/dst_endpoint/ip", "192.0.2.1".to_owned()),
        ("/http_request/http_method", "POST".to_owned()),
        ("/http_request/version", "HTTP/2".to_owned()),
        ("/http_request/user_agent", "curl/8.5.0".to_owned()),
        ("/http_request/url/path", "/orders/{id}".to_owned()),
        ("/http_request/url/scheme", "https".to_owned()),
        ("/trace/uid", "4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        ("/unmapped/upstream", "orders".to_owned()),
        ("/unmapped/audit", "required".to_owned()),
        ("/unmapped/proof", "bearer".to_owned()),
        ("/unmapped/tier", "gold".to_owned()),
        ("/unmapped/tenant", "acme".to_owned()),
        ("/unmapped/tls_version", "TLSv1.3".to_owned()),
        ("/unmapped/tls_cipher", "TLS13_AES_128_GCM_SHA256".to_owned()),
        ("/unmapped/tls_sni", "api.example.com".to_owned()),
        ("/unmapped/tls_client_certificate", crate::event::tests::THUMBPRINT.to_owned()),
        ("/unmapped/observed/0", "validate.response".to_owned()),
    ];
    for (pointer, value) in expected {
        assert_eq!(event.pointer(pointer).and_then(Value::as_str), Some(&*value), "{pointer}");
    }
    for pointer in ["/actor/user/uid", "/actor/session/uid"] {
        let hidden = event.pointer(pointer).and_then(Value::as_str).expect("a pseudonym");
        assert!(hidden.starts_with("hm1:"), "{pointer}");
    }
    for part in ["digest_target", "digest_received", "digest_forwarded"] {
        let digest = event["unmapped"][part].as_str().expect("a digest");
        assert!(digest.starts_with("hm1:"), "{part}");
    }
    assert_eq!(event["time"], 1_790_000_000_123_u64);
    assert_eq!(event["src_endpoint"]["port"], 40_000);
}

#[tokio::test]
async fn an_intent_of_the_version_before_becomes_unknown_too() {
    let directory = TempDir::new().expect("a folder");
    let (uid, event) = unknown(&open(directory.path())).await;
    let old = left(1, &uid, &event);
    for _ in 0..2 {
        assert!(open(old.path()).close(LIMIT).await);
    }
    let expected = checked("api_activity", &event);
    let found = events(old.path());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["unmapped"]["begun_in"], expected["metadata"]["log_name"]);
    for member in ["actor", "api", "http_request", "status_detail", "trace"] {
        assert_eq!(found[0][member], expected[member]);
    }
    assert_eq!(found[0]["metadata"]["uid"], expected["metadata"]["uid"]);
    assert_ne!(found[0]["metadata"]["log_name"], expected["metadata"]["log_name"]);
}

#[test]
fn an_intent_of_another_version_stops_the_start_by_its_name() {
    for (intent, told) in [
        (&[9, 9][..], "an intent has version 9, this program reads 3"),
        (&[1, 9][..], "an intent cannot be read"),
    ] {
        let directory = left(2, &Uuid::max(), intent);
        let refused = Trail::open(settings(directory.path()), started()).expect_err("refused");
        assert_eq!(refused.to_string(), format!("open the audit spool: {told}"));
    }
}

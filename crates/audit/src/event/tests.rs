//! Every kind of event against OCSF 1.8.0, strictly: unknown attributes, undeclared profiles, deprecated
//! attributes, wrong captions and missing requirements all fail. And no planted secret in any of them.

mod beside;
mod mapping;
mod ocsf;

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use secrecy::SecretSlice;
use serde_json::{Value, json};

pub(crate) use ocsf::checked;

use super::*;
use crate::digest::{Digesting, Digestion, Digests, Part};
use crate::facts::{
    Binding, ConnectionFailure, Decision, FailureKind, Method, Opening, Outcome, PrincipalFacts,
    RouteFacts, TlsFacts,
};

pub(crate) fn encoder() -> Encoder {
    let key = SecretSlice::from(vec![7; 32]);
    Encoder::new("shop/audit/edge-1/boot", Pseudonyms::new(&key, 1).expect("a key"))
}

/// SHA-256 of some certificate, in base64url.
pub(crate) const THUMBPRINT: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

fn tls(sni: &str) -> TlsFacts {
    let cipher = Some("TLS13_AES_128_GCM_SHA256");
    let client_certificate = Some(THUMBPRINT.into());
    TlsFacts { version: "TLSv1.3", cipher, sni: Some(sni.into()), client_certificate }
}

pub(crate) fn opening() -> Opening {
    Opening {
        time: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        client_address: "203.0.113.7".parse().expect("an address"),
        client_port: Some(40_000),
        local: "[::ffff:192.0.2.1]:8443".parse().expect("an address"),
        http_version: "HTTP/2",
        method: Method::Post,
        tls: Some(tls("api.example.com")),
        user_agent: Some("curl/8.5.0".into()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
    }
}

pub(crate) fn route() -> RouteFacts {
    RouteFacts {
        api: "orders".into(),
        operation: "createOrder".into(),
        template: "/orders/{id}".into(),
        upstream: "orders".into(),
        audit_required: true,
    }
}

pub(crate) fn principal() -> PrincipalFacts<'static> {
    PrincipalFacts {
        fingerprint: None,
        issuer: "https://idp.example.com/realms/shop",
        client: Some("orders-web"),
        tenant: Some("acme"),
        subject: Some("alice"),
        tier: "gold",
        method: "bearer",
        key_id: Some("key-1"),
        token_id: Some("jti-1"),
        bound_to: None,
    }
}

/// One of each part, of the same bytes.
pub(crate) fn digests() -> Digestion {
    let key = Pseudonyms::new(&SecretSlice::from(vec![7; 32]), 1).expect("a key");
    let digests = Digests::new(key.key(), 1, Digesting::Bodies);
    let of = |part| digests.begin(part).map(|digest| digest.of(b"4111111111111111"));
    Digestion {
        target: of(Part::Target),
        received: of(Part::Received),
        forwarded: of(Part::Forwarded),
        response: of(Part::Response),
    }
}

pub(crate) fn outcome(status: u16, decision: Decision) -> Outcome {
    Outcome {
        status,
        decision,
        request_bytes: 12,
        response_bytes: 5_000_000_000,
        upstream_ms: Some(7),
        duration: Duration::from_millis(9),
        digests: digests(),
    }
}

pub(crate) fn transaction(encoder: &Encoder, opening: Opening) -> Transaction {
    Transaction {
        uid: "0190a5b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".to_owned(),
        opening: encoder.opening(opening),
        route: Some(route().into()),
        caller: Some(encoder.caller(&principal())),
        observed: vec!["validate.response".to_owned()],
        finding: None,
        digests: digests(),
        intended: true,
    }
}

fn refused(stage: &'static str, reason: &'static str) -> Decision {
    Decision::Refused { stage, reason, detail: Some("/properties/item".to_owned()) }
}

#[test]
fn every_decision_is_valid() {
    let encoder = encoder();
    // status, decision; status, action, disposition, detail
    let failed = Decision::Failed { stage: "upstream", reason: "connect" };
    let rows: Vec<(u16, Decision, [u64; 3], Option<&str>)> = vec![
        (200, Decision::Allowed, [1, 1, 1], None),
        (404, Decision::Allowed, [2, 1, 1], None),
        (401, refused("token", "expired"), [2, 2, 26], Some("token.expired")),
        (403, refused("scope", "missing"), [2, 2, 26], Some("scope.missing")),
        (403, refused("filter", "sql"), [2, 2, 2], Some("filter.sql")),
        (429, refused("ratelimit", "client"), [2, 2, 25], Some("ratelimit.client")),
        (400, refused("schema", "type"), [2, 2, 25], Some("schema.type")),
        (502, failed, [2, 1, 27], Some("upstream.connect")),
        (0, Decision::Aborted, [99, 1, 0], Some("client.aborted")),
        (0, Decision::Unknown, [0, 1, 0], Some("audit.outcome_unknown")),
    ];
    for (status, decision, expected, detail) in rows {
        let transaction = transaction(&encoder, opening());
        let event = encoder.event(&transaction, &outcome(status, decision.clone()));
        let event = checked("api_activity", event.as_bytes());
        let found = ["status_id", "action_id", "disposition_id"].map(|name| event[name].as_u64());
        assert_eq!(found, expected.map(Some), "{decision:?}");
        assert_eq!(event["status_detail"].as_str(), detail);
        assert_eq!(event["dst_endpoint"]["ip"], "192.0.2.1");
    }
}

#[test]
fn every_method_is_valid() {
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let activities = [2, 2, 1, 3, 3, 4, 99, 99, 99, 99];
    let encoder = encoder();
    for (name, activity) in names.into_iter().chain(["get\r\nx: y"]).zip(activities) {
        let opening = Opening { method: Method::from_name(name), ..opening() };
        let event =
            encoder.event(&transaction(&encoder, opening), &outcome(200, Decision::Allowed));
        let event = checked("api_activity", event.as_bytes());
        assert_eq!(event["activity_id"], activity);
        let known = event["http_request"]["http_method"].as_str();
        assert_eq!(known, names.contains(&name).then_some(name));
    }
}

#[test]
fn an_unknown_caller_on_an_unknown_route_is_valid() {
    let encoder = encoder();
    let opening = Opening { tls: None, user_agent: None, trace_id: None, ..opening() };
    let transaction = Transaction {
        route: None,
        caller: None,
        observed: Vec::new(),
        intended: false,
        ..transaction(&encoder, opening)
    };
    let event = encoder.event(&transaction, &outcome(404, refused("route", "unmatched")));
    let event = checked("api_activity", event.as_bytes());
    assert_eq!(event["actor"]["app_uid"], "unauthenticated");
    assert_eq!(event["api"]["operation"], "unmatched");
    assert_eq!(event["metadata"]["profiles"], json!(["security_control"]));
}

#[test]
fn every_connection_failure_is_valid() {
    let peer: SocketAddr = "203.0.113.7:40000".parse().expect("an address");
    let rows = [
        (FailureKind::Tls, "network_activity", "tls.handshake"),
        (FailureKind::Refused, "network_activity", "connection.handshake"),
        (FailureKind::Http { status: 400 }, "http_activity", "http.handshake"),
        (FailureKind::Http { status: 0 }, "http_activity", "http.handshake"),
    ];
    for ((kind, class, detail), tls) in
        rows.into_iter().flat_map(|row| [(row, None), (row, Some(tls("x.example.com")))])
    {
        let failure = ConnectionFailure {
            time: UNIX_EPOCH,
            client: peer,
            local: peer,
            transport: "tcp",
            kind,
            reason: "handshake",
            tls: tls.clone(),
            finding: None,
        };
        let event = checked(class, encoder().connection(&failure, "uid").as_bytes());
        let expected = if tls.is_some() { json!(THUMBPRINT) } else { Value::Null };
        assert_eq!(event["unmapped"]["tls_client_certificate"], expected);
        assert_eq!(event["status_detail"], detail);
    }
}

fn former(clean: bool) -> crate::sealing::Former {
    let origin = "shop/audit/edge-1/before".to_owned();
    crate::sealing::Former { origin, size: 1 << 40, root: seal::Hash::empty(), clean }
}

#[test]
fn the_validator_refuses_what_it_should() {
    let encoder = encoder();
    let good = encoder.event(&transaction(&encoder, opening()), &outcome(200, Decision::Allowed));
    let good: Value = serde_json::from_slice(good.as_bytes()).expect("json");
    let broken = |change: fn(&mut Value)| {
        let mut event = good.clone();
        change(&mut event);
        std::panic::catch_unwind(|| checked("api_activity", event.to_string().as_bytes())).is_err()
    };
    assert!(!broken(|_| {}));
    assert!(broken(|event| event["surprise"] = json!(1)));
    assert!(broken(|event| event["metadata"]["profiles"] = json!(["trace"])));
    assert!(broken(|event| event["action"] = json!("Denied")));
    assert!(broken(|event| event["src_endpoint"] = json!({"ip": "not an address"})));
    assert!(broken(|event| event["http_request"]["http_method"] = json!("get")));
    assert!(broken(|event| event["actor"] = json!({})));
}

#[test]
fn ids_are_clear_only_when_they_hide_nothing() {
    let encoder = encoder();
    let id = |value: &str| encoder.id(Kind::Client, "issuer", value);
    for clear in ["orders-web", "team:orders@eu", "3f2b8a1c-9d4e-4c6f-8a7b-1c2d3e4f5a6b"] {
        assert_eq!(id(clear), clear);
    }
    for hidden in ["alice@example.com", "4111111111111111", "a b", "", &"x".repeat(129)] {
        assert!(id(hidden).starts_with("hm1:"), "{hidden}");
    }
    assert_eq!(encoder.hits(), 2);
    let service = PrincipalFacts { subject: Some("orders-web"), ..principal() };
    let transaction =
        Transaction { caller: Some(encoder.caller(&service)), ..transaction(&encoder, opening()) };
    let event = encoder.event(&transaction, &outcome(200, Decision::Allowed));
    let event = checked("api_activity", event.as_bytes());
    assert_eq!(event["actor"]["user"]["uid"], "orders-web");
    assert!(event["actor"]["session"]["uid"].as_str().expect("a jti").starts_with("hm1:"));
}

#[test]
fn what_a_token_is_bound_to_stands_in_the_event_where_it_is_a_thumbprint() {
    let encoder = encoder();
    let bound = |bound_to| {
        let principal = PrincipalFacts { bound_to, ..principal() };
        let caller = Some(encoder.caller(&principal));
        let transaction = Transaction { caller, ..transaction(&encoder, opening()) };
        let event = encoder.event(&transaction, &outcome(200, Decision::Allowed));
        let event = checked("api_activity", event.as_bytes());
        let told = |name: &str| event["unmapped"][name].as_str().map(str::to_owned);
        (told("bound_certificate"), told("bound_key"))
    };
    let thumbprint = || Some(THUMBPRINT.to_owned());
    assert_eq!(bound(None), (None, None));
    assert_eq!(bound(Some(Binding::Certificate(THUMBPRINT))), (thumbprint(), None));
    assert_eq!(bound(Some(Binding::Key(THUMBPRINT))), (None, thumbprint()));
    let short = THUMBPRINT.get(1..).expect("a thumbprint");
    for none in ["", short, "4111111111111111", &format!("{short}=")] {
        assert_eq!(bound(Some(Binding::Key(none))), (None, None), "{none}");
    }
}

#[test]
fn a_planted_secret_reaches_no_event() {
    for (text, secret) in crate::masker::tests::SECRETS {
        for place in 0..9 {
            let encoder = encoder();
            let mut opening = opening();
            let mut principal = principal();
            let plant = |field: &mut Option<&'static str>| *field = Some(text);
            match place {
                0 => opening.user_agent = Some((*text).into()),
                1 => opening.tls = Some(tls(text)),
                2 => opening.trace_id = Some((*text).to_owned()),
                3 => plant(&mut principal.client),
                4 => plant(&mut principal.subject),
                5 => plant(&mut principal.tenant),
                6 => plant(&mut principal.key_id),
                7 => principal.bound_to = Some(Binding::Key(text)),
                _ => plant(&mut principal.token_id),
            }
            let transaction = Transaction {
                caller: Some(encoder.caller(&principal)),
                ..transaction(&encoder, opening)
            };
            let event = encoder.event(&transaction, &outcome(200, Decision::Allowed));
            let event = checked("api_activity", event.as_bytes()).to_string();
            assert!(!event.contains(secret), "{secret} in place {place}: {event}");
        }
    }
}

#[test]
fn the_largest_event_fits_its_frame() {
    let encoder = encoder();
    let long = "\"".repeat(10_000);
    let some = || Some(long.as_str());
    let opening =
        Opening { user_agent: Some(long.as_str().into()), tls: Some(tls(&long)), ..opening() };
    let principal = PrincipalFacts {
        fingerprint: None,
        issuer: &long,
        client: some(),
        tenant: some(),
        subject: some(),
        tier: &long,
        method: "bearer",
        key_id: some(),
        token_id: some(),
        bound_to: Some(Binding::Key(&long)),
    };
    let route = RouteFacts {
        api: long.as_str().into(),
        operation: long.as_str().into(),
        template: "\u{1}".repeat(10_000).into(),
        upstream: long.as_str().into(),
        audit_required: true,
    };
    let transaction = Transaction {
        route: Some(route.into()),
        caller: Some(encoder.caller(&principal)),
        observed: vec!["a_long_stage.a_rather_long_reason".to_owned(); 16],
        ..transaction(&encoder, opening)
    };
    let decision =
        Decision::Refused { stage: "schema", reason: "type", detail: some().map(str::to_owned) };
    let event = encoder.event(&transaction, &outcome(400, decision));
    assert!(event.as_bytes().len() < EVENT_BYTES_MAX, "{}", event.as_bytes().len());
    checked("api_activity", event.as_bytes());
}

#[test]
fn a_secret_across_the_clipping_edge_does_not_escape() {
    let encoder = encoder();
    for before in (TEXT_BYTES_MAX - 20)..TEXT_BYTES_MAX {
        let text = format!("{} 4111111111111111", "x".repeat(before));
        assert!(!encoder.free(&text).contains("4111"), "{before}");
    }
}

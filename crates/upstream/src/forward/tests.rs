//! Requests to a real service over mutual TLS, and everything that can go wrong on the way.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Version};
use http_body_util::BodyExt;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Outgoing, OutgoingBody, REQUESTS_MAX, Upstream, target};
use crate::assertion::{Caller, thumbprint};
use crate::body::{BodyFault, UpstreamBody};
use crate::fault::Fault;
use crate::headers::{AllowList, ClientScheme};
use crate::settings::{AssertionSettings, SettingsError, TlsSettings, UpstreamSettings};
use crate::signer::Signer;
use crate::testing::{NAME, Pki, Seen, Service};

/// 2100, so that the clock of the reader of assertions finds them valid.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(4_102_444_800)
}

fn settings(pki: &Pki, endpoints: &[&str]) -> UpstreamSettings {
    UpstreamSettings {
        name: "orders".to_owned(),
        endpoints: endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect(),
        tls: Some(TlsSettings {
            ca: pki.file("ca.pem"),
            certificate: Some((pki.file("gateway.pem"), pki.file("gateway.key"))),
            name: Some(NAME.to_owned()),
        }),
        insecure_plaintext: false,
        // Long, because the machine that runs the tests may be busy.
        connect_timeout: Duration::from_secs(20),
        response_timeout: Duration::from_secs(20),
        connect_attempts: 1,
        assertion: AssertionSettings {
            issuer: "gateway".to_owned(),
            audience: "orders".to_owned(),
            signer: Arc::new(Signer::generate().unwrap()),
            lifetime: Duration::from_secs(30),
        },
    }
}

fn to(pki: &Pki, service: &Service) -> UpstreamSettings {
    settings(pki, &[&format!("https://{}", service.address)])
}

/// No header fields.
static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
static STANDARD: LazyLock<AllowList> = LazyLock::new(AllowList::default);

fn get(path: &str) -> Outgoing<'_> {
    Outgoing {
        method: Method::GET,
        path,
        query: None,
        headers: &NONE,
        pass: &STANDARD,
        body: OutgoingBody::Empty,
        caller: Caller::default(),
        transaction: "t-1",
        client_address: "192.0.2.1".parse().unwrap(),
        host: "api.example.com",
        scheme: ClientScheme::Https,
        trace_parent: None,
        silence_max: None,
    }
}

async fn ask(settings: UpstreamSettings, path: &str) -> Result<Response<UpstreamBody>, Fault> {
    Upstream::new(settings).unwrap().forward(get(path), now()).await
}

fn claims(signer: &Signer, seen: &Seen) -> Value {
    let assertions: Vec<_> = seen.headers.get_all("x-gateway-assertion").iter().collect();
    assert_eq!(assertions.len(), 1);
    let key = DecodingKey::from_jwk(&serde_json::from_value(signer.jwk()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["orders"]);
    validation.set_issuer(&["gateway"]);
    decode::<Value>(assertions[0].to_str().unwrap(), &key, &validation).unwrap().claims
}

/// What an operation with one field of its own takes.
static TENANT: LazyLock<AllowList> = LazyLock::new(|| AllowList::new(["X-Tenant"]));
/// Fields that pass, and fields that do not.
static MIXED: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-tenant", "acme"),
        ("x-gateway-assertion", "forged"),
        ("x_gateway_assertion", "forged"),
        ("x-forwarded-for", "127.0.0.1"),
        ("authorization", "Bearer token"),
        ("host", "evil.example"),
        ("content-length", "999"),
        ("transfer-encoding", "chunked"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    headers
});

/// A request that carries something of everything.
fn rich(body: Bytes) -> Outgoing<'static> {
    Outgoing {
        method: Method::POST,
        query: Some("a=%20b&c=%2F"),
        headers: &MIXED,
        pass: &TENANT,
        body: OutgoingBody::Whole(body),
        caller: Caller { client: Some("app"), ..Caller::default() },
        ..get("/orders/%C3%A4")
    }
}

async fn a_request_arrives_with_certificate_and_assertion(alpn: &str, version: Version) {
    let pki = Pki::new();
    let service = Service::start(&pki, alpn).await;
    let settings = to(&pki, &service);
    let signer = settings.assertion.signer.clone();
    let upstream = Upstream::new(settings).unwrap();
    let body = Bytes::from_static(br#"{"item":1}"#);
    let response = upstream.forward(rich(body.clone()), now()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);

    let [seen] = &service.seen()[..] else { panic!("one request") };
    assert_eq!((seen.version, &seen.method, &seen.body), (version, &Method::POST, &body));
    let own = pki.certificates("gateway.pem").remove(0);
    assert_eq!(seen.certificate.as_deref(), Some(&*own));
    let host = format!("{NAME}:{}", service.address.port());
    let authority = seen.uri.authority().map(|authority| authority.as_str().to_owned());
    let sent = seen.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    assert_eq!(authority.or(sent), Some(host));
    let mut names: Vec<&str> = seen.headers.keys().map(http::HeaderName::as_str).collect();
    names.retain(|name| *name != "host");
    names.sort_unstable();
    let expected = [
        "content-length",
        "content-type",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-gateway-assertion",
        "x-request-id",
        "x-tenant",
    ];
    assert_eq!(names, expected);
    assert_eq!(seen.headers["content-length"], "10");
    assert_eq!(seen.headers["x-forwarded-for"], "192.0.2.1");

    let claims = claims(&signer, seen);
    assert_eq!(claims["htm"], "POST");
    assert_eq!(claims["htu"], seen.uri.path_and_query().unwrap().as_str());
    assert_eq!(claims["htu"], "/orders/%C3%A4?a=%20b&c=%2F");
    assert_eq!(claims["bdh"], thumbprint(&body));
    assert_eq!(claims["client_id"], "app");
    assert_eq!(claims["cnf"]["x5t#S256"], thumbprint(&own));
}

#[tokio::test]
async fn a_request_arrives_over_http_1() {
    a_request_arrives_with_certificate_and_assertion("http/1.1", Version::HTTP_11).await;
}

#[tokio::test]
async fn a_request_arrives_over_http_2() {
    a_request_arrives_with_certificate_and_assertion("h2", Version::HTTP_2).await;
}

#[tokio::test]
async fn a_request_without_a_body_says_nothing_about_one() {
    let pki = Pki::new();
    let service = Service::start(&pki, "http/1.1").await;
    let settings = to(&pki, &service);
    let signer = settings.assertion.signer.clone();
    assert!(ask(settings, "/").await.is_ok());
    let [seen] = &service.seen()[..] else { panic!("one request") };
    assert_eq!(claims(&signer, seen).get("bdh"), None);
    assert!(!seen.headers.contains_key("content-length"));
    assert!(!seen.headers.contains_key("transfer-encoding"));
}

#[tokio::test]
async fn only_the_right_service_is_spoken_to() {
    let (pki, other) = (Pki::new(), Pki::new());
    let service = Service::start(&pki, "h2").await;
    let with = |change: &dyn Fn(&mut TlsSettings)| {
        let mut settings = to(&pki, &service);
        change(settings.tls.as_mut().unwrap());
        settings
    };
    assert!(ask(with(&|_| ()), "/").await.is_ok());
    let wrong_ca = ask(with(&|tls| tls.ca = other.file("ca.pem")), "/").await;
    assert_eq!(wrong_ca.unwrap_err(), Fault::Tls);
    let wrong_name = ask(with(&|tls| tls.name = Some("billing.internal".to_owned())), "/").await;
    assert_eq!(wrong_name.unwrap_err(), Fault::Tls);
    let no_name = ask(with(&|tls| tls.name = None), "/").await;
    assert_eq!(no_name.unwrap_err(), Fault::Tls, "the address is not in the certificate");
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_service_that_does_not_know_the_gateway_refuses_it() {
    let (pki, other) = (Pki::new(), Pki::new());
    for alpn in ["h2", "http/1.1"] {
        let service = Service::start(&pki, alpn).await;
        let mut settings = to(&pki, &service);
        settings.tls.as_mut().unwrap().certificate = None;
        assert_eq!(ask(settings, "/").await.unwrap_err(), Fault::Protocol);
        let mut settings = to(&pki, &service);
        settings.tls.as_mut().unwrap().certificate =
            Some((other.file("gateway.pem"), other.file("gateway.key")));
        assert_eq!(ask(settings, "/").await.unwrap_err(), Fault::Protocol);
        assert!(service.seen().is_empty());
    }
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let pki = Pki::new();
    let service = Service::start_with(&pki, "h2", &rustls::version::TLS12).await;
    assert_eq!(ask(to(&pki, &service), "/").await.unwrap_err(), Fault::Tls);
}

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("https://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn an_endpoint_that_takes_no_connection_passes_the_request_on() {
    let pki = Pki::new();
    let service = Service::start(&pki, "h2").await;
    let (away, here) = (nowhere(), format!("https://{}", service.address));
    let attempts =
        |connect_attempts| UpstreamSettings { connect_attempts, ..settings(&pki, &[&away, &here]) };
    assert_eq!(ask(attempts(1), "/").await.unwrap_err(), Fault::Connect);
    let upstream = Upstream::new(attempts(2)).unwrap();
    for _ in 0..4 {
        assert!(upstream.forward(get("/"), now()).await.is_ok());
    }
    assert_eq!(service.seen().len(), 4);
}

#[tokio::test]
async fn endpoints_take_turns() {
    let pki = Pki::new();
    let (one, two) = (Service::start(&pki, "h2").await, Service::start(&pki, "h2").await);
    let endpoints = [&one, &two].map(|service| format!("https://{}", service.address));
    let upstream = Upstream::new(settings(&pki, &[&endpoints[0], &endpoints[1]])).unwrap();
    for _ in 0..6 {
        assert!(upstream.forward(get("/"), now()).await.is_ok());
    }
    assert_eq!((one.seen().len(), two.seen().len()), (3, 3));
}

#[tokio::test]
async fn a_service_that_does_not_shake_hands_costs_the_connect_timeout() {
    let pki = Pki::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("https://{}", listener.local_addr().unwrap());
    let connect_timeout = Duration::from_millis(50);
    let settings = UpstreamSettings { connect_timeout, ..settings(&pki, &[&silent]) };
    let fault = ask(settings, "/").await.unwrap_err();
    assert_eq!(fault, Fault::ConnectTimeout);
    assert!(fault.is_timeout());
}

#[tokio::test]
async fn a_service_that_does_not_answer_costs_the_response_timeout() {
    let pki = Pki::new();
    let service = Service::start(&pki, "h2").await;
    let quick = Duration::from_secs(2);
    let settings = UpstreamSettings {
        response_timeout: quick,
        connect_timeout: quick,
        connect_attempts: 3,
        ..to(&pki, &service)
    };
    let fault = ask(settings, "/hang").await.unwrap_err();
    assert_eq!(fault, Fault::ResponseTimeout);
    assert_eq!(service.seen().len(), 1, "a request that may have arrived is not sent again");
}

#[tokio::test]
async fn a_service_that_breaks_off_is_not_asked_twice() {
    let pki = Pki::new();
    for alpn in ["h2", "http/1.1"] {
        let service = Service::start(&pki, alpn).await;
        let settings = UpstreamSettings { connect_attempts: 3, ..to(&pki, &service) };
        assert_eq!(ask(settings, "/drop").await.unwrap_err(), Fault::Protocol);
        assert_eq!(service.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_request_on_a_connection_that_was_retired_goes_to_a_new_one() {
    let pki = Pki::new();
    let service = Service::retiring(&pki).await;
    let upstream = Upstream::new(to(&pki, &service)).unwrap();
    assert_eq!(upstream.forward(get("/1"), now()).await.unwrap().status(), 200);
    assert_eq!(upstream.forward(get("/2"), now()).await.unwrap().status(), 200);
    assert_eq!(service.seen().len(), 1, "the second, once");
}

#[tokio::test]
async fn a_body_that_stalls_is_an_error_and_not_an_end() {
    let pki = Pki::new();
    for alpn in ["h2", "http/1.1"] {
        let service = Service::start(&pki, alpn).await;
        let quick = Duration::from_secs(2);
        let settings = UpstreamSettings {
            response_timeout: quick,
            connect_timeout: quick,
            ..to(&pki, &service)
        };
        let mut body = ask(settings, "/stall").await.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "half");
        assert_eq!(body.frame().await.unwrap().unwrap_err(), BodyFault::Stalled);
        assert_eq!(body.frame().await.unwrap().unwrap_err(), BodyFault::Stalled);
    }
}

#[tokio::test]
async fn nobody_switches_protocols() {
    let pki = Pki::new();
    let service = Service::start(&pki, "http/1.1").await;
    assert_eq!(ask(to(&pki, &service), "/switch").await.unwrap_err(), Fault::Protocol);
}

#[tokio::test]
async fn concurrent_requests_share_an_http_2_connection() {
    let pki = Pki::new();
    let service = Service::start(&pki, "h2").await;
    let upstream = Upstream::new(to(&pki, &service)).unwrap();
    assert!(upstream.forward(get("/"), now()).await.is_ok());
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let upstream = upstream.clone();
        tasks.spawn(async move { upstream.forward(get("/"), now()).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|answered| answered));
    assert_eq!(service.connections.load(Ordering::SeqCst), 1);
    assert_eq!(service.seen().len(), 51);
}

#[tokio::test]
async fn requests_in_turn_share_an_http_1_connection() {
    let pki = Pki::new();
    let service = Service::start(&pki, "http/1.1").await;
    let upstream = Upstream::new(to(&pki, &service)).unwrap();
    for _ in 0..5 {
        let response = upstream.forward(get("/"), now()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(service.seen().len(), 5);
    assert_eq!(service.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_under_way_are_bounded_and_places_come_back() {
    let pki = Pki::new();
    let service = Service::start(&pki, "h2").await;
    let upstream = Upstream::new(to(&pki, &service)).unwrap();
    let all = u32::try_from(REQUESTS_MAX - 1).unwrap();
    let taken = upstream.places.clone().acquire_many_owned(all).await.unwrap();
    let answer = upstream.forward(get("/stall"), now()).await.unwrap();
    assert_eq!(upstream.forward(get("/"), now()).await.unwrap_err(), Fault::Saturated);
    drop(answer);
    assert!(upstream.forward(get("/"), now()).await.is_ok());
    drop(taken);
    assert_eq!(upstream.places.available_permits(), REQUESTS_MAX);
}

#[tokio::test]
async fn plain_text_is_spoken_where_it_was_asked_for() {
    let pki = Pki::new();
    let service = Service::start_plain().await;
    let plain = format!("http://{}", service.address);
    let asked =
        UpstreamSettings { tls: None, insecure_plaintext: true, ..settings(&pki, &[&plain]) };
    assert!(ask(asked, "/").await.is_ok());
    let [seen] = &service.seen()[..] else { panic!("one request") };
    assert_eq!(seen.headers["host"], service.address.to_string());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let pki = Pki::new();
    let with = |change: &dyn Fn(&mut TlsSettings)| {
        let mut settings = settings(&pki, &["https://127.0.0.1:1"]);
        change(settings.tls.as_mut().unwrap());
        Upstream::new(settings).map(drop)
    };
    assert!(with(&|_| ()).is_ok());
    let missing = pki.file("missing.pem");
    let empty = pki.file("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for bad in [missing, empty] {
        let refused = with(&|tls| tls.ca = bad.clone());
        assert!(matches!(refused, Err(SettingsError::File { path, .. }) if path == bad));
        let refused = with(&|tls| tls.certificate = Some((bad.clone(), pki.file("gateway.key"))));
        assert!(matches!(refused, Err(SettingsError::File { path, .. }) if path == bad));
    }
    let crossed =
        with(&|tls| tls.certificate = Some((pki.file("gateway.pem"), pki.file("service.key"))));
    assert!(matches!(crossed, Err(SettingsError::Certificate(_))));
    let named = with(&|tls| tls.name = Some("no name".to_owned()));
    assert!(matches!(named, Err(SettingsError::Name(_))));
}

#[test]
fn a_target_is_sent_as_it_is_or_not_at_all() {
    for (path, query) in [("/", None), ("/a%20b", Some("x=%3F?y")), ("/a", Some("")), ("//a", None)]
    {
        let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        assert_eq!(target(path, query).unwrap().as_str(), text);
    }
    for (path, query) in [
        ("", None),
        ("a", None),
        ("*", None),
        ("/a#b", None),
        ("/a?b", None),
        ("/a b", None),
        ("/a", Some("#b")),
        ("/\r\n", None),
    ] {
        assert_eq!(target(path, query), Err(Fault::Request), "{path:?} {query:?}");
    }
}

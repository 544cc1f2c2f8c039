//! Tests of fetching against a played issuer on loopback: rules D1 to D3 and A4.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{FetchError, Issuer, Run, backoff};
use crate::{
    Algorithm, Denied, IssuerSettings, KeySource, Principal, SettingsError, TokenFault, identify,
    testing::{Page, Server, Signer, bearer, claims, demand, eventually, key_page, now, with},
};

/// The loop, ended with the test.
struct Loop(JoinHandle<()>);

impl Loop {
    fn start(issuer: &Arc<Issuer>) -> Self {
        Self(tokio::spawn(Arc::clone(issuer).keep_fresh()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn settings(origin: &str) -> IssuerSettings {
    let mut settings = IssuerSettings::new("played", origin);
    settings.insecure_http = true;
    settings
}

fn open(origin: &str) -> Arc<Issuer> {
    Issuer::open(settings(origin)).unwrap()
}

async fn decide(issuer: &Arc<Issuer>, token: &str) -> Result<Principal, Denied> {
    identify(&demand(issuer), &bearer(token), now()).await
}

fn token(signer: &Signer, origin: &str) -> String {
    signer.sign(&signer.header(), &with(claims(), json!({ "iss": origin })))
}

fn unavailable() -> Option<Denied> {
    Some(Denied::Unavailable { issuer: "played".to_owned() })
}

#[tokio::test]
async fn an_issuer_away_at_start_is_503_and_recovers_by_itself() {
    // A port that was free a moment ago: nobody listens there yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let origin = format!("http://{address}");
    let issuer = open(&origin);
    let signer = Signer::new(Algorithm::Es256);
    assert_eq!(decide(&issuer, &token(&signer, &origin)).await.err(), unavailable());
    let _loop = Loop::start(&issuer);
    eventually(|| issuer.last_error() == Some(FetchError::Connect)).await;
    assert!(!issuer.is_ready());
    assert_eq!(decide(&issuer, &token(&signer, &origin)).await.err(), unavailable());
    let server = Server::on(TcpListener::bind(address).await.unwrap());
    server.publish(&[&signer]);
    eventually(|| issuer.is_ready()).await;
    assert_eq!(issuer.last_error(), None);
    assert!(decide(&issuer, &token(&signer, &origin)).await.is_ok());
}

#[tokio::test]
async fn inherited_keys_serve_until_the_first_fetch_and_no_longer() {
    let server = Server::start().await;
    let (old, new) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::EdDsa));
    server.publish(&[&old]);
    let former = open(&server.origin);
    let former_loop = Loop::start(&former);
    eventually(|| former.is_ready()).await;
    drop(former_loop);
    let (known, unknown) = (token(&old, &server.origin), token(&new, &server.origin));
    let issuer = open(&server.origin);
    assert_eq!(
        decide(&issuer, &known).await.err(),
        unavailable(),
        "the near miss: nothing inherited"
    );
    issuer.inherit(&former);
    assert!(decide(&issuer, &known).await.is_ok());
    assert!(decide(&issuer, &unknown).await.is_err());
    server.publish(&[&new]);
    let _loop = Loop::start(&issuer);
    eventually(|| server.hits("/jwks") == 2 && issuer.last_error().is_none()).await;
    assert!(decide(&issuer, &unknown).await.is_ok());
    assert!(decide(&issuer, &known).await.is_err(), "withdrawn");
    // What was fetched is not overwritten.
    issuer.inherit(&former);
    assert!(decide(&issuer, &known).await.is_err());
}

#[tokio::test]
async fn d3_rotation_by_unknown_kid_is_one_shared_fetch() {
    let server = Server::start().await;
    let (old, new) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::EdDsa));
    server.publish(&[&old]);
    let issuer = open(&server.origin);
    let _loop = Loop::start(&issuer);
    eventually(|| issuer.is_ready()).await;
    assert_eq!(server.hits("/jwks"), 1);
    server.publish(&[&old, &new]);
    let rotated = token(&new, &server.origin);
    let many = (0..20).map(|_| decide(&issuer, &rotated));
    for decision in futures_util::future::join_all(many).await {
        assert!(decision.is_ok(), "{:?}", decision.err());
    }
    assert_eq!(server.hits("/jwks"), 2);
    // Within the next 30 s nobody causes another one.
    let unknown = Signer::new(Algorithm::Rs256);
    for _ in 0..5 {
        let decision = decide(&issuer, &token(&unknown, &server.origin)).await;
        assert_eq!(decision.err(), Some(TokenFault::KidUnknown.into()));
    }
    assert_eq!(server.hits("/jwks"), 2);
    assert!(decide(&issuer, &token(&old, &server.origin)).await.is_ok());
}

#[tokio::test]
async fn d3_joining_a_fetch_that_began_too_early_asks_again() {
    let server = Server::start().await;
    let (old, new) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::EdDsa));
    server.publish(&[&old]);
    let issuer = open(&server.origin);
    let _loop = Loop::start(&issuer);
    eventually(|| issuer.is_ready()).await;
    let early = Run::begin(&issuer);
    server.publish(&[&new]);
    let (waiting, rotated) = (Arc::clone(&issuer), token(&new, &server.origin));
    let decision = tokio::spawn(async move { decide(&waiting, &rotated).await });
    eventually(|| issuer.finished.receiver_count() > 0).await;
    drop(early);
    assert!(decision.await.unwrap().is_ok());
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn d3_the_old_set_survives_failures_and_withdrawn_keys_go() {
    let server = Server::start().await;
    let (one, two) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::EdDsa));
    server.publish(&[&one, &two]);
    let issuer = open(&server.origin);
    issuer.refresh().await.unwrap();
    server.put("/jwks", Page { head: "HTTP/1.1 500 Oops".into(), body: String::new() });
    assert_eq!(issuer.refresh().await, Err(FetchError::Status(500)));
    assert_eq!(issuer.last_error(), Some(FetchError::Status(500)));
    assert!(issuer.is_ready());
    assert!(decide(&issuer, &token(&one, &server.origin)).await.is_ok());
    server.put("/jwks", Page { head: "HTTP/1.1 200 OK".into(), body: "not json".into() });
    assert_eq!(issuer.refresh().await, Err(FetchError::NotKeySet));
    assert!(decide(&issuer, &token(&one, &server.origin)).await.is_ok());
    server.publish(&[&two]);
    issuer.refresh().await.unwrap();
    let withdrawn = decide(&issuer, &token(&one, &server.origin)).await;
    assert_eq!(withdrawn.err(), Some(TokenFault::KidUnknown.into()));
    assert!(decide(&issuer, &token(&two, &server.origin)).await.is_ok());
    server.publish(&[]);
    assert_eq!(issuer.refresh().await, Err(FetchError::NoUsableKey));
    assert!(!issuer.is_ready());
    assert_eq!(decide(&issuer, &token(&two, &server.origin)).await.err(), unavailable());
}

#[tokio::test]
async fn d3_keys_that_could_not_be_renewed_end_at_their_age() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::Es256);
    server.publish(&[&signer]);
    let issuer = open(&server.origin);
    issuer.refresh().await.unwrap();
    let arrived = issuer.held.load().as_ref().unwrap().fetched_at;
    let age_max = issuer.settings().keys_age_max;
    let kid = signer.kid();
    assert!(issuer.key(&kid, arrived + age_max).await.is_ok());
    assert!(issuer.key(&kid, arrived - Duration::from_secs(60)).await.is_ok());
    let late = issuer.key(&kid, arrived + age_max + Duration::from_secs(1)).await;
    assert_eq!(late.err(), unavailable());
}

#[tokio::test]
async fn d1_the_document_names_this_issuer_and_a_safe_key_url() {
    const PLACE: &str = "/.well-known/openid-configuration";
    let server = Server::start().await;
    server.publish(&[&Signer::new(Algorithm::Es256)]);
    let issuer = open(&server.origin);
    let jwks = format!("{}/jwks", server.origin);
    let cases = [
        (json!({"issuer": "https://evil.test", "jwks_uri": jwks}), FetchError::IssuerMismatch),
        (
            json!({"issuer": format!("{}/", server.origin), "jwks_uri": jwks}),
            FetchError::IssuerMismatch,
        ),
        (json!({"issuer": [server.origin], "jwks_uri": jwks}), FetchError::Discovery),
        (json!({"jwks_uri": jwks}), FetchError::Discovery),
        (json!({"issuer": server.origin}), FetchError::Discovery),
        (json!({"issuer": server.origin, "jwks_uri": "file:///etc/passwd"}), FetchError::Discovery),
        (json!([]), FetchError::Discovery),
    ];
    for (document, error) in cases {
        server.put(PLACE, Page::ok(&document));
        assert_eq!(issuer.refresh().await, Err(error), "{document}");
    }
    assert_eq!(server.hits("/jwks"), 0);
    assert!(!issuer.is_ready());
    server.put(PLACE, Page::ok(&json!({"issuer": server.origin, "jwks_uri": jwks})));
    assert_eq!(issuer.refresh().await, Ok(()));
}

#[tokio::test]
async fn d1_redirects_are_not_followed() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::Es256);
    server.publish(&[&signer]);
    server.put("/elsewhere", key_page(&[&signer]));
    server.put("/jwks", Page::redirect(&format!("{}/elsewhere", server.origin)));
    let issuer = open(&server.origin);
    assert_eq!(issuer.refresh().await, Err(FetchError::Redirected));
    server.put("/.well-known/openid-configuration", Page::redirect("/elsewhere"));
    assert_eq!(issuer.refresh().await, Err(FetchError::Redirected));
    assert_eq!(server.hits("/elsewhere"), 0);
}

#[tokio::test]
async fn d1_documents_are_bounded_in_size() {
    let server = Server::start().await;
    server.publish(&[]);
    let pad = |bytes: usize| Page::ok(&json!({"keys": [], "pad": "x".repeat(bytes)}));
    let issuer = open(&server.origin);
    server.put("/jwks", pad(1024 * 1024));
    assert_eq!(issuer.refresh().await, Err(FetchError::TooLarge));
    server.put("/jwks", pad(1024 * 1024 - 100));
    assert_eq!(issuer.refresh().await, Err(FetchError::NoUsableKey));
}

#[tokio::test]
async fn d1_documents_are_bounded_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    // Connections wait in the accept queue and nobody answers.
    assert_eq!(open(&origin).refresh().await, Err(FetchError::Timeout));
    drop(listener);
}

#[tokio::test]
async fn d2_the_oauth_form_is_tried_where_there_is_no_oidc_document() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::Es256);
    let name = format!("{}/realms/shop", server.origin);
    let document = json!({"issuer": name, "jwks_uri": format!("{}/jwks", server.origin)});
    server.put("/.well-known/oauth-authorization-server/realms/shop", Page::ok(&document));
    server.put("/jwks", key_page(&[&signer]));
    let issuer = open(&name);
    issuer.refresh().await.unwrap();
    assert_eq!(server.hits("/realms/shop/.well-known/openid-configuration"), 1);
    assert!(decide(&issuer, &token(&signer, &name)).await.is_ok());
}

#[tokio::test]
async fn a4_headers_cause_no_fetch_and_known_keys_need_none() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::Es256);
    server.publish(&[&signer]);
    let issuer = open(&server.origin);
    issuer.refresh().await.unwrap();
    let lure = format!("{}/lure", server.origin);
    let header = with(signer.header(), json!({"jku": lure, "x5u": lure}));
    let lured = signer.sign(&header, &with(claims(), json!({ "iss": server.origin })));
    assert!(decide(&issuer, &lured).await.is_ok());
    assert!(decide(&issuer, &token(&signer, &server.origin)).await.is_ok());
    assert_eq!((server.hits("/lure"), server.hits("/jwks")), (0, 1));
}

#[tokio::test]
async fn keys_from_a_url_and_from_a_file() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::Es256);
    server.put("/keys", key_page(&[&signer]));
    let mut by_url = settings("https://idp.test");
    by_url.keys = KeySource::Url(format!("{}/keys", server.origin));
    let issuer = Issuer::open(by_url).unwrap();
    issuer.refresh().await.unwrap();
    assert!(decide(&issuer, &token(&signer, "https://idp.test")).await.is_ok());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let mut by_file = IssuerSettings::new("file", "https://idp.test");
    by_file.keys = KeySource::File(path.clone());
    let unusable = Some(SettingsError::KeysFile(path.clone()));
    assert_eq!(Issuer::open(by_file.clone()).err(), unusable);
    std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
    assert_eq!(Issuer::open(by_file.clone()).err(), unusable);
    std::fs::write(&path, key_page(&[&signer]).body).unwrap();
    let issuer = Issuer::open(by_file).unwrap();
    assert!(issuer.is_ready());
    let other = Signer::new(Algorithm::EdDsa);
    std::fs::write(&path, key_page(&[&other]).body).unwrap();
    issuer.refresh().await.unwrap();
    assert!(decide(&issuer, &token(&other, "https://idp.test")).await.is_ok());
}

#[tokio::test]
async fn d1_tls_is_checked_against_the_private_ca_and_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, server) = tls::server("localhost").await;
    let (other_ca, _other) = tls::server("localhost").await;
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let open = |host: &str, ca: std::path::PathBuf| {
        let mut settings = IssuerSettings::new("tls", "https://idp.test");
        settings.keys = KeySource::Url(format!("https://{host}:{}/", server.port));
        settings.ca = Some(ca);
        Issuer::open(settings)
    };
    let ca = write("ca.pem", &ca);
    assert_eq!(open("localhost", ca.clone()).unwrap().refresh().await, Ok(()));
    let wrong_name = open("127.0.0.1", ca).unwrap().refresh().await;
    assert_eq!(wrong_name, Err(FetchError::Connect));
    let wrong_ca = open("localhost", write("other.pem", &other_ca)).unwrap().refresh().await;
    assert_eq!(wrong_ca, Err(FetchError::Connect));
    let empty = write("empty.pem", "no certificate");
    assert_eq!(open("localhost", empty.clone()).err(), Some(SettingsError::Ca(empty)));
}

#[test]
fn pauses_grow_to_a_bound() {
    let seconds: Vec<u64> = [1, 2, 3, 6, 7, 8, u32::MAX].map(|n| backoff(n).as_secs()).to_vec();
    assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
}

mod tls {
    //! A TLS server with a throw-away CA that serves one key set.

    use std::sync::Arc;

    use rustls::{ServerConfig, crypto::aws_lc_rs};
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::JoinHandle,
    };

    use crate::{
        Algorithm,
        testing::{Signer, key_page},
    };

    pub(super) struct TlsServer {
        pub(super) port: u16,
        task: JoinHandle<()>,
    }

    impl Drop for TlsServer {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    /// The CA as PEM, and the server.
    pub(super) async fn server(name: &str) -> (String, TlsServer) {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = parameters.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let body = key_page(&[&Signer::new(Algorithm::Es256)]).body;
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => break,
                    }
                }
                drop(stream.write_all(reply.as_bytes()).await);
                drop(stream.shutdown().await);
            }
        });
        (ca.pem(), TlsServer { port, task })
    }
}

//! Over real sockets: no certificate, no assertion, a forged one, a good one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use super::super::authority::{Authority, Credential};
use super::super::jose::{self, SigningKey};
use super::super::listener::{self, Listener, Peer, Service};
use super::{ASSERTION, KEYS_PATH, Orders, SERVER_NAME, Verifier};

const NOW: u64 = 1_800_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// TLS checks certificates against the real clock.
fn wall() -> SystemTime {
    crate::clock::now()
}

struct Bench {
    orders: Orders,
    authority: Authority,
    gateway: Credential,
    key: SigningKey,
}

impl Bench {
    async fn new() -> Self {
        let authority = Authority::new(wall()).expect("an authority");
        let verifier = Verifier { issuer: "gateway".to_owned(), audience: "orders".to_owned() };
        let orders = Orders::start(&authority, verifier, now).await.expect("started");
        let gateway = authority.client("gateway.internal").expect("a certificate");
        let key = SigningKey::generate().expect("a key");
        orders.trust(identity(&key).await);
        Self { orders, authority, gateway, key }
    }

    async fn get(&self, assertion: Option<&str>) -> Result<StatusCode, reqwest::Error> {
        self.get_as(Some(&self.gateway), assertion).await
    }

    async fn get_as(
        &self,
        client: Option<&Credential>,
        assertion: Option<&str>,
    ) -> Result<StatusCode, reqwest::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.authority.roots().expect("roots"));
        let tls = match client {
            Some(client) => {
                builder.with_client_auth_cert(client.chain(), client.key()).expect("a pair")
            }
            None => builder.with_no_client_auth(),
        };
        let address = self.orders.address();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(tls)
            .resolve(SERVER_NAME, address)
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        let mut request = client.get(format!("https://{SERVER_NAME}:{}/orders", address.port()));
        if let Some(assertion) = assertion {
            request = request.header(ASSERTION, assertion);
        }
        request.send().await.map(|answer| answer.status())
    }

    fn assertion(&self, key: &SigningKey) -> String {
        let claims = json!({
            "iss": "gateway", "aud": "orders", "iat": NOW, "exp": NOW + 30, "jti": "1",
            "txn": "2", "htm": "GET", "htu": "/orders", "client_id": "shop-reader",
            "tenant": "shop",
            "cnf": { "x5t#S256": jose::thumbprint(self.gateway.chain().first().expect("one")) },
        });
        key.sign("gw-assertion+jwt", &claims).expect("signed")
    }
}

/// A stand-in for the identity listener: plain HTTP, one key set.
async fn identity(key: &SigningKey) -> SocketAddr {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let set = json!({ "keys": [key.jwk()] }).to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let set = set.clone();
            let exchange = hyper::service::service_fn(move |request: Request<_>| {
                let _: &Request<hyper::body::Incoming> = &request;
                let found = request.uri().path() == KEYS_PATH;
                let body = if found { set.clone() } else { String::new() };
                async move {
                    let body = http_body_util::Full::new(Bytes::from(body));
                    Ok::<_, std::convert::Infallible>(Response::new(body))
                }
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            let served = hyper::server::conn::http1::Builder::new();
            tokio::spawn(served.serve_connection(stream, exchange));
        }
    });
    address
}

#[tokio::test]
async fn a_good_assertion_is_served() {
    let bench = Bench::new().await;
    let assertion = bench.assertion(&bench.key);
    assert_eq!(bench.get(Some(&assertion)).await.expect("an answer"), 200);
}

#[tokio::test]
async fn a_missing_or_forged_assertion_is_refused() {
    let bench = Bench::new().await;
    assert_eq!(bench.get(None).await.expect("an answer"), 401);
    let stranger = SigningKey::generate().expect("a key");
    let forged = bench.assertion(&stranger);
    assert_eq!(bench.get(Some(&forged)).await.expect("an answer"), 401);
    let good = bench.assertion(&bench.key);
    let (input, _) = good.rsplit_once('.').expect("three parts");
    let resealed = stranger.seal(input).expect("signed");
    assert_eq!(bench.get(Some(&resealed)).await.expect("an answer"), 401);
}

#[tokio::test]
async fn a_stolen_assertion_is_useless_with_another_certificate() {
    let bench = Bench::new().await;
    let assertion = bench.assertion(&bench.key);
    let thief = bench.authority.client("thief.internal").expect("a certificate");
    let answer = bench.get_as(Some(&thief), Some(&assertion)).await;
    assert_eq!(answer.expect("an answer"), 401);
}

#[tokio::test]
async fn without_a_certificate_of_the_authority_there_is_no_connection() {
    let bench = Bench::new().await;
    let assertion = bench.assertion(&bench.key);
    assert!(bench.get_as(None, Some(&assertion)).await.is_err());
    let other = Authority::new(wall()).expect("another authority");
    let stranger = other.client("gateway.internal").expect("a certificate");
    assert!(bench.get_as(Some(&stranger), Some(&assertion)).await.is_err());
}

struct Echo;

impl Service for Echo {
    async fn answer(&self, request: Request<Bytes>, _peer: Peer) -> Response<Bytes> {
        Response::new(request.into_body())
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_the_small_server_and_one_at_the_limit_passes() {
    let authority = Authority::new(wall()).expect("an authority");
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let server = authority.server(&["127.0.0.1"]).expect("a certificate");
    let tls = listener::tls(&server, None).expect("TLS");
    let _running = Listener::start(socket, address, tls, Arc::new(Echo));
    let roots = authority.roots().expect("roots");
    let client = super::super::client::plain(roots).expect("a client");
    let send =
        |size: usize| client.post(format!("https://{address}/")).body(vec![b'a'; size]).send();
    assert_eq!(send(64 * 1024).await.expect("an answer").status(), 200);
    assert_eq!(send(64 * 1024 + 1).await.expect("an answer").status(), 413);
}

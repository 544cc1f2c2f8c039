//! For tests only: key pairs that sign tokens, and a small HTTP server that plays the issuer.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::Pkcs8V1Der,
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{Algorithm, Demand, Denied, Issuer, IssuerSettings, KeySource, Principal, identify};

/// `iss` of the file based issuer.
pub(crate) const ISSUER: &str = "https://idp.test/realms/shop";
/// `aud` of the tests.
pub(crate) const AUDIENCE: &str = "https://api.test";
/// The tests' now, in seconds: before any real clock, so that keys that arrive now are never too old.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair bound to one algorithm.
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    pair: Pair,
}

impl Signer {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => Pair::Rsa(rsa_pair()),
            Algorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Algorithm::Es384 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
            }
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
        };
        Self { algorithm, pair }
    }

    /// The raw JWS signature.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = if self.algorithm == Algorithm::Ps256 {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                pair.sign(encoding, &rng, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A compact token of any two texts.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        let signature = self.sign_bytes(signed.as_bytes());
        format!("{signed}.{}", b64(signature))
    }

    /// A compact token.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A good header for this key.
    pub(crate) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm.as_str(), "kid": self.kid()})
    }

    pub(crate) fn kid(&self) -> String {
        format!("{}-1", self.algorithm.as_str().to_lowercase())
    }

    /// The public key as a JWK with the key's usual id.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": b64(public.n), "e": b64(public.e)})
            }
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key())})
            }
        };
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm.as_str());
        jwk["kid"] = json!(self.kid());
        jwk
    }
}

/// One RSA key for all tests of a process: making one is slow.
fn rsa_pair() -> RsaKeyPair {
    static DER: OnceLock<Vec<u8>> = OnceLock::new();
    let der = DER.get_or_init(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = aws_lc_rs::encoding::AsDer::as_der(&pair).unwrap();
        der.as_ref().to_vec()
    });
    RsaKeyPair::from_pkcs8(der).unwrap()
}

/// Good claims.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "client_id": "shop-app",
        "iat": NOW - 10, "exp": NOW + 600, "jti": "token-1", "scope": "read:orders write:orders",
        "tenant": "acme", "sla_tier": "gold",
    })
}

/// `value` with some members replaced; `null` removes one.
pub(crate) fn with(mut value: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, change) in changes {
        if change.is_null() {
            value.as_object_mut().unwrap().remove(&name);
        } else {
            value[name] = change;
        }
    }
    value
}

/// An issuer whose keys come from a file, one signer per algorithm.
pub(crate) struct Bench {
    pub(crate) signers: Vec<Signer>,
    pub(crate) issuer: Arc<Issuer>,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_settings(|_| {})
    }

    pub(crate) fn with_settings(change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let signers: Vec<Signer> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| *algorithm != Algorithm::Ps256)
            .map(Signer::new)
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<Value> = signers.iter().map(Signer::jwk).collect();
        let file = write(&folder, "jwks.json", &json!({ "keys": keys }).to_string());
        let mut settings = IssuerSettings::new("shop", ISSUER);
        settings.algorithms = Algorithm::ALL.to_vec();
        settings.keys = KeySource::File(file);
        change(&mut settings);
        Self { signers, issuer: Issuer::open(settings).unwrap(), folder }
    }

    pub(crate) fn signer(&self, algorithm: Algorithm) -> &Signer {
        self.signers.iter().find(|signer| signer.algorithm == algorithm).unwrap()
    }

    /// The signer that most tests use.
    pub(crate) fn es256(&self) -> &Signer {
        self.signer(Algorithm::Es256)
    }

    pub(crate) fn demand(&self) -> Demand {
        demand(&self.issuer)
    }

    /// Decides about a token sent as it should be. Nothing here waits.
    pub(crate) fn decide(&self, token: &str) -> Result<Principal, Denied> {
        at_once(identify(&self.demand(), &bearer(token), now()))
    }

    /// Decides about good parts with some members changed.
    pub(crate) fn decide_changed(
        &self,
        header: Value,
        payload: Value,
    ) -> Result<Principal, Denied> {
        let signer = self.es256();
        self.decide(&signer.sign(&with(signer.header(), header), &with(claims(), payload)))
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        write(&self.folder, name, text)
    }
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

pub(crate) fn demand(issuer: &Arc<Issuer>) -> Demand {
    Demand::Bearer {
        issuers: vec![Arc::clone(issuer)],
        audience: AUDIENCE.to_owned(),
        anonymous_too: false,
    }
}

pub(crate) fn bearer(token: &str) -> HeaderMap {
    authorization(&[&format!("Bearer {token}")])
}

pub(crate) fn authorization(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// The output of a future that must not wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).expect("decided without waiting")
}

/// What the played issuer answers at a path: status line and headers, then the body.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn ok(body: &Value) -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json".to_owned();
        Self { head, body: body.to_string() }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self { head: format!("HTTP/1.1 302 Found\r\nlocation: {to}"), body: String::new() }
    }
}

#[derive(Default)]
struct Site {
    pages: HashMap<String, Page>,
    hits: HashMap<String, usize>,
}

/// An HTTP/1.1 server on loopback, one request per connection.
pub(crate) struct Server {
    site: Arc<Mutex<Site>>,
    pub(crate) origin: String,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Mutex::new(Site::default()));
        let shared = Arc::clone(&site);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { site, origin, task }
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.site.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    /// Publishes a discovery document and a key set.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        let jwks = format!("{}/jwks", self.origin);
        let document = json!({"issuer": self.origin, "jwks_uri": jwks});
        self.put("/.well-known/openid-configuration", Page::ok(&document));
        self.put("/jwks", key_page(signers));
    }

    pub(crate) fn hits(&self, path: &str) -> usize {
        self.site.lock().unwrap().hits.get(path).copied().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn key_page(signers: &[&Signer]) -> Page {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    Page::ok(&json!({ "keys": keys }))
}

async fn answer(mut stream: TcpStream, site: Arc<Mutex<Site>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8(request).unwrap();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    let page = {
        let mut site = site.lock().unwrap();
        *site.hits.entry(path.clone()).or_default() += 1;
        site.pages.get(&path).cloned()
    };
    let page = page.unwrap_or(Page { head: "HTTP/1.1 404 Not Found".into(), body: String::new() });
    let Page { head, body } = page;
    let reply =
        format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    // A client that hung up early is part of some tests.
    drop(stream.write_all(reply.as_bytes()).await);
    drop(stream.shutdown().await);
}

/// Waits until a condition holds, with a generous deadline.
pub(crate) async fn eventually(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("condition within 30 s");
}

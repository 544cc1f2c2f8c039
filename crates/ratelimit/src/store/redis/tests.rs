//! The contract and the outages, against a real `redis-server` that each test starts for itself.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tempfile::TempDir;

use super::Remote;
use crate::key::ClientKey;
use crate::store::tests::{Clock, PATIENCE, bill, contract, slow};
use crate::store::{Answer, Backend, OnOutage, Store, StoreSettings, Verdict};

/// Long, because the machine that runs the tests may be busy; what is tested is what happens after it.
const TIMEOUT: Duration = Duration::from_secs(5);

struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(|_, port| vec!["--port".to_owned(), port.to_string()]).await
    }

    async fn start_with(arguments: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = arguments(folder.path(), port);
        let child = spawn(folder.path(), &arguments);
        let mut server = Self { child, port, folder, arguments };
        server.ready().await;
        server
    }

    async fn restart(&mut self) {
        self.child = spawn(self.folder.path(), &self.arguments);
        self.ready().await;
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn ready(&mut self) {
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "redis-server ended at once");
            assert!(begin.elapsed() < PATIENCE, "redis-server does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn settings(&self, on_outage: OnOutage) -> StoreSettings {
        StoreSettings::Redis {
            url: self.url().into(),
            ca: None,
            on_outage,
            timeout: TIMEOUT,
            prefix: "test".to_owned(),
        }
    }

    fn store(&self, on_outage: OnOutage) -> Arc<Store> {
        Store::open(&self.settings(on_outage)).unwrap()
    }

    fn remote(&self) -> Remote {
        Remote::new(&self.url().into(), None, TIMEOUT, "test").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

fn spawn(folder: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"])
        .arg("--dir")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need the program redis-server: install the package redis-server")
}

async fn passes(store: &Store, key: &ClientKey) -> bool {
    let bill = bill(slow(6), None);
    // A fixed time: what comes back while counting locally does not depend on how busy the machine is.
    match store.settle(key, &bill, UNIX_EPOCH + Duration::from_secs(1_800_000_000)).await {
        Answer::Counted { verdict: Verdict::Spent(_), .. } => true,
        Answer::Counted { verdict: Verdict::Denied(_), .. } => false,
        Answer::Counted { verdict: Verdict::Full, .. }
        | Answer::Uncounted
        | Answer::Unavailable => {
            panic!("not counted")
        }
    }
}

async fn until_degraded_is(store: &Store, degraded: bool) {
    let begin = Instant::now();
    while store.is_degraded() != degraded {
        assert!(begin.elapsed() < PATIENCE, "degraded is still {}", !degraded);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_contract() {
    let server = Server::start().await;
    contract(Arc::new(server.remote())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_a_limit_exactly() {
    let server = Server::start().await;
    let stores = [server.store(OnOutage::Refuse), server.store(OnOutage::Refuse)];
    let key = ClientKey::of("shared", &["client"]);
    let mut passed = 0;
    for round in 0..10 {
        passed += usize::from(passes(&stores[round % 2], &key).await);
    }
    assert_eq!(passed, 6);
}

#[tokio::test]
async fn a_flushed_script_cache_is_filled_again() {
    let server = Server::start().await;
    let remote = server.remote();
    let key = ClientKey::of("flush", &[]);
    let bill = bill(slow(2), None);
    assert!(remote.spend(&key, &bill, Clock::new().now()).await.is_ok());
    let mut line = remote.shared.line().await.unwrap();
    let flush: Result<(), _> =
        super::redis::cmd("SCRIPT").arg("FLUSH").query_async(line.connection()).await;
    flush.unwrap();
    assert!(matches!(remote.spend(&key, &bill, Clock::new().now()).await, Ok(Verdict::Spent(_))));
    assert!(matches!(remote.spend(&key, &bill, Clock::new().now()).await, Ok(Verdict::Denied(_))));
}

#[tokio::test]
async fn keys_say_nothing_about_clients_and_expire() {
    let server = Server::start().await;
    let remote = server.remote();
    let key = ClientKey::of("gold", &["https://idp.example", "app-42"]);
    remote.spend(&key, &bill(slow(2), None), Clock::new().now()).await.unwrap();
    let mut line = remote.shared.line().await.unwrap();
    let keys: Vec<String> =
        super::redis::cmd("KEYS").arg("*").query_async(line.connection()).await.unwrap();
    assert_eq!(keys, [format!("{{test:{}}}", key.hex())]);
    let left_ms: i64 =
        super::redis::cmd("PTTL").arg(&keys[0]).query_async(line.connection()).await.unwrap();
    assert!(left_ms > 900_000 && left_ms <= 1_000_001, "{left_ms}");
}

#[tokio::test]
async fn a_connection_closed_by_the_server_is_not_an_outage() {
    let server = Server::start().await;
    let remote = server.remote();
    let key = ClientKey::of("closed", &[]);
    let bill = bill(slow(9), None);
    for _ in 0..3 {
        assert!(remote.spend(&key, &bill, Clock::new().now()).await.is_ok());
        let other = server.remote();
        let mut line = other.shared.line().await.unwrap();
        let killed: i64 = super::redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
            .query_async(line.connection())
            .await
            .unwrap();
        assert!(killed >= 1);
    }
    assert!(remote.spend(&key, &bill, Clock::new().now()).await.is_ok());
    assert!(!remote.is_degraded());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_counts_locally_and_ends_by_itself() {
    let mut server = Server::start().await;
    let (one, two) = (server.store(OnOutage::Local), server.store(OnOutage::Local));
    let key = ClientKey::of("local", &[]);
    assert!(passes(&one, &key).await && passes(&two, &key).await);
    assert!(!one.is_degraded());

    server.kill();
    for store in [&one, &two] {
        for _ in 0..6 {
            assert!(passes(store, &key).await, "each process by itself");
        }
        assert!(!passes(store, &key).await);
        assert!(store.is_degraded());
    }

    server.restart().await;
    until_degraded_is(&one, false).await;
    until_degraded_is(&two, false).await;
    let mut passed = 0;
    for round in 0..10 {
        passed += usize::from(passes(if round % 2 == 0 { &one } else { &two }, &key).await);
    }
    assert_eq!(passed, 6, "shared again");
}

#[tokio::test]
async fn an_outage_refuses_or_allows_as_told() {
    let mut server = Server::start().await;
    let (refuse, allow) = (server.store(OnOutage::Refuse), server.store(OnOutage::Allow));
    assert!(refuse.connect().await && allow.connect().await);
    server.kill();
    let key = ClientKey::of("told", &[]);
    let bill = bill(slow(1), None);
    for _ in 0..3 {
        assert_eq!(refuse.settle(&key, &bill, Clock::new().now()).await, Answer::Unavailable);
        assert_eq!(allow.settle(&key, &bill, Clock::new().now()).await, Answer::Uncounted);
    }
    assert!(!refuse.connect().await);
}

/// A server that accepts and says nothing must cost a request no more than its timeout.
#[tokio::test]
async fn a_silent_server_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let remote = Remote::new(&url.into(), None, Duration::from_millis(20), "test").unwrap();
    let begin = Instant::now();
    let key = ClientKey::of("silent", &[]);
    assert!(remote.spend(&key, &bill(slow(1), None), Clock::new().now()).await.is_err());
    assert!(remote.is_degraded());
    assert!(begin.elapsed() < PATIENCE);
}

fn certificates(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = parameters.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(parameters, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let paths = (folder.join("ca.pem"), folder.join("server.pem"), folder.join("server.key"));
    std::fs::write(&paths.0, ca_pem).unwrap();
    std::fs::write(&paths.1, leaf.pem()).unwrap();
    std::fs::write(&paths.2, key.serialize_pem()).unwrap();
    paths
}

#[tokio::test]
async fn tls_trusts_the_private_authority_and_no_other() {
    let server = Server::start_with(|folder, port| {
        let (ca, chain, key) = certificates(folder);
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        let port = port.to_string();
        let words = ["--port", "0", "--tls-auth-clients", "no", "--tls-port", &port];
        let files =
            [("--tls-ca-cert-file", ca), ("--tls-cert-file", chain), ("--tls-key-file", key)];
        let files = files.into_iter().flat_map(|(name, file)| [name.to_owned(), path(file)]);
        words.into_iter().map(str::to_owned).chain(files).collect()
    })
    .await;
    let open = |host: &str, ca: &Path| {
        let url = format!("rediss://{host}:{}", server.port);
        Remote::new(&url.into(), Some(ca), TIMEOUT, "test").unwrap()
    };
    let ca = server.folder.path().join("ca.pem");
    assert!(open("localhost", &ca).connect().await);
    assert!(!open("127.0.0.1", &ca).connect().await, "another name");
    let other = TempDir::new().unwrap();
    let (other_ca, ..) = certificates(other.path());
    assert!(!open("localhost", &other_ca).connect().await, "another authority");
}

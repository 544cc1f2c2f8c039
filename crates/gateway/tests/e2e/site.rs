//! A place for one gateway: a folder with certificates, keys, a document and a configuration, and the running binary.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::parts::authority::{Authority, Usage, write_secret};
use crate::parts::kafka::Kafka;
use crate::parts::process::{Process, wait_until};
use crate::parts::redis::Redis;
use crate::parts::{accepts, free_port};
use crate::plain;

/// How long anything of the gateway may take before a test gives up.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// The host of the gateway in every test.
pub(crate) const HOST: &str = "localhost";
/// The audience of the API in every test.
pub(crate) const AUDIENCE: &str = "https://orders.test.example";

/// The files of one gateway.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) port: u16,
    pub(crate) status: u16,
    pub(crate) identity: u16,
}

/// A running gateway; dropping it kills it.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) status: SocketAddr,
    pub(crate) log: PathBuf,
}

impl Site {
    /// Certificates, keys and the orders document; the configuration comes with [`configure`](Self::configure).
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new("test authority");
        let at = folder.path();
        authority.issue("gateway", &[HOST], &[], Usage::Server).write(at, "edge");
        authority.issue("gateway.internal", &[], &[], Usage::Client).write(at, "client");
        fs::write(at.join("ca.pem"), authority.ca_pem()).expect("a CA file");
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        write_secret(&at.join("identity.pem"), &key.serialize_pem());
        write_secret(&at.join("pseudonym"), "a key of a test, long enough to be taken: 0123456789");
        fs::write(at.join("orders.openapi.yaml"), include_str!("orders.openapi.yaml"))
            .expect("a document");
        let [port, status, identity] = [free_port(), free_port(), free_port()];
        Self { folder, authority, port, status, identity }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The port of the listener.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Writes the configuration: listeners, one API and one upstream, and what the test adds.
    pub(crate) fn configure(&self, issuer: &str, upstream: SocketAddr, rest: &str) -> PathBuf {
        let Self { port, status, identity, .. } = self;
        let text = format!(
            r"version: 1
listeners:
  - address: 127.0.0.1:{port}
    http: [1, 2, 3]
    tls: {{ certificates: [{{ chain: edge.pem, key: edge.key }}] }}
status: {{ address: 127.0.0.1:{status} }}
identity: {{ address: 127.0.0.1:{identity} }}
issuers:
  test:
{issuer}
apis:
  - openapi: orders.openapi.yaml
    upstream: orders
    audience: {AUDIENCE}
    access:
      - {{ operations: [deleteOrder], clients: [backoffice] }}
upstreams:
  orders:
    endpoints: [https://{upstream}]
    tls: {{ ca: ca.pem, certificate: {{ chain: client.pem, key: client.key }}, name: orders.internal }}
    identity: {{ assertion: jwt, audience: orders, key: {{ file: identity.pem }} }}
    # A handshake on a busy machine may take its time: a test that wants a timeout sets one.
    timeout: {{ connect: 1m, response: 1m }}
shutdown: {{ limit: 1m }}
{rest}"
        );
        let path = self.path("gateway.yaml");
        fs::write(&path, text).expect("a configuration");
        path
    }

    /// Writes the configuration with another text in one place.
    pub(crate) fn amend(&self, from: &str, to: &str) {
        let path = self.path("gateway.yaml");
        let text = fs::read_to_string(&path).expect("a configuration");
        assert!(text.contains(from), "nothing to amend: {from}");
        fs::write(&path, text.replace(from, to)).expect("a configuration");
    }

    /// Starts `gateway run` and waits until it serves.
    pub(crate) fn start(&self) -> Gateway {
        self.start_by(&mut self.run())
    }

    /// Starts it by a command of the test's own and waits until it serves.
    pub(crate) fn start_by(&self, command: &mut Command) -> Gateway {
        let mut gateway = self.launch(command);
        let (status, address) = (gateway.status, gateway.address);
        gateway.process.wait_until_ready(LIMIT, || accepts(status) && accepts(address));
        gateway
    }

    /// Starts it and waits for nothing.
    pub(crate) fn launch(&self, command: &mut Command) -> Gateway {
        let log = self.path("gateway.log");
        Gateway {
            process: Process::start("gateway", command, &log),
            address: (Ipv4Addr::LOCALHOST, self.port).into(),
            status: (Ipv4Addr::LOCALHOST, self.status).into(),
            log,
        }
    }

    /// `gateway run` with the configuration of this site.
    pub(crate) fn run(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("run").arg(self.path("gateway.yaml"));
        command
    }

    /// All audit events in the file sink so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut text = String::new();
        let Ok(entries) = fs::read_dir(self.path("events")) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        let events = |file: &&PathBuf| file.to_string_lossy().contains("/audit-events");
        for file in files.iter().filter(events) {
            text.push_str(&fs::read_to_string(file).unwrap_or_default());
        }
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.lines().map(|line| serde_json::from_str(line).expect("a JSON event")).collect()
    }

    /// The API Activity events (OCSF 6003) so far.
    pub(crate) fn transactions(&self) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["class_uid"] == 6003).collect()
    }

    /// The events that a stream of a transaction began with (OCSF 4001, Open) so far.
    pub(crate) fn openings(&self, transaction: &str) -> Vec<Value> {
        let mut found = self.events();
        found.retain(|event| {
            event["type_uid"] == 400_101 && event["metadata"]["correlation_uid"] == transaction
        });
        found
    }

    /// Waits for the event that a stream of a transaction began with, while it lasts: there is no other one yet.
    pub(crate) fn await_opening_of(&self, transaction: &str) -> Value {
        wait_until("the opening record of a stream", LIMIT, || {
            !self.openings(transaction).is_empty()
        });
        let mut ended = self.transactions();
        ended.retain(|event| event["metadata"]["uid"] == transaction);
        assert_eq!(ended.len(), 0, "it lasts: {ended:#?}");
        let mut found = self.openings(transaction);
        assert_eq!(found.len(), 1, "one opening per stream: {found:#?}");
        found.remove(0)
    }

    /// Waits for the event of one transaction, and makes sure that there is only one.
    pub(crate) fn await_event_of(&self, transaction: &str) -> Value {
        let mut found = Vec::new();
        wait_until("the audit event of a transaction", LIMIT, || {
            found = self.transactions();
            found.retain(|event| event["metadata"]["correlation_uid"] == transaction);
            !found.is_empty()
        });
        assert_eq!(found.len(), 1, "one event per transaction: {found:#?}");
        found.remove(0)
    }
}

impl Gateway {
    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until everything it depends on works: it serves before it has the keys of its issuers.
    pub(crate) fn await_all_up(&self) {
        wait_until("every state is up", LIMIT, || {
            let ready = plain::ask(self.status, "GET", "/readyz");
            ready.status == 200 && !ready.body.contains(" down")
        });
    }

    /// The sum of all series of a metric whose line has all of these words; 0 where there is none.
    pub(crate) fn metric(&self, words: &[&str]) -> f64 {
        let text = plain::ask(self.status, "GET", "/metrics").body;
        let wanted = |line: &&str| !line.starts_with('#') && words.iter().all(|w| line.contains(w));
        let value =
            |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        text.lines().filter(wanted).filter_map(value).sum()
    }
}

/// The rest of a configuration: limits in Redis, records to a file and to Kafka.
pub(crate) fn redis_and_kafka(redis: &Redis, kafka: &Kafka) -> String {
    format!(
        "limits:
  # The longest time: a Redis that a busy machine lets wait is not away.
  store: {{ redis: {{ url: '{}', on_outage: local, timeout: 1s }} }}
  address: {{ rate: 1000/s, burst: 5000 }}
  tiers: {{ wide: {{ rate: 1000/s, burst: 5000 }}, tiny: {{ rate: 1/h, burst: 2 }} }}
  default_tier: wide
  connections: {{ max_per_address: 10000, new_per_address: {{ rate: 10000/s, burst: 10000 }} }}
audit:
  spool: {{ directory: spool }}
  sinks:
    - file: {{ directory: events }}
    - kafka: {{ brokers: ['{}'], topics: audit, insecure_plaintext: true }}
  pseudonym: {{ key: {{ file: pseudonym }} }}
",
        redis.url(),
        kafka.brokers()
    )
}

/// The audit section with a file sink, for `rest`.
pub(crate) const FILE_SINK: &str = "audit:
  spool: { directory: spool }
  sinks: [{ file: { directory: events } }]
  pseudonym: { key: { file: pseudonym } }
";

/// Limits that no test reaches by accident.
pub(crate) const WIDE_LIMITS: &str = "limits:
  wait: { queue: 1m }
  address: { rate: 1000/s, burst: 5000 }
  tiers: { default: { rate: 1000/s, burst: 5000 }, tiny: { rate: 1/h, burst: 2 } }
  default_tier: default
  connections: { max_per_address: 10000, new_per_address: { rate: 10000/s, burst: 10000 } }
";

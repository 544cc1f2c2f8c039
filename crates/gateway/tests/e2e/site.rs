//! A place for one gateway: a folder with certificates, keys, a document and a configuration, and the running binary.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::parts::authority::{Authority, Usage, write_secret};
use crate::parts::process::{Process, wait_until};
use crate::parts::{accepts, free_port};

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
shutdown: {{ limit: 20s }}
{rest}"
        );
        let path = self.path("gateway.yaml");
        fs::write(&path, text).expect("a configuration");
        path
    }

    /// Starts `gateway run` and waits until it serves.
    pub(crate) fn start(&self) -> Gateway {
        let log = self.path("gateway.log");
        let mut process = self.launch(&log);
        let status: SocketAddr = (Ipv4Addr::LOCALHOST, self.status).into();
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, self.port).into();
        process.wait_until_ready(LIMIT, || accepts(status) && accepts(address));
        Gateway { process, address, status, log }
    }

    /// Starts `gateway run` and waits for nothing.
    pub(crate) fn launch(&self, log: &Path) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("run").arg(self.path("gateway.yaml"));
        Process::start("gateway", &mut command, log)
    }

    /// All audit events in the file sink so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut text = String::new();
        let Ok(entries) = fs::read_dir(self.path("events")) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "jsonl")) {
            text.push_str(&fs::read_to_string(file).unwrap_or_default());
        }
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.lines().map(|line| serde_json::from_str(line).expect("a JSON event")).collect()
    }

    /// The API Activity events (OCSF 6003) so far.
    pub(crate) fn transactions(&self) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["class_uid"] == 6003).collect()
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
}

/// The audit section with a file sink, for `rest`.
pub(crate) const FILE_SINK: &str = "audit:
  spool: { directory: spool }
  sinks: [{ file: { directory: events } }]
  pseudonym: { key: { file: pseudonym } }
";

/// Limits that no test reaches by accident.
pub(crate) const WIDE_LIMITS: &str = "limits:
  address: { rate: 1000/s, burst: 5000 }
  tiers: { default: { rate: 1000/s, burst: 5000 }, tiny: { rate: 1/h, burst: 2 } }
  default_tier: default
";

//! A real OpenSearch, one node, on loopback. It does not know what its indices hold. It chooses its own ports, from 9200
//! on: they are read from its log.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;

/// The version that `scripts/parts/install --soak` fetches.
const JARS: &str = "opensearch-2.19.1";
/// A cold JVM on a busy machine of two cores takes its time.
const START_LIMIT: Duration = Duration::from_secs(240);
/// Seconds that one call may take.
const CALL_SECONDS: &str = "120";

/// A running node; dropping it ends it and deletes what it holds.
#[derive(Debug)]
pub(crate) struct OpenSearch {
    address: SocketAddr,
    folder: TempDir,
    _process: Process,
}

impl OpenSearch {
    /// Starts the node and waits until it answers.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let jars = super::cache().join(JARS);
        assert!(jars.is_dir(), "OpenSearch is not installed: run scripts/parts/install --soak");
        let log = folder.path().join("node.log");
        let mut command = Command::new("java");
        command
            .args(["-Xmx512m", "-cp", &format!("{}/*", jars.display())])
            .arg("org.codelibs.opensearch.runner.OpenSearchRunner")
            .args(["-clusterName", "siem", "-numOfNode", "1", "-useLogger", "-basePath"])
            .arg(folder.path().join("data"))
            .current_dir(folder.path());
        let mut process = Process::start("OpenSearch", &mut command, &log);
        let mut address = None;
        process.wait_until_ready(START_LIMIT, || {
            let told = fs::read_to_string(&log).unwrap_or_default();
            address = told
                .lines()
                .filter(|line| line.contains("HttpServerTransport"))
                .find_map(|line| line.split_once("publish_address {")?.1.split_once('}'))
                .and_then(|(address, _)| address.parse().ok());
            address.is_some()
        });
        let node = Self { address: address.expect("an address"), folder, _process: process };
        super::process::wait_until("OpenSearch answers", START_LIMIT, || {
            node.try_call("GET", "/_cluster/health", "").is_some_and(|it| it["status"] != "red")
        });
        node
    }

    /// Sends a body and gives the answer.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.try_call(method, path, body);
        answer.unwrap_or_else(|| panic!("{method} {path}: no answer of OpenSearch"))
    }

    fn try_call(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        let file = self.folder.path().join("body");
        fs::write(&file, body).expect("a written file");
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-m", CALL_SECONDS, "-X", method, "-H", "content-type: application/json"])
            .arg(format!("http://{}{path}", self.address))
            .stdin(Stdio::null());
        if !body.is_empty() {
            command.arg("--data-binary").arg(format!("@{}", file.display()));
        }
        let output = command.output().expect("curl is there");
        serde_json::from_slice(&output.stdout).ok()
    }
}

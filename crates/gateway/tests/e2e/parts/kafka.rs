//! A real Apache Kafka, one node, on loopback ports. It does not know what its topics hold. Debian's `kcat` reads them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;
use super::{INSTALL, accepts, free_port};

/// The version that `scripts/parts/install` fetches.
const JARS: &str = "kafka-4.3.1";
/// A cold JVM on a busy machine of two cores takes its time.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Seconds after which `timeout` ends one call of `kcat`.
const CLIENT_SECONDS: &str = "60";

/// One message of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Partition it lies in.
    pub(crate) partition: i64,
    /// Offset inside the partition.
    pub(crate) offset: i64,
    /// Its key, if it has one.
    pub(crate) key: Option<String>,
    /// Its value.
    pub(crate) payload: String,
}

/// A running broker; dropping it ends it and deletes its log.
#[derive(Debug)]
pub(crate) struct Kafka {
    address: SocketAddr,
    folder: TempDir,
    process: Process,
}

impl Kafka {
    /// Formats a log folder, starts the broker and waits until it answers; topics get `partitions` partitions.
    pub(crate) fn start(partitions: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (broker, controller) = (free_port(), free_port());
        fs::write(
            folder.path().join("server.properties"),
            properties(folder.path(), broker, controller, partitions),
        )
        .expect("a written file");
        // Any 16 bytes in base64url do; the log belongs to this folder alone.
        let formatted = java()
            .args(["kafka.tools.StorageTool", "format", "-t", "c2FsbHlwb3J0LXRlc3RzMQ", "-c"])
            .arg(folder.path().join("server.properties"))
            .output()
            .unwrap_or_else(|error| panic!("java does not start ({error}): {INSTALL}"));
        assert!(formatted.status.success(), "formatting the log: {}", text(&formatted));
        let process = launch(&folder);
        let address = (Ipv4Addr::LOCALHOST, broker).into();
        let mut kafka = Self { address, folder, process };
        kafka.await_answer();
        kafka
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn brokers(&self) -> String {
        self.address.to_string()
    }

    /// Creates a topic, and waits until its partitions can be asked for.
    pub(crate) fn create_topic(&self, topic: &str) {
        super::process::wait_until("the topic", START_LIMIT, || {
            let listed = self.kcat(&["-L", "-X", "allow.auto.create.topics=true", "-t", topic]);
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            listed.contains(&format!("topic \"{topic}\""))
                && listed.contains("partition 0, leader 1")
        });
    }

    /// Every message of a topic, from its beginning to its present end, partition by partition.
    pub(crate) fn read(&self, topic: &str) -> Vec<Message> {
        let read = self.kcat(&["-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"]);
        assert!(read.status.success(), "kcat: {}", text(&read));
        let mut messages = String::from_utf8(read.stdout)
            .expect("JSON is UTF-8")
            .lines()
            .map(|line| message(&serde_json::from_str(line).expect("a JSON line of kcat")))
            .collect::<Vec<_>>();
        messages.sort_by_key(|message| (message.partition, message.offset));
        messages
    }

    /// Reads a topic again and again until it holds `count` messages.
    pub(crate) fn read_at_least(&self, topic: &str, count: usize, limit: Duration) -> Vec<Message> {
        let mut messages = Vec::new();
        super::process::wait_until("messages on the topic", limit, || {
            messages = self.read(topic);
            messages.len() >= count
        });
        messages
    }

    /// Writes messages, one after the other, each with the key that it has.
    pub(crate) fn write(&self, topic: &str, messages: &[&Message]) {
        let lines = self.folder.path().join("lines");
        let line =
            |m: &&Message| format!("{}\t{}\n", m.key.as_deref().unwrap_or_default(), m.payload);
        fs::write(&lines, messages.iter().map(line).collect::<String>()).expect("a written file");
        let written = self.kcat(&["-P", "-t", topic, "-K", "\t", "-l", &lines.to_string_lossy()]);
        assert!(written.status.success(), "kcat: {}", text(&written));
    }

    /// Kills the broker: connections break. Its log stays.
    pub(crate) fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, with the log it had.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder);
        self.await_answer();
    }

    /// Freezes it: connections stay open, nothing answers.
    pub(crate) fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.process.signal("CONT");
    }

    /// Runs Debian's `kcat` against the broker.
    pub(crate) fn kcat(&self, arguments: &[&str]) -> Output {
        let output = Command::new("timeout")
            .args([CLIENT_SECONDS, "kcat", "-b", &self.brokers()])
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("coreutils are there");
        // 127 is what `timeout` says of a command that does not exist.
        assert_ne!(output.status.code(), Some(127), "kcat is not installed: {INSTALL}");
        output
    }

    fn await_answer(&mut self) {
        let address = self.address;
        self.process.wait_until_ready(START_LIMIT, || accepts(address));
        super::process::wait_until("metadata of Kafka", START_LIMIT, || {
            String::from_utf8_lossy(&self.kcat(&["-L", "-m", "5"]).stdout).contains("broker 1 at")
        });
    }
}

fn message(line: &serde_json::Value) -> Message {
    let text = |name: &str| line.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let number = |name: &str| line.get(name).and_then(serde_json::Value::as_i64);
    Message {
        partition: number("partition").expect("a partition"),
        offset: number("offset").expect("an offset"),
        key: text("key"),
        payload: text("payload").unwrap_or_default(),
    }
}

/// One node that is broker and controller, with everything replicated once (Kafka's KRaft mode).
fn properties(folder: &Path, broker: u16, controller: u16, partitions: u16) -> String {
    let log = folder.join("log").display().to_string();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={log}\n\
         num.partitions={partitions}\n\
         auto.create.topics.enable=true\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=1\n\
         group.initial.rebalance.delay.ms=0\n"
    )
}

fn launch(folder: &TempDir) -> Process {
    let mut command = java();
    command.args(["kafka.Kafka"]).arg(folder.path().join("server.properties"));
    Process::start("kafka", &mut command, &folder.path().join("kafka.log"))
}

/// `java` with Kafka on its class path.
fn java() -> Command {
    let jars = std::env::var_os("SALLYPORT_KAFKA_LIBS")
        .map_or_else(|| super::cache().join(JARS), PathBuf::from);
    assert!(jars.is_dir(), "no Kafka jars in {}: {INSTALL}", jars.display());
    let mut command = Command::new("java");
    // A small heap, and no second compiler: it starts sooner than it would run faster.
    command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp"]).arg(jars.join("*"));
    command
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

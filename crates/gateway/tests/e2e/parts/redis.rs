//! A real Redis on a loopback port, in memory only. It does not know what is stored in it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::free_port;
use super::process::Process;

const START_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A running Redis; dropping it ends it and forgets its data.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    folder: TempDir,
    process: Process,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let process = Self::launch(port, &folder);
        let mut redis = Self { port, folder, process };
        redis.await_answer();
        redis
    }

    /// `redis://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Sends one command of plain words and returns the raw answer (RESP), once it is not empty.
    pub(crate) fn command(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address(), ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(format!("{}\r\n", words.join(" ")).as_bytes())?;
        let mut answer = vec![0_u8; 65_536];
        let read = stream.read(&mut answer)?;
        answer.truncate(read);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Kills it: connections break, its data is gone.
    pub(crate) fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        self.process = Self::launch(self.port, &self.folder);
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

    fn launch(port: u16, folder: &TempDir) -> Process {
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(folder.path());
        Process::start("redis-server", &mut command, &folder.path().join("redis.log"))
    }

    fn await_answer(&mut self) {
        let address = self.address();
        self.process.wait_until_ready(START_LIMIT, || super::accepts(address));
        assert_eq!(self.command(&["PING"]).expect("an answer"), "+PONG\r\n");
    }
}

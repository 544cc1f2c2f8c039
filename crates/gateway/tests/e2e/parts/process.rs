//! A child process that never outlives its value nor the test process. It does not know what it runs.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::INSTALL;

/// Time between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How much of a part's output a failure shows, in bytes.
const SHOWN_BYTES: usize = 8192;

/// Waits until `ready` holds, looking again and again; panics at the deadline.
pub(crate) fn wait_until(what: &str, limit: Duration, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !ready() {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    /// Kills the child when this process ends without dropping values: its input ends with us.
    guard: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command`; standard output and error go to the file `output`.
    pub(crate) fn start(name: &'static str, command: &mut Command, output: &Path) -> Self {
        let log = File::options().create(true).append(true).open(output).expect("a log file");
        let also = log.try_clone().expect("a second handle of the log file");
        let child =
            command.stdin(Stdio::null()).stdout(log).stderr(also).spawn().unwrap_or_else(|error| {
                let missing = error.kind() == ErrorKind::NotFound;
                assert!(!missing, "{name} is not installed: {INSTALL}");
                panic!("{name} does not start: {error}")
            });
        let guard = Command::new("sh")
            .args(["-c", "read -r _; kill -KILL \"$0\" 2>/dev/null", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { name, child, guard, output: output.to_owned() }
    }

    /// Waits until `ready` holds; panics, with the output, when the child ends or the limit passes first.
    pub(crate) fn wait_until_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + limit;
        while !ready() {
            if let Some(status) = self.child.try_wait().expect("the state of a child") {
                panic!("{} ended ({status}) before it was ready:\n{}", self.name, self.output());
            }
            if Instant::now() >= deadline {
                panic!("{} is not ready within {limit:?}:\n{}", self.name, self.output());
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it has written so far.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(&self.output).unwrap_or_default();
        let from = bytes.len().saturating_sub(SHOWN_BYTES);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }

    /// Sends a signal by its name without `SIG`: `STOP`, `CONT`, `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$0\"", &self.child.id().to_string(), name])
            .status()
            .expect("a shell");
        assert!(sent.success(), "signal {name} to {}", self.name);
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Waits for its end and returns how it ended.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of a child") {
                return status;
            }
            if Instant::now() >= deadline {
                panic!("{} has not ended within {limit:?}:\n{}", self.name, self.output());
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// Kills it at once (SIGKILL) and waits for its end.
    pub(crate) fn kill(&mut self) {
        // The guard goes first: afterwards the process id may belong to somebody else.
        drop(self.guard.kill());
        drop(self.guard.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

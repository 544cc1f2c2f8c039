//! `gateway audit drain` and `erase`: what changes what is kept.

use super::{of, secret};
use crate::cli::{print, refuse, tell};
use crate::{clock, config, policy};
use audit::{Trail, inspect};
use clap::Args;
use seal::instance_of;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The key of the seal in the directory of a spool.
const SEAL_KEY: &str = "seal.key";

#[derive(Debug, Args)]
pub(in crate::cli) struct Drain {
    /// The spool of an instance that is gone for good.
    directory: PathBuf,
    /// A configuration file: where its sinks are, and the pseudonym key.
    #[arg(long)]
    config: PathBuf,
    /// The key of the seal of that instance. Default: `seal.key` in its spool.
    #[arg(long)]
    key: Option<PathBuf>,
    /// How long delivery may take, seconds.
    #[arg(long, default_value_t = 600)]
    limit: u64,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Erase {
    /// `metadata.uid` of the event; what belongs to it (`metadata.correlation_uid`) is erased, too.
    uid: String,
    /// The directory of a file sink.
    directory: PathBuf,
}

impl Erase {
    pub(super) fn run(&self) -> io::Result<ExitCode> {
        let erased = inspect::erase(&self.directory, &self.uid);
        let erased = erased.map_err(|error| of(&self.directory, error))?;
        if erased.is_empty() {
            return Err(of(&self.directory, "no event has this uid, or it is erased already"));
        }
        let lines: String = erased.iter().map(|at| format!("erased: {at}\n")).collect();
        Ok(print(&lines))
    }
}

impl Drain {
    pub(super) fn run(&self) -> io::Result<ExitCode> {
        let settings = match config::load(&self.config) {
            Ok(settings) => settings,
            Err(refused) => return Ok(refuse(&refused.mistakes)),
        };
        let unreadable = |error: io::Error| of(&self.directory, error);
        let nothing = || of(&self.directory, "nothing of a log is here");
        let logs = inspect::logs_of_spool(&self.directory).map_err(unreadable)?;
        let (first, last) = logs.ok_or_else(nothing)?;
        let name = instance_of(&last).ok_or_else(nothing)?.to_owned();
        let key = self.key.clone().unwrap_or_else(|| self.directory.join(SEAL_KEY));
        let (directory, key) = (self.directory.clone(), secret(&key)?);
        let orphan = policy::Orphan { directory, name, first_log: first, key };
        let drained = match policy::drained(&settings, orphan) {
            Ok(drained) => drained,
            Err(mistake) => return Ok(refuse(&[mistake])),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let trail =
            Trail::open(drained, clock::now()).map_err(|error| of(&self.directory, error))?;
        let done = runtime.block_on(trail.close(Duration::from_secs(self.limit)));
        Ok(told(&self.directory, &trail, done))
    }
}

fn told(directory: &Path, trail: &Trail, done: bool) -> ExitCode {
    let health = trail.health();
    let mut lines = String::new();
    for sink in &health.sinks {
        let fault = sink.fault.map_or(String::new(), |fault| format!(", {fault}"));
        lines.push_str(&format!("{}: {} events are left{fault}\n", sink.name, sink.backlog_events));
    }
    for (place, fault) in &health.seal.places {
        if let Some(fault) = fault {
            lines.push_str(&format!("{place}: {fault}\n"));
        }
    }
    lines.push_str(&format!("sealed: {} events of {}\n", health.seal.size, health.seal.log));
    let published = health.seal.places.iter().all(|(_, fault)| fault.is_none());
    if done && health.seal.ok && published {
        return print(&format!("{lines}{}: drained\n", directory.display()));
    }
    tell(&lines);
    ExitCode::FAILURE
}

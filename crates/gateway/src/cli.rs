//! The command line: `run`, `check`, `schema`, `explain`, `demo`, `audit`.
//!
//! Exit codes: 0 done, 1 something failed while running, 2 the configuration is refused.

mod audit;

use crate::config;
use crate::explain;
use crate::policy::{self, Engines};
use crate::routes::Routes;
use crate::run::{Gateway, Inheritance};
use crate::{demo, telemetry};
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::runtime::Builder;
use validate::Unbounded;

/// The configuration is refused.
const REFUSED: u8 = 2;

/// A secure API gateway: nothing gets in that was not proved outside.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve what a configuration file describes.
    Run {
        /// The configuration file (YAML).
        config: PathBuf,
        /// The process to tell to go (SIGTERM) as soon as this one serves. Pass it the sockets
        /// (LISTEN_FDS); SIGUSR2 to a running gateway does both.
        #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(2..))]
        replaces: Option<u32>,
    },
    /// Tell every mistake in a configuration file, then every weakening in force.
    Check {
        /// The configuration file (YAML).
        config: PathBuf,
    },
    /// Keys and rosters of the audit trail, and the check of what it left.
    Audit {
        /// What to do.
        #[command(subcommand)]
        command: Box<audit::Audit>,
    },
    /// Print the JSON Schema of the configuration.
    Schema,
    /// List the rules of the attack filter, or tell one: what it finds, why, examples, exceptions.
    Explain {
        /// The id of a rule, as records and answers carry it (`filter.ID`).
        #[arg(long, value_name = "ID")]
        rule: Option<String>,
    },
    /// Run an issuer, a service and a gateway in front of it, on loopback, with nothing to install.
    Demo {
        /// Send the requests, print a table, and exit 1 where an answer differs.
        #[arg(long)]
        tour: bool,
    },
}

/// Reads the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config, replaces } => block_on(&mut control(), run(config, replaces)),
        Command::Check { config } => block_on(&mut control(), async move { check(&config).await }),
        Command::Audit { command } => audit::main(*command),
        Command::Schema => schema(),
        Command::Explain { rule } => tell_rules(rule.as_deref()),
        Command::Demo { tour } => block_on(&mut Builder::new_multi_thread(), demonstrate(tour)),
    }
}

/// The runtime of everything but requests, which have workers of their own: keys, inner listeners, signals.
fn control() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1);
    builder
}

fn block_on(runtime: &mut Builder, future: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => fail(&format!("cannot start the runtime: {error}")),
    }
}

async fn run(config: PathBuf, replaces: Option<u32>) -> ExitCode {
    telemetry::log_to_stderr();
    telemetry::leave_no_core();
    let inheritance = match Inheritance::from_environment(replaces) {
        Ok(inheritance) => inheritance,
        Err(error) => return fail(&format!("take over the passed sockets: {error}")),
    };
    let gateway = match Gateway::start(&config, inheritance).await {
        Ok(gateway) => gateway,
        Err(crate::run::StartError::Config(mistakes)) => return refuse(&mistakes),
        Err(error) => return fail(&error.to_string()),
    };
    gateway.until_stopped().await;
    ExitCode::SUCCESS
}

async fn demonstrate(tour: bool) -> ExitCode {
    match demo::run(tour).await {
        Ok(code) => code,
        Err(error) => fail(&error.to_string()),
    }
}

/// Compiles the policy exactly as `run` does, and throws it away: nothing is bound or connected.
async fn check(path: &Path) -> ExitCode {
    let policy = match policy::load(path, &Engines::default()) {
        Ok((_, policy)) => policy,
        Err(mistakes) => return refuse(&mistakes),
    };
    let mut report = format!("{}: no mistakes\n", path.display());
    report.push_str(&format!("policy {}, {} operations\n", policy.hash, policy.routes.len()));
    report.push_str(&format!("weakenings in force: {}\n", policy.weakenings.len()));
    for weakening in &policy.weakenings {
        report.push_str(&format!("  {}: {}\n", weakening.place, weakening.what));
    }
    report.push_str(&unbounded(&policy.routes));
    print(&report)
}

/// What the documents leave without a size, each with the default one that holds: no mistake, but worth a `maxLength`.
fn unbounded(routes: &Routes) -> String {
    let mut lines = Vec::new();
    for route in routes.every() {
        for found in route.contract.unbounded() {
            let Unbounded { place, limit, most } = found;
            lines.push(format!("  {}: {}: {place}: {limit} {most}\n", route.api, route.operation));
        }
    }
    format!("values without a size of their own: {}\n{}", lines.len(), lines.concat())
}

fn schema() -> ExitCode {
    print(&format!("{:#}\n", config::schema()))
}

fn tell_rules(id: Option<&str>) -> ExitCode {
    let Some(id) = id else { return print(&explain::list()) };
    match explain::rule(id) {
        Some(text) => print(&text),
        None => fail("no rule has this id: `gateway explain` lists them"),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(mistakes: &[config::Mistake]) -> ExitCode {
    let mut report = String::new();
    for mistake in mistakes {
        report.push_str(&format!("{mistake}\n"));
    }
    report.push_str(&format!("refused: {} mistakes\n", mistakes.len()));
    tell(&report);
    ExitCode::from(REFUSED)
}

fn fail(what: &str) -> ExitCode {
    tell(&format!("gateway: {what}\n"));
    ExitCode::FAILURE
}

fn tell(text: &str) {
    // Where standard error is gone, the exit code is all that is left to say.
    if io::stderr().write_all(text.as_bytes()).is_err() {}
}

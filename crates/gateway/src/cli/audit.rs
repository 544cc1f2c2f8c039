//! `gateway audit`: keys, rosters, and the check of what the audit trail left. It needs no configuration and no running gateway.
//!
//! Exit codes of `verify`: 0 nothing was done to it, 1 something was found, 2 it could not be checked.

use super::{fail, print, tell};
use crate::clock;
use clap::Subcommand;
use seal::{NOTE_BYTES_MAX, Roster, SigningKey, VerifyKey};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;
use zeroize::Zeroizing;

mod change;
mod look;
mod place;
mod verify;

use change::{Drain, Erase};
use look::{Query, Tail};
use place::Where;
use verify::Verify;

/// Something was done to what is checked.
const FOUND: u8 = 1;
/// It could not be checked.
const UNCHECKED: u8 = 2;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Make a key: of an instance (NAME is GATEWAY/audit/INSTANCE) or of a fleet. The secret goes to FILE, its
    /// public half to standard output.
    Key {
        /// Whose it is.
        name: String,
        /// A new file, mode 0600.
        file: PathBuf,
    },
    /// Print the public half of the key in FILE.
    Public {
        /// The secret key.
        file: PathBuf,
    },
    /// Sign the list of instances and their keys with the key of the fleet; the roster goes to standard output.
    Roster {
        /// The secret key of the fleet; keep it offline.
        #[arg(long)]
        fleet_key: PathBuf,
        /// Public keys of instances, as `gateway audit public` prints them, or files with one a line.
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Prove that nothing was changed, removed, added, reordered or rolled back, or say what was, and where.
    Verify(Verify),
    /// Print the last events, and go on as they come.
    Tail(Tail),
    /// Print the events that are asked for.
    Query(Query),
    /// Deliver what an instance that is gone left in its spool, to the sinks of a configuration.
    Drain(Drain),
    /// Erase one event in the files of a sink; its leaf hash stays, so its log verifies as before.
    Erase(Erase),
    /// Hand out one event with the proof that it is in its log. It goes to standard output.
    Prove {
        /// `metadata.uid`.
        uid: String,
        #[command(flatten)]
        at: Where,
    },
}

/// Does what was asked.
pub(super) fn main(audit: Audit) -> ExitCode {
    let done = match audit {
        Audit::Key { name, file } => make_key(&name, &file),
        Audit::Public { file } => secret(&file).map(|key| print(&format!("{}\n", key.public()))),
        Audit::Roster { fleet_key, members } => roster(&fleet_key, &members),
        Audit::Prove { uid, at } => prove(&uid, &at),
        Audit::Tail(tail) => tail.run(),
        Audit::Query(query) => query.run(),
        Audit::Drain(drain) => drain.run(),
        Audit::Erase(erase) => erase.run(),
        Audit::Verify(verify) => {
            return match verify.run() {
                Ok(code) => code,
                Err(error) => {
                    tell(&format!("gateway: {error}\n"));
                    ExitCode::from(UNCHECKED)
                }
            };
        }
    };
    done.unwrap_or_else(|error| fail(&error.to_string()))
}

/// An error that names its file.
fn of(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

fn read(path: &Path, bytes_max: usize) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| of(path, error))?;
    let read = file.take(bytes_max as u64 + 1).read_to_string(&mut text);
    match read.map_err(|error| of(path, error))? {
        read if read > bytes_max => Err(of(path, "too large")),
        _ => Ok(text),
    }
}

fn secret(path: &Path) -> io::Result<SigningKey> {
    let text = Zeroizing::new(read(path, NOTE_BYTES_MAX)?);
    SigningKey::parse(&text).map_err(|fault| of(path, fault))
}

fn make_key(name: &str, path: &Path) -> io::Result<ExitCode> {
    let (key, secret) = SigningKey::generate(name).map_err(io::Error::other)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| of(path, error))?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    Ok(print(&format!("{}\n", key.public())))
}

/// Public keys: the text itself, or a file with one a line.
fn public(text: &str) -> io::Result<Vec<VerifyKey>> {
    if let Ok(key) = VerifyKey::parse(text) {
        return Ok(vec![key]);
    }
    let path = Path::new(text);
    let keys = read(path, NOTE_BYTES_MAX)?;
    let keys = keys.lines().filter(|line| !line.trim().is_empty()).map(VerifyKey::parse);
    keys.collect::<Result<_, _>>().map_err(|fault| of(path, fault))
}

fn roster(fleet_key: &Path, members: &[String]) -> io::Result<ExitCode> {
    let key = secret(fleet_key)?;
    let mut keys = Vec::new();
    for member in members {
        keys.extend(public(member)?);
    }
    let time_s = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(print(&Roster::sign(&key, time_s, keys)))
}

fn prove(uid: &str, at: &Where) -> io::Result<ExitCode> {
    match at.open()?.prove(uid).map_err(|error| at.of(error))? {
        Some(proof) => Ok(print(&proof.to_text())),
        None => Err(at.of("no sealed event has this uid")),
    }
}

//! `gateway audit`: keys, rosters, and the check of what the audit trail left. It needs no configuration and no running gateway.
//!
//! Exit codes of `verify`: 0 nothing was done to it, 1 something was found, 2 it could not be checked.

use super::{fail, print, tell};
use crate::clock;
use audit::inspect::Kept;
use clap::{Args, Subcommand};
use seal::verify::{Report, Trust};
use seal::{NOTE_BYTES_MAX, PROOF_BYTES_MAX, Proof, Roster, SigningKey, VerifyKey};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;
use zeroize::Zeroizing;

/// Something was done to what is checked.
const FOUND: u8 = 1;
/// Largest file of pins, bytes.
const PINS_BYTES_MAX: usize = 1 << 30;
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
    /// Hand out one event with the proof that it is in its log. It goes to standard output.
    Prove {
        /// `metadata.uid`.
        uid: String,
        /// The directory of a spool or of a file sink.
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The directory of a spool or of a file sink.
    #[arg(required_unless_present = "proof")]
    directory: Option<PathBuf>,
    /// The public key of the fleet, or a file with it.
    #[arg(long, requires = "roster")]
    fleet_key: Option<String>,
    /// The roster that the fleet signed: every instance in it must have a log.
    #[arg(long, requires = "fleet_key")]
    roster: Option<PathBuf>,
    /// The public key of an instance, or a file with it; where there is no roster.
    #[arg(long = "key")]
    keys: Vec<String>,
    /// A file with checkpoints that were kept elsewhere: a signed note, or JSON lines with one each.
    #[arg(long = "pin")]
    pins: Vec<PathBuf>,
    /// Older files were moved elsewhere: what lies before the first event of a log is not missed. A spool is always
    /// so: what was delivered is gone from it.
    #[arg(long)]
    partial: bool,
    /// Check this proof of one event; no directory is needed.
    #[arg(long, conflicts_with_all = ["directory", "pins", "partial"])]
    proof: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(super) fn main(audit: Audit) -> ExitCode {
    let done = match audit {
        Audit::Key { name, file } => make_key(&name, &file),
        Audit::Public { file } => secret(&file).map(|key| print(&format!("{}\n", key.public()))),
        Audit::Roster { fleet_key, members } => roster(&fleet_key, &members),
        Audit::Prove { uid, directory } => prove(&uid, &directory),
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

fn prove(uid: &str, directory: &Path) -> io::Result<ExitCode> {
    let kept = Kept::open(directory).map_err(|error| of(directory, error))?;
    match kept.prove(uid).map_err(|error| of(directory, error))? {
        Some(proof) => Ok(print(&proof.to_text())),
        None => Err(of(directory, "no sealed event has this uid")),
    }
}

/// The notes of a file: one, or JSON lines with one each.
fn notes(path: &Path) -> io::Result<Vec<(String, String)>> {
    let text = read(path, PINS_BYTES_MAX)?;
    let name = path.display().to_string();
    if !text.starts_with('{') {
        return Ok(vec![(text, name)]);
    }
    let mut notes = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).map_err(|e| of(path, e))?;
        let note = line.get("note").and_then(serde_json::Value::as_str);
        notes.push((
            note.ok_or_else(|| of(path, "a line without a note"))?.to_owned(),
            name.clone(),
        ));
    }
    Ok(notes)
}

impl Verify {
    fn run(self) -> io::Result<ExitCode> {
        let trust = self.trust()?;
        if let Some(proof) = &self.proof {
            return self.check_proof(proof, &trust);
        }
        let directory = self.directory.clone().unwrap_or_default();
        let mut pins = Vec::new();
        for pin in &self.pins {
            pins.extend(notes(pin)?);
        }
        let kept = Kept::open(&directory).map_err(|error| of(&directory, error))?;
        let report = kept.check(trust, &pins, self.partial);
        Ok(self.tell(&report.map_err(|error| of(&directory, error))?))
    }

    fn trust(&self) -> io::Result<Trust> {
        let mut trust = Trust::default();
        for key in &self.keys {
            trust.keys.extend(public(key)?);
        }
        if let (Some(fleet_key), Some(path)) = (&self.fleet_key, &self.roster) {
            let fleet = public(fleet_key)?;
            let [fleet] = fleet.as_slice() else {
                return Err(io::Error::other("one key of the fleet is needed"));
            };
            let roster = Roster::open(&read(path, NOTE_BYTES_MAX)?, fleet);
            trust.roster = Some(roster.map_err(|fault| of(path, fault))?);
        }
        if trust.keys.is_empty() && trust.roster.is_none() {
            return Err(io::Error::other(
                "whom to believe? give --fleet-key and --roster, or --key",
            ));
        }
        Ok(trust)
    }

    fn tell(&self, report: &Report) -> ExitCode {
        let text = if self.json { format!("{:#}\n", report.to_json()) } else { report.to_string() };
        let printed = print(&text);
        if report.is_clean() { printed } else { ExitCode::from(FOUND) }
    }

    fn check_proof(&self, path: &Path, trust: &Trust) -> io::Result<ExitCode> {
        let proof = Proof::parse(&read(path, PROOF_BYTES_MAX)?).map_err(|fault| of(path, fault))?;
        let members = trust.roster.iter().flat_map(|roster| &roster.members);
        let instance = proof.instance().unwrap_or_default();
        let mut keys = trust.keys.iter().chain(members).filter(|key| key.name() == instance);
        let Some(sealed) = keys.find_map(|key| proof.verify(key).ok()) else {
            tell(&format!("{}: it does not prove its event\n", path.display()));
            return Ok(ExitCode::from(FOUND));
        };
        let checkpoint = &sealed.checkpoint;
        let (index, size) = (proof.inclusion.index, checkpoint.size);
        let event = String::from_utf8_lossy(&proof.entry).into_owned();
        let time_s = sealed.time_s;
        Ok(print(&if self.json {
            let log = &checkpoint.origin;
            let event: serde_json::Value = serde_json::from_str(&event).unwrap_or_default();
            let told = serde_json::json!({
                "log": log, "index": index, "size": size, "time_s": time_s, "event": event,
            });
            format!("{told:#}\n")
        } else {
            format!("good: event {index} of {} ({size} sealed)\n{event}\n", checkpoint.origin)
        }))
    }
}

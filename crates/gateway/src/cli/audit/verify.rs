//! `gateway audit verify`: what was done to the audit trail, told to people or to programs.

use super::place::Where;
use super::{FOUND, of, public, read};
use crate::cli::{print, tell};
use clap::Args;
use seal::verify::{Report, Trust};
use seal::{NOTE_BYTES_MAX, PROOF_BYTES_MAX, Proof, Roster};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Largest file of pins, bytes.
const PINS_BYTES_MAX: usize = 1 << 30;

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    at: Where,
    /// The public key of the fleet, or a file with it.
    #[arg(long)]
    fleet_key: Option<String>,
    /// The roster that the fleet signed: every instance in it must have a log. Default: the file `roster` in the directory;
    /// an older one put there in its place is not found out, so have the newest of your own.
    #[arg(long, requires = "fleet_key")]
    roster: Option<PathBuf>,
    /// The public key of an instance, or a file with it; where there is no roster.
    #[arg(long = "key")]
    keys: Vec<String>,
    /// Checkpoints that were kept elsewhere: a file with a signed note, or JSON lines with one each; or a topic,
    /// `kafka://HOST:PORT/TOPIC`.
    #[arg(long = "pin")]
    pins: Vec<String>,
    /// Older files were moved elsewhere: what lies before the first event of a log is not missed. A spool is always
    /// so: what was delivered is gone from it.
    #[arg(long)]
    partial: bool,
    /// Check this proof of one event; no directory is needed.
    #[arg(long, conflicts_with_all = ["directory", "kafka", "pins", "partial"])]
    proof: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
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
    pub(super) fn run(self) -> io::Result<ExitCode> {
        let trust = self.trust()?;
        if let Some(proof) = &self.proof {
            return self.check_proof(proof, &trust);
        }
        let mut pins = Vec::new();
        for pin in &self.pins {
            match pin.strip_prefix("kafka://") {
                Some(topic) => pins.extend(self.at.cluster.notes(topic)?),
                None => pins.extend(notes(Path::new(pin))?),
            }
        }
        let report = self.at.open()?.check(trust, &pins, self.partial);
        Ok(self.tell(&report.map_err(|error| self.at.of(error))?))
    }

    fn trust(&self) -> io::Result<Trust> {
        let mut trust = Trust::default();
        for key in &self.keys {
            trust.keys.extend(public(key)?);
        }
        if let Some(fleet_key) = &self.fleet_key {
            let beside = || Some(self.at.directory()?.join("roster"));
            let missing = || io::Error::other("which roster? give --roster");
            let path = &self.roster.clone().or_else(beside).ok_or_else(missing)?;
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

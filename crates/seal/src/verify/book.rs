//! The first pass: which checkpoints there are, whether they are signed by those who may, whether two of them disagree, and
//! what pins and the roster know beside them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::report::{Finding, Kind, Location, Report};
use crate::checkpoint::{Checkpoint, Sealed, instance_of};
use crate::key::VerifyKey;
use crate::note::NoteFault;
use crate::record::Record;
use crate::roster::Roster;
use crate::tree::Hash;

/// Checkpoints of a log that are remembered to see one come again.
const RECENT_MAX: usize = 256;

/// Gives the checkpoint lines from a place on, as often as asked.
pub trait RecordSource {
    /// The lines from there to the end, with their places.
    fn lines(&self, from: &Location) -> Box<dyn Iterator<Item = (Location, Vec<u8>)> + '_>;
}

/// Whose checkpoints are believed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys of instances, under the names of the instances.
    pub keys: Vec<VerifyKey>,
    /// From outside of what is checked: each of its members must have a log.
    pub roster: Option<Roster>,
}

impl Trust {
    /// Whether anybody vouches for the instance of a log.
    pub(super) fn knows(&self, log: &str) -> bool {
        instance_of(log).is_some_and(|instance| self.keys_of(instance).next().is_some())
    }

    /// Names of all instances that must have a log.
    pub(super) fn members(&self) -> BTreeSet<&str> {
        self.roster.iter().flat_map(|roster| &roster.members).map(VerifyKey::name).collect()
    }

    fn keys_of<'t>(&'t self, instance: &'t str) -> impl Iterator<Item = &'t VerifyKey> {
        let members = self.roster.iter().flat_map(|roster| &roster.members);
        self.keys.iter().chain(members).filter(move |key| key.name() == instance)
    }

    /// Opens a checkpoint by the keys of its instance.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(&self, note: &str) -> Result<Sealed, (Kind, Option<Checkpoint>)> {
        let Ok((_, checkpoint)) = Checkpoint::read(note) else {
            return Err((Kind::CheckpointUnreadable, None));
        };
        let instance = instance_of(&checkpoint.origin).unwrap_or_default();
        let mut fault = Kind::WrongOrigin;
        for key in self.keys_of(instance) {
            match Checkpoint::open(note, key) {
                Ok(sealed) => return Ok(sealed),
                Err(NoteFault::Signature) => fault = Kind::BadSignature,
                Err(NoteFault::OtherKey) if fault == Kind::WrongOrigin => fault = Kind::WrongKey,
                Err(NoteFault::OtherKey | NoteFault::Malformed | NoteFault::Origin) => {}
            }
        }
        Err((fault, Some(checkpoint)))
    }
}

/// What is known of a log from its checkpoints.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Its first line.
    pub(super) from: Location,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) time_s: Option<u64>,
    pub(super) ended: bool,
    recent: VecDeque<(u64, Hash)>,
}

/// A root that somebody outside keeps.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    pub(super) root: Hash,
    pub(super) whose: String,
}

/// All checkpoints.
#[derive(Debug)]
pub struct Book {
    pub(super) trust: Trust,
    pub(super) logs: BTreeMap<String, Kept>,
    /// In the order of their first lines.
    pub(super) order: Vec<String>,
    pub(super) pins: BTreeMap<String, BTreeMap<u64, Vec<Pinned>>>,
    pub(super) report: Report,
    told: BTreeSet<(String, Kind)>,
}

impl Book {
    /// An empty one.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            logs: BTreeMap::new(),
            order: Vec::new(),
            pins: BTreeMap::new(),
            report: Report::default(),
            told: BTreeSet::new(),
        }
    }

    /// Takes the next line of checkpoints.
    pub fn line(&mut self, line: &[u8], at: &Location) {
        let Some(record) = Record::parse(line) else {
            let finding = Finding::new(Kind::CheckpointUnreadable, "");
            return self.report.add(finding.at(at).detail("a line that is no checkpoint"));
        };
        match self.trust.open(&record.note) {
            Ok(sealed) => self.sealed(&record, sealed, at),
            Err((kind, checkpoint)) => {
                let log = checkpoint.map(|checkpoint| checkpoint.origin).unwrap_or_default();
                // One wrong key signs many: it is told once a log.
                if kind == Kind::BadSignature || self.told.insert((log.clone(), kind)) {
                    self.report.add(Finding::new(kind, &log).at(at).detail("a checkpoint"));
                }
            }
        }
    }

    fn sealed(&mut self, record: &Record, sealed: Sealed, at: &Location) {
        let Checkpoint { origin, size, root } = sealed.checkpoint;
        let Some(kept) = self.logs.get_mut(&origin) else {
            let (time_s, ended) = (sealed.time_s, record.ended);
            let recent = VecDeque::from([(size, root)]);
            let kept = Kept { from: at.clone(), size, root, time_s, ended, recent };
            self.order.push(origin.clone());
            self.logs.insert(origin, kept);
            return;
        };
        let other = kept.recent.iter().find(|(known, other)| *known == size && *other != root);
        if other.is_some() {
            let finding = Finding::new(Kind::Fork, &origin).index(size).at(at);
            let detail = "two checkpoints of this size have different roots";
            return self.report.add(finding.detail(detail));
        }
        if size < kept.size {
            return;
        }
        (kept.size, kept.root, kept.ended) = (size, root, record.ended);
        kept.time_s = kept.time_s.max(sealed.time_s);
        if kept.recent.back() != Some(&(size, root)) {
            kept.recent.push_back((size, root));
        }
        if kept.recent.len() > RECENT_MAX {
            kept.recent.pop_front();
        }
    }

    /// Takes a checkpoint that somebody outside kept.
    pub fn pin(&mut self, note: &str, whose: &str) {
        match self.trust.open(note) {
            Ok(sealed) => {
                let Checkpoint { origin, size, root } = sealed.checkpoint;
                let pinned = Pinned { root, whose: whose.to_owned() };
                let there = self.pins.entry(origin).or_default().entry(size).or_default();
                // An idle log is pinned again and again.
                if there.iter().all(|other| other.root != root) {
                    there.push(pinned);
                }
            }
            Err((kind, checkpoint)) => {
                let log = checkpoint.map(|checkpoint| checkpoint.origin).unwrap_or_default();
                self.report.add(Finding::new(kind, &log).detail(format!("the pin {whose}")));
            }
        }
    }

    /// Where an entry of this log is proved: its checkpoints' first line and their last size.
    #[must_use]
    pub fn log(&self, origin: &str) -> Option<(&Location, u64)> {
        self.logs.get(origin).map(|kept| (&kept.from, kept.size))
    }

    /// Whether something was said of the checkpoints of a log that are not believed.
    pub(super) fn has_told(&self, log: &str) -> bool {
        self.told.iter().any(|(told, _)| told == log)
    }
}

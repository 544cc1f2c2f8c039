//! A directory of a spool or of a file sink, read by who checks it. Nothing is written, and no process needs to run. Memory is
//! that of a line, whatever the size of the files.

mod files;
mod lines;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use seal::verify::{
    Auditor, Book, Bounds, FormerClaim, Location, RecordSource, Report, Seen, Trust,
};
use seal::{Hash, LINE_BYTES_MAX, Proof, Prover, Record};
use serde_json::Value;

use crate::event::{EVENT_BYTES_MAX, EventPlace, LOG_BYTES_MAX, SEQUENCES};
use crate::sealing::lost_leaf;
use crate::spool::reader::Reader;
use crate::spool::{Cursor, segment};
use files::Files;
use lines::Lines;

/// Longest line of an event: itself, and its place.
const EVENT_LINE_BYTES_MAX: usize = EVENT_BYTES_MAX + LOG_BYTES_MAX + 128;
/// What is between the uid and the hash of an erased event.
const ERASED: &str = r#""},"erased":""#;

/// The events and checkpoints of one directory, and of the folders of processes that followed each other.
#[derive(Debug)]
pub struct Kept {
    checkpoints: Vec<Arc<str>>,
    events: Vec<Arc<str>>,
    spools: Vec<PathBuf>,
    /// A file that could not be read to its end: nothing is proved then.
    fault: Mutex<Option<io::Error>>,
}

impl Kept {
    /// Finds what there is to check.
    ///
    /// # Errors
    /// The directory cannot be read, or holds neither segments nor files of a sink.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let Files { checkpoints, events, spools } = Files::find(directory)?;
        if events.is_empty() && spools.is_empty() && checkpoints.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no audit files are here"));
        }
        Ok(Self { checkpoints, events, spools, fault: Mutex::new(None) })
    }

    /// Whether it is a spool: what was delivered is gone from it.
    #[must_use]
    pub fn is_spool(&self) -> bool {
        !self.spools.is_empty()
    }

    /// Holds every event against the checkpoints. `pins` are notes and what they are called; with `partial`, what lies before
    /// the first event of a log is not missed.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn check(
        &self,
        trust: Trust,
        pins: &[(String, String)],
        partial: bool,
    ) -> io::Result<Report> {
        let mut book = Book::new(trust);
        for (at, line) in self.all_lines() {
            book.line(&line, &at);
        }
        pins.iter().for_each(|(note, whose)| book.pin(note, whose));
        let bounds = Bounds { partial: partial || self.is_spool(), lost: Some(lost_leaf()) };
        let mut auditor = Auditor::new(&book, self, bounds);
        self.each(&mut |at, event| {
            take(&mut auditor, at, event);
            true
        })?;
        let report = auditor.finish();
        match self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(report),
            Some(error) => Err(error),
        }
    }

    /// Every event with its place, until `f` says that it is enough.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn each(&self, f: &mut dyn FnMut(&Location, &[u8]) -> bool) -> io::Result<()> {
        for directory in &self.spools {
            if !spooled(directory, f)? {
                return Ok(());
            }
        }
        let events = Lines::new(&self.events, 0, EVENT_LINE_BYTES_MAX, &self.fault);
        for (at, line) in events {
            if !f(&at, &line) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The event with that uid and the proof that it is in its log; `None` where there is none under a checkpoint, or where
    /// events or hashes are missing that the proof needs. Of several the first, should nothing be wrong with it.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn prove(&self, uid: &str) -> io::Result<Option<Proof>> {
        let mut found = None;
        self.each(&mut |_, event| {
            let place = EventPlace::read(event).filter(|place| place.uid == uid);
            found = place.map(|place| (place.log.to_owned(), place.sequence, event.to_vec()));
            found.is_none()
        })?;
        let Some((log, sequence, entry)) = found else { return Ok(None) };
        let leaf = Hash::leaf(&entry);
        let Some((record, index)) = self.sealing(&log, sequence, leaf) else { return Ok(None) };
        let size = record.frontier.size();
        let Some(mut prover) = Prover::new(index, size) else { return Ok(None) };
        let mut next = 0;
        for record in self.records(&log) {
            let skip = usize::try_from(next - record.first().min(next)).unwrap_or(usize::MAX);
            for leaf in record.leaves.iter().skip(skip).filter(|_| record.first() <= next) {
                prover.push(*leaf);
            }
            next = next.max(record.frontier.size());
        }
        let Some(inclusion) = prover.finish() else { return Ok(None) };
        let good = inclusion.root(leaf) == Some(record.frontier.root());
        Ok(good.then_some(Proof { entry, inclusion, note: record.note }))
    }

    /// The first checkpoint above the event, and its index.
    fn sealing(&self, log: &str, sequence: u64, leaf: Hash) -> Option<(Record, u64)> {
        self.records(log).find_map(|record| {
            let mut indices = (record.first()..).zip(&record.leaves);
            let found = indices.find(|(index, l)| index % SEQUENCES == sequence && **l == leaf)?;
            let index = found.0;
            Some((record, index))
        })
    }

    fn records<'k>(&'k self, log: &'k str) -> impl Iterator<Item = Record> + 'k {
        let records = self.all_lines().filter_map(|(_, line)| Record::parse(&line));
        records.filter(move |record| {
            record.note.strip_prefix(log).is_some_and(|rest| rest.starts_with('\n'))
        })
    }

    fn all_lines(&self) -> Lines<'_> {
        Lines::new(&self.checkpoints, 0, LINE_BYTES_MAX, &self.fault)
    }
}

impl RecordSource for Kept {
    fn lines(&self, from: &Location) -> Box<dyn Iterator<Item = (Location, Vec<u8>)> + '_> {
        let first = self.checkpoints.iter().position(|file| *file == from.place);
        let files = self.checkpoints.get(first.unwrap_or_default()..).unwrap_or_default();
        Box::new(Lines::new(files, from.position, LINE_BYTES_MAX, &self.fault))
    }
}

/// The events of the segments; `false` where it was enough.
fn spooled(directory: &Path, f: &mut dyn FnMut(&Location, &[u8]) -> bool) -> io::Result<bool> {
    let Some(last) = segment::list(directory)?.last().copied() else { return Ok(true) };
    let length = segment::path(directory, last).metadata()?.len();
    let tail = Cursor { segment: last, offset: length };
    let (mut reader, mut at) = (Reader::new(directory.to_owned()), Cursor::default());
    while at < tail {
        let batch = reader.batch(at, tail)?;
        for (record, start) in batch.records.iter().zip(&batch.starts) {
            let place = segment::path(directory, start.segment).to_string_lossy().into();
            if !f(&Location { place, position: start.offset }, record.value.as_bytes()) {
                return Ok(false);
            }
        }
        at = batch.end;
    }
    Ok(true)
}

fn take(auditor: &mut Auditor<'_>, at: &Location, event: &[u8]) {
    let Some(place) = EventPlace::read(event) else { return auditor.placeless(at) };
    let erased = erased_leaf(event);
    auditor.take(&Seen {
        log: place.log,
        sequence: place.sequence,
        modulus: SEQUENCES,
        uid: place.uid,
        leaf: erased.unwrap_or_else(|| Hash::leaf(event)),
        erased: erased.is_some(),
        at,
        former: if place.sequence == 0 { former(event) } else { None },
    });
}

/// What stands in the place of an event that is erased as planned: its place, its uid and its leaf hash. `None` where it is
/// no event with a place.
#[must_use]
pub fn erased(event: &[u8]) -> Option<String> {
    let leaf = erased_leaf(event).unwrap_or_else(|| Hash::leaf(event));
    Some(erased_by(&EventPlace::read(event)?, &leaf))
}

fn erased_by(place: &EventPlace<'_>, leaf: &Hash) -> String {
    let EventPlace { log, sequence, uid } = place;
    format!(
        r#"{{"metadata":{{"log_name":"{log}","sequence":{sequence},"uid":"{uid}{ERASED}{leaf}"}}"#
    )
}

/// The leaf hash that an erased event left; `None` where it is none: nothing else may stand in it.
fn erased_leaf(event: &[u8]) -> Option<Hash> {
    let text = std::str::from_utf8(event).ok()?;
    let leaf = Hash::parse(text.strip_suffix(r#""}"#)?.rsplit_once(ERASED)?.1)?;
    (erased_by(&EventPlace::read(event)?, &leaf) == text).then_some(leaf)
}

/// What the first event of a log says of the log before.
fn former(event: &[u8]) -> Option<FormerClaim> {
    let event: Value = serde_json::from_slice(event).ok()?;
    if !event.get("status_detail")?.as_str()?.starts_with("audit.log_begun") {
        return None;
    }
    let unmapped = event.get("unmapped")?;
    Some(FormerClaim {
        log: unmapped.get("former_log")?.as_str()?.to_owned(),
        size: unmapped.get("former_size")?.as_u64()?,
        root: Hash::parse(unmapped.get("former_root")?.as_str()?)?,
    })
}

//! A directory of a spool or of a file sink, or the topics of a cluster, read by who checks them. Nothing is written to them, and
//! no process needs to run. Memory is that of a line, or of a fetch, whatever there is to read.

mod erase;
mod files;
mod follow;
mod lines;
mod orphan;
#[cfg(test)]
mod tests;
#[cfg(feature = "kafka")]
mod topics;

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use seal::verify::{
    Auditor, Book, Bounds, FormerClaim, Location, RecordSource, Report, Seen, Trust,
};
use seal::{Hash, LINE_BYTES_MAX, Proof, Prover, Record};
use serde_json::Value;

use crate::event::{EVENT_BYTES_MAX, EventPlace, LOG_BYTES_MAX, SEQUENCES};
use crate::sealing::lost_leaf;
use crate::spool::reader::Reader;
use crate::spool::{Cursor, segment};
pub use erase::erase;
pub use files::DRAINED;
use files::Files;
pub use follow::Follow;
use lines::Lines;
pub use orphan::logs_of_spool;
#[cfg(feature = "kafka")]
use topics::Topics;
#[cfg(feature = "kafka")]
pub use topics::{TopicsSettings, notes};

/// Longest line of an event: itself, and its place.
const EVENT_LINE_BYTES_MAX: usize = EVENT_BYTES_MAX + LOG_BYTES_MAX + 128;
/// What is between the uid and the hash of an erased event.
const ERASED: &str = r#""},"erased":""#;

/// The events and checkpoints of one directory, and of the folders of processes that followed each other; or of two topics.
#[derive(Debug)]
pub struct Kept {
    source: Source,
    /// A file that could not be read to its end: nothing is proved then.
    fault: Mutex<Option<io::Error>>,
}

/// Where they are.
#[derive(Debug)]
enum Source {
    Files(Files),
    #[cfg(feature = "kafka")]
    Topics(Topics),
}

impl Kept {
    /// Finds what there is to check.
    ///
    /// # Errors
    /// The directory cannot be read, or holds neither segments nor files of a sink.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let files = Files::find(directory)?;
        if files.events.is_empty() && files.spools.is_empty() && files.checkpoints.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no audit files are here"));
        }
        Ok(Self { source: Source::Files(files), fault: Mutex::new(None) })
    }

    /// Reads the checkpoints of the topics.
    ///
    /// # Errors
    /// The brokers do not answer, or there are no such topics.
    #[cfg(feature = "kafka")]
    pub fn topics(settings: &TopicsSettings) -> io::Result<Self> {
        Ok(Self { source: Source::Topics(Topics::open(settings)?), fault: Mutex::new(None) })
    }

    /// Whether it is a spool: what was delivered is gone from it.
    #[must_use]
    pub fn is_spool(&self) -> bool {
        matches!(&self.source, Source::Files(files) if !files.spools.is_empty())
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
        for (at, line) in self.records_from(None) {
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
        match self.take_fault() {
            None => Ok(report),
            Some(error) => Err(error),
        }
    }

    /// What could not be read on the way.
    fn take_fault(&self) -> Option<io::Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Every event with its place, until `f` says that it is enough.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn each(&self, f: &mut dyn FnMut(&Location, &[u8]) -> bool) -> io::Result<()> {
        let files = match &self.source {
            Source::Files(files) => files,
            #[cfg(feature = "kafka")]
            Source::Topics(topics) => return topics.each(f),
        };
        for directory in &files.spools {
            if !spooled(directory, f)? {
                return Ok(());
            }
        }
        let events = Lines::new(&files.events, 0, EVENT_LINE_BYTES_MAX, &self.fault);
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
        let records = self.records_from(None).filter_map(|(_, line)| Record::parse(&line));
        records.filter(move |record| {
            record.note.strip_prefix(log).is_some_and(|rest| rest.starts_with('\n'))
        })
    }

    /// The lines of checkpoints from a place on.
    fn records_from(
        &self,
        from: Option<&Location>,
    ) -> Box<dyn Iterator<Item = (Location, Vec<u8>)> + '_> {
        let files = match &self.source {
            Source::Files(files) => files,
            #[cfg(feature = "kafka")]
            Source::Topics(topics) => return Box::new(topics.lines(from, &self.fault)),
        };
        let position = from.map_or(0, |from| from.position);
        let first = from.and_then(|from| files.checkpoints.iter().position(|f| *f == from.place));
        let files = files.checkpoints.get(first.unwrap_or_default()..).unwrap_or_default();
        Box::new(Lines::new(files, position, LINE_BYTES_MAX, &self.fault))
    }
}

impl RecordSource for Kept {
    fn lines(&self, from: &Location) -> Box<dyn Iterator<Item = (Location, Vec<u8>)> + '_> {
        self.records_from(Some(from))
    }
}

/// The end of the segments; `None` where there are none.
fn spool_tail(directory: &Path) -> io::Result<Option<Cursor>> {
    let Some(segment) = segment::list(directory)?.last().copied() else { return Ok(None) };
    let offset = segment::path(directory, segment).metadata()?.len();
    Ok(Some(Cursor { segment, offset }))
}

/// The events of the segments; `false` where it was enough.
fn spooled(directory: &Path, f: &mut dyn FnMut(&Location, &[u8]) -> bool) -> io::Result<bool> {
    let Some(tail) = spool_tail(directory)? else { return Ok(true) };
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

/// The leaf hash that an erased event left; `None` where it is none: nothing else may stand in it, nor behind it but spaces.
fn erased_leaf(event: &[u8]) -> Option<Hash> {
    let text = std::str::from_utf8(event).ok()?.trim_end_matches(' ');
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

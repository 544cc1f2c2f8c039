//! Reads delivered-or-not events back from the segments, from a cursor on. It never reads beyond what the
//! writer has published, and passes over what cannot be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, Kind, Parsed};
use super::segment::{self, Cursor};
use crate::event::{LOG_BYTES_MAX, Masked};
use crate::sink::{Place, Record};

/// Bytes read at once: the size of a batch, and more than the largest frame.
pub(crate) const READ_BYTES: u64 = 512 << 10;
/// Most records in one batch.
const RECORDS_MAX: usize = 1_000;

/// Records in order, each with the place behind it.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) ends: Vec<Cursor>,
    /// The place of each.
    pub(crate) starts: Vec<Cursor>,
    /// Where to read on when all of them are delivered: behind frames that are no events, too.
    pub(crate) end: Cursor,
}

pub(crate) struct Reader {
    directory: PathBuf,
    file: Option<Segment>,
    /// The log of the segment before: a segment whose first frame is damaged is taken to go on with it.
    log: Option<Arc<str>>,
}

struct Segment {
    number: u64,
    file: File,
    /// The log of its events; `None` for what a version before wrote.
    log: Option<Arc<str>>,
}

impl Reader {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, file: None, log: None }
    }

    /// The next records between two places; empty where there are none.
    pub(crate) fn batch(&mut self, from: Cursor, tail: Cursor) -> io::Result<Batch> {
        let mut batch = Batch { end: from, ..Batch::default() };
        while batch.records.is_empty() && batch.end < tail {
            self.step(&mut batch, tail)?;
        }
        Ok(batch)
    }

    /// Reads one stretch of one segment, or goes to the next segment.
    fn step(&mut self, batch: &mut Batch, tail: Cursor) -> io::Result<()> {
        let at = batch.end;
        let offset = at.offset.max(frame::HEADER.len() as u64);
        let active = at.segment == tail.segment;
        let Some(segment) = self.file(at.segment)? else {
            batch.end = self.following(at.segment, tail)?;
            return Ok(());
        };
        let limit = if active { tail.offset } else { segment.file.metadata()?.len() };
        if offset >= limit {
            batch.end = if active { tail } else { self.following(at.segment, tail)? };
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(READ_BYTES.min(limit - offset)).unwrap_or(0)];
        segment.file.read_exact_at(&mut bytes, offset)?;
        let used = collect(&bytes, Cursor { offset, ..at }, segment.log.as_ref(), batch);
        if used == 0 {
            // Unreadable to its end: the scan at the next start counts it.
            tracing::error!(segment = at.segment, offset, "unreadable audit frames passed over");
            batch.end = if active { tail } else { self.following(at.segment, tail)? };
        }
        Ok(())
    }

    fn file(&mut self, number: u64) -> io::Result<Option<&Segment>> {
        if self.file.as_ref().is_none_or(|open| open.number != number) {
            self.file = match File::open(segment::path(&self.directory, number)) {
                Ok(file) => {
                    self.log = log(&file, self.log.take())?;
                    Some(Segment { number, log: self.log.clone(), file })
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(self.file.as_ref())
    }

    /// The beginning of the first segment after that one.
    fn following(&mut self, number: u64, tail: Cursor) -> io::Result<Cursor> {
        self.file = None;
        let next = segment::list(&self.directory)?.into_iter().find(|next| *next > number);
        Ok(match next {
            Some(segment) if segment <= tail.segment => Cursor { segment, offset: 0 },
            _ => tail,
        })
    }
}

/// The log that the segment of this path names.
pub(crate) fn log_of(path: &Path) -> io::Result<Option<Arc<str>>> {
    log(&File::open(path)?, None)
}

/// The log that a segment names in its first frame.
fn log(file: &File, before: Option<Arc<str>>) -> io::Result<Option<Arc<str>>> {
    let header = frame::HEADER.len() as u64;
    let mut bytes = [0; frame::OVERHEAD + LOG_BYTES_MAX];
    let read = file.read_at(&mut bytes, header)?;
    Ok(match frame::parse(bytes.get(..read).unwrap_or_default()) {
        Parsed::Frame { kind: Kind::Log, body, .. } => {
            std::str::from_utf8(body).ok().map(Arc::from)
        }
        Parsed::Damaged { .. } => before,
        Parsed::Frame { .. } | Parsed::Torn => None,
    })
}

/// Takes whole frames from the bytes; how many bytes they were.
fn collect(bytes: &[u8], start: Cursor, log: Option<&Arc<str>>, batch: &mut Batch) -> usize {
    let mut used = 0;
    while batch.records.len() < RECORDS_MAX {
        let size = match frame::parse(bytes.get(used..).unwrap_or_default()) {
            Parsed::Torn => break,
            Parsed::Damaged { size } => {
                tracing::error!(segment = start.segment, "damaged audit frame passed over");
                size
            }
            Parsed::Frame { kind: Kind::Event, uid, body, index, size } => {
                let place = log.zip(index).map(|(log, index)| Place { log: log.clone(), index });
                let value = match &place {
                    Some(place) => Masked::from_log(body, &place.log, place.index),
                    None => Masked::from_spool(body.to_vec()),
                };
                batch.records.push(Record { uid, value, place });
                batch.starts.push(Cursor { offset: start.offset + used as u64, ..start });
                batch.ends.push(Cursor { offset: start.offset + (used + size) as u64, ..start });
                size
            }
            Parsed::Frame { size, .. } => size,
        };
        used += size;
        batch.end = Cursor { offset: start.offset + used as u64, ..start };
    }
    used
}

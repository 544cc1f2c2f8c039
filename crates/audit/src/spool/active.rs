//! The state behind the spool's lock: the segment being written, the room left, what is still open and
//! how far each sink is.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;

use uuid::Uuid;

use super::frame::{self, Kind};
use super::segment::{self, Cursor, Opened};
use super::{Job, SpoolFault};
use crate::settings::{Durability, SpoolSettings};

/// Files a group commit may find waiting; a longer row means that nobody commits.
const UNSYNCED_MAX: usize = 64;

pub(super) struct Active {
    /// `None` after a fault that left its end in doubt: the next frame begins a new segment.
    file: Option<Arc<File>>,
    segment: u64,
    offset: u64,
    /// Full segments, oldest first, with their bytes.
    sealed: VecDeque<(u64, u64)>,
    /// Bytes of all segments.
    pub(super) bytes: u64,
    /// Bytes promised to open entries.
    pub(super) reserved: u64,
    /// Logical position: bytes appended since the start.
    pub(super) written: u64,
    /// Segment of each intent without an outcome; bounded by the reservations.
    open_intents: HashMap<Uuid, u64>,
    acked: Vec<Cursor>,
    unsynced: Vec<Arc<File>>,
    /// Held as long as the spool lives.
    _lock: File,
}

impl Active {
    pub(super) fn new(settings: &SpoolSettings, opened: &Opened) -> io::Result<Self> {
        let newest = opened.segments.last().map_or(0, |segment| segment.0);
        let cursors = opened.cursors.iter().map(|cursor| cursor.segment).max().unwrap_or(0);
        // Never a number that a cursor has seen: it would pass over the new frames.
        let segment = newest.max(cursors) + 1;
        let file = create(settings, segment)?;
        let header = frame::HEADER.len() as u64;
        let mut active = Self {
            file: Some(Arc::new(file)),
            segment,
            offset: header,
            bytes: header + opened.segments.iter().map(|segment| segment.1).sum::<u64>(),
            sealed: opened.segments.iter().copied().collect(),
            reserved: 0,
            written: 0,
            open_intents: opened.orphans.iter().map(|orphan| (orphan.0, orphan.1)).collect(),
            acked: opened.cursors.clone(),
            unsynced: Vec::new(),
            _lock: opened.lock.try_clone()?,
        };
        active.retire(settings);
        Ok(active)
    }

    pub(super) fn room(&self, settings: &SpoolSettings, bytes: u64) -> bool {
        self.bytes.saturating_add(self.reserved).saturating_add(bytes) <= settings.size_bytes_max
    }

    pub(super) fn tail(&self) -> Cursor {
        Cursor { segment: self.segment, offset: self.offset }
    }

    pub(super) fn drained(&self) -> bool {
        self.acked.iter().all(|cursor| *cursor >= self.tail())
    }

    pub(super) fn append(
        &mut self,
        settings: &SpoolSettings,
        job: &Job,
    ) -> Result<u64, SpoolFault> {
        if job.last {
            self.reserved = self.reserved.saturating_sub(super::RESERVED_BYTES);
        }
        if job.body.len() > frame::BODY_BYTES_MAX {
            return Err(SpoolFault::TooLarge);
        }
        let bytes = frame::encode(job.kind, &job.uid, &job.body);
        let size = bytes.len() as u64;
        if !job.reserved && !self.room(settings, size) {
            return Err(SpoolFault::NoRoom);
        }
        self.write(settings, &bytes).map_err(|error| {
            tracing::error!(%error, "audit spool not written");
            SpoolFault::Unwritable
        })?;
        self.offset += size;
        self.bytes += size;
        self.written += size;
        match job.kind {
            Kind::Intent => {
                self.open_intents.insert(job.uid, self.segment);
            }
            Kind::Event => {
                self.open_intents.remove(&job.uid);
            }
            Kind::Probe | Kind::Other => {}
        }
        Ok(self.written)
    }

    fn write(&mut self, settings: &SpoolSettings, bytes: &[u8]) -> io::Result<()> {
        let file = match &self.file {
            Some(file) if self.offset + bytes.len() as u64 <= settings.segment_bytes_max => {
                Arc::clone(file)
            }
            Some(_) | None => self.roll(settings)?,
        };
        let written = (&*file).write_all(bytes);
        if written.is_err() && file.set_len(self.offset).is_err() {
            // The end of this segment is in doubt: readers skip it, we begin a new one.
            self.leave(settings);
        }
        written
    }

    /// Begins the next segment. Where it cannot, the old one is left all the same: a frame small enough
    /// to fit its rest must not look as if all were well.
    fn roll(&mut self, settings: &SpoolSettings) -> io::Result<Arc<File>> {
        self.leave(settings);
        if self.unsynced.len() > UNSYNCED_MAX {
            return Err(io::Error::other("nobody syncs the segments"));
        }
        let next = self.segment + 1;
        let file = match create(settings, next) {
            Ok(file) => Arc::new(file),
            Err(error) => {
                // Half a header would be in the way of the next attempt.
                if fs::remove_file(segment::path(&settings.directory, next)).is_ok() {
                    tracing::warn!(segment = next, "half a segment removed");
                }
                return Err(error);
            }
        };
        self.sealed.push_back((self.segment, self.offset));
        self.segment = next;
        self.offset = frame::HEADER.len() as u64;
        self.bytes += self.offset;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Nothing more is written to this segment, but who waits for its sync still gets it.
    fn leave(&mut self, settings: &SpoolSettings) {
        let file = self.file.take();
        if settings.durability == Durability::Synced {
            self.unsynced.extend(file);
        }
    }

    /// Files whose bytes may not be on the disk yet, and the position they reach.
    pub(super) fn take_unsynced(&mut self) -> (Vec<Arc<File>>, u64) {
        let mut files = std::mem::take(&mut self.unsynced);
        files.extend(self.file.clone());
        (files, self.written)
    }

    /// After a failed sync the pages are in doubt: what comes next goes to a new file.
    pub(super) fn distrust(&mut self) {
        self.file = None;
    }

    pub(super) fn acknowledge(&mut self, settings: &SpoolSettings, sink: usize, cursor: Cursor) {
        if let Some(acked) = self.acked.get_mut(sink) {
            *acked = cursor;
        }
        self.retire(settings);
    }

    /// Removes segments from the front that every sink has and no open intent needs. A cursor that names a
    /// segment which is gone goes on with the next one. Without sinks nothing is removed.
    fn retire(&mut self, settings: &SpoolSettings) {
        let Some(acked) = self.acked.iter().min().copied() else { return };
        if self.sealed.front().is_none_or(|front| front.0 >= acked.segment) {
            return;
        }
        let open = self.open_intents.values().min().copied().unwrap_or(u64::MAX);
        while let Some((number, bytes)) = self.sealed.front().copied() {
            if number >= acked.segment.min(open) {
                return;
            }
            if let Err(error) = fs::remove_file(segment::path(&settings.directory, number))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, segment = number, "a delivered segment stays");
                return;
            }
            self.sealed.pop_front();
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

fn create(settings: &SpoolSettings, number: u64) -> io::Result<File> {
    let file = segment::create(&settings.directory, number)?;
    if settings.durability == Durability::Synced {
        segment::sync_directory(&settings.directory)?;
    }
    Ok(file)
}

//! The state behind the spool's lock: the segment being written, the room left, what is still open and
//! how far each sink is.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;

use uuid::Uuid;

use super::accounts::{Account, Accounts};
use super::frame::{self, Frame, Kind};
use super::group::Group;
use super::open::OpenIntents;
use super::segment::{self, Cursor, Opened};
use super::{Job, SpoolFault};
use crate::settings::{Durability, SpoolSettings};

/// Files a group commit may find waiting; a longer row means that nobody commits.
const UNSYNCED_MAX: usize = 64;
/// Most bytes of a group: it fits a segment of the smallest spool. One more frame begins another.
pub(super) const GROUP_BYTES_MAX: usize = 64 << 10;

/// What a write came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flushed {
    /// Something was written.
    pub(super) written: bool,
    /// The disk refused, and what waited is gone.
    pub(super) failed: bool,
    /// Events among it.
    pub(super) events: u64,
}

/// A frame that is in its group.
pub(super) struct Pushed {
    /// Its end, should the group be written.
    pub(super) position: u64,
    /// No other entry is open that could file something in this turn.
    pub(super) alone: bool,
    /// What became of the group before, should this one have been too much for it.
    pub(super) before: Flushed,
}

/// A segment to which nothing is written any more.
struct Full {
    number: u64,
    bytes: u64,
    /// Those of the account of the rest.
    others: u64,
}

pub(super) struct Active {
    /// Origin of this boot's log.
    log: Box<str>,
    /// Its events that are written.
    log_events: u64,
    /// A write failed, and what is left of it could not be cut off.
    in_doubt: bool,
    /// `None` after a fault that left its end in doubt: the next frame begins a new segment.
    file: Option<Arc<File>>,
    segment: u64,
    offset: u64,
    /// Full segments, oldest first.
    sealed: VecDeque<Full>,
    /// Bytes of the one that is written which count to the account of the rest.
    others: u64,
    /// Bytes of all segments.
    pub(super) bytes: u64,
    /// Whose room is in use and promised.
    pub(super) accounts: Accounts,
    /// Entries that are open.
    pub(super) open: u64,
    /// Logical position: bytes written since the start.
    pub(super) written: u64,
    /// Frames that wait for their `write(2)`, and what they are.
    waiting: Vec<u8>,
    notes: Vec<(Kind, Uuid)>,
    /// Events among them.
    waiting_events: u64,
    group: Arc<Group>,
    #[cfg(test)]
    pub(super) writes: u64,
    open_intents: OpenIntents,
    acked: Vec<Cursor>,
    /// Sinks among those who read.
    receivers: usize,
    unsynced: Vec<Arc<File>>,
    /// Held as long as the spool lives.
    _lock: File,
}

impl Active {
    pub(super) fn new(settings: &SpoolSettings, opened: &Opened, log: &str) -> io::Result<Self> {
        let newest = opened.segments.last().map_or(0, |segment| segment.0);
        let cursors = opened.cursors.iter().map(|cursor| cursor.segment).max().unwrap_or(0);
        // Never a number that a cursor has seen: it would pass over the new frames.
        let segment = newest.max(cursors) + 1;
        let (file, header) = create(settings, segment, log)?;
        let former = opened.segments.iter().map(|segment| segment.1).sum::<u64>();
        let mut accounts = Accounts::new(settings.size_bytes_max, former);
        let mut left = accounts.others().0;
        let sealed = opened.segments.iter().map(|(number, bytes)| {
            let others = left.min(*bytes);
            left -= others;
            Full { number: *number, bytes: *bytes, others }
        });
        let sealed = sealed.collect();
        accounts.begins(header);
        let mut active = Self {
            log: log.into(),
            log_events: 0,
            in_doubt: false,
            file: Some(Arc::new(file)),
            segment,
            offset: header,
            bytes: header + former,
            sealed,
            others: 0,
            accounts,
            open: 0,
            written: 0,
            waiting: Vec::new(),
            notes: Vec::new(),
            waiting_events: 0,
            group: Arc::new(Group::new()),
            #[cfg(test)]
            writes: 0,
            open_intents: opened.orphans.iter().map(|orphan| (orphan.0, orphan.1)).collect(),
            acked: opened.cursors.clone(),
            receivers: opened.receivers,
            unsynced: Vec::new(),
            _lock: opened.lock.try_clone()?,
        };
        active.retire(settings);
        Ok(active)
    }

    pub(super) fn tail(&self) -> Cursor {
        Cursor { segment: self.segment, offset: self.offset }
    }

    pub(super) fn drained(&self) -> bool {
        self.waiting.is_empty() && self.acked.iter().all(|cursor| *cursor >= self.tail())
    }

    /// How far a reader is.
    pub(super) fn acknowledged_by(&self, reader: usize) -> Cursor {
        self.acked.get(reader).copied().unwrap_or_default()
    }

    /// Puts the frame into the group that is written next.
    pub(super) fn push(
        &mut self,
        settings: &SpoolSettings,
        job: &Job,
        checksum: u32,
    ) -> Result<Pushed, SpoolFault> {
        if job.last {
            self.leaves(job.reserved.then_some(job.account));
        }
        if job.body.len() > frame::BODY_BYTES_MAX {
            return Err(SpoolFault::TooLarge);
        }
        let size = frame::OVERHEAD + job.body.len() + frame::INDEX_BYTES;
        if !job.reserved && !self.accounts.fits(job.account, size as u64) {
            return Err(SpoolFault::NoRoom);
        }
        let before = if self.waiting.len() + size > GROUP_BYTES_MAX {
            self.flush(settings)
        } else {
            Flushed::default()
        };
        let frame = Frame { kind: job.kind, uid: &job.uid, body: &job.body, checksum };
        frame::append(&mut self.waiting, &frame, self.log_events + self.waiting_events);
        self.accounts.waits(job.account, size as u64);
        self.waiting_events += u64::from(job.kind == Kind::Event);
        self.notes.push((job.kind, job.uid));
        let own = u64::from(!job.last);
        Ok(Pushed {
            position: self.written + self.waiting.len() as u64,
            alone: self.open <= own,
            before,
        })
    }

    /// An entry is over.
    pub(super) fn leaves(&mut self, promised: Option<Account>) {
        self.open = self.open.saturating_sub(1);
        if let Some(account) = promised {
            self.accounts.release(account);
        }
    }

    /// The group that waits.
    pub(super) fn group(&self) -> Arc<Group> {
        Arc::clone(&self.group)
    }

    /// Writes what waits with one `write(2)`. All of it is on record then, or nothing.
    pub(super) fn flush(&mut self, settings: &SpoolSettings) -> Flushed {
        if self.waiting.is_empty() {
            return Flushed::default();
        }
        let mut frames = std::mem::take(&mut self.waiting);
        let mut notes = std::mem::take(&mut self.notes);
        let written = self.write(settings, &frames);
        #[cfg(test)]
        {
            self.writes += 1;
        }
        let events = std::mem::take(&mut self.waiting_events);
        let others = self.accounts.settle(written.is_ok());
        let mut flushed = Flushed { written: written.is_ok(), failed: false, events };
        if let Err(error) = written {
            tracing::error!(%error, "audit spool not written");
            flushed.failed = true;
            // Where nobody knows what is on the disk, nothing else may have these places.
            self.log_events += if std::mem::take(&mut self.in_doubt) { events } else { 0 };
        } else {
            let size = frames.len() as u64;
            self.offset += size;
            self.bytes += size;
            self.written += size;
            self.others += others;
            self.log_events += events;
        }
        for (kind, uid) in notes.drain(..) {
            match kind {
                Kind::Intent if flushed.written => self.open_intents.opened(uid, self.segment),
                Kind::Event if flushed.written => self.open_intents.closed(&uid),
                Kind::Intent | Kind::Event | Kind::Probe | Kind::Log | Kind::Other => {}
            }
        }
        // Nobody waits for a group that only this process's lock has seen: it is used again.
        if Arc::get_mut(&mut self.group).is_none() {
            self.group.settle(flushed.written);
            self.group = Arc::new(Group::new());
        }
        frames.clear();
        (self.waiting, self.notes) = (frames, notes);
        flushed
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
            self.in_doubt = true;
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
        let (file, length) = match create(settings, next, &self.log) {
            Ok((file, length)) => (Arc::new(file), length),
            Err(error) => {
                // Half a header would be in the way of the next attempt.
                if fs::remove_file(segment::path(&settings.directory, next)).is_ok() {
                    tracing::warn!(segment = next, "half a segment removed");
                }
                return Err(error);
            }
        };
        let others = std::mem::take(&mut self.others);
        self.sealed.push_back(Full { number: self.segment, bytes: self.offset, others });
        self.accounts.begins(length);
        self.segment = next;
        self.offset = length;
        self.bytes += length;
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
    /// segment which is gone goes on with the next one. Without sinks nothing is removed: the seal alone takes nothing away.
    fn retire(&mut self, settings: &SpoolSettings) {
        if self.receivers == 0 {
            return;
        }
        let Some(acked) = self.acked.iter().min().copied() else { return };
        if self.sealed.front().is_none_or(|front| front.number >= acked.segment) {
            return;
        }
        let open = self.open_intents.first().unwrap_or(u64::MAX);
        while let Some(Full { number, bytes, others }) = self.sealed.front() {
            let (number, bytes, others) = (*number, *bytes, *others);
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
            self.accounts.retires(bytes, others);
        }
    }
}

fn create(settings: &SpoolSettings, number: u64, log: &str) -> io::Result<(File, u64)> {
    let created = segment::create(&settings.directory, number, log)?;
    if settings.durability == Durability::Synced {
        segment::sync_directory(&settings.directory)?;
    }
    Ok(created)
}

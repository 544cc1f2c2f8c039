//! Append-only segments on disk: what is accepted here is delivered, whatever dies in between. It knows
//! frames, not events, and never drops the oldest.

mod accounts;
mod active;
pub(crate) mod commit;
pub(crate) mod frame;
mod group;
mod open;
pub(crate) mod reader;
pub(crate) mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::settings::SpoolSettings;
pub(crate) use accounts::Account;
use active::{Active, Flushed};
pub use commit::Recorded;
use frame::Kind;
use group::Group;
pub(crate) use segment::{Cursor, Opened, SEAL};
pub(crate) use writer::Writer;

/// Room one open entry holds: its intent and its event at their largest, with their frames, bytes.
pub(crate) const RESERVED_BYTES: u64 =
    2 * (crate::event::EVENT_BYTES_MAX + frame::OVERHEAD + frame::INDEX_BYTES) as u64;
/// Smallest spool: room for a few entries, bytes.
pub(crate) const SIZE_BYTES_MIN: u64 = 8 * RESERVED_BYTES;
/// A full spool has at least so many segments.
const SEGMENTS_MIN: u64 = 4;

/// There is no room for another record, or the spool cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reserve room in the audit spool")]
pub struct Full;

/// Why a record is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpoolFault {
    /// The disk refused: full, gone or broken.
    #[error("write to the audit spool")]
    Unwritable,
    /// The disk did not confirm (`Synced`).
    #[error("sync the audit spool")]
    Unsynced,
    /// The queue of `Queued` is full.
    #[error("queue a record: the queue is full")]
    QueueFull,
    /// No room without a reservation.
    #[error("write to the audit spool: it is full")]
    NoRoom,
    /// The event is larger than any event may be.
    #[error("record an event: it is too large")]
    TooLarge,
    /// The entry was closed before.
    #[error("close an entry: it is closed")]
    Closed,
}

/// One frame to write.
pub(crate) struct Job {
    pub(crate) kind: Kind,
    pub(crate) uid: Uuid,
    pub(crate) body: Vec<u8>,
    /// The entry is over with this frame, and what was reserved for it, too.
    pub(crate) last: bool,
    /// Room was reserved for this frame.
    pub(crate) reserved: bool,
    /// Whose room it takes.
    pub(crate) account: Account,
}

/// The segments of one directory.
pub(crate) struct Spool {
    settings: SpoolSettings,
    active: Mutex<Active>,
    appended: Condvar,
    /// Threads that wait for `appended`: where there are none, an append makes no system call for them.
    waiting: AtomicUsize,
    ending: Condvar,
    acknowledged: Condvar,
    broken: AtomicBool,
    stopping: AtomicBool,
    /// Somebody waits until every reader has everything.
    draining: AtomicBool,
    events: AtomicU64,
    /// Records that should exist and do not.
    gaps: AtomicU64,
    /// Those of them that no event tells about yet.
    untold: AtomicU64,
    /// Frames in the queue of `Queued`.
    queued: AtomicU64,
}

/// What became of a frame that was filed.
enum Filed {
    /// Nobody else could have joined it: its `write(2)` is over.
    Alone(Result<u64, SpoolFault>),
    /// It waits for others.
    Waits(u64, Arc<Group>),
}

impl Spool {
    /// Takes the directory, repairs it and begins a new segment of the log of this boot. `sinks` are the cursor names.
    pub(crate) fn open(
        mut settings: SpoolSettings,
        sinks: &[String],
        log: &str,
    ) -> io::Result<(Self, Opened)> {
        // Space comes back in segments: a spool of one segment could never free any.
        let segment = settings.segment_bytes_max.min(settings.size_bytes_max / SEGMENTS_MIN);
        settings.segment_bytes_max = segment;
        let opened = segment::open(&settings.directory, sinks)?;
        let active = Active::new(&settings, &opened, log)?;
        let spool = Self {
            settings,
            active: Mutex::new(active),
            appended: Condvar::new(),
            waiting: AtomicUsize::new(0),
            ending: Condvar::new(),
            acknowledged: Condvar::new(),
            broken: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            events: AtomicU64::new(opened.events),
            gaps: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            queued: AtomicU64::new(0),
        };
        Ok((spool, opened))
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        // A panic under the lock leaves at worst a torn frame, which every reader skips.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more entry is open; it has no room of its own yet.
    pub(crate) fn enter(&self) -> Result<(), Full> {
        if self.broken.load(Ordering::Relaxed) {
            self.probe()?;
        }
        self.lock().open += 1;
        Ok(())
    }

    /// Reserves the room of an open entry.
    pub(crate) fn reserve(&self, account: Account) -> Result<(), Full> {
        if self.lock().accounts.promise(account) { Ok(()) } else { Err(Full) }
    }

    /// An entry is over that filed nothing; what was reserved for it is given back.
    pub(crate) fn leave(&self, reserved: Option<Account>) {
        self.lock().leaves(reserved);
    }

    /// Whether so many bytes more fit.
    pub(crate) fn has_room(&self, account: Account, bytes: usize) -> bool {
        let size = bytes + frame::OVERHEAD + frame::INDEX_BYTES;
        self.lock().accounts.fits(account, size as u64)
    }

    /// Bytes of those whom nobody proved, and the most they may have.
    #[cfg(test)]
    pub(crate) fn others(&self) -> (u64, u64) {
        self.lock().accounts.others()
    }

    /// After a fault: one frame without meaning shows whether writes work again.
    fn probe(&self) -> Result<(), Full> {
        let (kind, account) = (Kind::Probe, Account::Proved);
        let job =
            Job { kind, uid: Uuid::nil(), body: vec![], last: false, reserved: true, account };
        self.append(&job).map(|_| ()).map_err(|_| Full)
    }

    /// Files a frame: where another entry is open, others may join it, and it waits for them; else it is written at once.
    fn push(&self, job: &Job) -> Result<Filed, SpoolFault> {
        let checksum = frame::checksum(job.kind, &job.uid, &job.body);
        let mut active = self.lock();
        let pushed = active.push(&self.settings, job, checksum);
        let (filed, flushed) = match &pushed {
            Ok(pushed) if pushed.alone => {
                let flushed = active.flush(&self.settings);
                let fate =
                    if flushed.written { Ok(pushed.position) } else { Err(SpoolFault::Unwritable) };
                (Filed::Alone(fate), flushed)
            }
            Ok(pushed) => (Filed::Waits(pushed.position, active.group()), Flushed::default()),
            Err(fault) => return Err(*fault),
        };
        drop(active);
        if let Ok(pushed) = pushed {
            self.flushed(pushed.before);
        }
        self.flushed(flushed);
        Ok(filed)
    }

    /// Writes the group, unless somebody has.
    fn settle(&self, group: &Group) -> Result<(), SpoolFault> {
        if group.fate().is_none() {
            let mut active = self.lock();
            // While the lock was awaited somebody may have written it; an unwritten one is the one that waits.
            let flushed = match group.fate() {
                None => active.flush(&self.settings),
                Some(_) => Flushed::default(),
            };
            drop(active);
            self.flushed(flushed);
        }
        group.fate().unwrap_or(Err(SpoolFault::Unwritable))
    }

    /// Notes and tells what a write came to.
    fn flushed(&self, flushed: Flushed) {
        if flushed.failed {
            self.broken.store(true, Ordering::Relaxed);
            self.missed(flushed.events);
        }
        if flushed.written {
            self.broken.store(false, Ordering::Relaxed);
            self.events.fetch_add(flushed.events, Ordering::Relaxed);
            // Whoever waits has counted itself under the lock that was held for the write.
            if self.waiting.load(Ordering::SeqCst) > 0 {
                self.appended.notify_all();
            }
        }
    }

    /// Writes the frame with one `write(2)`, and whatever waits with it; its logical position, bytes since the start.
    pub(crate) fn append(&self, job: &Job) -> Result<u64, SpoolFault> {
        match self.push(job)? {
            Filed::Alone(fate) => fate,
            Filed::Waits(position, group) => self.settle(&group).map(|()| position),
        }
    }

    /// Writes frames that nobody waits for, as few `write(2)` as they need. What is refused is counted.
    fn append_all(&self, jobs: &[Job]) {
        for job in jobs {
            if let Err(fault) = self.push(job) {
                tracing::error!(%fault, "a queued audit record is lost");
                self.missed(u64::from(job.kind == Kind::Event));
            }
        }
        self.flush();
    }

    /// Writes what waits.
    fn flush(&self) {
        let flushed = self.lock().flush(&self.settings);
        self.flushed(flushed);
    }

    /// So many records that should exist do not.
    pub(crate) fn missed(&self, count: u64) {
        self.gaps.fetch_add(count, Ordering::Relaxed);
        self.untold.fetch_add(count, Ordering::Relaxed);
    }

    /// So many of them were none.
    pub(crate) fn found(&self, count: u64) {
        for counter in [&self.gaps, &self.untold] {
            let less = |now: u64| Some(now.saturating_sub(count));
            // Never an error: the closure always has a value.
            counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
        }
    }

    /// Records that should exist and do not.
    pub(crate) fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }

    /// Whether there are some that nobody told about yet.
    pub(crate) fn untold(&self) -> bool {
        self.untold.load(Ordering::Relaxed) > 0
    }

    /// Those that nobody told about yet; who takes them tells, or puts them back.
    pub(crate) fn take_untold(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }

    /// They could not be told.
    pub(crate) fn put_back_untold(&self, count: u64) {
        self.untold.fetch_add(count, Ordering::Relaxed);
    }

    /// The end of what may be read.
    pub(crate) fn tail(&self) -> Cursor {
        self.lock().tail()
    }

    /// Waits until something lies beyond `cursor`, at most so long; `false` where nothing does.
    pub(crate) fn wait_beyond(&self, cursor: Cursor, limit: Duration) -> bool {
        let active = self.lock();
        let nothing = |active: &mut Active| active.tail() <= cursor && !self.stopping();
        self.await_append(active, limit, nothing).tail() > cursor
    }

    /// As [`Self::wait_beyond`], for the sealer: who drains does not wait for its next checkpoint.
    pub(crate) fn wait_to_seal(
        &self,
        cursor: Cursor,
        acknowledged: Cursor,
        limit: Duration,
    ) -> bool {
        let active = self.lock();
        let urgent = || self.stopping() || (self.draining() && acknowledged < cursor);
        let nothing = |active: &mut Active| active.tail() <= cursor && !urgent();
        self.await_append(active, limit, nothing).tail() > cursor
    }

    /// Waits for appends while `idle` holds, at most so long.
    fn await_append<'s>(
        &'s self,
        active: MutexGuard<'s, Active>,
        limit: Duration,
        idle: impl FnMut(&mut Active) -> bool,
    ) -> MutexGuard<'s, Active> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let waited = self.appended.wait_timeout_while(active, limit, idle);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for a while, or until the end begins.
    pub(crate) fn pause(&self, limit: Duration) {
        let active = self.lock();
        let waited = self.ending.wait_timeout_while(active, limit, |_| !self.stopping());
        drop(waited);
    }

    /// A sink has everything before `cursor`: its cursor is stored and space is given back. The space also
    /// where the cursor could not be stored: a full disk takes no cursor until there is room, and room is
    /// what this makes. Whoever dies before the next cursor delivers again, under the same uids.
    pub(crate) fn acknowledge(&self, sink: usize, name: &str, cursor: Cursor) -> io::Result<()> {
        let stored = segment::store_cursor(&self.settings.directory, name, cursor);
        self.lock().acknowledge(&self.settings, sink, cursor);
        self.acknowledged.notify_all();
        stored
    }

    /// Waits until nothing is queued and every sink has everything, at most so long.
    pub(crate) fn drain(&self, limit: Duration) -> bool {
        self.flush();
        let active = self.lock();
        self.draining.store(true, Ordering::SeqCst);
        self.appended.notify_all();
        let left = |active: &Active| self.queued.load(Ordering::SeqCst) > 0 || !active.drained();
        let (active, _) = self
            .acknowledged
            .wait_timeout_while(active, limit, |active| left(active))
            .unwrap_or_else(PoisonError::into_inner);
        self.draining.store(false, Ordering::SeqCst);
        !left(&active)
    }

    /// Tells every waiting thread that the end has begun.
    pub(crate) fn stop(&self) {
        // Under the lock, so that no thread misses it between its check and its sleep.
        let active = self.lock();
        self.stopping.store(true, Ordering::SeqCst);
        drop(active);
        self.appended.notify_all();
        self.ending.notify_all();
    }

    /// Somebody waits until every reader has everything.
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// How far a reader is.
    pub(crate) fn acknowledged_by(&self, reader: usize) -> Cursor {
        self.lock().acknowledged_by(reader)
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn healthy(&self) -> bool {
        !self.broken.load(Ordering::Relaxed)
    }

    /// Events ever seen here, this boot and before.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes on disk and bytes promised.
    pub(crate) fn usage(&self) -> (u64, u64) {
        let active = self.lock();
        (active.bytes, active.accounts.promised())
    }

    /// Groups written since the start.
    #[cfg(test)]
    fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// The unit in which space is given back, bytes.
    pub(crate) fn segment_bytes_max(&self) -> u64 {
        self.settings.segment_bytes_max
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.settings.directory
    }
}

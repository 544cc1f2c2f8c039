//! Reads the spool like a sink, grows the tree of each log and signs its checkpoints. A log is finished by the boot that comes
//! after it, should its own not have done so.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, UNIX_EPOCH};

use seal::{Checkpoint, Frontier, Hash, LEAVES_MAX, Record, SigningKey};

use super::{Former, Journal, SealSettings, lost_leaf};
use crate::clock;
use crate::sink;
use crate::spool::reader::Reader;
use crate::spool::{Cursor, SEAL, Spool};

/// Pause after a fault.
const PAUSE: Duration = Duration::from_millis(250);

/// What the sealer says about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) origin: String,
    /// Events under the last checkpoint.
    pub(crate) size: u64,
    /// Seconds since 1970 of the last checkpoint.
    pub(crate) time_s: u64,
    pub(crate) fault: bool,
}

/// The log that is being sealed.
struct Log {
    origin: Arc<str>,
    frontier: Frontier,
    /// Since the last checkpoint.
    leaves: Vec<Hash>,
    /// It has one of its size.
    sealed: bool,
}

pub(crate) struct Sealer {
    spool: Arc<Spool>,
    /// Among those who read the spool.
    reader: usize,
    journal: Arc<Journal>,
    key: Arc<SigningKey>,
    interval: Duration,
    log: Option<Log>,
    cursor: Cursor,
    /// What was given free.
    acknowledged: Cursor,
    /// Whether the last record says that its log ended in order.
    ended: bool,
    /// There is no journal: where a log begins before what is still in the spool, nobody knows any more how.
    blind: bool,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Sealer {
    pub(crate) fn new(
        spool: &Arc<Spool>,
        reader: usize,
        settings: &SealSettings,
        (journal, last): (Arc<Journal>, Option<Record>),
    ) -> io::Result<Self> {
        let mut sealer = Self {
            spool: Arc::clone(spool),
            reader,
            journal,
            key: Arc::clone(&settings.key),
            interval: settings.interval,
            log: None,
            cursor: Cursor::default(),
            acknowledged: Cursor::default(),
            ended: false,
            blind: last.is_none(),
            state: Arc::default(),
        };
        if let Some(record) = last {
            let (_, checkpoint) = Checkpoint::read(&record.note)
                .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
            sealer.cursor = Cursor { segment: record.at.0, offset: record.at.1 };
            sealer.ended = record.ended;
            let (origin, frontier) = (checkpoint.origin.into(), record.frontier);
            sealer.log = Some(Log { origin, frontier, leaves: Vec::new(), sealed: true });
        }
        Ok(sealer)
    }

    /// Seals what former boots left in the spool, up to the segment that this boot began; how the last of them ended.
    pub(crate) fn finish_former(&mut self, begun: Cursor) -> io::Result<Option<Former>> {
        let bound = Cursor { offset: 0, ..begun };
        let mut reader = Reader::new(self.spool.directory().to_owned());
        while self.cursor < bound {
            self.absorb(&mut reader, bound)?;
        }
        if self.log.as_ref().is_some_and(|log| !log.sealed) {
            self.checkpoint(false)?;
        }
        self.acknowledge();
        self.blind = false;
        let clean = self.ended;
        Ok(self.log.take().map(|log| Former {
            origin: log.origin.to_string(),
            size: log.frontier.size(),
            root: log.frontier.root(),
            clean,
        }))
    }

    /// Starts the thread; it ends when everything is sealed after [`Spool::stop`].
    pub(crate) fn start(mut self) -> io::Result<JoinHandle<()>> {
        Builder::new().name("audit-seal".to_owned()).spawn(move || self.run())
    }

    fn run(&mut self) {
        // Whatever happens here: who publishes must not wait for more.
        let _end = End(Arc::clone(&self.journal));
        let mut reader = Reader::new(self.spool.directory().to_owned());
        let mut due = Instant::now() + self.interval;
        loop {
            let stopping = self.spool.stopping();
            match self.round(&mut reader, &mut due, stopping) {
                Ok(()) if stopping => break,
                Ok(()) => self.note(false),
                Err(error) => {
                    tracing::error!(%error, "audit events are not sealed");
                    self.note(true);
                    if stopping {
                        break;
                    }
                    self.spool.pause(PAUSE);
                }
            }
        }
    }

    /// Waits for events or for the time of the next checkpoint.
    fn round(&mut self, reader: &mut Reader, due: &mut Instant, last: bool) -> io::Result<()> {
        let now = Instant::now();
        let wait = due.saturating_duration_since(now);
        if self.spool.draining() && self.acknowledged < self.cursor {
            // Who closes waits for this.
            self.due(last)?;
        }
        if self.spool.wait_to_seal(self.cursor, self.acknowledged, wait) {
            self.absorb(reader, self.spool.tail())?;
        }
        if last {
            while self.cursor < self.spool.tail() {
                let before = self.cursor;
                self.absorb(reader, self.spool.tail())?;
                if self.cursor == before {
                    return Err(io::Error::other("the spool is not read to its end"));
                }
            }
        }
        if last || Instant::now() >= *due {
            *due = Instant::now() + self.interval;
            self.due(last)?;
        }
        Ok(())
    }

    fn due(&mut self, last: bool) -> io::Result<()> {
        let begun = self.log.as_ref().is_some_and(|log| log.frontier.size() > 0);
        let signed = if begun { self.checkpoint(last) } else { Ok(()) };
        // What is sealed already waits for no other checkpoint.
        if self.log.as_ref().is_none_or(|log| log.sealed) {
            self.acknowledge();
        }
        signed
    }

    /// One batch of the spool.
    fn absorb(&mut self, reader: &mut Reader, tail: Cursor) -> io::Result<()> {
        if self.log.as_ref().is_some_and(|log| log.leaves.len() >= LEAVES_MAX) {
            self.checkpoint(false)?;
        }
        let batch = reader.batch(self.cursor, tail)?;
        for (record, end) in batch.records.iter().zip(&batch.ends) {
            if let Some(place) = &record.place {
                self.take(place, record.value.as_bytes())?;
            }
            self.cursor = *end;
        }
        self.cursor = batch.end;
        if self.cursor.segment > self.acknowledged.segment && !self.blind {
            // A segment that waits for the next checkpoint is room that somebody may need now.
            if self.log.as_ref().is_some_and(|log| !log.sealed) {
                self.checkpoint(false)?;
            }
            self.acknowledge();
        }
        Ok(())
    }

    fn take(&mut self, place: &sink::Place, event: &[u8]) -> io::Result<()> {
        let same = self.log.as_ref().is_some_and(|log| log.origin == place.log);
        if !same && self.blind && place.index > 0 {
            tracing::error!(
                log = &*place.log,
                "the beginning of a log is not known: it is not sealed"
            );
            return Ok(());
        }
        if !same {
            if self.log.as_ref().is_some_and(|log| !log.sealed) {
                self.checkpoint(false)?;
            }
            let origin = Arc::clone(&place.log);
            self.log =
                Some(Log { origin, frontier: Frontier::new(), leaves: Vec::new(), sealed: true });
        }
        // What cannot be read keeps its place: all that come after have theirs.
        while self.size() < place.index {
            tracing::error!(index = self.size(), "an audit event was lost before it was sealed");
            self.push(lost_leaf())?;
        }
        if self.size() == place.index { self.push(Hash::leaf(event)) } else { Ok(()) }
    }

    fn size(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.frontier.size())
    }

    fn push(&mut self, leaf: Hash) -> io::Result<()> {
        if self.log.as_ref().is_some_and(|log| log.leaves.len() >= LEAVES_MAX) {
            self.checkpoint(false)?;
        }
        if let Some(log) = &mut self.log {
            log.frontier.push(leaf);
            log.leaves.push(leaf);
            log.sealed = false;
        }
        self.ended = false;
        Ok(())
    }

    /// Signs what there is and keeps it. The cursor is where a later boot reads on; a place that it has sealed it passes over.
    fn checkpoint(&mut self, ended: bool) -> io::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let time_s = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (size, root) = (log.frontier.size(), log.frontier.root());
        let checkpoint = Checkpoint { origin: log.origin.to_string(), size, root };
        let record = Record {
            note: checkpoint.sign(&self.key, time_s),
            leaves: log.leaves.clone(),
            frontier: log.frontier.clone(),
            at: (self.cursor.segment, self.cursor.offset),
            ended,
        };
        // One more of a log that goes on says nothing but that it is still there.
        let idle = log.sealed && !ended;
        self.journal.append(&record.to_line(), idle)?;
        log.leaves.clear();
        log.sealed = true;
        self.ended = ended;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.origin, state.size, state.time_s) = (checkpoint.origin, size, time_s);
        Ok(())
    }

    /// Gives the segments free whose events are sealed.
    fn acknowledge(&mut self) {
        if self.acknowledged == self.cursor {
            return;
        }
        self.acknowledged = self.cursor;
        if let Err(error) = self.spool.acknowledge(self.reader, SEAL, self.cursor) {
            // Of no harm: the journal knows it, too.
            tracing::debug!(%error, "the cursor of the seal is not stored");
        }
    }

    fn note(&self, fault: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fault = fault;
    }
}

/// Ends a journal when it drops.
struct End(Arc<Journal>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

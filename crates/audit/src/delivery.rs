//! One thread per sink: reads the spool from the sink's cursor, delivers, moves the cursor; waits longer
//! after each fault and never gives up. It knows neither events nor receivers.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::sink::{Sink, SinkFault};
use crate::spool::reader::{Batch, READ_BYTES, Reader};
use crate::spool::{Cursor, Spool};

/// How long records gather before they are read: a batch costs the same for one record as for hundreds.
const GATHER: Duration = Duration::from_millis(100);
/// How long an idle thread sleeps at most.
const IDLE: Duration = Duration::from_secs(1);
/// First pause after a fault; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause after a fault.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The fault of a sink whose receiver took everything and whose cursor could not be stored.
const CURSOR_FAULT: &str = "cursor";

/// What a delivery says about itself.
pub(crate) struct Progress {
    pub(crate) name: String,
    /// Events delivered, counting those delivered before this boot that are still in the spool.
    pub(crate) delivered: AtomicU64,
    fault: Mutex<Option<&'static str>>,
}

impl Progress {
    pub(crate) fn new(name: &str, delivered: u64) -> Self {
        Self {
            name: name.to_owned(),
            delivered: AtomicU64::new(delivered),
            fault: Mutex::new(None),
        }
    }

    pub(crate) fn fault(&self) -> Option<&'static str> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_fault(&self, fault: Option<&'static str>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

pub(crate) struct Delivery {
    pub(crate) index: usize,
    pub(crate) spool: Arc<Spool>,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) cursor: Cursor,
}

impl Delivery {
    /// Starts the thread; it ends soon after [`Spool::stop`].
    pub(crate) fn start(mut self) -> io::Result<JoinHandle<()>> {
        Builder::new().name(format!("audit-{}", self.progress.name)).spawn(move || self.run())
    }

    fn run(&mut self) {
        let mut reader = Reader::new(self.spool.directory().to_owned());
        let mut pause = PAUSE_MIN;
        while !self.spool.stopping() {
            if !self.spool.wait_beyond(self.cursor, IDLE) {
                continue;
            }
            if !self.fills_a_batch() {
                self.spool.pause(GATHER);
            }
            match self.round(&mut reader) {
                Ok(stored) => {
                    pause = PAUSE_MIN;
                    self.progress.set_fault((!stored).then_some(CURSOR_FAULT));
                }
                Err(fault) => {
                    if fault != SinkFault::Stopping {
                        let sink = self.progress.name.as_str();
                        tracing::warn!(sink, %fault, "audit records wait");
                    }
                    self.progress.set_fault(Some(fault.name()));
                    self.spool.pause(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Whether waiting would only let records pile up.
    fn fills_a_batch(&self) -> bool {
        let tail = self.spool.tail();
        let waiting = tail.offset.saturating_sub(self.cursor.offset);
        tail.segment != self.cursor.segment || waiting >= READ_BYTES
    }

    /// Delivers one batch; whether its cursor is stored.
    fn round(&mut self, reader: &mut Reader) -> Result<bool, SinkFault> {
        let unreadable = |error: io::Error| {
            tracing::error!(%error, "audit spool not read");
            SinkFault::Unreachable
        };
        let batch = reader.batch(self.cursor, self.spool.tail()).map_err(unreadable)?;
        let taken = if batch.records.is_empty() { 0 } else { self.sink.deliver(&batch.records)? };
        let end = reached(&batch, taken).unwrap_or(self.cursor);
        // What was taken is not offered again by this process, stored or not.
        self.cursor = end;
        self.progress.delivered.fetch_add(taken as u64, Ordering::Relaxed);
        let stored = self.spool.acknowledge(self.index, &self.progress.name, end);
        if let Err(error) = &stored {
            tracing::error!(%error, "audit cursor not stored");
        }
        Ok(stored.is_ok())
    }
}

/// The place behind the records that were taken; behind the batch where all were.
fn reached(batch: &Batch, taken: usize) -> Option<Cursor> {
    if taken >= batch.records.len() {
        return Some(batch.end);
    }
    taken.checked_sub(1).and_then(|last| batch.ends.get(last).copied())
}

//! The way of every record from a fact to its receivers: opens the spool, starts the threads, hands out
//! entries. It knows no policy: whether a request may go on without a record is for the caller.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::clock;
use crate::delivery::{Delivery, Progress};
use crate::digest::{Digest, Digestion, Digests, Part};
use crate::entry::Entry;
use crate::event::intent::{self, IntentFault};
use crate::event::network;
use crate::event::{
    API_ACTIVITY, APPLICATION_LIFECYCLE, Class, Encoder, Masked, SystemEvent, Transaction,
    rewritten,
};
use crate::facts::{ConnectionFailure, Lifecycle, Opening};
use crate::health::{Health, SinkHealth};
use crate::pseudonym::Pseudonyms;
use crate::restraint::Restraint;
use crate::sealing::Former;
use crate::settings::{Durability, Settings};
use crate::sink::{Sink, SinkMistake};
use crate::spool::frame::Kind;
use crate::spool::{
    Full, Job, Opened, Recorded, SEAL, SIZE_BYTES_MIN, Spool, SpoolFault, Writer, commit,
};

mod beside;
mod sealed;

use sealed::{Sealed, seal};

/// Why a trail cannot be opened: nothing may run without it.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The directory is taken, not writable, or of another version.
    #[error("open the audit spool: {0}")]
    Spool(#[source] io::Error),
    /// The size leaves no room for a few entries.
    #[error("open the audit spool: its size is too small, {SIZE_BYTES_MIN} bytes at least")]
    TooSmall,
    /// Fewer than 32 bytes.
    #[error("use the pseudonym key: it is too short")]
    PseudonymKey,
    /// A sink's settings are not usable.
    #[error("make the {name} sink: {mistake}")]
    Sink {
        /// Which sink.
        name: String,
        /// What is wrong.
        mistake: SinkMistake,
    },
    /// The checkpoints of before cannot be read, or what was not sealed yet cannot be sealed.
    #[error("seal the audit spool: {0}")]
    Seal(#[source] io::Error),
    /// A thread could not be started.
    #[error("start an audit thread: {0}")]
    Thread(#[source] io::Error),
}

/// Makes a sink once the spool is there.
pub(crate) type Maker = Box<dyn FnOnce(&Arc<Spool>) -> Result<Box<dyn Sink>, SinkMistake>>;

/// The audit trail of one process.
pub struct Trail {
    spool: Arc<Spool>,
    writer: Writer,
    encoder: Encoder,
    restraint: Restraint,
    digests: Digests,
    sealed: Sealed,
    damaged: u64,
    torn_bytes: u64,
    progress: Vec<Arc<Progress>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// They end after all others: the last checkpoint is about what those have done.
    publishers: Mutex<Vec<JoinHandle<()>>>,
    queue: Option<JoinHandle<()>>,
}

impl Trail {
    /// Opens the spool, repairs it, files what a former boot left open as Unknown and starts delivery.
    ///
    /// # Errors
    /// A [`TrailError`]; nothing was started then.
    pub fn open(settings: Settings, started: SystemTime) -> Result<Arc<Self>, TrailError> {
        let mut counts: HashMap<&'static str, u32> = HashMap::new();
        let mut makers: Vec<(String, Maker)> = Vec::with_capacity(settings.sinks.len());
        for sink in settings.sinks.clone() {
            let count = counts.entry(sink.name()).or_default();
            *count += 1;
            let name = match *count {
                1 => sink.name().to_owned(),
                number => format!("{}-{number}", sink.name()),
            };
            let instance = settings.instance.clone();
            makers.push((name, Box::new(move |spool| sink.make(&instance, spool))));
        }
        Self::open_with(settings, started, makers)
    }

    pub(crate) fn open_with(
        settings: Settings,
        started: SystemTime,
        makers: Vec<(String, Maker)>,
    ) -> Result<Arc<Self>, TrailError> {
        if settings.spool.size_bytes_max < SIZE_BYTES_MIN {
            return Err(TrailError::TooSmall);
        }
        let pseudonyms = Pseudonyms::new(&settings.pseudonym_key, settings.key_number)
            .ok_or(TrailError::PseudonymKey)?;
        let digests = Digests::new(pseudonyms.key(), settings.key_number, settings.digesting);
        let boot = clock::identifier(started);
        let log = format!("{}/{boot}", settings.seal.name);
        let encoder = Encoder::new(&log, pseudonyms).masked_by(settings.masker.clone());
        let durability = settings.spool.durability;
        let readers = makers.iter().map(|maker| maker.0.clone()).chain([SEAL.to_owned()]);
        let readers: Vec<String> = readers.collect();
        let (spool, opened) =
            Spool::open(settings.spool.clone(), &readers, &log).map_err(TrailError::Spool)?;
        let spool = Arc::new(spool);
        let deliveries = deliveries(&spool, &opened, makers)?;
        let ((sealer, sealed), former, publishers) = seal(&spool, deliveries.len(), &settings)?;
        recover(&spool, &encoder, &opened, (started, former))?;
        let progress = deliveries.iter().map(|sink| Arc::clone(&sink.progress)).collect();
        let mut threads = vec![sealer.start().map_err(TrailError::Thread)?];
        let (writer, queue) = writer(&spool, durability, &mut threads)?;
        let mut trail = Self {
            spool,
            writer,
            encoder,
            restraint: Restraint::default(),
            digests,
            sealed,
            damaged: opened.damaged,
            torn_bytes: opened.torn_bytes,
            progress,
            threads: Mutex::new(threads),
            publishers: Mutex::new(Vec::new()),
            queue,
        };
        for delivery in deliveries {
            let thread = delivery.start().map_err(TrailError::Thread)?;
            trail.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        for publisher in publishers {
            let thread = publisher.start().map_err(TrailError::Thread)?;
            trail.publishers.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(Arc::new(trail))
    }

    /// Begins the record of a request and reserves the room of its intent and its event.
    ///
    /// # Errors
    /// [`Full`] where there is no room or the spool cannot be written. The missing record is counted and,
    /// once there is room again, told in an `audit.gap` event.
    pub fn begin(self: &Arc<Self>, opening: Opening) -> Result<Entry, Full> {
        if let Err(full) = self.spool.reserve() {
            self.missed();
            return Err(full);
        }
        self.tell_gaps(opening.time);
        let uid = clock::identifier(opening.time);
        let transaction = Transaction {
            uid: uid.to_string(),
            opening: self.encoder.opening(opening),
            route: None,
            caller: None,
            observed: Vec::new(),
            finding: None,
            digests: Digestion::default(),
            intended: false,
        };
        Ok(Entry::new(Arc::clone(self), uid, transaction))
    }

    /// A digest of that part of a transaction; `None` where the settings do not ask for it.
    #[must_use]
    pub fn digest(&self, part: Part) -> Option<Digest> {
        self.digests.begin(part)
    }

    /// Records a connection that never became a request.
    pub fn connection_failed(&self, failure: ConnectionFailure) {
        let (class, _, _) = network::placed(failure.kind);
        let uid = self.aside(failure.time, class, |encoder, uid| encoder.connection(&failure, uid));
        self.beside_failure(&failure, &uid);
    }

    /// Records what happened to the gateway itself; the uid of its event.
    pub fn lifecycle(&self, lifecycle: Lifecycle) -> String {
        let time = lifecycle.time();
        let event = SystemEvent::Lifecycle(lifecycle);
        self.aside(time, event.class(), |encoder, uid| encoder.system(&event, uid))
    }

    /// The state at this moment.
    #[must_use]
    pub fn health(&self) -> Health {
        let (spool_bytes, reserved_bytes) = self.spool.usage();
        let events = self.spool.events();
        let sink = |progress: &Arc<Progress>| SinkHealth {
            name: progress.name.clone(),
            backlog_events: events.saturating_sub(progress.delivered.load(Ordering::Relaxed)),
            fault: progress.fault(),
        };
        Health {
            spool_ok: self.spool.healthy(),
            spool_bytes,
            reserved_bytes,
            sinks: self.progress.iter().map(sink).collect(),
            seal: self.sealed.health(),
            gaps: self.spool.gaps(),
            damaged: self.damaged,
            torn_bytes: self.torn_bytes,
            masked_hits: self.encoder.hits(),
            events: self.encoder.counts().all(),
            left_out: self.restraint.left_out(),
        }
    }

    /// Delivers what there is, at most so long, then ends the threads. `true` where nothing is left; the
    /// rest stays in the spool for the next start. What is recorded later stays there, too.
    pub async fn close(&self, limit: Duration) -> bool {
        let spool = Arc::clone(&self.spool);
        let threads = std::mem::take(&mut *self.threads());
        let publishers = std::mem::take(&mut *self.publishers());
        let ended = tokio::task::spawn_blocking(move || {
            let drained = spool.drain(limit);
            spool.stop();
            join(threads);
            join(publishers);
            drained
        });
        ended.await.unwrap_or(false)
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    pub(crate) fn file(&self, job: Job) -> Result<Recorded, SpoolFault> {
        self.writer.file(job)
    }

    /// A record that should exist does not.
    pub(crate) fn missed(&self) {
        self.spool.missed(1);
    }

    /// Files an event that nobody reserved room for; its uid.
    fn aside(
        &self,
        time: SystemTime,
        class: Class,
        encode: impl FnOnce(&Encoder, &str) -> Masked,
    ) -> String {
        let uid = clock::identifier(time);
        let name = uid.to_string();
        let event = encode(&self.encoder, &name);
        match self.writer.file(unreserved(uid, event)).map(Recorded::now) {
            // One that was not written is counted as missing where it was not.
            Ok(filed) => {
                self.encoder.counts().add(class);
                beside::told(filed);
            }
            Err(fault) => {
                beside::told(Err(fault));
                self.missed();
            }
        }
        name
    }

    fn tell_gaps(&self, time: SystemTime) {
        let missing = self.spool.take_untold();
        if missing == 0 {
            return;
        }
        let uid = clock::identifier(time);
        let event = self.encoder.system(&SystemEvent::Gap { time, missing }, &uid.to_string());
        let told = match self.writer.file(unreserved(uid, event)).map(Recorded::now) {
            Ok(Ok(())) => {
                self.encoder.counts().add(APPLICATION_LIFECYCLE);
                true
            }
            Ok(Err(_)) => {
                // Counted where it was not written; but what it told is all that is missing.
                self.spool.found(1);
                false
            }
            Err(_) => false,
        };
        if !told {
            self.spool.put_back_untold(missing);
        }
    }

    fn publishers(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.publishers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        // Closes the queue: its thread writes what is left and ends.
        self.writer = Writer::Direct(Arc::clone(&self.spool));
        join(self.queue.take());
        self.spool.stop();
        let threads = std::mem::take(&mut *self.threads());
        join(threads);
        let publishers = std::mem::take(&mut *self.publishers());
        join(publishers);
    }
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").field("directory", &self.spool.directory()).finish_non_exhaustive()
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("an audit thread panicked");
        }
    }
}

fn unreserved(uid: Uuid, event: Masked) -> Job {
    Job { kind: Kind::Event, uid, body: event.into_bytes(), last: false, reserved: false }
}

/// Begins the log, files the transactions a former boot left open, and what had to be repaired.
fn recover(
    spool: &Spool,
    encoder: &Encoder,
    opened: &Opened,
    (time, former): (SystemTime, Option<Former>),
) -> Result<(), TrailError> {
    let append = |uid, class, event: Masked| {
        // Room or not: what was begun must end.
        let job = Job { reserved: true, ..unreserved(uid, event) };
        spool.append(&job).map_err(|fault| TrailError::Spool(io::Error::other(fault)))?;
        encoder.counts().add(class);
        Ok::<_, TrailError>(())
    };
    let uid = clock::identifier(time);
    let begun = SystemEvent::LogBegun { time, former };
    append(uid, begun.class(), encoder.system(&begun, &uid.to_string()))?;
    for (uid, _, intent) in &opened.orphans {
        // What is not understood is not passed over: its transaction would be lost.
        let refused = |fault| TrailError::Spool(io::Error::new(io::ErrorKind::InvalidData, fault));
        let event = unknown(encoder, *uid, intent).map_err(refused)?;
        append(*uid, API_ACTIVITY, event)?;
    }
    let (torn_bytes, damaged) = (opened.torn_bytes, opened.damaged);
    if torn_bytes > 0 || damaged > 0 {
        tracing::warn!(torn_bytes, damaged, "audit spool repaired");
        let uid = clock::identifier(time);
        let event = SystemEvent::Repaired { time, torn_bytes, damaged };
        append(uid, event.class(), encoder.system(&event, &uid.to_string()))?;
    }
    Ok(())
}

/// The event of a transaction of which only its intent is left.
fn unknown(encoder: &Encoder, uid: Uuid, intent: &[u8]) -> Result<Masked, IntentFault> {
    if intent.starts_with(b"{") {
        // Format version 1: the event itself.
        let event = rewritten(intent).ok_or(IntentFault::Malformed)?;
        return Ok(Masked::from_spool(event));
    }
    let uid = uid.to_string();
    let (known, digests) = intent::decode(&uid, intent)?;
    Ok(encoder.unknown(&known, digests))
}

fn deliveries(
    spool: &Arc<Spool>,
    opened: &Opened,
    makers: Vec<(String, Maker)>,
) -> Result<Vec<Delivery>, TrailError> {
    let mut deliveries = Vec::with_capacity(makers.len());
    let states = opened.cursors.iter().zip(&opened.backlog).enumerate();
    for ((name, make), (index, (cursor, backlog))) in makers.into_iter().zip(states) {
        let progress = Arc::new(Progress::new(&name, opened.events.saturating_sub(*backlog)));
        let sink = make(spool).map_err(|mistake| TrailError::Sink { name, mistake })?;
        let spool = Arc::clone(spool);
        deliveries.push(Delivery { index, spool, sink, progress, cursor: *cursor });
    }
    Ok(deliveries)
}

fn writer(
    spool: &Arc<Spool>,
    durability: Durability,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<(Writer, Option<JoinHandle<()>>), TrailError> {
    let shared = Arc::clone(spool);
    match durability {
        Durability::Written => Ok((Writer::Direct(shared), None)),
        Durability::Synced => {
            let (committed, thread) =
                commit::start_committer(Arc::clone(spool)).map_err(TrailError::Thread)?;
            threads.push(thread);
            Ok((Writer::Synced(shared, committed), None))
        }
        Durability::Queued => {
            let (queue, thread) =
                commit::start_queue(Arc::clone(spool)).map_err(TrailError::Thread)?;
            Ok((Writer::Queued(shared, queue), Some(thread)))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

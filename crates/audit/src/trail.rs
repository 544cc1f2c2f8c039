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
use crate::event::network;
use crate::event::{Class, Encoder, Masked, SystemEvent, Transaction};
use crate::facts::{ConnectionFailure, Lifecycle, Opening};
use crate::health::{Health, SinkHealth};
use crate::pseudonym::Pseudonyms;
use crate::restraint::Restraint;
use crate::roll_ups::{Reason, RollUps};
use crate::settings::{Durability, Settings};
use crate::sink::{Sink, SinkMistake};
use crate::spool::frame::Kind;
use crate::spool::{
    Account, Full, Job, Opened, Recorded, SEAL, SIZE_BYTES_MIN, Spool, SpoolFault, Writer, commit,
};
use crate::volume;

mod beside;
mod recovery;
mod room;
mod sealed;

use recovery::recover;
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
    encoder: Arc<Encoder>,
    roll_ups: Arc<RollUps>,
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
        let encoder = Arc::new(Encoder::new(&log, pseudonyms).masked_by(settings.masker.clone()));
        let durability = settings.spool.durability;
        let readers = makers.iter().map(|maker| maker.0.clone()).chain([SEAL.to_owned()]);
        let readers: Vec<String> = readers.collect();
        let (spool, opened) =
            Spool::open(settings.spool.clone(), &readers, &log).map_err(TrailError::Spool)?;
        let spool = Arc::new(spool);
        if let Some(volume) = volume::passing(spool.directory()) {
            tracing::warn!(
                volume,
                "the audit spool is gone with this machine's memory or this container"
            );
        }
        let deliveries = deliveries(&spool, &opened, makers)?;
        let ((sealer, sealed), former, publishers) = seal(&spool, deliveries.len(), &settings)?;
        recover(&spool, &encoder, &opened, (started, former))?;
        let progress = deliveries.iter().map(|sink| Arc::clone(&sink.progress)).collect();
        let mut threads = vec![sealer.start().map_err(TrailError::Thread)?];
        let roll_ups = Arc::<RollUps>::default();
        threads.push(roll_ups.start(&spool, &encoder).map_err(TrailError::Thread)?);
        let (writer, queue) = writer(&spool, durability, &mut threads)?;
        let mut trail = Self {
            spool,
            writer,
            encoder,
            roll_ups,
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

    /// Begins the record of a request. Room for it is reserved when its caller is proved, or with its intent: whoever is
    /// nobody takes none that others could need.
    ///
    /// # Errors
    /// [`Full`] where the spool cannot be written. The missing record is counted and, once it can be
    /// written again, told in an `audit.gap` event.
    pub fn begin(self: &Arc<Self>, opening: Opening) -> Result<Entry, Full> {
        if let Err(full) = self.spool.enter() {
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
        let (class, _, prefix) = network::placed(failure.kind);
        let (uid, name) = named(failure.time);
        let event = self.encoder.connection(&failure, &name);
        let reason = Reason { class, stage: prefix, reason: failure.reason };
        let filed = self.file_or_count(unreserved(uid, event, Account::Others), || {
            self.roll_ups.add(reason, failure.client.ip(), clock::millis(failure.time));
        });
        if let Some(recorded) = self.counted(filed, class) {
            beside::told(recorded.now());
        }
        self.beside_failure(&failure, &name);
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
            rolled_up: self.roll_ups.records(),
        }
    }

    /// Delivers what there is, at most so long, then ends the threads. `true` where nothing is left; the
    /// rest stays in the spool for the next start. What is recorded later stays there, too.
    pub async fn close(&self, limit: Duration) -> bool {
        let spool = Arc::clone(&self.spool);
        let (roll_ups, encoder) = (Arc::clone(&self.roll_ups), Arc::clone(&self.encoder));
        let threads = std::mem::take(&mut *self.threads());
        let publishers = std::mem::take(&mut *self.publishers());
        let ended = tokio::task::spawn_blocking(move || {
            roll_ups.tell(&spool, &encoder);
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
        let (uid, name) = named(time);
        let event = encode(&self.encoder, &name);
        let filed = self.writer.file(unreserved(uid, event, Account::Proved));
        if let Some(recorded) = self.counted(Some(filed), class) {
            // One that was not written is counted as missing where it was not.
            beside::told(recorded.now());
        }
        name
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

/// A new uid, and its text.
fn named(time: SystemTime) -> (Uuid, String) {
    let uid = clock::identifier(time);
    (uid, uid.to_string())
}

fn unreserved(uid: Uuid, event: Masked, account: Account) -> Job {
    let (kind, body) = (Kind::Event, event.into_bytes());
    Job { kind, uid, body, last: false, reserved: false, account }
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

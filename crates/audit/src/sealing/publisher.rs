//! Takes checkpoints from the journal to where they are published: beside the events of a sink, and to pins, which are places
//! that this instance cannot change afterwards. A thread and a cursor each; a place that cannot be reached waits, and holds up nobody.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use seal::Record;

use super::{Journal, SealSettings, Tail};
use crate::delivery::Progress;
use crate::sink::file::File;
use crate::sink::{KafkaTls, SinkFault, SinkMistake, SinkSettings};
use crate::spool::segment::{load_cursor, store_cursor};
use crate::spool::{Cursor, Spool};

/// Bytes of lines published at once.
const BATCH_BYTES: usize = 256 << 10;
/// How long an idle thread sleeps at most.
const IDLE: Duration = Duration::from_secs(1);
/// How long a checkpoint waits for the events that it is about, before it looks again.
const HOLD: Duration = Duration::from_millis(50);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A pin did not take a checkpoint; it is offered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("pin a checkpoint")]
pub struct PinFault;

/// A place for checkpoints that is not built in. It may block, for some seconds at most.
pub trait Pin: Send + Sync + std::fmt::Debug {
    /// Puts a signed note there.
    ///
    /// # Errors
    /// [`PinFault`] where it is not there now.
    fn pin(&self, note: &str) -> Result<(), PinFault>;
}

/// A place outside of what this instance can change.
#[derive(Debug, Clone)]
pub enum PinSettings {
    /// JSON lines with a note each, appended: on a volume of somebody else.
    File {
        /// The file.
        path: PathBuf,
        /// How often the newest checkpoint is put there.
        every: Duration,
    },
    /// A topic of a cluster of somebody else (feature `kafka`).
    Kafka {
        /// `host:port`, one or more.
        brokers: Vec<String>,
        /// The topic itself.
        topic: String,
        /// TLS to the brokers.
        tls: Option<KafkaTls>,
        /// Plain text to the brokers: without TLS this has to be said.
        insecure_plaintext: bool,
        /// How often the newest checkpoint is put there.
        every: Duration,
    },
    /// Anything else.
    Other {
        /// Its name.
        name: String,
        /// How often the newest checkpoint is put there.
        every: Duration,
        /// What puts it there.
        pin: Arc<dyn Pin>,
    },
}

/// Where lines go.
pub(crate) enum Target {
    File(File),
    #[cfg(feature = "kafka")]
    Kafka(crate::sink::kafka::Kafka),
    PinFile(PathBuf),
    #[cfg(feature = "kafka")]
    PinKafka(crate::sink::kafka::Kafka),
    Pin(Arc<dyn Pin>),
}

impl Target {
    fn publish(&mut self, lines: &[(String, Cursor)]) -> Result<(), SinkFault> {
        match self {
            Self::File(file) => {
                let text: String = lines.iter().map(|line| line.0.as_str()).collect();
                file.append(text.as_bytes())
            }
            #[cfg(feature = "kafka")]
            Self::Kafka(kafka) => {
                let lines: Vec<_> = lines.iter().map(|line| line.0.trim_end().as_bytes()).collect();
                kafka.publish(&lines)
            }
            Self::PinFile(path) => {
                let lines =
                    notes(lines).map(|note| format!("{}\n", serde_json::json!({"note": note})));
                append(path, &lines.collect::<String>()).map_err(|_| SinkFault::Unreachable)
            }
            #[cfg(feature = "kafka")]
            Self::PinKafka(kafka) => {
                let notes: Vec<_> = notes(lines).collect();
                kafka.publish(&notes.iter().map(String::as_bytes).collect::<Vec<_>>())
            }
            Self::Pin(pin) => notes(lines)
                .try_for_each(|note| pin.pin(&note))
                .map_err(|PinFault| SinkFault::Unreachable),
        }
    }
}

fn notes(lines: &[(String, Cursor)]) -> impl Iterator<Item = String> {
    lines.iter().filter_map(|(line, _)| Record::parse(line.trim_end().as_bytes())).map(|r| r.note)
}

fn append(path: &PathBuf, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// One place, not started yet.
pub(crate) struct Publisher {
    pub(crate) index: usize,
    pub(crate) spool: Arc<Spool>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) progress: Arc<Progress>,
    target: Target,
    /// The sink beside whose events the checkpoints lie: none is there before its events are.
    behind: Option<usize>,
    /// Only the newest, and so often.
    every: Option<Duration>,
    cursor: Cursor,
}

/// A place: its name, where it is, the sink that it waits for, and how often.
pub(crate) type Named = (String, Target, Option<usize>, Option<Duration>);

/// Every place that the settings name, with its name and what it waits for.
pub(crate) fn targets(
    instance: &str,
    sinks: &[SinkSettings],
    settings: &SealSettings,
    journal: &Arc<Journal>,
) -> Result<Vec<Named>, (String, SinkMistake)> {
    let mut targets = Vec::new();
    for (index, sink) in sinks.iter().enumerate() {
        let name = format!("checkpoints-{}-{}", sink.name(), index + 1);
        match sink {
            SinkSettings::Stdout => {}
            SinkSettings::File { directory, rotate_bytes } => {
                let file =
                    File::new(directory.clone(), crate::sink::file::CHECKPOINTS, *rotate_bytes);
                targets.push((name, Target::File(file), Some(index), None));
            }
            SinkSettings::Kafka { topics, .. } => {
                let topic = format!("{topics}.checkpoints");
                let made = kafka(sink, &topic, instance, journal).map_err(|m| (name.clone(), m))?;
                #[cfg(feature = "kafka")]
                targets.push((name, Target::Kafka(made), Some(index), None));
                #[cfg(not(feature = "kafka"))]
                let () = made;
            }
        }
    }
    for (index, pin) in settings.pins.iter().enumerate() {
        let name = format!("pin-{}-{}", pin.name(), index + 1);
        let (target, every) = match pin {
            PinSettings::File { path, every } => (Target::PinFile(path.clone()), *every),
            PinSettings::Other { every, pin, .. } => (Target::Pin(Arc::clone(pin)), *every),
            PinSettings::Kafka { brokers, topic, tls, insecure_plaintext, every } => {
                let sink = SinkSettings::Kafka {
                    brokers: brokers.clone(),
                    topics: topic.clone(),
                    tls: tls.clone(),
                    insecure_plaintext: *insecure_plaintext,
                };
                let made = kafka(&sink, topic, instance, journal).map_err(|m| (name.clone(), m))?;
                #[cfg(feature = "kafka")]
                targets.push((name, Target::PinKafka(made), None, Some(*every)));
                #[cfg(not(feature = "kafka"))]
                let ((), _) = (made, every);
                continue;
            }
        };
        targets.push((name, target, None, Some(every)));
    }
    Ok(targets)
}

impl PinSettings {
    fn name(&self) -> &str {
        match self {
            Self::File { .. } => "file",
            Self::Kafka { .. } => "kafka",
            Self::Other { name, .. } => name,
        }
    }
}

#[cfg(feature = "kafka")]
fn kafka(
    sink: &SinkSettings,
    topic: &str,
    instance: &str,
    journal: &Arc<Journal>,
) -> Result<crate::sink::kafka::Kafka, SinkMistake> {
    let SinkSettings::Kafka { brokers, tls, insecure_plaintext, .. } = sink else {
        return Err(SinkMistake::KafkaSettings);
    };
    let settings = crate::sink::kafka::settings(brokers, tls.as_ref(), *insecure_plaintext)?;
    let journal = Arc::clone(journal);
    crate::sink::kafka::Kafka::new(settings, topic, instance, Box::new(move || journal.over()))
}

#[cfg(not(feature = "kafka"))]
fn kafka(
    _sink: &SinkSettings,
    _topic: &str,
    _instance: &str,
    _journal: &Arc<Journal>,
) -> Result<(), SinkMistake> {
    Err(SinkMistake::NoKafka)
}

impl Publisher {
    pub(crate) fn new(
        index: usize,
        (name, target, behind, every): Named,
        spool: &Arc<Spool>,
        journal: &Arc<Journal>,
    ) -> io::Result<Self> {
        let cursor = load_cursor(spool.directory(), &name)?;
        let progress = Arc::new(Progress::new(&name, 0));
        let (spool, journal) = (Arc::clone(spool), Arc::clone(journal));
        Ok(Self { index, spool, journal, progress, target, behind, every, cursor })
    }

    pub(crate) const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Starts the thread; it ends soon after the journal has.
    pub(crate) fn start(mut self) -> io::Result<JoinHandle<()>> {
        Builder::new().name("audit-publish".to_owned()).spawn(move || self.run())
    }

    fn run(&mut self) {
        let mut pause = PAUSE_MIN;
        let mut due = Instant::now();
        loop {
            let tail = self.journal.wait_beyond(self.cursor, IDLE);
            let wait = due.saturating_duration_since(Instant::now());
            if self.every.is_some() && !tail.ended && !wait.is_zero() {
                self.journal.pause(wait.min(IDLE));
                continue;
            }
            match self.round(tail) {
                Ok(true) => {
                    pause = PAUSE_MIN;
                    due = Instant::now() + self.every.unwrap_or_default();
                    self.progress.set_fault(None);
                }
                Ok(false) if tail.ended => return,
                Ok(false) => self.journal.pause(HOLD),
                Err(fault) => {
                    let place = self.progress.name.as_str();
                    tracing::warn!(place, %fault, "checkpoints wait");
                    self.progress.set_fault(Some(fault.name()));
                    if tail.ended {
                        return;
                    }
                    self.journal.pause(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Publishes what there is; `false` where there is nothing that may go now.
    fn round(&mut self, tail: Tail) -> Result<bool, SinkFault> {
        let unreadable = |error: io::Error| {
            tracing::error!(%error, "checkpoints not read");
            SinkFault::Unreachable
        };
        let mut lines =
            self.journal.lines(self.cursor, tail.end, BATCH_BYTES).map_err(unreadable)?;
        if self.every.is_some() {
            // All of them are read: only the newest is wanted.
            let mut at = self.cursor;
            while let Some((_, end)) = lines.last().filter(|line| line.1 < tail.end && line.1 > at)
            {
                at = *end;
                let more = self.journal.lines(at, tail.end, BATCH_BYTES).map_err(unreadable)?;
                if more.is_empty() {
                    break;
                }
                lines = more;
            }
            lines.drain(..lines.len().saturating_sub(1));
        }
        if let Some(sink) = self.behind {
            let there = self.spool.acknowledged_by(sink);
            let held = lines.iter().position(|(line, _)| beyond(line, there));
            lines.truncate(held.unwrap_or(lines.len()));
        }
        let Some((_, end)) = lines.last() else { return Ok(false) };
        self.target.publish(&lines)?;
        self.cursor = *end;
        let stored = store_cursor(self.spool.directory(), &self.progress.name, *end);
        if let Err(error) = stored {
            tracing::debug!(%error, "the cursor of a publisher is not stored");
        }
        self.journal.published(self.index, *end);
        Ok(true)
    }
}

/// Whether a checkpoint is about events that lie beyond a place.
fn beyond(line: &str, there: Cursor) -> bool {
    let record = Record::parse(line.trim_end().as_bytes());
    record.is_some_and(|record| Cursor { segment: record.at.0, offset: record.at.1 } > there)
}

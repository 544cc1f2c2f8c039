//! The topics of a cluster, read by who checks them: `PREFIX.events` as it comes, partition by partition; `PREFIX.checkpoints`
//! once, to a file without a name, because each log looks there for itself. Memory is that of a fetch.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use seal::verify::Location;
use seal::{LINE_BYTES_MAX, NOTE_BYTES_MAX};

use super::lines;
use crate::sink::{KafkaTls, SinkMistake, kafka};

/// How long brokers may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);
/// Messages fetched ahead, KiB.
const AHEAD_KIB: &str = "16384";
/// Of so many checkpoints one is found without reading those before it.
const STEP: u64 = 256;

/// Most notes of a topic.
const NOTES_MAX: usize = 1_000_000;

/// Where the topics are.
#[derive(Debug, Clone)]
pub struct TopicsSettings {
    /// `host:port`, one or more.
    pub brokers: Vec<String>,
    /// Prefix of the topics.
    pub topics: String,
    /// TLS to the brokers.
    pub tls: Option<KafkaTls>,
    /// Plain text to the brokers: without TLS this has to be said.
    pub insecure_plaintext: bool,
}

/// The checkpoints of one partition in the file.
#[derive(Debug)]
struct Section {
    place: Arc<str>,
    /// Its first byte.
    from: u64,
    /// Some offsets, and the bytes at which they begin.
    steps: Vec<(u64, u64)>,
}

pub(super) struct Topics {
    config: ClientConfig,
    events: String,
    checkpoints: Arc<File>,
    sections: Vec<Section>,
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics").field("events", &self.events).finish_non_exhaustive()
    }
}

fn unreachable(error: &KafkaError) -> io::Error {
    io::Error::other(error.to_string())
}

/// The settings of who reads.
fn reader(settings: &TopicsSettings) -> io::Result<ClientConfig> {
    let TopicsSettings { brokers, tls, insecure_plaintext, .. } = settings;
    let config = kafka::connection(brokers, tls.as_ref(), *insecure_plaintext);
    let mut config = config.map_err(|mistake: SinkMistake| io::Error::other(mistake))?;
    config
        .set("client.id", "sallyport-verify")
        // Never joined, nothing is committed: the client wants a name.
        .set("group.id", "sallyport-verify")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", AHEAD_KIB);
    Ok(config)
}

/// Every note of a topic, named as a whole by `topics`, with its place.
///
/// # Errors
/// The brokers do not answer, there is no such topic, or it holds more than pins.
pub fn notes(settings: &TopicsSettings) -> io::Result<Vec<(String, String)>> {
    let mut notes: Vec<(String, String)> = Vec::new();
    let mut foreign = None;
    each(&reader(settings)?, &settings.topics, &mut |at, message| {
        match std::str::from_utf8(message) {
            Ok(note) if note.len() <= NOTE_BYTES_MAX => {
                notes.push((note.to_owned(), at.to_string()))
            }
            _ => foreign = Some(at.clone()),
        }
        foreign.is_none() && notes.len() < NOTES_MAX
    })?;
    match foreign {
        Some(at) => Err(io::Error::other(format!("{at} is no note"))),
        None if notes.len() == NOTES_MAX => Err(io::Error::other("too many notes")),
        None => Ok(notes),
    }
}

impl Topics {
    /// Reads the checkpoints. What is published later is not looked at: events come before the checkpoints about them.
    pub(super) fn open(settings: &TopicsSettings) -> io::Result<Self> {
        let (config, topics) = (reader(settings)?, &settings.topics);
        let mut kept = BufWriter::new(tempfile::tempfile()?);
        let (mut sections, mut at): (Vec<Section>, u64) = (Vec::new(), 0);
        let mut fault = None;
        each(&config, &format!("{topics}.checkpoints"), &mut |here, message| {
            let offset = here.position;
            if sections.last().is_none_or(|section| section.place != here.place) {
                let place = Arc::clone(&here.place);
                sections.push(Section { place, from: at, steps: Vec::new() });
            }
            if let Some(section) = sections.last_mut()
                && section.steps.last().is_none_or(|step| offset - step.0 >= STEP)
            {
                section.steps.push((offset, at));
            }
            match keep(&mut kept, offset, message) {
                Ok(bytes) => at += bytes,
                Err(error) => fault = Some(error),
            }
            fault.is_none()
        })?;
        if let Some(error) = fault {
            return Err(error);
        }
        let checkpoints = Arc::new(kept.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(Self { config, events: format!("{topics}.events"), checkpoints, sections })
    }

    /// Every event with its place, until `f` says that it is enough.
    pub(super) fn each(&self, f: &mut dyn FnMut(&Location, &[u8]) -> bool) -> io::Result<()> {
        each(&self.config, &self.events, f)
    }

    /// The checkpoints from a place on; from the first without one.
    pub(super) fn lines<'t>(
        &'t self,
        from: Option<&Location>,
        fault: &'t Mutex<Option<io::Error>>,
    ) -> Checkpoints<'t> {
        let begin = from.and_then(|from| {
            let section = self.sections.iter().find(|section| section.place == from.place)?;
            let step = section.steps.iter().rev().find(|step| step.0 <= from.position);
            Some(step.map_or(section.from, |step| step.1))
        });
        let position = begin.unwrap_or_default();
        let file = BufReader::new(Part { file: Arc::clone(&self.checkpoints), position });
        Checkpoints { sections: &self.sections, position, file, from: from.cloned(), fault }
    }
}

/// Writes one message as a line behind its offset; how many bytes that is. A break in a message would be two lines: what is
/// behind it is left out, and no checkpoint is left.
fn keep(file: &mut BufWriter<File>, offset: u64, message: &[u8]) -> io::Result<u64> {
    let end = message.iter().position(|byte| *byte == b'\n').unwrap_or(message.len());
    let line = message.get(..end.min(LINE_BYTES_MAX + 1)).unwrap_or_default();
    let offset = format!("{offset} ");
    file.write_all(offset.as_bytes())?;
    file.write_all(line)?;
    file.write_all(b"\n")?;
    Ok((offset.len() + line.len()) as u64 + 1)
}

/// A file read from a place on, by many at once.
struct Part {
    file: Arc<File>,
    position: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Checkpoints in order, with their places.
pub(super) struct Checkpoints<'t> {
    sections: &'t [Section],
    position: u64,
    file: BufReader<Part>,
    from: Option<Location>,
    fault: &'t Mutex<Option<io::Error>>,
}

impl Checkpoints<'_> {
    fn read(&mut self) -> io::Result<Option<(Location, Vec<u8>)>> {
        // The offset and a space are in front.
        let (mut line, read, whole) = lines::next(&mut self.file, LINE_BYTES_MAX + 32)?;
        if !whole {
            return Ok(None);
        }
        let section = self.sections.iter().rev().find(|section| section.from <= self.position);
        self.position += read;
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let space = line.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let rest = line.split_off(space + 1);
        line.truncate(space);
        let offset = String::from_utf8(line).ok().and_then(|offset| offset.parse().ok());
        let place = section.map(|section| Arc::clone(&section.place)).ok_or_else(broken)?;
        Ok(Some((Location { place, position: offset.ok_or_else(broken)? }, rest)))
    }
}

impl Iterator for Checkpoints<'_> {
    type Item = (Location, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next = self.read().unwrap_or_else(|error| {
                let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                fault.get_or_insert(error);
                None
            });
            let before = |at: &Location, from: &Location| {
                at.place == from.place && at.position < from.position
            };
            match (&next, &self.from) {
                (Some((at, _)), Some(from)) if before(at, from) => {}
                _ => return next,
            }
        }
    }
}

/// Every message of a topic up to what is there at the beginning, partition by partition.
fn each(
    config: &ClientConfig,
    topic: &str,
    f: &mut dyn FnMut(&Location, &[u8]) -> bool,
) -> io::Result<()> {
    let consumer: BaseConsumer = config.create().map_err(|error| unreachable(&error))?;
    let metadata =
        consumer.fetch_metadata(Some(topic), SILENCE_MAX).map_err(|error| unreachable(&error))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no topic {topic} is there"));
    let found = found.filter(|found| found.error().is_none()).ok_or_else(missing)?;
    let mut partitions: Vec<i32> = found.partitions().iter().map(|part| part.id()).collect();
    if partitions.is_empty() {
        return Err(missing());
    }
    partitions.sort_unstable();
    for partition in partitions {
        let marks = consumer.fetch_watermarks(topic, partition, SILENCE_MAX);
        let marks = marks.map_err(|error| unreachable(&error))?;
        if !partition_from(&consumer, (topic, partition), marks, f)? {
            return Ok(());
        }
    }
    Ok(())
}

/// The messages of one partition between two offsets; `false` where it was enough.
fn partition_from(
    consumer: &BaseConsumer,
    (topic, partition): (&str, i32),
    (low, high): (i64, i64),
    f: &mut dyn FnMut(&Location, &[u8]) -> bool,
) -> io::Result<bool> {
    if low >= high {
        return Ok(true);
    }
    let mut wanted = TopicPartitionList::new();
    wanted
        .add_partition_offset(topic, partition, Offset::Offset(low))
        .and_then(|()| consumer.assign(&wanted))
        .map_err(|error| unreachable(&error))?;
    let place: Arc<str> = format!("{topic}/{partition}").into();
    let mut heard = Instant::now();
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "the brokers do not answer");
    loop {
        match consumer.poll(POLL) {
            None if heard.elapsed() > SILENCE_MAX => return Err(silent()),
            None => continue,
            Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return Ok(true),
            // Of a partition before this one.
            Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Ok(message)) if message.partition() != partition => {}
            // The client tries again by itself.
            Some(Err(KafkaError::MessageConsumption(code))) if passes(code) => {
                if heard.elapsed() > SILENCE_MAX {
                    return Err(silent());
                }
                continue;
            }
            Some(Err(error)) => return Err(unreachable(&error)),
            Some(Ok(message)) => {
                let position = u64::try_from(message.offset()).unwrap_or_default();
                let at = Location { place: Arc::clone(&place), position };
                if message.offset() >= high {
                    return Ok(true);
                }
                if !f(&at, message.payload().unwrap_or_default()) {
                    return Ok(false);
                }
                if message.offset() + 1 >= high {
                    return Ok(true);
                }
            }
        }
        heard = Instant::now();
    }
}

/// Whether an error is one of a connection that is made again.
fn passes(code: RDKafkaErrorCode) -> bool {
    let transient = [
        RDKafkaErrorCode::BrokerTransportFailure,
        RDKafkaErrorCode::AllBrokersDown,
        RDKafkaErrorCode::OperationTimedOut,
        RDKafkaErrorCode::Resolve,
    ];
    transient.contains(&code)
}

//! The topic `PREFIX.events`, keyed by instance so that one log keeps its order. Only the broker's
//! acknowledgement of every record counts; whatever fails, the producer is rebuilt and the batch comes
//! again from the spool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::{KafkaTls, Record, Sink, SinkFault, SinkMistake};

/// How long one wait for delivery reports lasts before the end is looked for.
const POLL: Duration = Duration::from_millis(50);
/// Longest name of a topic (Kafka's own limit is 249).
const TOPIC_BYTES_MAX: usize = 249;
/// Name of the header that carries `metadata.uid`.
const UID_HEADER: &str = "event-uid";
/// Name of the header that carries the place of the event, `ORIGIN/INDEX`.
const LOG_HEADER: &str = "log";

/// The way to the brokers.
pub(crate) fn connection(
    brokers: &[String],
    tls: Option<&KafkaTls>,
    insecure_plaintext: bool,
) -> Result<ClientConfig, SinkMistake> {
    if tls.is_none() && !insecure_plaintext {
        return Err(SinkMistake::PlaintextNotAsked);
    }
    if brokers.is_empty() {
        return Err(SinkMistake::KafkaSettings);
    }
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers.join(","))
        .set("reconnect.backoff.max.ms", "5000")
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(tls) = tls {
        config.set("security.protocol", "ssl").set("ssl.ca.location", tls.ca.to_string_lossy());
        if let Some(certificate) = &tls.certificate {
            config.set("ssl.certificate.location", certificate.to_string_lossy());
        }
        if let Some(key) = &tls.key {
            config.set("ssl.key.location", key.to_string_lossy());
        }
    }
    Ok(config)
}

/// What librdkafka is told. Measured: idempotence stops duplicates and disorder, an endless delivery
/// timeout stops loss while the process lives, the spool stops it when the process dies.
pub(crate) fn settings(
    brokers: &[String],
    tls: Option<&KafkaTls>,
    insecure_plaintext: bool,
) -> Result<ClientConfig, SinkMistake> {
    let mut config = connection(brokers, tls, insecure_plaintext)?;
    config
        .set("client.id", "sallyport-audit")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "20")
        .set("compression.type", "zstd")
        // 0 is endless: the spool bounds what waits.
        .set("message.timeout.ms", "0")
        .set("message.max.bytes", "1048576")
        .set("queue.buffering.max.messages", "2000")
        .set("queue.buffering.max.kbytes", "16384");
    Ok(config)
}

/// Counts the delivery reports of one batch.
#[derive(Default)]
struct Reports {
    delivered: AtomicUsize,
    failed: Mutex<Option<KafkaError>>,
}

impl Reports {
    fn failure(&self) -> Option<KafkaError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::warn!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Reports>;

    fn delivery(&self, result: &DeliveryResult<'_>, reports: Arc<Reports>) {
        match result {
            Ok(_) => {
                reports.delivered.fetch_add(1, Ordering::SeqCst);
            }
            Err((error, _)) => {
                let mut failed = reports.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert_with(|| error.clone());
            }
        }
    }
}

/// Whether waiting for the broker should end.
type Halt = Box<dyn Fn() -> bool + Send>;

/// One message.
struct Message<'m> {
    payload: &'m [u8],
    headers: OwnedHeaders,
}

pub(crate) struct Kafka {
    config: ClientConfig,
    topic: String,
    key: String,
    halt: Halt,
    producer: Option<BaseProducer<Context>>,
}

impl Kafka {
    pub(crate) fn new(
        config: ClientConfig,
        topic: &str,
        key: &str,
        halt: Halt,
    ) -> Result<Self, SinkMistake> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if topic.is_empty()
            || topic.starts_with('.')
            || topic.len() > TOPIC_BYTES_MAX
            || !topic.bytes().all(legal)
        {
            return Err(SinkMistake::KafkaSettings);
        }
        // Made at once, so that unusable settings stop the start.
        let producer = make(&config).map_err(|_| SinkMistake::KafkaSettings)?;
        let (topic, key) = (topic.to_owned(), key.to_owned());
        Ok(Self { config, topic, key, halt, producer: Some(producer) })
    }

    /// Publishes payloads in order; all are acknowledged, or they are to be offered again.
    pub(crate) fn publish(&mut self, payloads: &[&[u8]]) -> Result<(), SinkFault> {
        let messages =
            payloads.iter().map(|payload| Message { payload, headers: OwnedHeaders::new() });
        self.offer(&messages.collect::<Vec<_>>())
    }

    /// Sends the batch and waits for the report of each message.
    fn send(
        &self,
        producer: &BaseProducer<Context>,
        batch: &[Message<'_>],
    ) -> Result<(), SinkFault> {
        let reports = Arc::new(Reports::default());
        for message in batch {
            self.enqueue(producer, message, &reports)?;
        }
        while reports.delivered.load(Ordering::SeqCst) < batch.len() {
            producer.poll(POLL);
            self.check(producer, &reports)?;
        }
        Ok(())
    }

    fn enqueue(
        &self,
        producer: &BaseProducer<Context>,
        message: &Message<'_>,
        reports: &Arc<Reports>,
    ) -> Result<(), SinkFault> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, Arc::clone(reports))
            .key(&self.key)
            .payload(message.payload)
            .headers(message.headers.clone());
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    producer.poll(POLL);
                    self.check(producer, reports)?;
                    record = back;
                }
                Err((error, _)) => {
                    tracing::warn!(%error, "audit record not queued for kafka");
                    return Err(SinkFault::Refused);
                }
            }
        }
    }

    /// Whether it is worth waiting on.
    fn check(&self, producer: &BaseProducer<Context>, reports: &Reports) -> Result<(), SinkFault> {
        if let Some(error) = reports.failure() {
            tracing::warn!(%error, "audit record not delivered to kafka");
            return Err(SinkFault::Refused);
        }
        if let Some((code, reason)) = producer.client().fatal_error() {
            tracing::error!(?code, reason, "kafka producer failed");
            return Err(SinkFault::Unreachable);
        }
        if (self.halt)() { Err(SinkFault::Stopping) } else { Ok(()) }
    }
}

fn make(config: &ClientConfig) -> Result<BaseProducer<Context>, KafkaError> {
    config.create_with_context(Context)
}

impl Kafka {
    fn offer(&mut self, batch: &[Message<'_>]) -> Result<(), SinkFault> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => make(&self.config).map_err(|_| SinkFault::Unreachable)?,
        };
        // Dropped on a fault with all it holds: what is unsure comes again under the same uid.
        self.send(&producer, batch)?;
        self.producer = Some(producer);
        Ok(())
    }
}

impl Sink for Kafka {
    fn deliver(&mut self, batch: &[Record]) -> Result<usize, SinkFault> {
        self.offer(&batch.iter().map(message).collect::<Vec<_>>()).map(|()| batch.len())
    }
}

/// The exact bytes of the event; its uid and its whole place beside it.
fn message(record: &Record) -> Message<'_> {
    let uid = record.uid.to_string();
    let mut headers = OwnedHeaders::new().insert(Header { key: UID_HEADER, value: Some(&uid) });
    if let Some(place) = &record.place {
        let place = format!("{}/{}", place.log, place.index);
        headers = headers.insert(Header { key: LOG_HEADER, value: Some(&place) });
    }
    Message { payload: record.value.as_bytes(), headers }
}

#[cfg(test)]
mod tests;

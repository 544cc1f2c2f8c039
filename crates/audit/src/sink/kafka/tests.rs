//! Against librdkafka's own mock brokers: keys, headers, order, and a broker that is away.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};
use secrecy::SecretSlice;
use tempfile::TempDir;

use super::*;
use crate::event::tests::{opening, outcome};
use crate::facts::Decision;
use crate::settings::{Settings, SpoolSettings};
use crate::sink::SinkSettings;
use crate::trail::Trail;

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 3;

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).expect("brokers");
    cluster.create_topic("audit.events", PARTITIONS, 1).expect("a topic");
    cluster.create_topic("audit.checkpoints", 1, 1).expect("a topic");
    cluster
}

fn open(directory: &Path, brokers: &str) -> Arc<Trail> {
    let kafka = SinkSettings::Kafka {
        brokers: vec![brokers.to_owned()],
        topics: "audit".to_owned(),
        tls: None,
        insecure_plaintext: true,
    };
    let settings = Settings {
        spool: SpoolSettings::new(directory.join("spool")),
        instance: "edge-1".to_owned(),
        pseudonym_key: SecretSlice::from(vec![7; 32]),
        key_number: 1,
        digesting: crate::digest::Digesting::Bodies,
        seal: crate::sealing::tests::settings(),
        masker: crate::Masker::default(),
        sinks: vec![kafka],
    };
    Trail::open(settings, UNIX_EPOCH).expect("a trail")
}

async fn serve(trail: &Arc<Trail>, count: usize) -> Vec<String> {
    let mut served = Vec::new();
    for _ in 0..count {
        let mut entry = trail.begin(opening()).expect("room");
        entry.close(outcome(200, Decision::Allowed)).await.expect("on record");
        served.push(entry.transaction().to_owned());
    }
    served
}

/// Reads the topic until `count` different messages are there: (partition, uid).
fn consume(brokers: &str, count: usize) -> Vec<(i32, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .create()
        .expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let added = partitions.add_partition_offset("audit.events", partition, Offset::Beginning);
        added.expect("a partition");
    }
    consumer.assign(&partitions).expect("assigned");
    let deadline = Instant::now() + LIMIT;
    let (mut found, mut distinct) = (Vec::new(), BTreeSet::new());
    while distinct.len() < count && Instant::now() < deadline {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        assert_eq!(message.key(), Some(b"edge-1".as_slice()));
        let header = message.headers().expect("headers").get(0);
        assert_eq!(header.key, UID_HEADER);
        let uid = String::from_utf8(header.value.expect("a uid").to_vec()).expect("text");
        let value: serde_json::Value =
            serde_json::from_slice(message.payload().expect("an event")).expect("json");
        assert_eq!(value["metadata"]["uid"], *uid);
        let place = message.headers().expect("headers").get(1);
        let index = value["metadata"]["sequence"].as_u64().expect("a number");
        let log = value["metadata"]["log_name"].as_str().expect("a log");
        assert_eq!(
            (place.key, place.value),
            (LOG_HEADER, Some(format!("{log}/{index}").as_bytes()))
        );
        if index == 0 {
            // The event that begins the log.
            continue;
        }
        distinct.insert(uid.clone());
        found.push((message.partition(), uid));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_once_in_order_in_one_partition() {
    let (directory, cluster) = (TempDir::new().expect("a folder"), cluster());
    let brokers = cluster.bootstrap_servers();
    let trail = open(directory.path(), &brokers);
    let served = serve(&trail, 2_500).await;
    assert!(trail.close(LIMIT).await);
    let found = consume(&brokers, served.len());
    let partitions: BTreeSet<_> = found.iter().map(|message| message.0).collect();
    assert_eq!(partitions.len(), 1);
    assert_eq!(found.into_iter().map(|message| message.1).collect::<Vec<_>>(), served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_away_blocks_nothing_and_loses_nothing() {
    let (directory, cluster) = (TempDir::new().expect("a folder"), cluster());
    let brokers = cluster.bootstrap_servers();
    let trail = open(directory.path(), &brokers);
    let mut served = serve(&trail, 10).await;
    cluster.broker_down(-1).expect("down");
    served.extend(serve(&trail, 500).await);
    // Not even the end waits longer than it may.
    assert!(!trail.close(Duration::from_millis(200)).await);
    assert!(trail.health().spool_ok);
    drop(trail);
    let trail = open(directory.path(), &brokers);
    served.extend(serve(&trail, 10).await);
    cluster.broker_up(-1).expect("up");
    assert!(trail.close(LIMIT).await);
    // A batch cut off by the end may come twice, under the same uid.
    let found = consume(&brokers, served.len());
    let distinct: BTreeSet<_> = found.into_iter().map(|message| message.1).collect();
    assert_eq!(distinct, served.into_iter().collect());
}

#[test]
fn settings_without_tls_or_brokers_are_refused() {
    let brokers = ["localhost:1".to_owned()];
    let plain = settings(&brokers, None, false);
    assert_eq!(plain.err(), Some(SinkMistake::PlaintextNotAsked));
    assert!(settings(&brokers, None, true).is_ok());
    assert_eq!(settings(&[], None, true).err(), Some(SinkMistake::KafkaSettings));
    let tls = KafkaTls { ca: "ca.pem".into(), certificate: None, key: None };
    let config = settings(&brokers, Some(&tls), false).expect("tls was given");
    assert_eq!(config.get("security.protocol"), Some("ssl"));
    assert_eq!(config.get("enable.idempotence"), Some("true"));
}

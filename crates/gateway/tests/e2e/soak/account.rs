//! The account at the end of a campaign: what clients were told and what the service saw, against the events on the topic
//! and in the files.
//!
//! Delivery is at least once: a batch that was delivered when its cursor was not stored yet comes again, under the same
//! `metadata.uid` (`crates/audit/README.md`). So an event may stand there more than once, but every copy is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::crowd::Told;
use super::{Stand, TOPIC};
use crate::sealed;

/// The events of one receiver, each once.
pub(super) struct Events {
    place: &'static str,
    by_uid: BTreeMap<String, Value>,
    /// How many came again.
    pub(super) again: usize,
}

impl Events {
    fn read(place: &'static str, lines: &[String]) -> Self {
        let mut events = Self { place, by_uid: BTreeMap::new(), again: 0 };
        for line in lines {
            let event: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{place}: a broken line ({error}): {line}"));
            let uid = event["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            assert!(!uid.is_empty(), "{place}: an event without a uid: {line}");
            if let Some(before) = events.by_uid.get(&uid) {
                assert_eq!(*before, event, "{place}: two different events of one uid");
                events.again += 1;
            }
            events.by_uid.insert(uid, event);
        }
        let lost = |event: &&Value| event["status_detail"] == "audit.gap";
        assert_eq!(events.by_uid.values().find(lost), None, "{place}: records are missing");
        events
    }

    /// The transactions: uid and event.
    fn transactions(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.by_uid.iter().filter(|(_, event)| event["class_uid"] == 6003)
    }

    /// The one event of a transaction.
    fn of(&self, transaction: &str, whose: &str) -> &Value {
        let event = self.by_uid.get(transaction);
        let event = event.unwrap_or_else(|| panic!("{}: no event of {whose}", self.place));
        assert_eq!(event["class_uid"], 6003, "{}: {event:#}", self.place);
        event
    }

    /// How many transactions have an outcome that nobody knows.
    pub(super) fn unknown(&self) -> usize {
        self.transactions().filter(|(_, event)| event["status_id"] == 0).count()
    }
}

/// Holds everything against everything, and gives the events of the topic and of the files. A service that was killed
/// may have answered what it did not write down.
pub(super) fn settle(stand: &Stand, told: &[Told], service_lived: bool) -> [Events; 2] {
    let topic: Vec<_> = stand.kafka.read(TOPIC).into_iter().map(|m| m.payload).collect();
    let both = [Events::read("topic", &topic), Events::read("files", &lines(stand))];
    let seen: BTreeSet<String> =
        stand.service.seen().into_iter().map(|seen| seen.fields["x-request-id"].clone()).collect();
    for events in &both {
        for told in told {
            let Ok((transaction, status)) = &told.answer else { continue };
            let event = events.of(transaction, &format!("{told:?}"));
            assert_eq!(event["http_response"]["code"], *status, "{told:?}: {event:#}");
        }
        for transaction in &seen {
            events.of(transaction, "a request that the service saw");
        }
        for (uid, event) in events.transactions() {
            let served = event["http_response"]["code"] == 200;
            let known = !served || !service_lived || seen.contains(uid);
            assert!(known, "the service saw nothing of {event:#}");
        }
    }
    proved(stand);
    let uids = |events: &Events| events.by_uid.keys().cloned().collect::<BTreeSet<_>>();
    let [topic, files] = both.each_ref().map(uids);
    let lacks: Vec<_> = topic.symmetric_difference(&files).collect();
    assert!(lacks.is_empty(), "topic and files tell different things: {lacks:?}");
    both
}

/// What was delivered is what was sealed, in the files and on the topics: `gateway audit verify` finds nothing.
fn proved(stand: &Stand) {
    let (site, key) = (&stand.site, sealed::public_key(&stand.site));
    let brokers = stand.kafka.brokers();
    for from in [vec!["events"], vec!["--kafka", &brokers, "--insecure-plaintext"]] {
        let arguments = [&["verify", "--json", "--key", &key], from.as_slice()].concat();
        let output = sealed::audit(site, &arguments);
        assert_eq!(output.status.code(), Some(0), "{from:?}: {output:?}");
    }
}

/// All lines of the file sink; the last one has to be whole, too.
fn lines(stand: &Stand) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(stand.site.path("events")).expect("a folder of events") {
        let entry = entry.expect("an entry");
        if !entry.file_name().to_string_lossy().starts_with("audit-events") {
            // Checkpoints: the seal is asked about them.
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("text");
        assert!(text.is_empty() || text.ends_with('\n'), "files: a torn last line");
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

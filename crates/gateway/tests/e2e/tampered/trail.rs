//! A trail in the hands of somebody who changes it: lines of events and of checkpoints, and the key of the instance.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use seal::{Checkpoint, Frontier, Hash, Record, SigningKey};
use serde_json::Value;

/// All lines of a directory of a file sink.
#[derive(Clone)]
pub(crate) struct Trail {
    pub(super) events: Vec<String>,
    pub(super) checkpoints: Vec<String>,
}

pub(super) fn lines(directory: &Path, stem: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.file_name().is_some_and(|n| n.to_string_lossy().starts_with(stem)));
    files.sort();
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("a file")).collect();
    text.lines().map(str::to_owned).collect()
}

pub(super) fn value(line: &str) -> Value {
    serde_json::from_str(line).expect("json")
}

impl Trail {
    pub(crate) fn read(directory: &Path) -> Self {
        let mut events = lines(directory, "audit-events");
        // What a kill delivered twice is no matter here.
        let mut known = HashSet::new();
        events.retain(|line| known.insert(line.clone()));
        Self { events, checkpoints: lines(directory, "audit-checkpoints") }
    }

    pub(crate) fn write(&self, directory: &Path) {
        self.write_parts(directory, &[(0, self.events.len())]);
    }

    /// Writes the events as several files, as after a rotation.
    pub(super) fn write_parts(&self, directory: &Path, parts: &[(usize, usize)]) {
        drop(fs::remove_dir_all(directory));
        fs::create_dir(directory).expect("a folder");
        let text =
            |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        for (number, (from, to)) in parts.iter().enumerate() {
            let name = match parts.len() - 1 - number {
                0 => "audit-events.jsonl".to_owned(),
                _ => format!("audit-events-{}.jsonl", 1_790_000_000_000_u64 + number as u64),
            };
            fs::write(directory.join(name), text(&self.events[*from..*to])).expect("written");
        }
        let checkpoints = text(&self.checkpoints);
        fs::write(directory.join("audit-checkpoints.jsonl"), checkpoints).expect("written");
    }

    /// The logs in order.
    pub(super) fn logs(&self) -> Vec<String> {
        let mut logs: Vec<String> = Vec::new();
        for line in &self.events {
            let log = value(line)["metadata"]["log_name"].as_str().expect("a log").to_owned();
            if !logs.contains(&log) {
                logs.push(log);
            }
        }
        logs
    }

    /// Where the event with this uid stands.
    pub(crate) fn position(&self, uid: &str) -> usize {
        let found = self.events.iter().position(|line| value(line)["metadata"]["uid"] == uid);
        found.expect("an event")
    }

    /// Where an event of a log stands.
    pub(super) fn at(&self, log: &str, index: u64) -> usize {
        let found = self.events.iter().position(|line| {
            let metadata = &value(line)["metadata"];
            metadata["log_name"] == log && metadata["sequence"] == index
        });
        found.expect("an event")
    }

    pub(crate) fn remove(&mut self, position: usize) -> String {
        self.events.remove(position)
    }

    pub(super) fn size(&self, log: &str) -> u64 {
        let own = |line: &&String| value(line)["metadata"]["log_name"] == log;
        self.events.iter().filter(own).count() as u64
    }

    pub(super) fn record(line: &str) -> Record {
        Record::parse(line.as_bytes()).expect("a checkpoint")
    }

    /// Different sizes of the checkpoints of a log.
    pub(super) fn sizes(&self, log: &str) -> Vec<u64> {
        let records = self.checkpoints.iter().map(|line| Self::record(line));
        let own = records.filter(|record| is_of(record, log));
        let mut sizes: Vec<_> = own.map(|record| record.frontier.size()).collect();
        sizes.dedup();
        sizes
    }

    /// The end of a log is gone, with all that was signed of it.
    pub(super) fn cut(&mut self, log: &str, size: u64) {
        self.events.retain(|line| {
            let metadata = &value(line)["metadata"];
            metadata["log_name"] != log || metadata["sequence"].as_u64() < Some(size)
        });
        self.checkpoints.retain(|line| {
            let record = Self::record(line);
            !is_of(&record, log) || record.frontier.size() <= size
        });
    }

    /// Does what somebody with the key can do: numbers the events anew, names the logs before anew, signs all.
    pub(crate) fn seal_anew(&mut self, key: &SigningKey) {
        let mut former: Option<(u64, Hash)> = None;
        for log in self.logs() {
            let own = |record: &Record| is_of(record, &log);
            let ended = self.checkpoints.iter().any(|line| {
                let record = Self::record(line);
                own(&record) && record.ended
            });
            self.checkpoints.retain(|line| !own(&Self::record(line)));
            let (mut tree, mut leaves) = (Frontier::new(), Vec::new());
            let of_log = |line: &&mut String| value(line)["metadata"]["log_name"] == *log;
            for line in self.events.iter_mut().filter(of_log) {
                let event = value(line);
                let number = |index: &Value| format!(r#""sequence":{index},"#);
                let size = tree.size().into();
                *line = line.replacen(&number(&event["metadata"]["sequence"]), &number(&size), 1);
                if let (0, Some((size, root))) = (tree.size(), &former) {
                    let told = &event["unmapped"];
                    let was = format!(r#""former_size":{}"#, told["former_size"]);
                    *line = line.replacen(&was, &format!(r#""former_size":{size}"#), 1);
                    let was = told["former_root"].as_str().expect("a root").to_owned();
                    *line = line.replacen(&was, &root.to_string(), 1);
                }
                tree.push(Hash::leaf(line.as_bytes()));
                leaves.push(Hash::leaf(line.as_bytes()));
            }
            former = Some((tree.size(), tree.root()));
            self.checkpoints.push(line_of(&log, key, &tree, leaves, ended));
        }
    }
}

pub(super) fn is_of(record: &Record, log: &str) -> bool {
    record.note.strip_prefix(log).is_some_and(|rest| rest.starts_with('\n'))
}

pub(super) fn line_of(
    log: &str,
    key: &SigningKey,
    tree: &Frontier,
    leaves: Vec<Hash>,
    ended: bool,
) -> String {
    let checkpoint = Checkpoint { origin: log.to_owned(), size: tree.size(), root: tree.root() };
    let note = checkpoint.sign(key, 1_790_000_000);
    let record = Record { note, leaves, frontier: tree.clone(), at: (1, 8), ended };
    record.to_line().trim_end().to_owned()
}

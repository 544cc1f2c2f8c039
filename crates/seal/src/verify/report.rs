//! What a check found.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

/// Most findings that are told one by one.
pub const FINDINGS_MAX: usize = 10_000;

/// Where something stands: a file and the byte in it, or a partition and the offset in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, or `TOPIC/PARTITION`.
    pub place: Arc<str>,
    /// Byte, or offset.
    pub position: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.place, self.position)
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An event is not the one that was sealed.
    Changed,
    /// Events are gone.
    Removed,
    /// Events are gone between one file and the next.
    SegmentRemoved,
    /// The events at the end of a log are gone.
    TailCut,
    /// The end of a log is gone together with its checkpoints.
    TailCutWithCheckpoints,
    /// A whole log is gone.
    LogRemoved,
    /// An event that was never sealed.
    Inserted,
    /// An event stands behind one that came after it.
    Reordered,
    /// An event stands there twice, and no restart explains it.
    Duplicated,
    /// The end of a log that a pin knows is gone, or a boot began from an older state.
    Rollback,
    /// Two checkpoints of one size with different roots.
    Fork,
    /// A pin has another root: the log was written anew with the key of the instance.
    Rewritten,
    /// Something in a range was changed or is gone; what, cannot be told.
    Altered,
    /// An event could not be read before it was sealed: the spool was damaged.
    LostBeforeSeal,
    /// A checkpoint cannot be read.
    CheckpointUnreadable,
    /// A checkpoint's signature is wrong.
    BadSignature,
    /// A checkpoint is signed by a key that is not the instance's.
    WrongKey,
    /// An event or a checkpoint of a log that nobody vouches for.
    WrongOrigin,
    /// The hashes beside a checkpoint are not those under it; the events are.
    LeavesAltered,
    /// A log has events and no checkpoint.
    CheckpointsMissing,
    /// Something that claims no place in any log.
    Placeless,
    /// The roster names an instance of which there is no log.
    InstanceMissing,
}

impl Kind {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::SegmentRemoved => "segment_removed",
            Self::TailCut => "tail_cut",
            Self::TailCutWithCheckpoints => "tail_cut_with_checkpoints",
            Self::LogRemoved => "log_removed",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Duplicated => "duplicated",
            Self::Rollback => "rollback",
            Self::Fork => "fork",
            Self::Rewritten => "rewritten",
            Self::Altered => "altered",
            Self::LostBeforeSeal => "lost_before_seal",
            Self::CheckpointUnreadable => "checkpoint_unreadable",
            Self::BadSignature => "bad_signature",
            Self::WrongKey => "wrong_key",
            Self::WrongOrigin => "wrong_origin",
            Self::LeavesAltered => "leaves_altered",
            Self::CheckpointsMissing => "checkpoints_missing",
            Self::Placeless => "placeless",
            Self::InstanceMissing => "instance_missing",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The log, or the instance.
    pub log: String,
    /// The first event concerned.
    pub index: Option<u64>,
    /// How many events.
    pub count: u64,
    /// What the event calls itself.
    pub uid: Option<String>,
    /// Where it stands, or before what it is missing.
    pub at: Option<Location>,
    /// More, for people.
    pub detail: String,
}

impl Finding {
    pub(crate) fn new(kind: Kind, log: &str) -> Self {
        let (log, detail) = (log.to_owned(), String::new());
        Self { kind, log, index: None, count: 1, uid: None, at: None, detail }
    }

    pub(crate) fn index(self, index: u64) -> Self {
        Self { index: Some(index), ..self }
    }

    pub(crate) fn count(self, count: u64) -> Self {
        Self { count, ..self }
    }

    pub(crate) fn at(self, at: &Location) -> Self {
        Self { at: Some(at.clone()), ..self }
    }

    pub(crate) fn uid(self, uid: &str) -> Self {
        Self { uid: (!uid.is_empty()).then(|| uid.to_owned()), ..self }
    }

    pub(crate) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.name(), "log": self.log, "index": self.index, "count": self.count,
            "uid": self.uid, "at": self.at.as_ref().map(Location::to_string), "detail": self.detail,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.log)?;
        match self.index {
            Some(index) if self.count > 1 => {
                write!(f, " events {index} to {}", index.saturating_add(self.count - 1))?;
            }
            Some(index) => write!(f, " event {index}")?,
            None => {}
        }
        if let Some(uid) = &self.uid {
            write!(f, " uid {uid}")?;
        }
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

/// One log, and how far it is proved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSummary {
    /// Its origin.
    pub log: String,
    /// Events under its last checkpoint.
    pub size: u64,
    /// When that was signed, seconds since 1970, as its instance says.
    pub time_s: Option<u64>,
    /// Its boot ended in order.
    pub ended: bool,
    /// Different events that were seen.
    pub events: u64,
    /// Events that came again, as after a crash.
    pub repeats: u64,
    /// Events that were erased as planned.
    pub erased: u64,
    /// Events behind the last checkpoint: nothing is proved of them.
    pub unsealed: u64,
    /// The highest size that a pin confirms.
    pub pinned: Option<u64>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// In the order in which they were found.
    pub findings: Vec<Finding>,
    /// How many more there are than are told.
    pub more: u64,
    /// In the order of their first checkpoints.
    pub logs: Vec<LogSummary>,
}

impl Report {
    pub(crate) fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let log = |log: &LogSummary| {
            json!({
                "log": log.log, "size": log.size, "time_s": log.time_s, "ended": log.ended,
                "events": log.events, "repeats": log.repeats, "erased": log.erased,
                "unsealed": log.unsealed, "pinned": log.pinned,
            })
        };
        json!({
            "clean": self.is_clean(),
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "more_findings": self.more,
            "logs": self.logs.iter().map(log).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for log in &self.logs {
            let pinned = log.pinned.map_or("no pin".to_owned(), |size| format!("pinned to {size}"));
            writeln!(
                f,
                "log {}: {} sealed, {} seen, {} again, {} erased, {} unsealed, {pinned}, {}",
                log.log,
                log.size,
                log.events,
                log.repeats,
                log.erased,
                log.unsealed,
                if log.ended { "ended in order" } else { "not ended in order" },
            )?;
        }
        let count = self.findings.len() as u64 + self.more;
        writeln!(f, "{}", if count == 0 { "good".to_owned() } else { format!("findings: {count}") })
    }
}

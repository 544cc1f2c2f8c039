//! Reads the audit events back from the directory of the file sink (JSON lines, OCSF API
//! Activity). It knows the few members that the tour compares, nothing of how events are made.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// How long an event may take from the answer to the file.
const EVENT_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// OCSF class of one transaction: API Activity.
const API_ACTIVITY: u32 = 6003;

/// Why an event could not be read back.
#[derive(Debug, Error)]
pub(super) enum EventError {
    /// The directory or a file in it could not be read.
    #[error("read the audit events: {0}")]
    Read(#[from] io::Error),
    /// There is no event of this transaction.
    #[error("find the audit event of transaction {0}")]
    Absent(String),
}

/// What the tour compares of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// The status code that the client got.
    pub(super) status: Option<u16>,
    /// `stage.reason` of a refusal, else the action in lower case (`allowed`).
    pub(super) decision: String,
}

/// Where the file sink writes.
#[derive(Debug)]
pub(super) struct Events {
    directory: PathBuf,
}

impl Events {
    /// The events in this directory.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The event of one transaction, as soon as it is in a file.
    pub(super) async fn of(&self, transaction: &str) -> Result<Event, EventError> {
        let looking = async {
            loop {
                if let Some(event) = events_of(&self.text().await?, transaction).pop() {
                    return Ok(event);
                }
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        };
        let found = tokio::time::timeout(EVENT_TIMEOUT, looking).await;
        found.unwrap_or_else(|_| Err(EventError::Absent(transaction.to_owned())))
    }

    /// How many events of this transaction there are by now.
    pub(super) async fn count(&self, transaction: &str) -> Result<usize, EventError> {
        Ok(events_of(&self.text().await?, transaction).len())
    }

    /// Everything written so far, rotated files included.
    pub(super) async fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        let mut entries = match tokio::fs::read_dir(&self.directory).await {
            Ok(entries) => entries,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(text),
            Err(fault) => return Err(fault),
        };
        while let Some(entry) = entries.next_entry().await? {
            if entry.file_name().to_string_lossy().starts_with("audit-events") {
                text.push_str(&tokio::fs::read_to_string(entry.path()).await?);
            }
        }
        Ok(text)
    }
}

#[derive(Deserialize)]
struct Line {
    class_uid: u32,
    metadata: Metadata,
    action: Option<String>,
    status_detail: Option<String>,
    http_response: Option<HttpResponse>,
}

#[derive(Deserialize)]
struct Metadata {
    uid: Option<String>,
    correlation_uid: Option<String>,
}

#[derive(Deserialize)]
struct HttpResponse {
    code: u16,
}

/// A line that is still being written does not parse and is seen at the next look.
fn events_of(text: &str, transaction: &str) -> Vec<Event> {
    text.lines()
        .filter(|line| line.contains(transaction))
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        .filter(|line| line.class_uid == API_ACTIVITY)
        .filter(|line| {
            let ids = [&line.metadata.uid, &line.metadata.correlation_uid];
            ids.into_iter().any(|id| id.as_deref() == Some(transaction))
        })
        .map(|line| Event {
            status: line.http_response.map(|answer| answer.code),
            decision: line
                .status_detail
                .or_else(|| line.action.map(|action| action.to_lowercase()))
                .unwrap_or_default(),
        })
        .collect()
}

#[cfg(test)]
mod tests;

//! Whose a spool is, when its instance is gone.

use std::io;
use std::path::Path;
use std::sync::Arc;

use seal::{Checkpoint, Record};

use super::Kept;
use crate::spool::{reader, segment};

/// The first log that a spool knows, and the one that its last boot wrote: by checkpoints and segments. `None` where nothing of a
/// log is there.
///
/// # Errors
/// Something cannot be read.
pub fn logs_of_spool(directory: &Path) -> io::Result<Option<(String, String)>> {
    let (mut first, mut last) = (None, None);
    for (_, line) in Kept::open(directory)?.records_from(None) {
        let record = Record::parse(&line);
        let checkpoint = record.and_then(|record| Checkpoint::read(&record.note).ok());
        if let Some((_, checkpoint)) = checkpoint {
            first = first.or_else(|| Some(checkpoint.origin.clone()));
            last = Some(checkpoint.origin);
        }
    }
    let segments = segment::list(directory)?;
    let log = |number: &u64| reader::log_of(&segment::path(directory, *number)).transpose();
    let named = segments.iter().find_map(log).transpose()?;
    first = first.or(named.as_deref().map(str::to_owned));
    let named: Option<Arc<str>> = segments.iter().rev().find_map(log).transpose()?;
    last = named.as_deref().map(str::to_owned).or(last);
    Ok(first.zip(last))
}

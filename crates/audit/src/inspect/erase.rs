//! Planned erasure in the files of a sink: what is left of an event is its place, its uid and its leaf hash, on the same bytes of the
//! same file, so that a gateway that writes there goes on, and no other line moves.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use seal::verify::Location;
use serde_json::Value;

use super::{Kept, erased, erased_leaf};
use crate::event::EventPlace;

/// Erases the event with that uid, and those that say that they belong to it; where they stood.
///
/// # Errors
/// The directory is a spool: what is there is on its way; or something cannot be read or written.
pub fn erase(directory: &Path, uid: &str) -> io::Result<Vec<Location>> {
    let kept = Kept::open(directory)?;
    if kept.is_spool() {
        let what = "a spool: what is there is not delivered yet; erase it where it is delivered";
        return Err(io::Error::other(what));
    }
    let mut found = Vec::new();
    kept.each(&mut |at, event| {
        if belongs(event, uid)
            && let Some(left) = erased(event)
        {
            found.push((at.clone(), event.len(), left));
        }
        true
    })?;
    if let Some(error) = kept.take_fault() {
        return Err(error);
    }
    for (at, length, left) in &found {
        let mut line = left.clone().into_bytes();
        if line.len() > *length {
            return Err(io::Error::other(format!("{at}: the event is too short")));
        }
        line.resize(*length, b' ');
        let file = OpenOptions::new().write(true).open(&*at.place)?;
        file.write_all_at(&line, at.position)?;
        file.sync_all()?;
    }
    Ok(found.into_iter().map(|(at, ..)| at).collect())
}

/// Whether an event that is not erased yet has this uid, or belongs to that which has.
fn belongs(event: &[u8], uid: &str) -> bool {
    let mentions = std::str::from_utf8(event).is_ok_and(|event| event.contains(uid));
    if uid.is_empty() || !mentions || erased_leaf(event).is_some() {
        return false;
    }
    let Some(place) = EventPlace::read(event) else { return false };
    let correlated = || {
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        event.pointer("/metadata/correlation_uid").and_then(Value::as_str) == Some(uid)
    };
    place.uid == uid || correlated()
}

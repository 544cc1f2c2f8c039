//! The first events of a boot: its log begins, transactions that a former boot left open are Unknown, what was repaired is told.

use std::io;
use std::time::SystemTime;

use uuid::Uuid;

use super::{TrailError, unreserved};
use crate::clock;
use crate::event::intent::{self, IntentFault};
use crate::event::{API_ACTIVITY, Encoder, Masked, SystemEvent, rewritten};
use crate::sealing::Former;
use crate::spool::{Account, Job, Opened, Spool};

/// Begins the log, files the transactions a former boot left open, and what had to be repaired.
pub(super) fn recover(
    spool: &Spool,
    encoder: &Encoder,
    opened: &Opened,
    (time, former): (SystemTime, Option<Former>),
) -> Result<(), TrailError> {
    let append = |uid, class, event: Masked| {
        // Room or not: what was begun must end.
        let job = Job { reserved: true, ..unreserved(uid, event, Account::Proved) };
        spool.append(&job).map_err(|fault| TrailError::Spool(io::Error::other(fault)))?;
        encoder.counts().add(class);
        Ok::<_, TrailError>(())
    };
    let uid = clock::identifier(time);
    let begun = SystemEvent::LogBegun { time, former };
    append(uid, begun.class(), encoder.system(&begun, &uid.to_string()))?;
    for (uid, _, intent) in &opened.orphans {
        // What is not understood is not passed over: its transaction would be lost.
        let refused = |fault| TrailError::Spool(io::Error::new(io::ErrorKind::InvalidData, fault));
        let event = unknown(encoder, *uid, intent).map_err(refused)?;
        append(*uid, API_ACTIVITY, event)?;
    }
    let (torn_bytes, damaged) = (opened.torn_bytes, opened.damaged);
    if torn_bytes > 0 || damaged > 0 {
        tracing::warn!(torn_bytes, damaged, "audit spool repaired");
        let uid = clock::identifier(time);
        let event = SystemEvent::Repaired { time, torn_bytes, damaged };
        append(uid, event.class(), encoder.system(&event, &uid.to_string()))?;
    }
    Ok(())
}

/// The event of a transaction of which only its intent is left.
fn unknown(encoder: &Encoder, uid: Uuid, intent: &[u8]) -> Result<Masked, IntentFault> {
    if intent.starts_with(b"{") {
        // Format version 1: the event itself.
        let event = rewritten(intent).ok_or(IntentFault::Malformed)?;
        return Ok(Masked::from_spool(event));
    }
    let uid = uid.to_string();
    let (known, digests) = intent::decode(&uid, intent)?;
    Ok(encoder.unknown(&known, digests))
}

//! How many frames that bring no work a client may send: each kind has a bucket that refills with time. Ends the floods
//! of CVE-2019-9512, -9513, -9515, -9518, CVE-2023-44487 and the CONTINUATION floods of 2024.

use tokio::time::Instant;

use super::follow::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Follow, HEADERS, Head, RST_STREAM, WINDOW_UPDATE,
};
use crate::bucket::Bucket;
use crate::service::FailureKind;
use crate::settings::Floods;

/// WINDOW_UPDATE frames that a DATA frame which was sent earns.
const WINDOW_UPDATES_PER_DATA: u32 = 2;

/// What a client may still send.
#[derive(Debug)]
pub(super) struct Budget {
    control: Bucket,
    resets: Bucket,
    window_updates: Bucket,
    continuations_max: u32,
    block: Block,
}

/// The header block at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    /// Its last frame has begun.
    Last,
    Open {
        continuations: u32,
    },
}

impl Budget {
    pub(super) fn new(floods: &Floods, now: Instant) -> Self {
        Self {
            control: Bucket::new(floods.control, now),
            resets: Bucket::new(floods.resets, now),
            window_updates: Bucket::new(floods.window_updates, now),
            continuations_max: floods.continuations_max,
            block: Block::None,
        }
    }

    /// Counts a frame; an error where it is one too many.
    pub(super) fn spend(&mut self, head: Head, now: Instant) -> Result<(), FailureKind> {
        let ends_head = head.flags & END_HEADERS != 0;
        let block = std::mem::replace(&mut self.block, Block::None);
        match head.kind {
            HEADERS => {
                self.block = if ends_head { Block::Last } else { Block::Open { continuations: 0 } };
                Ok(())
            }
            CONTINUATION => {
                let before =
                    if let Block::Open { continuations } = block { continuations } else { 0 };
                let continuations = before.saturating_add(1);
                self.block = if ends_head { Block::Last } else { Block::Open { continuations } };
                if continuations > self.continuations_max {
                    return Err(FailureKind::Http2ContinuationFlood);
                }
                if head.length > 0 { Ok(()) } else { self.control(now) }
            }
            DATA if head.length > 0 || head.flags & END_STREAM != 0 => Ok(()),
            RST_STREAM => spent(&mut self.resets, FailureKind::Http2ResetFlood, now),
            WINDOW_UPDATE => spent(&mut self.window_updates, FailureKind::Http2WindowFlood, now),
            _ => self.control(now),
        }
    }

    /// A DATA frame went out, which the client has to acknowledge with window updates.
    pub(super) fn sent_data(&mut self) {
        self.window_updates.earn(WINDOW_UPDATES_PER_DATA);
    }

    /// Whether a header block is not complete.
    pub(super) fn is_in_head(&self, inbound: &Follow) -> bool {
        match self.block {
            Block::None => false,
            Block::Last => !inbound.is_between(),
            Block::Open { .. } => true,
        }
    }

    fn control(&mut self, now: Instant) -> Result<(), FailureKind> {
        spent(&mut self.control, FailureKind::Http2ControlFlood, now)
    }
}

fn spent(bucket: &mut Bucket, kind: FailureKind, now: Instant) -> Result<(), FailureKind> {
    if bucket.take(now) { Ok(()) } else { Err(kind) }
}

#[cfg(test)]
mod tests;

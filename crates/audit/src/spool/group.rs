//! Frames that share one `write(2)`: their common fate, and the future of who waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use super::{Spool, SpoolFault};

const WAITS: u8 = 0;
const WRITTEN: u8 = 1;
const FAILED: u8 = 2;

/// The fate of the frames of one group.
pub(super) struct Group(AtomicU8);

impl Group {
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(WAITS))
    }

    /// `None` as long as it is not written.
    pub(super) fn fate(&self) -> Option<Result<(), SpoolFault>> {
        match self.0.load(Ordering::Acquire) {
            WAITS => None,
            WRITTEN => Some(Ok(())),
            _ => Some(Err(SpoolFault::Unwritable)),
        }
    }

    pub(super) fn settle(&self, written: bool) {
        self.0.store(if written { WRITTEN } else { FAILED }, Ordering::Release);
    }
}

/// A frame that waits for its group. Dropped before, it sees to the write itself: what was filed is never left lying.
pub(super) struct Grouped {
    spool: Arc<Spool>,
    group: Arc<Group>,
    /// The others of this turn of the event loop have been let go first.
    turned: bool,
    /// Who waits for a later frame sees to the write.
    left: bool,
}

impl Grouped {
    pub(super) fn new(spool: Arc<Spool>, group: Arc<Group>) -> Self {
        Self { spool, group, turned: false, left: false }
    }

    /// Writes the group, unless somebody has.
    pub(super) fn settle(&self) -> Result<(), SpoolFault> {
        self.spool.settle(&self.group)
    }

    /// Leaves the write to who waits for a frame that was filed later.
    pub(super) fn leave(mut self) {
        self.left = true;
    }
}

impl Future for Grouped {
    type Output = Result<(), SpoolFault>;

    /// Steps back once: behind every task that can run now, and may file a frame, too. Then the first of them to come
    /// again writes for all. No timer, and nothing to wake: each has woken itself.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(fate) = self.group.fate() {
            return Poll::Ready(fate);
        }
        if self.turned {
            return Poll::Ready(self.settle());
        }
        self.turned = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Grouped {
    fn drop(&mut self) {
        if !self.left && self.group.fate().is_none() && self.settle().is_err() {
            // Told and counted where it was written; who would wait is gone.
            tracing::debug!("a group of audit records was written by nobody");
        }
    }
}

#[cfg(test)]
mod tests;

//! How a record gets into the spool, by its durability.

use std::sync::Arc;

use super::commit::{self, Recorded};
use super::group::Grouped;
use super::{Filed, Job, Spool, SpoolFault};

/// How a record gets into the spool.
pub(crate) enum Writer {
    /// One `write(2)` for all records of a turn of the caller's event loop.
    Direct(Arc<Spool>),
    /// As `Direct`, then the group commit is awaited.
    Synced(Arc<Spool>, commit::Committed),
    /// Through the queue.
    Queued(Arc<Spool>, commit::Queue),
}

impl Writer {
    /// Files, or queues, one frame. An error means that it is nowhere; a write that fails shows in what is returned, and a
    /// lost event is counted by the spool then.
    pub(crate) fn file(&self, job: Job) -> Result<Recorded, SpoolFault> {
        match self {
            Self::Direct(spool) => Ok(match spool.push(&job)? {
                Filed::Alone(fate) => Recorded::settled(fate.map(|_| ())),
                Filed::Waits(_, group) => Recorded::grouped(Grouped::new(Arc::clone(spool), group)),
            }),
            Self::Synced(spool, committed) => Ok(match spool.push(&job)? {
                Filed::Alone(Err(fault)) => Recorded::settled(Err(fault)),
                Filed::Alone(Ok(position)) => committed.wait(position),
                Filed::Waits(position, group) => {
                    committed.wait_grouped(Grouped::new(Arc::clone(spool), group), position)
                }
            }),
            Self::Queued(spool, queue) => {
                let (last, reserved) = (job.last, job.reserved.then_some(job.account));
                let pushed = queue.push(spool, job).map(|()| Recorded::settled(Ok(())));
                if last && pushed.is_err() {
                    spool.leave(reserved);
                }
                pushed
            }
        }
    }
}

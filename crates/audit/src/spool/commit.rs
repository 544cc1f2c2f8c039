//! When a record counts: the group commit that syncs for all who wait, the queue that writes later, and
//! the future that a response body can own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::task::{Context, Poll, ready};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::group::Grouped;
use super::{Job, Spool, SpoolFault};

/// Most frames waiting in the queue of `Queued`: 128 MiB at their largest, some 16 MiB as they are.
const QUEUE_FRAMES_MAX: usize = 8_192;
/// Most frames of one round of the queue.
const ROUND_FRAMES_MAX: usize = 256;
/// How often an idle committer looks whether it should end.
const IDLE: Duration = Duration::from_millis(500);

/// Resolves when the record is on record. It borrows nothing, so a response body can own it.
#[must_use = "a record counts only when this resolves"]
pub struct Recorded(State);

enum State {
    Settled(Result<(), SpoolFault>),
    Grouped(Grouped),
    Waiting(Waiting),
}

type Waiting = Pin<Box<dyn Future<Output = Result<(), SpoolFault>> + Send + Sync>>;

impl Recorded {
    /// Nothing to wait for.
    pub(crate) const fn settled(fate: Result<(), SpoolFault>) -> Self {
        Self(State::Settled(fate))
    }

    /// With its group.
    pub(super) const fn grouped(grouped: Grouped) -> Self {
        Self(State::Grouped(grouped))
    }

    /// Nothing is left to wait for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.0, State::Settled(_))
    }

    /// For who waits for a frame that was filed later.
    pub(crate) fn leave(self) {
        if let State::Grouped(grouped) = self.0 {
            grouped.leave();
        }
    }

    /// For who does not wait: sees to the `write(2)` now. What a sync, or the queue, comes to is left open.
    ///
    /// # Errors
    /// A [`SpoolFault`]; the record does not exist.
    pub fn now(self) -> Result<(), SpoolFault> {
        match self.0 {
            State::Settled(fate) => fate,
            State::Grouped(grouped) => grouped.settle(),
            State::Waiting(_) => Ok(()),
        }
    }
}

impl Future for Recorded {
    type Output = Result<(), SpoolFault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let fate = match &mut self.0 {
            State::Settled(fate) => return Poll::Ready(*fate),
            State::Grouped(grouped) => ready!(Pin::new(grouped).poll(cx)),
            State::Waiting(waiting) => ready!(waiting.as_mut().poll(cx)),
        };
        self.0 = State::Settled(fate);
        Poll::Ready(fate)
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded").field("done", &self.is_done()).finish()
    }
}

/// How far the disk is.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    synced: u64,
    failed: u64,
}

/// Where those who wait for the group commit look.
pub(crate) struct Committed(watch::Receiver<Progress>);

impl Committed {
    pub(super) fn wait(&self, position: u64) -> Recorded {
        Recorded(State::Waiting(Box::pin(synced(self.0.clone(), position))))
    }

    /// As [`Self::wait`], for a frame that is written with its group.
    pub(super) fn wait_grouped(&self, grouped: Grouped, position: u64) -> Recorded {
        let progress = self.0.clone();
        Recorded(State::Waiting(Box::pin(async move {
            grouped.await?;
            synced(progress, position).await
        })))
    }
}

async fn synced(mut progress: watch::Receiver<Progress>, position: u64) -> Result<(), SpoolFault> {
    let reached = |at: &Progress| at.synced.max(at.failed) >= position;
    let at = *progress.wait_for(reached).await.map_err(|_| SpoolFault::Unsynced)?;
    if at.failed >= position { Err(SpoolFault::Unsynced) } else { Ok(()) }
}

/// Starts the thread that syncs for all.
pub(crate) fn start_committer(spool: Arc<Spool>) -> io::Result<(Committed, JoinHandle<()>)> {
    let (progress, receiver) = watch::channel(Progress::default());
    let thread = Builder::new()
        .name("audit-commit".to_owned())
        .spawn(move || while commit(&spool, &progress) {})?;
    Ok((Committed(receiver), thread))
}

/// One round; `false` at the end, when nothing is left.
fn commit(spool: &Spool, progress: &watch::Sender<Progress>) -> bool {
    let before = *progress.borrow();
    let reached = before.synced.max(before.failed);
    let (files, upto) = {
        let active = spool.lock();
        let idle = |active: &mut super::Active| active.written <= reached && !spool.stopping();
        spool.await_append(active, IDLE, idle).take_unsynced()
    };
    if upto <= reached {
        return !spool.stopping();
    }
    // Outside the lock: whoever appends meanwhile is in the next round.
    match files.iter().try_for_each(|file| file.sync_data()) {
        Ok(()) => progress.send_modify(|at| at.synced = upto),
        Err(error) => {
            tracing::error!(%error, "audit spool not synced");
            let mut active = spool.lock();
            active.distrust();
            // Whoever wrote after `upto` wrote to the same file: it is in doubt, too.
            let upto = active.written;
            drop(active);
            spool.broken.store(true, Ordering::Relaxed);
            progress.send_modify(|at| at.failed = upto);
        }
    }
    true
}

/// Where `Queued` puts its frames; full means refused.
pub(crate) struct Queue(SyncSender<Job>);

impl Queue {
    pub(super) fn push(&self, spool: &Spool, job: Job) -> Result<(), SpoolFault> {
        // Before the send, so that the count never falls below what is queued.
        spool.queued.fetch_add(1, Ordering::SeqCst);
        self.0.try_send(job).map_err(|error| {
            spool.queued.fetch_sub(1, Ordering::SeqCst);
            match error {
                TrySendError::Full(_) => SpoolFault::QueueFull,
                TrySendError::Disconnected(_) => SpoolFault::Unwritable,
            }
        })
    }
}

/// Starts the thread that writes what is queued; it ends when the queue is dropped and empty.
pub(crate) fn start_queue(spool: Arc<Spool>) -> io::Result<(Queue, JoinHandle<()>)> {
    let (sender, receiver): (_, Receiver<Job>) = mpsc::sync_channel(QUEUE_FRAMES_MAX);
    let write = move || {
        while let Ok(job) = receiver.recv() {
            // What has gathered meanwhile shares the write.
            let jobs: Vec<Job> =
                std::iter::once(job).chain(receiver.try_iter()).take(ROUND_FRAMES_MAX).collect();
            spool.append_all(&jobs);
            spool.queued.fetch_sub(jobs.len() as u64, Ordering::SeqCst);
            spool.acknowledged.notify_all();
        }
    };
    let thread = Builder::new().name("audit-queue".to_owned()).spawn(write)?;
    Ok((Queue(sender), thread))
}

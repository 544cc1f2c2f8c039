//! The threads that serve: one event loop each, on which a connection stays from its first byte to its last, so that a
//! request crosses no thread. It knows no protocol.

use std::cell::OnceCell;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::crowd::{self, Crowd};

thread_local! {
    /// The crowd of the worker that runs on this thread.
    static CROWD: OnceCell<Arc<Crowd>> = const { OnceCell::new() };
}

/// The way to the workers of a server.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    /// Where the search for the least busy one begins, so that equals take turns.
    turn: AtomicUsize,
}

struct Worker {
    handle: Handle,
    load: Arc<AtomicUsize>,
    crowd: Arc<Crowd>,
}

/// One connection on a worker; its drop makes the worker less busy.
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The threads themselves. When this drops, they drop what they carry and end.
pub(crate) struct Threads(Vec<Thread>);

/// One thread, and what ends it when it drops.
type Thread = (oneshot::Sender<()>, JoinHandle<()>);

/// Starts so many workers, which turn requests away where these would wait longer than `queue_max`.
pub(crate) fn start(count: NonZeroUsize, queue_max: Duration) -> io::Result<(Workers, Threads)> {
    let started = (0..count.get())
        .map(|index| start_one(index, queue_max))
        .collect::<io::Result<Vec<_>>>()?;
    let (workers, threads) = started.into_iter().unzip();
    Ok((Workers { workers, turn: AtomicUsize::new(0) }, Threads(threads)))
}

fn start_one(index: usize, queue_max: Duration) -> io::Result<(Worker, Thread)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (end, ended) = oneshot::channel::<()>();
    let crowd = Arc::<Crowd>::default();
    let watched = Arc::clone(&crowd);
    // Spawned, not run in front of the others: it waits its turn as they do.
    handle.spawn(crowd::watch(Arc::clone(&crowd), queue_max));
    let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        // A fresh thread has none yet.
        CROWD.with(|own| own.set(watched).ok());
        // An error is the end, too: whoever could say so is gone.
        runtime.block_on(ended).ok();
    })?;
    Ok((Worker { handle, load: Arc::default(), crowd }, (end, thread)))
}

impl Workers {
    /// Runs a connection on the least busy worker.
    pub(crate) fn carry(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let first = self.next();
        let (before, from) = self.workers.split_at_checked(first).unwrap_or_default();
        let all = from.iter().chain(before);
        let Some(worker) = all.min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else {
            return;
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(Arc::clone(&worker.load));
        // Boxed: the block below would keep room for it twice.
        let connection = Box::pin(connection);
        worker.handle.spawn(async move {
            let _load = load;
            connection.await;
        });
    }

    /// Runs what accepts for a listener; listeners take turns. `make` runs inside the worker's runtime.
    pub(crate) fn tend<F>(&self, make: impl FnOnce() -> io::Result<F>) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(worker) = self.workers.get(self.next()) else { return Ok(()) };
        let inside = worker.handle.enter();
        let accepts = make()?;
        drop(inside);
        worker.handle.spawn(accepts);
        Ok(())
    }

    /// One more connection; whether it is to be turned away. Only where the least crowded worker would.
    pub(crate) fn shed_connection(&self) -> bool {
        let crowds = self.workers.iter().map(|worker| &worker.crowd);
        crowds.max_by_key(|crowd| crowd.taken()).is_some_and(|crowd| crowd.sheds_connection())
    }

    /// The share of requests that the most crowded worker turns away, in millionths.
    pub(crate) fn shed_share(&self) -> u32 {
        let taken = self.workers.iter().map(|worker| worker.crowd.taken()).min();
        taken.map_or(0, |taken| crowd::WHOLE.saturating_sub(taken))
    }

    fn next(&self) -> usize {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(self.workers.len()).unwrap_or_default()
    }
}

/// One more request on the worker of this thread; whether it is to be turned away.
pub(crate) fn shed_request() -> bool {
    CROWD.with(|own| own.get().is_some_and(|crowd| crowd.sheds_request()))
}

impl Threads {
    /// Ends the threads and waits until they are gone: whatever they still carry is dropped.
    pub(crate) async fn end(self) {
        let (ends, threads): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        drop(ends);
        let join = || threads.into_iter().filter_map(|thread| thread.join().err()).count();
        if tokio::task::spawn_blocking(join).await.map_or(true, |panicked| panicked > 0) {
            tracing::error!("a worker panicked");
        }
    }
}

#[cfg(test)]
mod tests;

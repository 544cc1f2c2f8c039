//! Requests by the clock, whatever the answers take: latency counts from the moment a request was due, so that a peer that
//! stalls cannot hide the requests it kept waiting.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How often due requests are let go. The kernel's slack for a sleeping thread is 50 us.
const TICK: Duration = Duration::from_micros(100);

pub(super) struct Pace {
    due: Arc<Semaphore>,
    began: Instant,
    interval: Duration,
    taken: Cell<u32>,
}

impl Pace {
    /// Begins at once. A thread of its own keeps the time, because the runtime's timer knows only milliseconds.
    pub(super) fn new(per_second: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second.max(1.0));
        let (due, began) = (Arc::new(Semaphore::new(0)), Instant::now());
        let mine = Arc::downgrade(&due);
        thread::spawn(move || {
            let mut released = 0_usize;
            while let Some(due) = mine.upgrade() {
                let by_now = began.elapsed().as_nanos() / interval.as_nanos().max(1);
                let by_now = usize::try_from(by_now).unwrap_or(usize::MAX);
                due.add_permits(by_now.saturating_sub(released));
                released = by_now.max(released);
                drop(due);
                thread::sleep(TICK);
            }
        });
        Self { due, began, interval, taken: Cell::new(0) }
    }

    /// Waits for the next request; tells when it was due.
    pub(super) async fn next(&self) -> Instant {
        if let Ok(permit) = self.due.acquire().await {
            permit.forget();
        }
        let turn = self.taken.get();
        self.taken.set(turn.saturating_add(1));
        self.began.checked_add(self.interval.saturating_mul(turn)).unwrap_or(self.began)
    }
}

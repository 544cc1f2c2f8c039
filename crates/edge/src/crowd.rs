//! Load shedding by queue delay. A worker that is behind with its work turns a share of new requests away, so that the
//! others keep their latency. Control is pure (its times are arguments); the watch measures how late the worker runs
//! what is due, which is what a request waits that arrives just then. It knows no request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The time between two measurements.
const EVERY: Duration = Duration::from_millis(10);
/// The grain of the runtime's timers.
const TICK: Duration = Duration::from_millis(1);
/// The least time, and the least number of measurements, from one decision to the next. The best of the measurements
/// counts (as in CoDel, RFC 8289 3): a single one tells of a hiccup, of which no queue is left when it is over.
const WINDOW: Duration = Duration::from_millis(100);
const MEASUREMENTS_MIN: u32 = 2;
/// Measurements without a request until the watch rests: one second.
const QUIET_MAX: u32 = 100;
/// One, in the millionths in which shares are kept.
pub(crate) const WHOLE: u32 = 1_000_000;
/// The least share of requests that is taken: 2 %. What is turned away costs work, too, and whoever takes nothing does
/// not see that the crowd is gone.
const TAKEN_MIN: f64 = 0.02;

/// How much more is taken, at the most, after a window in which nobody waited too long: with five times as much the
/// delay swings to three times its bound (the model in the tests shows it).
const GROWTH: f64 = 0.05;

/// What share of new work a worker takes. Shared by its watch and by whoever asks.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// In millionths of all requests.
    taken: AtomicU32,
    /// What is owed to those turned away, in millionths of a request.
    owed: AtomicU32,
    owed_connections: AtomicU32,
    asked: AtomicBool,
    resting: AtomicBool,
    wake: Notify,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            taken: AtomicU32::new(WHOLE),
            owed: AtomicU32::new(0),
            owed_connections: AtomicU32::new(0),
            asked: AtomicBool::new(false),
            resting: AtomicBool::new(true),
            wake: Notify::new(),
        }
    }
}

impl Crowd {
    /// One more request; whether it is to be turned away. Requests are turned away evenly, not by chance.
    pub(crate) fn sheds_request(&self) -> bool {
        self.asked.store(true, Ordering::Relaxed);
        if self.resting.load(Ordering::Relaxed) && self.resting.swap(false, Ordering::Relaxed) {
            self.wake.notify_one();
        }
        owe(&self.owed, WHOLE.saturating_sub(self.taken()))
    }

    /// One more connection; whether it is to be turned away. That begins where the worker takes less than half of the
    /// requests: then what they cost before they can be answered, their handshakes above all, has to become less.
    pub(crate) fn sheds_connection(&self) -> bool {
        owe(&self.owed_connections, WHOLE.saturating_sub(self.taken().saturating_mul(2)))
    }

    /// The share of requests that is taken, in millionths.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Adds a share to what is owed; true each time that makes a whole one.
fn owe(owed: &AtomicU32, share: u32) -> bool {
    if share == 0 {
        return false;
    }
    let mut is_due = false;
    // In one step: connections are asked about by all workers at once.
    let add = |before: u32| {
        let sum = before.saturating_add(share);
        is_due = sum >= WHOLE;
        Some(if is_due { sum.saturating_sub(WHOLE) } else { sum })
    };
    owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
    is_due
}

/// Measures as long as requests come; runs on the worker that it measures, as one task among the others.
pub(crate) async fn watch(crowd: Arc<Crowd>, delay_max: Duration) {
    loop {
        crowd.wake.notified().await;
        let mut control = Control::new(delay_max, Instant::now());
        let mut quiet = 0;
        while quiet < QUIET_MAX {
            let due = Instant::now() + EVERY;
            sleep_until(due).await;
            let now = Instant::now();
            let before = crowd.taken();
            let late = now.saturating_duration_since(due + TICK);
            let taken = control.measured(now, late);
            crowd.taken.store(taken, Ordering::Relaxed);
            tell(before, taken);
            let is_quiet = taken == WHOLE && !crowd.asked.swap(false, Ordering::Relaxed);
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
        crowd.resting.store(true, Ordering::Relaxed);
    }
}

/// Says when the crowd comes and when it is gone.
fn tell(before: u32, taken: u32) {
    match (before == WHOLE, taken == WHOLE) {
        (true, false) => tracing::warn!("a worker falls behind: new requests are turned away"),
        (false, true) => tracing::info!("a worker has caught up: all requests are taken"),
        _ => {}
    }
}

/// From measured delays to the share of requests that is taken.
///
/// A loop of events runs through everybody who has something to do; a request waits for one such turn, whose length is
/// in proportion to the work that is taken. So the share follows `delay_max / delay`, at most by half in one step, and
/// comes back more slowly.
#[derive(Debug)]
struct Control {
    delay_max: Duration,
    taken: f64,
    since: Instant,
    measurements: u32,
    least: Duration,
}

impl Control {
    fn new(delay_max: Duration, now: Instant) -> Self {
        Self { delay_max, taken: 1.0, since: now, measurements: 0, least: Duration::MAX }
    }

    /// One measurement; the share to take from here on, in millionths.
    fn measured(&mut self, now: Instant, late: Duration) -> u32 {
        self.measurements = self.measurements.saturating_add(1);
        self.least = self.least.min(late);
        let is_over = now.saturating_duration_since(self.since) >= WINDOW;
        if is_over && self.measurements >= MEASUREMENTS_MIN {
            self.decide();
            (self.since, self.measurements, self.least) = (now, 0, Duration::MAX);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from TAKEN_MIN to 1, times a million"
        )]
        let taken = (self.taken * f64::from(WHOLE)) as u32;
        taken
    }

    fn decide(&mut self) {
        let fit = self.delay_max.as_secs_f64() / self.least.as_secs_f64().max(f64::EPSILON);
        let step = if fit < 1.0 { fit.max(0.5) } else { 1.0 + (GROWTH * (fit - 1.0)).min(GROWTH) };
        self.taken = (self.taken * step).clamp(TAKEN_MIN, 1.0);
    }
}

#[cfg(test)]
mod tests;

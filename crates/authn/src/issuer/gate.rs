//! How often requests may cause a fetch: once per interval, shared by all. Pure: the time is an
//! argument. It knows no keys and no network.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two fetches that unknown key ids cause.
const INTERVAL_MIN: Duration = Duration::from_secs(30);

/// The answer to a request that wants a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Wake the loop and wait for it.
    Start,
    /// A fetch is asked for or under way: wait for it.
    Join,
    /// No fetch now: decide with the keys at hand.
    Refused,
}

/// The state of fetching.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    tended: bool,
    running: bool,
    asked: bool,
    asked_at: Option<Instant>,
}

impl Gate {
    /// A request with an unknown key id asks.
    pub(crate) fn ask(&mut self, now: Instant) -> Ask {
        if !self.tended {
            return Ask::Refused;
        }
        if self.running || self.asked {
            return Ask::Join;
        }
        let recent =
            self.asked_at.is_some_and(|then| now.saturating_duration_since(then) < INTERVAL_MIN);
        if recent {
            return Ask::Refused;
        }
        self.asked = true;
        self.asked_at = Some(now);
        Ask::Start
    }

    /// A fetch begins.
    pub(crate) fn begin(&mut self) {
        self.running = true;
    }

    /// A fetch ended, or was given up.
    pub(crate) fn end(&mut self) {
        self.running = false;
        self.asked = false;
    }

    /// The loop began or ended.
    pub(crate) fn set_tended(&mut self, tended: bool) {
        self.tended = tended;
        self.asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{Ask, Gate, INTERVAL_MIN};
    use tokio::time::Instant;

    #[test]
    fn d3_one_fetch_per_interval_shared_by_all() {
        let start = Instant::now();
        let mut gate = Gate::default();
        assert_eq!(gate.ask(start), Ask::Refused, "nobody would answer");
        gate.set_tended(true);
        assert_eq!(gate.ask(start), Ask::Start);
        assert_eq!(gate.ask(start), Ask::Join);
        gate.begin();
        assert_eq!(gate.ask(start), Ask::Join);
        gate.end();
        let nearly = start + INTERVAL_MIN - std::time::Duration::from_millis(1);
        assert_eq!(gate.ask(nearly), Ask::Refused);
        assert_eq!(gate.ask(start + INTERVAL_MIN), Ask::Start);
    }

    #[test]
    fn a_regular_fetch_is_joined_and_costs_no_turn() {
        let start = Instant::now();
        let mut gate = Gate::default();
        gate.set_tended(true);
        gate.begin();
        assert_eq!(gate.ask(start), Ask::Join);
        gate.end();
        assert_eq!(gate.ask(start), Ask::Start);
    }
}

//! The generic cell rate algorithm (ITU-T I.371, annex A) as pure arithmetic on nanoseconds. It knows no clock, no
//! keys and no store.
//!
//! All a counter remembers is its *theoretical arrival time* (TAT): the instant at which it is back at rest. The
//! distance from now to the TAT is the *debt*; a request adds `interval * cost` to it and passes while the debt stays
//! within the *window*, `interval * burst`.

use std::time::Duration;

/// The longest window (`burst` requests at the given rate) a limit may have: 2^52 ns, about 52 days, so that debts are
/// whole numbers in the double-precision arithmetic of a Redis script.
const WINDOW_NS_MAX: u64 = 1 << 52;

/// A sustained rate with a burst: `count` requests per `per`, and up to `burst` of them at once.
///
/// A quota is the same thing with a long period and a burst as large as the count: the budget is not reset at midnight
/// but flows back evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    count: u32,
    per: Duration,
    burst: u32,
    interval_ns: u64,
}

/// What a limit says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It passes.
    Allowed {
        /// The new theoretical arrival time, nanoseconds on the clock that `now_ns` was read from.
        tat_ns: u64,
        /// How many more requests of cost 1 would pass right now.
        remaining: u32,
        /// Time until the whole burst is available again.
        reset: Duration,
    },
    /// It does not pass, and nothing is spent.
    Denied {
        /// Time until this request would pass, if nothing else is spent until then.
        retry_after: Duration,
    },
}

impl Limit {
    /// A limit of `count` requests per `per` with up to `burst` at once. `None` where one of them is zero, the rate is
    /// above one request per nanosecond, or `burst` requests at that rate would take more than about 52 days.
    #[must_use]
    pub fn new(count: u32, per: Duration, burst: u32) -> Option<Self> {
        if count == 0 || burst == 0 {
            return None;
        }
        let per_ns = u64::try_from(per.as_nanos()).ok()?;
        // Rounded up: a limit never lets through more than was asked for.
        let interval_ns = per_ns.div_ceil(u64::from(count));
        let window_ns = interval_ns.checked_mul(u64::from(burst))?;
        let fits = per_ns >= u64::from(count) && window_ns <= WINDOW_NS_MAX;
        fits.then_some(Self { count, per, burst, interval_ns })
    }

    /// Requests per [`per`](Self::per).
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The period of [`count`](Self::count).
    #[must_use]
    pub fn per(&self) -> Duration {
        self.per
    }

    /// Requests that may come at once after a rest; the most that can ever be left.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Decides on one request that costs `cost`. `tat_ns` is what the last [`Decision::Allowed`] for this key said,
    /// `None` for a key never seen; `now_ns` is on the same clock. A cost above the burst never passes.
    ///
    /// A TAT further away than one window (a clock set back, a limit made smaller) counts as exactly one window away.
    #[must_use]
    pub fn decide(&self, tat_ns: Option<u64>, now_ns: u64, cost: u32) -> Decision {
        let debt = self.debt_ns(tat_ns, now_ns);
        match self.spend(debt, cost) {
            Some(after) => Decision::Allowed {
                tat_ns: now_ns.saturating_add(after),
                remaining: self.remaining(after),
                reset: Duration::from_nanos(after),
            },
            None => Decision::Denied { retry_after: self.wait(debt, cost) },
        }
    }

    /// Time between two requests at the sustained rate, nanoseconds.
    pub(crate) fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// The largest debt, nanoseconds.
    pub(crate) fn window_ns(&self) -> u64 {
        self.interval_ns.saturating_mul(u64::from(self.burst))
    }

    /// The debt of a key at `now_ns`, at most one window.
    pub(crate) fn debt_ns(&self, tat_ns: Option<u64>, now_ns: u64) -> u64 {
        tat_ns.unwrap_or(now_ns).saturating_sub(now_ns).min(self.window_ns())
    }

    /// The debt after a request, or `None` where it does not fit.
    pub(crate) fn spend(&self, debt_ns: u64, cost: u32) -> Option<u64> {
        let after = debt_ns.saturating_add(self.price_ns(cost));
        (after <= self.window_ns()).then_some(after)
    }

    /// How many requests of cost 1 still fit on top of a debt.
    pub(crate) fn remaining(&self, debt_ns: u64) -> u32 {
        let left = self.window_ns().saturating_sub(debt_ns).checked_div(self.interval_ns);
        u32::try_from(left.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Time until a request fits on top of a debt; zero where it fits now.
    pub(crate) fn wait(&self, debt_ns: u64, cost: u32) -> Duration {
        let after = debt_ns.saturating_add(self.price_ns(cost));
        Duration::from_nanos(after.saturating_sub(self.window_ns()))
    }

    fn price_ns(&self, cost: u32) -> u64 {
        self.interval_ns.saturating_mul(u64::from(cost))
    }
}

#[cfg(test)]
mod tests;

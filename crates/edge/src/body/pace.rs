//! The pace of a request body: how long its next piece may take, by what came so far and by the time that was spent
//! waiting for it. While nobody asks for more, no time passes. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::body::BodyError;
use crate::settings::{BodyPace, Limits};

/// The clocks of one body.
#[derive(Debug)]
pub(super) struct Pace {
    /// The longest wait for one piece.
    gap_max: Duration,
    min: Option<BodyPace>,
    bytes: u64,
    waited: Duration,
    since: Option<Instant>,
}

/// How long to wait, and what it means when nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    pub(super) wait: Duration,
    pub(super) then: BodyError,
}

impl Pace {
    /// The pace of a client.
    pub(super) fn of(limits: &Limits) -> Self {
        Self { gap_max: limits.body_timeout, min: Some(limits.body_pace_min), ..Self::none() }
    }

    /// The pace of a body that is here already.
    pub(super) fn none() -> Self {
        Self::silent(Duration::MAX)
    }

    /// No pace: only the wait for one piece is bounded.
    pub(super) fn silent(gap_max: Duration) -> Self {
        Self { gap_max, min: None, bytes: 0, waited: Duration::ZERO, since: None }
    }

    /// Nothing is there yet. What is said when the waiting begins holds until something comes.
    pub(super) fn waits(&mut self, now: Instant) -> Patience {
        let since = *self.since.get_or_insert(now);
        let gap = Patience { wait: self.gap_max, then: BodyError::TimedOut };
        let Some(min) = self.min else { return gap };
        let waited = self.waited.saturating_add(now.saturating_duration_since(since));
        let left = self.allowed(min).saturating_sub(waited);
        if left < gap.wait { Patience { wait: left, then: BodyError::TooSlow } } else { gap }
    }

    /// A piece came. `now` is only asked for where the body was waited for.
    pub(super) fn came(&mut self, bytes: usize, now: impl FnOnce() -> Instant) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(now().saturating_duration_since(since));
        }
    }

    /// The waiting that so many bytes are good for.
    fn allowed(&self, min: BodyPace) -> Duration {
        let rate = u64::from(min.bytes_per_second.get());
        let whole = self.bytes.checked_div(rate).unwrap_or_default();
        let rest = self.bytes.checked_rem(rate).unwrap_or_default();
        let milliseconds = rest.saturating_mul(1000).checked_div(rate).unwrap_or_default();
        let earned = Duration::from_secs(whole).saturating_add(Duration::from_millis(milliseconds));
        min.grace.saturating_add(earned)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn pace(bytes_per_second: u32, grace: u64, gap: u64) -> Pace {
        let bytes_per_second = NonZeroU32::new(bytes_per_second).unwrap();
        Pace::of(&Limits {
            body_timeout: Duration::from_secs(gap),
            body_pace_min: BodyPace { bytes_per_second, grace: Duration::from_secs(grace) },
            ..Limits::default()
        })
    }

    fn slow(seconds: f64) -> Patience {
        Patience { wait: Duration::from_secs_f64(seconds), then: BodyError::TooSlow }
    }

    const GAP: Patience = Patience { wait: Duration::from_secs(15), then: BodyError::TimedOut };

    #[tokio::test]
    async fn waiting_is_earned_by_bytes() {
        let mut pace = pace(100, 5, 15);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pace.waits(at(0)), slow(5.0));
        assert_eq!(pace.waits(at(3)), slow(2.0));
        // 50 bytes earn half a second; three of five were spent.
        pace.came(50, || at(3));
        assert_eq!(pace.waits(at(100)), slow(2.5));
        // A byte every two seconds is not enough for long.
        pace.came(1, || at(102));
        assert_eq!(pace.waits(at(102)), slow(0.51));
        pace.came(100_000, || at(102));
        assert_eq!(pace.waits(at(102)), GAP);
    }

    #[tokio::test]
    async fn time_passes_only_while_the_body_is_waited_for() {
        let mut pace = pace(100, 5, 15);
        let start = Instant::now();
        pace.came(1, || panic!("nobody waited"));
        let late = start + Duration::from_secs(3600);
        assert_eq!(pace.waits(late), slow(5.01));
        assert_eq!(Pace::none().waits(late).wait, Duration::MAX);
    }

    #[tokio::test]
    async fn a_body_that_keeps_its_pace_goes_on_for_ever() {
        let mut pace = pace(100, 5, 15);
        let start = Instant::now();
        for second in 0..100_000 {
            assert_ne!(pace.waits(start + Duration::from_secs(second)).wait, Duration::ZERO);
            pace.came(100, || start + Duration::from_secs(second + 1));
        }
        assert_eq!(pace.waits(start), slow(5.0));
    }
}

//! For how many requests and how long one connection serves; then its client is told to open another one. It knows no
//! protocol.

use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::settings::Limits;

/// What is left of a connection.
#[derive(Debug)]
pub(crate) struct Term {
    requests_left: u64,
    /// Requests that may still be refused one by one.
    refusals_left: u32,
    /// Requests that a client may have sent before it heard that it should not.
    under_way_max: u32,
    born: Instant,
    age_max: Duration,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Serve,
    /// There may be none after it.
    ServeLast,
    /// It came too late.
    Refuse,
    /// Too many came too late: the client does not listen.
    End,
}

impl Term {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests_left: limits.connection_requests_max.get(),
            refusals_left: limits.streams_max,
            under_way_max: limits.streams_max,
            born: Instant::now(),
            age_max: limits.connection_age_max,
        }
    }

    /// Over when the connection is too old.
    pub(crate) fn age(&self) -> Sleep {
        sleep(self.age_left(Instant::now()))
    }

    /// The time until then.
    pub(crate) fn age_left(&self, now: Instant) -> Duration {
        self.age_max.saturating_sub(now.saturating_duration_since(self.born))
    }

    /// The client was told to go: only what it may have sent before is served.
    pub(crate) fn shorten(&mut self) {
        self.requests_left = self.requests_left.min(u64::from(self.under_way_max));
    }

    /// One more request came.
    pub(crate) fn next(&mut self) -> Next {
        match (self.requests_left, self.refusals_left) {
            (0, 0) => Next::End,
            (0, left) => {
                self.refusals_left = left.saturating_sub(1);
                Next::Refuse
            }
            (left, _) => {
                self.requests_left = left.saturating_sub(1);
                if left == 1 { Next::ServeLast } else { Next::Serve }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn term(requests: u64, streams: u32) -> Term {
        Term::new(&Limits {
            connection_requests_max: NonZeroU64::new(requests).unwrap(),
            streams_max: streams,
            ..Limits::default()
        })
    }

    #[tokio::test]
    async fn the_last_request_is_told_and_later_ones_are_refused_for_a_while() {
        let mut term = term(2, 2);
        let told: Vec<Next> = (0..5).map(|_| term.next()).collect();
        let expected = [Next::Serve, Next::ServeLast, Next::Refuse, Next::Refuse, Next::End];
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn a_shortened_term_serves_what_was_under_way() {
        let mut long = term(100, 2);
        long.shorten();
        assert_eq!(
            [long.next(), long.next(), long.next()],
            [Next::Serve, Next::ServeLast, Next::Refuse]
        );
        let mut short = term(1, 100);
        short.shorten();
        assert_eq!(short.next(), Next::ServeLast);
    }
}

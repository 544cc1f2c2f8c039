//! The time of day for the Date field, and one deadline that is armed when it is first polled and starts anew when told
//! to. It knows nothing of what it bounds.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, Sleep};

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one clock module of this crate")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether a write waited for too long, as [`Clock::timed`] tells it.
pub(crate) fn is_over<R>(timed: &Poll<io::Result<R>>) -> bool {
    matches!(timed, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut)
}

/// A deadline; its timer is allocated only where something really has to wait.
#[derive(Default)]
pub(crate) struct Clock {
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Clock {
    /// The next poll starts anew.
    pub(crate) fn stop(&mut self) {
        self.running = false;
    }

    /// Whether somebody waits.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Ready once `limit` has passed since the first poll.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        if !self.running {
            let Some(end) = Instant::now().checked_add(limit) else { return Poll::Pending };
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(end),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(end))),
            }
            self.running = true;
        }
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }

    /// What a write came to, which may wait for `limit`: the clock runs while the client accepts nothing.
    pub(crate) fn timed<R>(
        &mut self,
        cx: &mut Context<'_>,
        limit: Duration,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.stop();
            return polled;
        }
        ready!(self.poll(cx, limit));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

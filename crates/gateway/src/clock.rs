//! The one place of this crate that reads the clock; every decision takes the time as an argument.

use std::pin::Pin;
use std::time::{Duration, SystemTime};
use tokio::time::Sleep;

/// The time of day.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Rings once, after so long.
#[must_use]
pub fn alarm(after: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(after))
}

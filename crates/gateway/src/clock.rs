//! The one place of this crate that reads the clock; every decision takes the time as an argument.

use std::time::SystemTime;

/// The time of day.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

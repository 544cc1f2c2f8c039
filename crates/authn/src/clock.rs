//! The only place that reads the wall clock. Decisions take the time as an argument; this is for the
//! moment at which a key set arrived.

use std::time::SystemTime;

/// The wall clock.
pub(crate) fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "this is the crate's one clock module")]
    SystemTime::now()
}

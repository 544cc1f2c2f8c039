//! The only place that asks the machine for the time: for the end of a transaction nobody closed, for
//! what the trail reports about itself and for the names of rotated files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one clock module of this crate")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970, the unit of OCSF `timestamp_t`; 0 for times before.
pub(crate) fn millis(time: SystemTime) -> u64 {
    duration_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole milliseconds of a duration.
pub(crate) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A version 7 identifier (RFC 9562 5.7) for that time.
pub(crate) fn identifier(time: SystemTime) -> uuid::Uuid {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, since.as_secs(), since.subsec_nanos());
    uuid::Uuid::new_v7(stamp)
}

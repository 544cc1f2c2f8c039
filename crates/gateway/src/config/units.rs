//! Durations, sizes and rates as they are written in the configuration. Pure; it does not know
//! which of them is allowed where.

use std::time::Duration;

use thiserror::Error;

/// One more than the most in a rate: one per nanosecond of the shortest period, a second.
const RATE_COUNT_OVER: u32 = 1_000_000_001;

/// Why a text is not a quantity with a unit. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum UnitError {
    /// Not a duration.
    #[error("expected a duration such as `500ms`, `30s`, `5m` or `1h`")]
    Duration,
    /// Not a size.
    #[error("expected a size such as `64KiB`, `1MiB` or `10GiB`")]
    Size,
    /// Not a rate.
    #[error("expected a rate such as `50/s`, `10/m`, `1000/h` or `10000/day`")]
    Rate,
    /// A rate of nothing.
    #[error("a rate of 0 lets nothing through: write a number from 1")]
    RateZero,
    /// A rate of more than one per nanosecond.
    #[error("a rate is at most 1000000000 per period")]
    RateMax,
}

/// So many per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PerPeriod {
    /// How many; at least 1.
    pub(super) count: u32,
    /// The period.
    pub(super) per: Duration,
}

/// Reads `500ms`, `30s`, `5m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (count, unit) = split(text).ok_or(UnitError::Duration)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(UnitError::Duration),
    };
    count.checked_mul(milliseconds).map(Duration::from_millis).ok_or(UnitError::Duration)
}

/// Reads `64KiB`, `1MiB`, `10GiB`, `1TiB` as a number of bytes.
pub(super) fn size(text: &str) -> Result<u64, UnitError> {
    let (count, unit) = split(text).ok_or(UnitError::Size)?;
    let bytes: u64 = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(UnitError::Size),
    };
    count.checked_mul(bytes).ok_or(UnitError::Size)
}

/// Reads `50/s`, `10/m`, `1000/h`, `10000/day`.
pub(super) fn rate(text: &str) -> Result<PerPeriod, UnitError> {
    let (count, unit) = text.split_once('/').ok_or(UnitError::Rate)?;
    let per = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "day" => 86_400,
        _ => return Err(UnitError::Rate),
    };
    match digits(count).and_then(|count| u32::try_from(count).ok()) {
        None => Err(UnitError::Rate),
        Some(0) => Err(UnitError::RateZero),
        Some(RATE_COUNT_OVER..) => Err(UnitError::RateMax),
        Some(count) => Ok(PerPeriod { count, per: Duration::from_secs(per) }),
    }
}

/// Splits `30s` into 30 and `s`.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(end)?;
    Some((digits(count)?, unit))
}

/// Only digits: no sign, no space, no underscore.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A duration as it would be written, for messages.
pub(super) fn written(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}

#[cfg(test)]
mod tests;

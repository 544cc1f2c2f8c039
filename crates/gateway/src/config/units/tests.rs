//! Quantities: each unit, and what is nearly one.

use super::*;

#[test]
fn durations() {
    for (text, milliseconds) in
        [("0s", 0), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)]
    {
        assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in [
        "",
        "30",
        "s",
        "30 s",
        "-1s",
        "+1s",
        "1.5s",
        "1d",
        "1S",
        "1_0s",
        "99999999999999999999s",
        "18446744073709551615h",
    ] {
        assert_eq!(duration(text), Err(UnitError::Duration), "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in
        [("64KiB", 65_536), ("1MiB", 1 << 20), ("10GiB", 10 << 30), ("2TiB", 2 << 40)]
    {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "10", "10GB", "10G", "10 GiB", "1.5GiB", "18446744073709551615TiB"] {
        assert_eq!(size(text), Err(UnitError::Size), "{text}");
    }
}

#[test]
fn rates() {
    for (text, count, seconds) in
        [("50/s", 50, 1), ("10/m", 10, 60), ("1000/h", 1000, 3600), ("10000/day", 10_000, 86_400)]
    {
        assert_eq!(
            rate(text),
            Ok(PerPeriod { count, per: Duration::from_secs(seconds) }),
            "{text}"
        );
    }
    assert_eq!(rate("0/s"), Err(UnitError::RateZero));
    for text in ["", "50", "/s", "50/", "50/d", "50/ s", "-1/s", "4294967296/s"] {
        assert_eq!(rate(text), Err(UnitError::Rate), "{text}");
    }
}

#[test]
fn written_durations_read_back() {
    for milliseconds in [0, 1, 10, 1_000, 1_500, 60_000, 600_000, 3_600_000, 86_400_000] {
        let length = Duration::from_millis(milliseconds);
        assert_eq!(duration(&written(length)), Ok(length));
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let results = (duration(&text).is_ok(), size(&text).is_ok(), rate(&text).is_ok());
        proptest::prop_assert!(u8::from(results.0) + u8::from(results.1) + u8::from(results.2) <= 1);
    }
}

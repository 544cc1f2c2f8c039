//! The arithmetic of one limit, against cases by hand and against a model that counts.

use std::time::Duration;

use proptest::prelude::*;

use super::{Decision, Limit};

const SECOND: u64 = 1_000_000_000;

fn per_second(count: u32, burst: u32) -> Limit {
    Limit::new(count, Duration::from_secs(1), burst).unwrap()
}

#[test]
fn a_limit_that_means_nothing_is_not_made() {
    let second = Duration::from_secs(1);
    assert_eq!(Limit::new(0, second, 1), None);
    assert_eq!(Limit::new(1, second, 0), None);
    assert_eq!(Limit::new(1, Duration::ZERO, 1), None);
    assert_eq!(
        Limit::new(1_000, Duration::from_nanos(999), 1),
        None,
        "faster than the clock ticks"
    );
    assert_eq!(Limit::new(1, Duration::from_secs(60 * 86_400), 1), None, "window of 60 days");
    assert!(Limit::new(1, Duration::from_secs(50 * 86_400), 1).is_some());
    assert!(Limit::new(1_000, Duration::from_nanos(1_000), 1).is_some());
    assert_eq!(Limit::new(u32::MAX, Duration::MAX, u32::MAX), None);
}

#[test]
fn a_burst_passes_and_the_next_waits_for_exactly_one_interval() {
    let limit = per_second(5, 3);
    let mut tat = None;
    for left in [2, 1, 0] {
        let Decision::Allowed { tat_ns, remaining, .. } = limit.decide(tat, SECOND, 1) else {
            panic!("within the burst")
        };
        assert_eq!(remaining, left);
        tat = Some(tat_ns);
    }
    let denied = limit.decide(tat, SECOND, 1);
    assert_eq!(denied, Decision::Denied { retry_after: Duration::from_millis(200) });
    let early = SECOND + 199_999_999;
    assert_eq!(
        limit.decide(tat, early, 1),
        Decision::Denied { retry_after: Duration::from_nanos(1) }
    );
    assert!(matches!(limit.decide(tat, early + 1, 1), Decision::Allowed { remaining: 0, .. }));
}

#[test]
fn a_cost_above_the_burst_never_passes() {
    let limit = per_second(5, 3);
    assert!(matches!(limit.decide(None, SECOND, 4), Decision::Denied { .. }));
    assert!(matches!(limit.decide(None, SECOND, 3), Decision::Allowed { remaining: 0, .. }));
}

#[test]
fn a_clock_set_back_costs_at_most_one_window() {
    let limit = per_second(1, 2);
    let far = 1_000_000 * SECOND;
    assert_eq!(
        limit.decide(Some(far), SECOND, 1),
        Decision::Denied { retry_after: Duration::from_secs(1) }
    );
}

#[test]
fn an_uneven_rate_is_rounded_to_the_strict_side() {
    let limit = per_second(3, 1);
    assert_eq!(limit.interval_ns(), 333_333_334);
}

/// The model: a bucket of `burst * interval` units that drains by one unit per nanosecond, stepped naively.
struct Bucket {
    level: u128,
    at: u128,
}

proptest! {
    #[test]
    fn agrees_with_a_leaky_bucket(
        count in 1_u32..2_000,
        burst in 1_u32..50,
        steps in prop::collection::vec((0_u64..3 * SECOND, 1_u32..4), 1..200),
    ) {
        let limit = per_second(count, burst);
        let interval = u128::from(limit.interval_ns());
        let (mut now, mut tat) = (SECOND, None);
        let mut bucket = Bucket { level: 0, at: u128::from(now) };
        for (gap, cost) in steps {
            // Most gaps are small beside the window, so that both answers come up.
            now += gap / u64::from(count);
            bucket.level = bucket.level.saturating_sub(u128::from(now) - bucket.at);
            bucket.at = u128::from(now);
            let price = interval * u128::from(cost);
            let fits = bucket.level + price <= interval * u128::from(burst);
            match limit.decide(tat, now, cost) {
                Decision::Allowed { tat_ns, remaining, reset } => {
                    prop_assert!(fits);
                    bucket.level += price;
                    prop_assert_eq!(u128::from(remaining), (interval * u128::from(burst) - bucket.level) / interval);
                    prop_assert_eq!(reset.as_nanos(), bucket.level);
                    tat = Some(tat_ns);
                }
                Decision::Denied { retry_after } => {
                    prop_assert!(!fits);
                    prop_assert_eq!(retry_after.as_nanos(), bucket.level + price - interval * u128::from(burst));
                }
            }
        }
    }

    #[test]
    fn never_more_than_rate_times_time_plus_burst(
        count in 1_u32..500,
        burst in 1_u32..20,
        gaps in prop::collection::vec(0_u64..20_000_000, 1..500),
    ) {
        let limit = per_second(count, burst);
        let (mut now, mut tat, mut passed) = (0_u64, None, 0_u64);
        for gap in gaps {
            now += gap;
            if let Decision::Allowed { tat_ns, .. } = limit.decide(tat, now, 1) {
                tat = Some(tat_ns);
                passed += 1;
            }
        }
        prop_assert!(passed <= u64::from(burst) + now / limit.interval_ns());
    }

    #[test]
    fn any_numbers_are_answered(count: u32, per_ns: u64, burst: u32, tat: Option<u64>, now: u64, cost: u32) {
        if let Some(limit) = Limit::new(count, Duration::from_nanos(per_ns), burst) {
            let _decision = limit.decide(tat, now, cost);
        }
    }
}

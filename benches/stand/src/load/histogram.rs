//! Durations in buckets: 64 to each doubling, so that a quantile is right within 1.6 %.

use std::time::Duration;

/// Buckets of one doubling, as a power of two.
const SPLIT_BITS: u32 = 6;
/// Buckets for 64 bits of nanoseconds.
const BUCKETS: usize = (64 << SPLIT_BITS) + 1;

pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
    sum_ns: u128,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max_ns: 0, sum_ns: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(bucket(ns)) {
            *bucket = bucket.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.max_ns = self.max_ns.max(ns);
        self.sum_ns = self.sum_ns.saturating_add(u128::from(ns));
    }

    /// The smallest bucket's lower end below which `per_mille` of all lie, in microseconds.
    pub(super) fn quantile_us(&self, per_mille: u64) -> f64 {
        let wanted = self.count.saturating_mul(per_mille).div_ceil(1000).max(1);
        let mut seen = 0_u64;
        for (index, count) in self.buckets.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen >= wanted {
                return lower_end(index) / 1000.0;
            }
        }
        0.0
    }

    pub(super) fn max_us(&self) -> f64 {
        float(self.max_ns) / 1000.0
    }

    pub(super) fn mean_us(&self) -> f64 {
        let ns = self.sum_ns.checked_div(u128::from(self.count)).unwrap_or(0);
        float(u64::try_from(ns).unwrap_or(u64::MAX)) / 1000.0
    }
}

fn bucket(ns: u64) -> usize {
    let small = 1_u64 << SPLIT_BITS;
    if ns < small {
        return usize::try_from(ns).unwrap_or(0);
    }
    let shift = ns.ilog2().saturating_sub(SPLIT_BITS);
    // The leading one counts as the first bucket of its doubling.
    let above = u64::from(shift).saturating_mul(small);
    usize::try_from(above.saturating_add(ns >> shift)).unwrap_or(BUCKETS)
}

fn lower_end(index: usize) -> f64 {
    let small = 1_usize << SPLIT_BITS;
    let Some(above) = index.checked_sub(small) else {
        return float(u64::try_from(index).unwrap_or(0));
    };
    let shift = above >> SPLIT_BITS;
    let within = above & small.saturating_sub(1);
    let mantissa = u64::try_from(small.saturating_add(within)).unwrap_or(0);
    float(mantissa) * 2_f64.powi(i32::try_from(shift).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_their_bucket() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.add(Duration::from_micros(micros));
        }
        for (per_mille, want_us) in [(500, 500.0), (990, 990.0), (999, 999.0)] {
            let got = histogram.quantile_us(per_mille);
            assert!((got - want_us).abs() < want_us * 0.02, "{per_mille}: {got}");
        }
        assert!((histogram.max_us() - 1000.0).abs() < 0.1);
        assert!((histogram.mean_us() - 500.5).abs() < 0.1);
    }

    #[test]
    fn buckets_grow_and_hold_every_duration() {
        let mut last = 0;
        for shift in 0..64 {
            let index = bucket(1 << shift);
            assert!(index >= last && index < BUCKETS);
            assert!((lower_end(index) - 2_f64.powi(shift)).abs() < 0.5, "2^{shift}");
            last = index;
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }
}

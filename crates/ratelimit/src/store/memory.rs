//! Counters in this process: a bounded, sharded table of theoretical arrival times. It knows no clock and no outage.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Bill, Debts, Verdict};
use crate::limit::Limit;

/// Locks per table: enough that the cores of one machine seldom meet, few enough that a shard is worth sweeping.
const SHARDS: usize = 64;

/// The shortest time between two sweeps of one full shard: a sweep looks at every key of it, so a flood of new keys
/// must not cause one each.
const SWEEP_EVERY_NS: u64 = 100_000_000;

/// A table of at most about `keys_max` counters.
///
/// A key whose counters are at rest is the same as a key never seen: those make room when a shard is full. If that
/// does not help, *new* keys are refused until some come to rest. A counter that is not at rest is never dropped, so
/// nobody can flood the table to be forgotten. The hash is seeded per process, so nobody outside can choose keys that
/// fall into one shard.
#[derive(Debug)]
pub(crate) struct Table<K> {
    shards: Vec<Mutex<Shard<K>>>,
    hasher: RandomState,
    shard_keys_max: usize,
}

#[derive(Debug)]
struct Shard<K> {
    counters: HashMap<K, Counter>,
    sweep_after_ns: u64,
}

/// The two arrival times of one key, nanoseconds since 1970; the second is unused where there is no quota.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    rate_tat_ns: u64,
    quota_tat_ns: u64,
}

impl<K: Hash + Eq + Copy> Table<K> {
    pub(crate) fn new(keys_max: usize) -> Self {
        let shards = SHARDS.min(keys_max.max(1));
        let empty = || Mutex::new(Shard { counters: HashMap::new(), sweep_after_ns: 0 });
        Self {
            shards: std::iter::repeat_with(empty).take(shards).collect(),
            hasher: RandomState::new(),
            shard_keys_max: keys_max.max(1).div_ceil(shards),
        }
    }

    /// Spends all of the bill or nothing.
    pub(crate) fn spend(&self, key: &K, bill: &Bill, now_ns: u64) -> Verdict {
        let Some(mut shard) = self.shard(key) else { return Verdict::Full };
        let Some(counter) = shard.counter(key, now_ns, self.shard_keys_max) else {
            return Verdict::Full;
        };
        let rate_ns = bill.rate.debt_ns(Some(counter.rate_tat_ns), now_ns);
        let quota_ns = bill.quota.map_or(0, |q| q.debt_ns(Some(counter.quota_tat_ns), now_ns));
        let rate_after = bill.rate.spend(rate_ns, bill.cost);
        let quota_after = bill.quota.map_or(Some(0), |q| q.spend(quota_ns, bill.cost));
        let (verdict, debts) = match (rate_after, quota_after) {
            (Some(rate_ns), Some(quota_ns)) => {
                let debts = Debts { rate_ns, quota_ns };
                (Verdict::Spent(debts), debts)
            }
            (None, _) | (_, None) => {
                let debts = Debts { rate_ns, quota_ns };
                (Verdict::Denied(debts), debts)
            }
        };
        // Written after a refusal, too: it changes nothing but a time too far away (see `Limit::decide`).
        counter.rate_tat_ns = now_ns.saturating_add(debts.rate_ns);
        if bill.quota.is_some() {
            counter.quota_tat_ns = now_ns.saturating_add(debts.quota_ns);
        }
        verdict
    }

    /// Adds a cost that cannot be refused, up to the limit's window: nobody waits longer than one window.
    pub(crate) fn fine(&self, key: &K, limit: &Limit, now_ns: u64) {
        let Some(mut shard) = self.shard(key) else { return };
        let Some(counter) = shard.counter(key, now_ns, self.shard_keys_max) else { return };
        let debt = limit.debt_ns(Some(counter.rate_tat_ns), now_ns);
        let after = limit.spend(debt, 1).unwrap_or(limit.window_ns());
        counter.rate_tat_ns = now_ns.saturating_add(after);
    }

    fn shard(&self, key: &K) -> Option<MutexGuard<'_, Shard<K>>> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0);
        let shard = self.shards.get(hash.checked_rem(self.shards.len())?)?;
        // Nothing here can leave a shard half changed, so a panic elsewhere does not spoil it.
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Hash + Eq + Copy> Shard<K> {
    /// The counter of a key, made where there is room.
    fn counter(&mut self, key: &K, now_ns: u64, keys_max: usize) -> Option<&mut Counter> {
        if self.counters.len() >= keys_max && !self.counters.contains_key(key) {
            self.sweep(now_ns);
            if self.counters.len() >= keys_max {
                return None;
            }
        }
        Some(self.counters.entry(*key).or_default())
    }

    fn sweep(&mut self, now_ns: u64) {
        // The second comparison repairs a clock that was set back.
        let due = now_ns >= self.sweep_after_ns
            || self.sweep_after_ns > now_ns.saturating_add(SWEEP_EVERY_NS);
        if due {
            self.counters.retain(|_, c| c.rate_tat_ns > now_ns || c.quota_tat_ns > now_ns);
            self.sweep_after_ns = now_ns.saturating_add(SWEEP_EVERY_NS);
        }
    }
}

#[cfg(test)]
mod tests;

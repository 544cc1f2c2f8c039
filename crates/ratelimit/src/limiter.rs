//! The limits of one policy, applied: addresses in local memory, clients in the store. It knows nothing about how an
//! address was found or a client was identified.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::key::{ClientKey, Network};
use crate::limit::Limit;
use crate::store::{Answer, Bill, Debts, OnOutage, Store, Verdict, nanoseconds};

/// How soon to come back where a table is full and nobody can say when there will be room.
const FULL_RESET: Duration = Duration::from_secs(1);

/// What one request costs.
const COST: u32 = 1;

/// What a client of one tier may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The rate.
    pub rate: Limit,
    /// A second, longer limit that must hold at the same time.
    pub quota: Option<Limit>,
}

/// All limits of one policy.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Per IPv4 address or IPv6 /64; `None` is no limit.
    pub address: Option<Limit>,
    /// By name of the tier. Empty is no limit on clients.
    pub tiers: BTreeMap<String, Tier>,
    /// The tier of a client without one, or with one that is not in `tiers`. Where this is not in `tiers` either, the
    /// slowest of them is meant.
    pub default_tier: Option<String>,
}

/// Decides who may go on.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    fallback: Option<String>,
    store: Arc<Store>,
}

/// Proof that the address may send one more request.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    _made_here: (),
}

/// Proof that the client may send one more request.
#[derive(Debug)]
#[must_use]
pub struct Granted {
    tier: String,
    allowance: Option<Allowance>,
    degraded: Option<OnOutage>,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    limit: u32,
    remaining: u32,
    reset: Duration,
}

/// Which limit said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The rate of an address.
    Address,
    /// The rate of a client's tier.
    Rate,
    /// The quota of a client's tier.
    Quota,
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Which one.
    pub rule: Rule,
    /// Requests that would pass at once after a rest.
    pub limit: u32,
    /// Time until one request fits again.
    pub reset: Duration,
}

/// Why a client may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has spent what it may.
    Limited(Limited),
    /// It cannot be counted: the store is away and [`OnOutage::Refuse`] is set, or has no room for another key.
    Unavailable,
}

impl Limiter {
    /// Limits over a store, which holds all counters: a reload makes a new limiter over the same store.
    #[must_use]
    pub fn new(limits: Limits, store: Arc<Store>) -> Self {
        let pace = |tier: &Tier| {
            let quota = tier.quota.map_or(0, |q| q.interval_ns());
            quota.max(tier.rate.interval_ns())
        };
        let known = limits.default_tier.as_ref().filter(|name| limits.tiers.contains_key(*name));
        let slowest =
            || limits.tiers.iter().max_by_key(|(_, tier)| pace(tier)).map(|(name, _)| name);
        let fallback = known.or_else(slowest).cloned();
        Self { limits, fallback, store }
    }

    /// The store of the counters.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Counts one request of an address. IPv6 addresses count by /64, IPv4-mapped ones as IPv4.
    ///
    /// # Errors
    /// [`Rule::Address`], also where a million other addresses are being counted and there is no room for this one.
    pub fn admit_address(&self, address: IpAddr, now: SystemTime) -> Result<Admitted, Limited> {
        let admitted = Admitted { _made_here: () };
        let Some(limit) = self.limits.address else { return Ok(admitted) };
        let bill = Bill { rate: limit, quota: None, cost: COST };
        let verdict = self.store.addresses().spend(&Network::of(address), &bill, nanoseconds(now));
        let reset = match verdict {
            Verdict::Spent(_) => return Ok(admitted),
            Verdict::Denied(debts) => limit.wait(debts.rate_ns, COST),
            Verdict::Full => FULL_RESET,
        };
        Err(Limited { rule: Rule::Address, limit: limit.burst(), reset })
    }

    /// Counts one more against an address, whether it may or not: for a failed authentication, which is dear to check
    /// and cheap to try.
    pub fn charge_address(&self, address: IpAddr, now: SystemTime) {
        if let Some(limit) = &self.limits.address {
            self.store.addresses().fine(&Network::of(address), limit, nanoseconds(now));
        }
    }

    /// Counts one request of a client. `key` names it completely (issuer and client id, say); its parts cannot run
    /// together. A client has one budget per tier. Rate and quota are spent together or not at all.
    ///
    /// # Errors
    /// The limit that takes longer to recover, or that nothing can be counted.
    pub async fn admit_client(
        &self,
        key: &[&str],
        tier: Option<&str>,
        now: SystemTime,
    ) -> Result<Granted, Refusal> {
        let Some((name, tier)) = self.tier(tier) else {
            return Ok(Granted { tier: String::new(), allowance: None, degraded: None });
        };
        let bill = Bill { rate: tier.rate, quota: tier.quota, cost: COST };
        match self.store.settle(&ClientKey::of(name, key), &bill, now).await {
            Answer::Counted { verdict: Verdict::Spent(debts), degraded } => Ok(Granted {
                tier: name.to_owned(),
                allowance: Some(Allowance::tightest(tier, debts)),
                degraded,
            }),
            Answer::Counted { verdict: Verdict::Denied(debts), .. } => {
                Err(Refusal::Limited(Limited::slowest(tier, debts)))
            }
            Answer::Uncounted => Ok(Granted {
                tier: name.to_owned(),
                allowance: None,
                degraded: Some(OnOutage::Allow),
            }),
            Answer::Counted { verdict: Verdict::Full, .. } | Answer::Unavailable => {
                Err(Refusal::Unavailable)
            }
        }
    }

    fn tier(&self, asked: Option<&str>) -> Option<(&str, &Tier)> {
        let find = |name: &str| self.limits.tiers.get_key_value(name);
        let found = asked.and_then(find).or_else(|| self.fallback.as_deref().and_then(find));
        found.map(|(name, tier)| (name.as_str(), tier))
    }
}

impl Granted {
    /// Whether there was anything to count against. Where not, the numbers below say nothing: no tier is configured,
    /// or the store is away and [`OnOutage::Allow`] is set.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.allowance.is_some()
    }

    /// Requests that pass at once after a rest, of the rate or the quota, whichever has less left. `u32::MAX` where
    /// nothing is limited.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.allowance.map_or(u32::MAX, |a| a.limit)
    }

    /// Requests that would pass right now.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.allowance.map_or(u32::MAX, |a| a.remaining)
    }

    /// Time until [`limit`](Self::limit) requests would pass again.
    #[must_use]
    pub fn reset(&self) -> Duration {
        self.allowance.map_or(Duration::ZERO, |a| a.reset)
    }

    /// The tier that was applied; empty where none is configured.
    #[must_use]
    pub fn tier(&self) -> &str {
        &self.tier
    }

    /// The outage policy, where the shared store was away and it was applied.
    #[must_use]
    pub fn degraded(&self) -> Option<OnOutage> {
        self.degraded
    }
}

impl Allowance {
    fn of(limit: &Limit, debt_ns: u64) -> Self {
        let remaining = limit.remaining(debt_ns);
        Self { limit: limit.burst(), remaining, reset: Duration::from_nanos(debt_ns) }
    }

    fn tightest(tier: &Tier, debts: Debts) -> Self {
        let rate = Self::of(&tier.rate, debts.rate_ns);
        let quota = tier.quota.as_ref().map(|quota| Self::of(quota, debts.quota_ns));
        quota.filter(|quota| quota.remaining < rate.remaining).unwrap_or(rate)
    }
}

impl Limited {
    fn slowest(tier: &Tier, debts: Debts) -> Self {
        let of = |rule, limit: &Limit, debt| Self {
            rule,
            limit: limit.burst(),
            reset: limit.wait(debt, COST),
        };
        let rate = of(Rule::Rate, &tier.rate, debts.rate_ns);
        let quota = tier.quota.as_ref().map(|quota| of(Rule::Quota, quota, debts.quota_ns));
        quota.filter(|quota| quota.reset > rate.reset).unwrap_or(rate)
    }
}

#[cfg(test)]
mod tests;

//! Limits: where counters live and what a tier gets. They are on without being asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Checker, is_loopback, item_as, on, word};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{RawLimits, RawRate, RawRedis, RawStore, RawTier};
use crate::config::reader::Given;
use crate::config::settings::{Limits, Quota, Rate, RedisStore, Store, Tier};

/// The rate of an address and of the only tier, where nothing is said: 50 per second, 100 at once.
const RATE: Rate = Rate { count: 50, per: Duration::from_secs(1), burst: 100 };
/// The name of the only tier, where nothing is said.
const TIER: &str = "default";
/// How long a decision waits for Redis, where nothing is said.
const REDIS_TIMEOUT: Duration = Duration::from_millis(100);

impl Checker<'_> {
    /// The limits; `None` when a mistake leaves open which tiers there are.
    pub(super) fn limits(&mut self, raw: &Given<RawLimits>) -> Option<Limits> {
        match raw {
            Given::Broken => None,
            Given::Absent => Some(Limits {
                store: Store::Memory,
                address: RATE,
                tiers: only_tier(),
                default_tier: TIER.to_owned(),
            }),
            Given::Is(raw) => self.written_limits(raw),
        }
    }

    fn written_limits(&mut self, raw: &Placed<RawLimits>) -> Option<Limits> {
        let limits = &raw.value;
        let store = match limits.store.get() {
            Some(Placed { value: RawStore::Redis(redis), place }) => {
                self.redis(place, &redis.redis.value)
            }
            Some(Placed { value: RawStore::Memory, .. }) | None => Store::Memory,
        };
        let tiers = self.tiers(limits)?;
        let default_tier = self.default_tier(limits, &raw.place, &tiers)?;
        Some(Limits {
            store,
            address: limits.address.value().map_or(RATE, rate),
            tiers,
            default_tier,
        })
    }

    fn tiers(&mut self, raw: &RawLimits) -> Option<BTreeMap<String, Tier>> {
        if raw.tiers.is_absent() {
            return Some(only_tier());
        }
        let named = raw.tiers.get()?;
        if named.value.entries.is_empty() {
            self.wrong(&named.place, "is empty: write at least one tier, or leave `tiers` out");
            return None;
        }
        let mut tiers = BTreeMap::new();
        for entry in &named.value.entries {
            // A broken tier is already a mistake: its name still counts as known.
            let tier = entry.value.as_ref().map_or(Tier { rate: RATE, quota: None }, tier);
            tiers.insert(entry.name.clone(), tier);
        }
        Some(tiers)
    }

    fn default_tier(
        &mut self,
        raw: &RawLimits,
        place: &Place,
        tiers: &BTreeMap<String, Tier>,
    ) -> Option<String> {
        if let Some(written) = raw.default_tier.get() {
            let written = item_as(written, |text| text.0.clone());
            self.known(&written, tiers.keys().map(String::as_str), "tier under `limits.tiers`");
            return Some(written.value);
        }
        if tiers.len() > 1 && raw.default_tier.is_absent() {
            let what = "there are several tiers: `default_tier` must say what clients get whose \
                        token names none";
            self.wrong(place, what);
        }
        tiers.keys().next().cloned()
    }

    fn redis(&mut self, place: &Place, raw: &RawRedis) -> Store {
        self.feature(place, cfg!(feature = "redis"), "redis");
        let url = raw.url.value.0.expose_secret();
        let plaintext = url.starts_with("redis:");
        if plaintext && !is_loopback(url) && !on(&raw.insecure_plaintext) {
            let what = "plain text to another machine: use `rediss:`, or say \
                        `insecure_plaintext: true`";
            self.wrong(&raw.url.place, what);
        }
        Store::Redis(RedisStore {
            url: raw.url.value.0.clone(),
            plaintext,
            ca: self.optional_file(&raw.ca),
            on_outage: word(&raw.on_outage),
            timeout: raw.timeout.value().map_or(REDIS_TIMEOUT, |timeout| timeout.0),
        })
    }
}

fn only_tier() -> BTreeMap<String, Tier> {
    BTreeMap::from([(TIER.to_owned(), Tier { rate: RATE, quota: None })])
}

fn rate(raw: &RawRate) -> Rate {
    let RawRate { rate, burst } = raw;
    Rate { count: rate.value.0.count, per: rate.value.0.per, burst: burst.value.0 }
}

fn tier(raw: &RawTier) -> Tier {
    let RawTier { rate, burst, quota } = raw;
    let rate = Rate { count: rate.value.0.count, per: rate.value.0.per, burst: burst.value.0 };
    let quota = quota.value().map(|quota| Quota { count: quota.0.count, per: quota.0.per });
    Tier { rate, quota }
}

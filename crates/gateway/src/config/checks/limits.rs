//! Limits: where counters live and what a tier gets. They are on without being asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Checker, Names, complete, is_loopback, item_as, names, on, where_on, word, written};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{
    BURST_MAX, RateText, Raw, RawIssuer, RawLimits, RawRedis, RawStore, RawTier,
};
use crate::config::reader::{Count, Given};
use crate::config::settings::{Limits, Quota, Rate, RedisStore, Store, Tier};

/// The rate of an address and of the only tier, where nothing is said: 50 per second, 100 at once.
const RATE: Rate = Rate { count: 50, per: Duration::from_secs(1), burst: 100 };
/// The name of the only tier, where nothing is said.
const TIER: &str = "default";
/// How long a decision waits for Redis, where nothing is said.
const REDIS_TIMEOUT: Duration = Duration::from_millis(100);

/// The tiers that there are; `None` where a mistake leaves that open.
pub(super) fn tier_names(raw: &Given<RawLimits>) -> Names<'_> {
    match raw {
        Given::Broken => None,
        Given::Absent => Some(vec![TIER]),
        Given::Is(limits) if limits.value.tiers.is_absent() => Some(vec![TIER]),
        Given::Is(limits) => names(&limits.value.tiers),
    }
}

impl Checker<'_, '_> {
    /// The limits; what is wrong in them has its default.
    pub(super) fn limits(&mut self, raw: &Given<RawLimits>) -> Limits {
        let Some(Placed { value: limits, place }) = raw.get() else {
            return Limits {
                store: Store::Memory,
                address: RATE,
                tiers: only_tier(),
                default_tier: TIER.to_owned(),
                connections: self.connections(&Given::Absent),
                body: Self::body_pace(&Given::Absent),
                head: self.head(&Given::Absent),
                wait: Self::waits(&Given::Absent),
                floods: Self::floods(&Given::Absent),
            };
        };
        let address = limits.address.value();
        let address = address.and_then(|address| self.rate(&address.rate, &address.burst));
        let tiers = self.tiers(limits);
        Limits {
            store: self.flawless(|checker| checker.store(&limits.store)).unwrap_or(Store::Memory),
            address: address.unwrap_or(RATE),
            default_tier: self.default_tier(raw, limits, place),
            tiers,
            connections: self.connections(&limits.connections),
            body: Self::body_pace(&limits.body),
            head: self.head(&limits.head),
            wait: Self::waits(&limits.wait),
            floods: Self::floods(&limits.floods),
        }
    }

    fn tiers(&mut self, raw: &RawLimits) -> BTreeMap<String, Tier> {
        let Some(named) = raw.tiers.get() else { return only_tier() };
        if named.value.entries.is_empty() {
            self.wrong(&named.place, "is empty: write at least one tier, or leave `tiers` out");
        }
        let mut tiers = BTreeMap::new();
        for entry in &named.value.entries {
            let tier = entry.value.as_ref().and_then(|tier| self.tier(tier));
            // A broken tier is already a mistake.
            tiers.extend(tier.map(|tier| (entry.name.clone(), tier)));
        }
        tiers
    }

    fn default_tier(
        &mut self,
        raw: &Given<RawLimits>,
        limits: &RawLimits,
        place: &Place,
    ) -> String {
        let tiers = tier_names(raw);
        if let Some(written) = limits.default_tier.get() {
            let written = item_as(written, |text| text.0.clone());
            self.known(&written, &tiers, "tier under `limits.tiers`");
            return written.value;
        }
        let tiers = tiers.unwrap_or_default();
        if tiers.len() > 1 && limits.default_tier.is_absent() {
            let what = "there are several tiers: `default_tier` must say what clients get whose \
                        token names none";
            self.wrong(place, what);
        }
        tiers.first().copied().unwrap_or(TIER).to_owned()
    }

    fn tier(&mut self, raw: &RawTier) -> Option<Tier> {
        let rate = self.rate(&raw.rate, &raw.burst)?;
        let Some(quota) = raw.quota.get() else {
            return raw.quota.is_absent().then_some(Tier { rate, quota: None });
        };
        let (place, quota) =
            (&quota.place, Quota { count: quota.value.0.count, per: quota.value.0.per });
        if rate.burst > quota.count {
            let what = "less than `burst`: nobody may ever spend that many at once";
            self.wrong(place, what);
        } else if !tighter(quota, rate) {
            let what = "without effect: `rate` never lets that many through; remove it, or write \
                        a longer limit such as `10000/day`";
            self.wrong(place, what);
        }
        Some(Tier { rate, quota: Some(quota) })
    }

    /// A rate that can be counted.
    pub(super) fn rate(
        &mut self,
        rate: &Given<RateText>,
        burst: &Given<Count<1, BURST_MAX>>,
    ) -> Option<Rate> {
        let (rate, burst) = (rate.value()?.0, burst.get()?);
        let limit = Rate { count: rate.count, per: rate.per, burst: burst.value.0 };
        if ratelimit::Limit::new(limit.count, limit.per, limit.burst).is_none() {
            let what = "at this rate so many take more than 52 days to come back: less, please";
            self.wrong(&burst.place, what);
            return None;
        }
        Some(limit)
    }

    fn store(&mut self, raw: &Given<RawStore>) -> Option<Store> {
        let Placed { value: RawStore::Redis(written), place } = raw.get()? else { return None };
        self.feature(place, cfg!(feature = "redis"), "redis");
        let redis = written.redis.value()?;
        let ca = self.optional_file(&redis.ca);
        let url = redis.url.get()?;
        let plaintext = url.value.0.expose_secret().starts_with("redis:");
        self.redis_url(redis, url.value.0.expose_secret(), &url.place, plaintext);
        Some(Store::Redis(RedisStore {
            url: url.value.0.clone(),
            plaintext,
            ca: ca?,
            on_outage: word(&redis.on_outage),
            timeout: redis.timeout.value().map_or(REDIS_TIMEOUT, |timeout| timeout.0),
        }))
    }

    fn redis_url(&mut self, redis: &RawRedis, url: &str, place: &Place, plaintext: bool) {
        if plaintext && !is_loopback(url) && !on(&redis.insecure_plaintext) {
            let what = "plain text to another machine: use `rediss:`, or say \
                        `insecure_plaintext: true`";
            self.wrong(place, what);
        }
        if let Some(place) = where_on(&redis.insecure_plaintext)
            && !plaintext
        {
            self.wrong(place, "contradicts the URL, which is `rediss:`: remove one of them");
        }
        if let Some(ca) = redis.ca.get()
            && plaintext
        {
            self.wrong(
                &ca.place,
                "without effect: `redis:` is no TLS; use `rediss:`, or remove it",
            );
        }
    }

    /// Notes every tier that nobody can get: not the default, and granted by no issuer.
    pub(super) fn reachable_tiers(&mut self, raw: &Raw) {
        let (Some(limits), Some(issuers)) = (raw.limits.value(), raw.issuers.value()) else {
            return;
        };
        let (Some(tiers), Some(default)) = (limits.tiers.value(), limits.default_tier.value())
        else {
            return;
        };
        let granted = |tier: &str| {
            let mut all = issuers.entries.iter();
            all.any(|issuer| issuer.value.as_ref().is_none_or(|issuer| may_grant(issuer, tier)))
        };
        for tier in &tiers.entries {
            if tier.name != default.0 && !granted(&tier.name) {
                let what = "nobody can get this tier: it is not `default_tier`, and no issuer may \
                            grant it (`may_grant.tiers`)";
                self.wrong(&tier.place, what);
            }
        }
    }
}

/// Whether an issuer may grant a tier; yes where a mistake leaves that open.
fn may_grant(issuer: &RawIssuer, tier: &str) -> bool {
    let Given::Is(may_grant) = &issuer.may_grant else { return true };
    let tiers = &may_grant.value.tiers;
    tiers.is_absent()
        || !complete(tiers)
        || written(tiers).iter().any(|granted| granted.value.0 == tier)
}

/// Whether a quota ever refuses what the rate lets through, which is `burst` (not more than the
/// quota) and then the rate.
fn tighter(quota: Quota, rate: Rate) -> bool {
    let per_quota = u128::from(quota.count).saturating_mul(rate.per.as_nanos());
    let per_rate = u128::from(rate.count).saturating_mul(quota.per.as_nanos());
    per_quota < per_rate
}

fn only_tier() -> BTreeMap<String, Tier> {
    BTreeMap::from([(TIER.to_owned(), Tier { rate: RATE, quota: None })])
}

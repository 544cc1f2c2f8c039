//! The limits of a policy over memory: who is counted together, which limit answers, and what a reload keeps.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Limited, Limiter, Limits, Refusal, Rule, Tier};
use crate::limit::Limit;
use crate::store::{Store, StoreSettings};

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn limit(count: u32, seconds: u64, burst: u32) -> Limit {
    Limit::new(count, Duration::from_secs(seconds), burst).unwrap()
}

fn limits() -> Limits {
    let free = Tier { rate: limit(1, 1, 5), quota: Some(limit(3, 86_400, 3)) };
    let gold = Tier { rate: limit(10, 1, 20), quota: None };
    Limits {
        address: Some(limit(1, 1, 2)),
        tiers: BTreeMap::from([("free".to_owned(), free), ("gold".to_owned(), gold)]),
        default_tier: Some("free".to_owned()),
    }
}

fn limiter(limits: Limits) -> Limiter {
    Limiter::new(limits, Store::open(&StoreSettings::Memory { keys_max: 1000 }).unwrap())
}

#[test]
fn an_address_over_its_limit_is_told_when_to_come_back() {
    let limiter = limiter(limits());
    let client = address("192.0.2.1");
    assert!(limiter.admit_address(client, start()).is_ok());
    assert!(limiter.admit_address(client, start()).is_ok());
    let limited = limiter.admit_address(client, start()).unwrap_err();
    assert_eq!(limited, Limited { rule: Rule::Address, limit: 2, reset: Duration::from_secs(1) });
    assert!(limiter.admit_address(address("192.0.2.2"), start()).is_ok());
    assert!(limiter.admit_address(client, start() + limited.reset).is_ok());
}

#[test]
fn a_failed_authentication_costs_one_more() {
    let limiter = limiter(limits());
    let client = address("2001:db8::1");
    assert!(limiter.admit_address(client, start()).is_ok());
    limiter.charge_address(address("2001:db8::2"), start());
    assert!(limiter.admit_address(client, start()).is_err(), "one /64");
}

#[test]
fn no_address_limit_admits() {
    let limiter = limiter(Limits { address: None, ..limits() });
    for _ in 0..100 {
        assert!(limiter.admit_address(address("192.0.2.1"), start()).is_ok());
    }
}

#[tokio::test]
async fn the_tighter_limit_is_shown_and_the_slower_one_answers() {
    let limiter = limiter(limits());
    let key = ["https://idp.example", "app"];
    for left in [2, 1, 0] {
        let granted = limiter.admit_client(&key, Some("free"), start()).await.unwrap();
        assert_eq!((granted.limit(), granted.remaining(), granted.tier()), (3, left, "free"));
        assert!(granted.is_limited() && granted.degraded().is_none());
    }
    let refusal = limiter.admit_client(&key, Some("free"), start()).await.unwrap_err();
    let reset = Duration::from_secs(28_800);
    assert_eq!(refusal, Refusal::Limited(Limited { rule: Rule::Quota, limit: 3, reset }));
}

#[tokio::test]
async fn an_unknown_tier_is_the_default_and_without_one_the_slowest() {
    let key = ["issuer", "app"];
    let named = limiter(limits());
    assert_eq!(named.admit_client(&key, Some("platinum"), start()).await.unwrap().tier(), "free");
    assert_eq!(named.admit_client(&key, None, start()).await.unwrap().tier(), "free");
    assert_eq!(named.admit_client(&key, Some("gold"), start()).await.unwrap().tier(), "gold");
    let unnamed = limiter(Limits { default_tier: None, ..limits() });
    assert_eq!(unnamed.admit_client(&key, None, start()).await.unwrap().tier(), "free");
}

#[tokio::test]
async fn without_tiers_nothing_is_counted() {
    let limiter = limiter(Limits::default());
    for _ in 0..100 {
        let granted = limiter.admit_client(&["a"], Some("gold"), start()).await.unwrap();
        assert!(!granted.is_limited());
    }
}

#[tokio::test]
async fn a_reload_keeps_what_was_counted() {
    let old = limiter(limits());
    let client = address("192.0.2.1");
    for _ in 0..2 {
        assert!(old.admit_address(client, start()).is_ok());
    }
    for _ in 0..3 {
        assert!(old.admit_client(&["a"], None, start()).await.is_ok());
    }
    let new = Limiter::new(limits(), Arc::clone(old.store()));
    assert!(new.admit_address(client, start()).is_err());
    assert!(new.admit_client(&["a"], None, start()).await.is_err());
}

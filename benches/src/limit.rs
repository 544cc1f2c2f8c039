//! The decision of a limit: the arithmetic alone, and with the table of the keys it knows.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ratelimit::{Decision, KEYS_MAX, Limit, Limiter, Limits, Store, StoreSettings, Tier};

use crate::{Work, ready};

/// Between two requests.
const STEP: Duration = Duration::from_millis(1);
/// A prime: the next key is far from the last one.
const STRIDE: u32 = 7919;

pub(crate) fn decide() -> Work {
    let limit = Limit::new(500, Duration::from_secs(1), 1000).expect("a sound limit");
    let (mut tat_ns, mut now_ns) = (None, 0_u64);
    Box::new(move || {
        now_ns = now_ns.wrapping_add(1_000_000);
        if let Decision::Allowed { tat_ns: next, .. } = limit.decide(black_box(tat_ns), now_ns, 1) {
            tat_ns = Some(next);
        }
    })
}

/// One of `keys` addresses, all of which are known.
pub(crate) fn address(keys: u32) -> Work {
    let (limiter, mut now, mut turn) = (limiter(), start(), 0_u32);
    let name = |number: u32| IpAddr::V4(Ipv4Addr::from(0x0A00_0000 | number));
    for number in 0..keys {
        limiter.admit_address(name(number), now).map(drop).expect("room for every key");
    }
    Box::new(move || {
        turn = turn.wrapping_add(STRIDE) % keys;
        now += STEP;
        black_box(limiter.admit_address(name(turn), now).is_ok());
    })
}

/// One of `keys` clients, all of which are known.
pub(crate) fn client(keys: u32) -> Work {
    let (limiter, mut now, mut turn) = (limiter(), start(), 0_u32);
    for number in 0..keys {
        let name = format!("client-{number}");
        let granted = ready(limiter.admit_client(&["issuer", "", &name], None, now));
        granted.map(drop).expect("room for every key");
    }
    let names: Vec<String> = (0..keys).map(|number| format!("client-{number}")).collect();
    Box::new(move || {
        turn = turn.wrapping_add(STRIDE) % keys;
        now += STEP;
        let name = usize::try_from(turn).ok().and_then(|turn| names.get(turn));
        let key = ["issuer", "", name.map_or("", String::as_str)];
        black_box(ready(limiter.admit_client(&key, None, now)).is_ok());
    })
}

fn limiter() -> Limiter {
    let limit = Limit::new(1_000_000, Duration::from_secs(1), 1_000_000).expect("a sound limit");
    let tier = Tier { rate: limit, quota: None };
    let limits = Limits {
        address: Some(limit),
        tiers: BTreeMap::from([("wide".to_owned(), tier)]),
        default_tier: None,
    };
    let store = StoreSettings::Memory { keys_max: KEYS_MAX };
    Limiter::new(limits, Store::open(&store).expect("a store in memory"))
}

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

//! What every backend must do, run on each of them, and what settings are refused.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use super::{Backend, Bill, Local, OnOutage, Store, StoreError, StoreSettings, TIMEOUT, Verdict};
use crate::key::ClientKey;
use crate::limit::Limit;

/// Nothing in a test waits longer for something to happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A clock that starts somewhere and runs.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

/// So slow that nothing comes back during a test.
pub(super) fn slow(burst: u32) -> Limit {
    Limit::new(1, Duration::from_secs(1000), burst).unwrap()
}

pub(super) fn bill(rate: Limit, quota: Option<Limit>) -> Bill {
    Bill { rate, quota, cost: 1 }
}

fn passed(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Spent(_) => true,
        Verdict::Denied(_) => false,
        Verdict::Full => panic!("room for the keys of a test"),
    }
}

pub(super) async fn contract<B: Backend + Send + Sync + 'static>(backend: Arc<B>) {
    let clock = Clock::new();
    a_burst_and_no_more(&*backend, clock).await;
    both_or_none(&*backend, clock).await;
    costs_add_up(&*backend, clock).await;
    comes_back_with_time(&*backend, clock).await;
    a_smaller_limit_is_not_a_longer_wait(&*backend, clock).await;
    exact_under_contention(backend, clock).await;
}

async fn a_burst_and_no_more(backend: &impl Backend, clock: Clock) {
    let (key, other) = (ClientKey::of("burst", &["a"]), ClientKey::of("burst", &["b"]));
    let bill = bill(slow(3), None);
    for spent in 1..=3_u64 {
        let Verdict::Spent(debts) = backend.spend(&key, &bill, clock.now()).await.unwrap() else {
            panic!("within the burst")
        };
        let most = spent * 1_000_000_000_000;
        assert!(debts.rate_ns <= most && debts.rate_ns > most - 100_000_000_000, "{debts:?}");
        assert_eq!(bill.rate.remaining(debts.rate_ns), 3 - u32::try_from(spent).unwrap());
    }
    assert!(!passed(backend.spend(&key, &bill, clock.now()).await.unwrap()));
    assert!(passed(backend.spend(&other, &bill, clock.now()).await.unwrap()));
}

async fn both_or_none(backend: &impl Backend, clock: Clock) {
    let key = ClientKey::of("both", &[]);
    let both = bill(slow(10), Some(slow(2)));
    for _ in 0..2 {
        assert!(passed(backend.spend(&key, &both, clock.now()).await.unwrap()));
    }
    for _ in 0..5 {
        let Verdict::Denied(debts) = backend.spend(&key, &both, clock.now()).await.unwrap() else {
            panic!("the quota is spent")
        };
        assert_eq!(both.rate.remaining(debts.rate_ns), 8, "the rate is not charged");
    }
    let Verdict::Spent(debts) =
        backend.spend(&key, &bill(slow(10), None), clock.now()).await.unwrap()
    else {
        panic!("the rate has room")
    };
    assert_eq!(both.rate.remaining(debts.rate_ns), 7);
    assert!(
        !passed(backend.spend(&key, &both, clock.now()).await.unwrap()),
        "the quota is remembered"
    );
}

async fn costs_add_up(backend: &impl Backend, clock: Clock) {
    let key = ClientKey::of("cost", &[]);
    let three = Bill { cost: 3, ..bill(slow(5), None) };
    assert!(passed(backend.spend(&key, &three, clock.now()).await.unwrap()));
    assert!(!passed(backend.spend(&key, &three, clock.now()).await.unwrap()));
    assert!(passed(backend.spend(&key, &Bill { cost: 2, ..three }, clock.now()).await.unwrap()));
    let never = Bill { cost: 6, ..three };
    let fresh = ClientKey::of("cost", &["fresh"]);
    assert!(!passed(backend.spend(&fresh, &never, clock.now()).await.unwrap()));
}

async fn comes_back_with_time(backend: &impl Backend, clock: Clock) {
    let key = ClientKey::of("time", &[]);
    let quick = bill(Limit::new(3, Duration::from_secs(1), 1).unwrap(), None);
    let begin = Instant::now();
    assert!(passed(backend.spend(&key, &quick, clock.now()).await.unwrap()));
    while !passed(backend.spend(&key, &quick, clock.now()).await.unwrap()) {
        assert!(begin.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    assert!(begin.elapsed() >= Duration::from_millis(330), "too soon: {:?}", begin.elapsed());
}

async fn a_smaller_limit_is_not_a_longer_wait(backend: &impl Backend, clock: Clock) {
    let key = ClientKey::of("smaller", &[]);
    let large = Bill { cost: 100, ..bill(slow(100), None) };
    assert!(passed(backend.spend(&key, &large, clock.now()).await.unwrap()));
    let small = bill(Limit::new(1, Duration::from_millis(100), 2).unwrap(), None);
    let begin = Instant::now();
    while !passed(backend.spend(&key, &small, clock.now()).await.unwrap()) {
        assert!(begin.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

async fn exact_under_contention<B: Backend + Send + Sync + 'static>(backend: Arc<B>, clock: Clock) {
    let key = ClientKey::of("contention", &[]);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let backend = Arc::clone(&backend);
        tasks.spawn(async move {
            passed(backend.spend(&key, &bill(slow(40), Some(slow(30))), clock.now()).await.unwrap())
        });
    }
    let passed = tasks.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    contract(Arc::new(Local::new(1000))).await;
}

fn redis(url: &str) -> StoreSettings {
    StoreSettings::Redis {
        url: url.to_owned().into(),
        ca: None,
        on_outage: OnOutage::Local,
        timeout: TIMEOUT,
        prefix: "gw".to_owned(),
    }
}

#[test]
fn settings_out_of_bounds_are_refused() {
    let open = |settings: &StoreSettings| Store::open(settings).map(drop);
    assert!(matches!(open(&StoreSettings::Memory { keys_max: 0 }), Err(StoreError::KeysMax)));
    assert!(open(&StoreSettings::Memory { keys_max: 1 }).is_ok());
    if cfg!(not(feature = "redis")) {
        assert!(matches!(open(&redis("redis://127.0.0.1")), Err(StoreError::NotBuilt)));
    }
}

#[cfg(feature = "redis")]
#[test]
fn redis_settings_out_of_bounds_are_refused() {
    let open = |settings: &StoreSettings| Store::open(settings).map(drop);
    assert!(open(&redis("redis://user:secret@127.0.0.1:6379/1")).is_ok());
    for url in ["", "http://127.0.0.1", "rediss://127.0.0.1:1/#insecure"] {
        assert!(matches!(open(&redis(url)), Err(StoreError::Url)), "{url}");
    }
    assert!(matches!(open(&redis("rediss://127.0.0.1")), Err(StoreError::CaMissing)));
    for bad in ["", "a}b", "with space", &"x".repeat(65)] {
        let mut settings = redis("redis://127.0.0.1");
        if let StoreSettings::Redis { prefix, .. } = &mut settings {
            *prefix = bad.to_owned();
        }
        assert!(matches!(open(&settings), Err(StoreError::Prefix)), "{bad}");
    }
    for bad in [Duration::ZERO, Duration::from_secs(6)] {
        let mut settings = redis("redis://127.0.0.1");
        if let StoreSettings::Redis { timeout, .. } = &mut settings {
            *timeout = bad;
        }
        assert!(matches!(open(&settings), Err(StoreError::Timeout)), "{bad:?}");
    }
    let mut settings = redis("rediss://127.0.0.1");
    if let StoreSettings::Redis { ca, .. } = &mut settings {
        *ca = Some("/nonexistent/ca.pem".into());
    }
    assert!(matches!(open(&settings), Err(StoreError::Ca { .. })));
}

#[test]
fn settings_do_not_print_the_password() {
    let text = format!("{:?}", redis("redis://user:hunter2@127.0.0.1"));
    assert!(!text.contains("hunter2"), "{text}");
}

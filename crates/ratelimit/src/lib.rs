//! May this key spend now? Limits by the generic cell rate algorithm (GCRA) over a pluggable store.
//!
//! It knows no requests, no configuration file and no HTTP: a key is an address or a list of words, time is an
//! argument, the answer is a proof or a refusal.
#![doc = include_str!("../README.md")]

mod key;
mod limit;
mod limiter;
mod store;

pub use limit::{Decision, Limit};
pub use limiter::{Admitted, Granted, Limited, Limiter, Limits, Refusal, Rule, Tier};
pub use store::{KEYS_MAX, OnOutage, Store, StoreError, StoreSettings, TIMEOUT};

//! The pure cores that every request passes, each prepared to be run again and again: for criterion (`benches/cores.rs`)
//! and for the table of instructions (`benches/instructions`). It knows the leaf crates by their public names only.
#![expect(clippy::expect_used, reason = "a measurement: a failure is the report")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

mod contract;
mod filter;
mod limit;
mod mask;
mod record;
mod sealing;
mod verify;

/// One run of a core.
pub type Work = Box<dyn FnMut()>;

/// A core that can be measured.
pub struct Core {
    /// Its name: crate, then what.
    pub name: &'static str,
    /// Makes everything that one run needs, once.
    pub prepare: fn() -> Work,
    /// Runs that the table of instructions counts; 0 leaves it to criterion alone, where what it shows is time in caches.
    pub counted_runs: u32,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All of them.
pub const CORES: [Core; 25] = [
    Core { name: "authn/verify_rs256", prepare: verify::rs256, counted_runs: 50 },
    Core { name: "authn/verify_es256", prepare: verify::es256, counted_runs: 50 },
    Core { name: "authn/remembered", prepare: verify::remembered, counted_runs: 1_000 },
    Core { name: "ratelimit/decide", prepare: limit::decide, counted_runs: 10_000 },
    Core {
        name: "ratelimit/address_1k_keys",
        prepare: || limit::address(1_000),
        counted_runs: 2_000,
    },
    Core {
        name: "ratelimit/address_1m_keys",
        prepare: || limit::address(1_000_000),
        counted_runs: 0,
    },
    Core {
        name: "ratelimit/client_1k_keys",
        prepare: || limit::client(1_000),
        counted_runs: 2_000,
    },
    Core {
        name: "ratelimit/client_1m_keys",
        prepare: || limit::client(1_000_000),
        counted_runs: 0,
    },
    Core { name: "validate/contract_get", prepare: contract::get, counted_runs: 500 },
    Core {
        name: "validate/contract_json_1k",
        prepare: || contract::json(1_000, false),
        counted_runs: 200,
    },
    Core {
        name: "validate/contract_json_16k",
        prepare: || contract::json(16_000, false),
        counted_runs: 30,
    },
    Core {
        name: "validate/others_json_16k",
        prepare: || contract::json_by_others(16_000),
        counted_runs: 30,
    },
    Core {
        name: "validate/contract_and_filter_json_1k",
        prepare: || contract::json(1_000, true),
        counted_runs: 200,
    },
    Core {
        name: "validate/contract_and_filter_json_16k",
        prepare: || contract::json(16_000, true),
        counted_runs: 30,
    },
    Core { name: "validate/filter_get_200", prepare: filter::get, counted_runs: 500 },
    Core { name: "validate/filter_96_fields", prepare: || filter::fields(96), counted_runs: 100 },
    Core { name: "validate/filter_768_fields", prepare: || filter::fields(768), counted_runs: 20 },
    Core { name: "validate/filter_worst_64k", prepare: filter::worst, counted_runs: 2 },
    Core { name: "audit/mask_nothing", prepare: mask::nothing, counted_runs: 500 },
    Core { name: "audit/mask_card_and_email", prepare: mask::personal, counted_runs: 200 },
    Core { name: "audit/record_admitted", prepare: record::admitted, counted_runs: 500 },
    Core { name: "audit/record_refused", prepare: record::refused, counted_runs: 500 },
    Core { name: "seal/leaf_2k", prepare: sealing::leaf, counted_runs: 1_000 },
    Core { name: "seal/checkpoint_1000", prepare: sealing::checkpoint, counted_runs: 50 },
    Core { name: "audit/check_1000_events", prepare: sealing::check, counted_runs: 3 },
];

/// The contract and what it is measured against, with the KB of the body that both read.
pub const CONTRACT: (&str, &str, f64) =
    ("validate/contract_json_16k", "validate/others_json_16k", 16.0);

/// The result of a future that has nothing to wait for.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
    .expect("a core that does not wait")
}

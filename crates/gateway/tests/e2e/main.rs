//! End-to-end tests: the real binary among real parts, over real sockets. One test binary, so that it is linked once and
//! slow parts can be shared. It knows the gateway from the outside only.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failure is the report"
)]

mod admin;
mod attacks;
mod broken;
mod certificates;
mod client;
mod contract;
mod crowd;
mod digests;
mod documents;
mod doors;
mod drained;
mod events;
mod examples;
mod failures;
mod filter;
mod full;
mod issuer;
mod listeners;
mod main_job;
mod parts;
mod passed_on;
mod pinned;
mod plain;
mod proxies;
mod sealed;
mod sealed_topics;
mod secrets;
mod site;
mod soak;
mod strangers;
mod streams;
mod succession;
mod tampered;
mod traces;
mod websocket;
mod world;

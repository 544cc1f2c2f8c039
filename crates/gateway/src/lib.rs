//! Sallyport: configuration to policy to pipeline. The only crate that knows the others.
//!
//! Read [`pipeline`] first: it is the whole path of a request on one page.

pub mod access;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod explain;
pub mod inside;
pub mod metrics;
pub mod passage;
pub mod pipeline;
pub mod policy;
pub mod record;
pub mod refusal;
pub mod reply;
pub mod routes;
pub mod run;
pub mod stage;
pub mod telemetry;

//! An admitted request to an isolated service: pools, mutual TLS, signed identity.
//!
//! It knows no policy, no tokens and no audit: who may call what is decided before, and what is recorded is recorded
//! around it.
#![doc = include_str!("../README.md")]

mod answer;
mod assertion;
mod body;
mod connect;
mod fault;
mod forward;
mod headers;
mod line;
mod pool;
mod sent;
mod settings;
mod signer;
mod tls;
mod tunnel;

#[cfg(test)]
mod testing;

pub use assertion::{ASSERTION_BYTES_MAX, ASSERTION_HEADER, ASSERTION_TYPE, Caller};
pub use body::{BodyFault, UpstreamBody};
pub use fault::Fault;
pub use forward::{Outgoing, OutgoingBody, Upstream};
pub use headers::{AllowList, ClientScheme, STANDARD_HEADERS, is_gateway_owned};
pub use sent::{BoxError, Passing};
pub use settings::{AssertionSettings, SettingsError, TlsSettings, UpstreamSettings};
pub use signer::{Signer, SignerError, jwks};

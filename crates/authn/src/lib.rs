//! Credentials in, a [`Principal`] out: JWT access tokens (RFC 9068) checked with keys found by OIDC
//! discovery and JWKS. It knows no routes, no limits, no access rules and no HTTP answers: those
//! belong to its caller.
//!
//! [`Issuer::open`] takes settings and never touches the network; [`Issuer::keep_fresh`] is the one
//! loop that does; [`identify`] decides about one request.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod algorithm;
mod claims;
mod clock;
mod denied;
mod identify;
mod issuer;
mod json;
mod jwks;
mod jws;
mod keys;
mod memory;
mod principal;
mod profile;
mod settings;
#[cfg(test)]
mod testing;

pub use algorithm::{Algorithm, UnknownName};
pub use denied::{Denied, TokenFault};
pub use identify::{Demand, Sent, identify};
pub use issuer::{FetchError, Issuer};
pub use principal::{Method, Principal};
pub use profile::{ClaimNames, Grantable, Profile, TokenRules};
pub use settings::{IssuerSettings, KeySource, SettingsError};

//! What the fuzz targets do with their bytes: plain functions that panic where a promise of a leaf crate is broken. They
//! know no fuzzing engine, so that a test can run them over seeds and kept crashes.

mod authn_jwks;
mod authn_token;
mod bodies;
mod differences;
mod edge_framing;
mod edge_proxy;
mod edge_target;
mod masking;
mod parameters;
mod sealing;
mod validation;

pub use authn_jwks::authn_jwks;
pub use authn_token::authn_token;
pub use bodies::{validate_coding, validate_form, validate_multipart, validate_xml};
pub use differences::validate_differs;
pub use edge_framing::{edge_h1, edge_h2, edge_h3};
pub use edge_proxy::{edge_client_cert, edge_forwarded, edge_proxy};
pub use edge_target::edge_target;
pub use masking::audit_mask;
pub use parameters::validate_parameters;
pub use sealing::{audit_place, audit_spool, seal_note};
pub use validation::{validate_filter, validate_json, validate_openapi};

#[cfg(test)]
mod tests;

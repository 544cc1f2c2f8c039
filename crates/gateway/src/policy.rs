//! The configuration compiled: everything a request may lean on, immutable, swapped as a whole.
//!
//! What must outlive a reload (counters, connections, keys) lives in [`Engines`] and is taken over
//! where its own settings did not change.

use crate::config::{Mistake, Settings, Weakening, weaknesses};
use crate::routes::Routes;
use ratelimit::Limiter;

mod api;
mod document;
mod engines;
mod leaf;
mod trail;

pub use engines::Engines;
pub use leaf::edge;
pub use trail::trail;

/// Everything a request may lean on.
#[derive(Debug)]
pub struct Policy {
    /// SHA-256 over the configuration and its documents, as hex: what instances report.
    pub hash: String,
    /// Rates and quotas.
    pub limits: Limiter,
    /// What is declared.
    pub routes: Routes,
    /// What outlives this policy.
    pub engines: Engines,
    /// Every weakening in force.
    pub weakenings: Vec<Weakening>,
}

/// Compiles a configuration. It opens files, but binds and connects nothing.
///
/// # Errors
/// Every mistake that is only seen with the files open.
pub fn compile(settings: &Settings, before: &Engines) -> Result<Policy, Vec<Mistake>> {
    let (engines, store) = Engines::compile(settings, before)?;
    let (routes, documents, mut notes) = api::compile(settings, &engines)?;
    let mut weakenings = weaknesses(settings);
    weakenings.append(&mut notes);
    Ok(Policy {
        hash: leaf::hash(settings, &documents)?,
        limits: Limiter::new(leaf::limits(settings)?, store),
        routes,
        engines,
        weakenings,
    })
}

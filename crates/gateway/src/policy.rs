//! The configuration compiled: everything a request may lean on, immutable, swapped as a whole.
//!
//! What must outlive a reload (counters, connections, keys) lives in [`Engines`] and is taken over
//! where its own settings did not change.

use crate::config::{self, Draft, Mistake, Refused, Settings, Weakening, weaknesses};
use crate::routes::Routes;
use ratelimit::Limiter;
use std::path::Path;

mod api;
mod document;
mod engines;
mod leaf;
mod pins;
mod secrets;
mod trail;

pub use engines::Engines;
pub use leaf::{door, edge};
pub use secrets::secrets;
pub use trail::{Orphan, drained, trail};

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

/// Reads a configuration file and compiles it: how `check`, `run` and a reload begin.
///
/// # Errors
/// Every mistake in the file and, as far as that can be found, in the files that it names.
pub fn load(path: &Path, before: &Engines) -> Result<(Settings, Policy), Vec<Mistake>> {
    match config::load(path) {
        Ok(settings) => compile(&settings, before).map(|policy| (settings, policy)),
        Err(Refused { mut mistakes, draft }) => {
            if let Some(draft) = draft {
                inspect(&draft, &mut mistakes);
            }
            Err(config::in_order(mistakes, path))
        }
    }
}

/// Compiles a configuration. It opens files, but binds and connects nothing.
///
/// # Errors
/// Every mistake that is only seen with the files open.
pub fn compile(settings: &Settings, before: &Engines) -> Result<Policy, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    match build(settings, before, &mut mistakes) {
        Some(policy) if mistakes.is_empty() => Ok(policy),
        _ => Err(config::in_order(mistakes, &settings.file)),
    }
}

/// Finds what is wrong in the files that a refused configuration names.
fn inspect(draft: &Draft, mistakes: &mut Vec<Mistake>) {
    // What cannot be compiled for want of something else is no mistake of its own.
    let _ = build(&draft.rest, &Engines::default(), mistakes);
    leaf::certificates(&draft.rest, &draft.parts.certificates, mistakes);
    for clients in &draft.parts.client_certificates {
        mistakes.extend(leaf::client_certificates(&draft.rest, clients).err());
    }
    for key in &draft.parts.assertion_keys {
        mistakes.extend(engines::signer(&draft.rest, key).err());
    }
    for offer in &draft.parts.offers {
        mistakes.extend(document::read(&draft.rest, offer).err().into_iter().flatten());
    }
}

/// Compiles as much as there is, and notes every mistake on the way. `None` comes with at least
/// one, noted here or where the settings were read.
fn build(settings: &Settings, before: &Engines, mistakes: &mut Vec<Mistake>) -> Option<Policy> {
    let (engines, store) = Engines::compile(settings, before, mistakes);
    let apis = api::compile(settings, &engines, mistakes);
    let limits = leaf::limits(settings).map_err(|mistake| mistakes.push(mistake)).ok();
    mistakes.extend(trail::existing_key(settings).err());
    mistakes.extend(trail::existing_seal_key(settings).err());
    mistakes.extend(pins::pins(settings).err());
    let (routes, documents, mut notes) = apis?;
    let hash = leaf::hash(settings, &documents).map_err(|mistake| mistakes.push(mistake)).ok();
    let mut weakenings = weaknesses(settings);
    weakenings.append(&mut notes);
    Some(Policy { hash: hash?, limits: Limiter::new(limits?, store?), routes, engines, weakenings })
}

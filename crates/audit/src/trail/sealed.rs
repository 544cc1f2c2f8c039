//! The seal of one trail: seals what former boots left, makes ready who seals and who publishes, and tells how they are.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::TrailError;
use crate::delivery::Progress;
use crate::health::SealHealth;
use crate::sealing::{Former, HEADROOM, Journal, Publisher, Sealer, State, targets};
use crate::settings::Settings;
use crate::spool::Spool;

/// What is sealed and where checkpoints went, seen from outside.
pub(super) struct Sealed {
    state: Arc<Mutex<State>>,
    journal: Arc<Journal>,
    places: Vec<Arc<Progress>>,
}

impl Sealed {
    pub(super) fn health(&self) -> SealHealth {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let place = |progress: &Arc<Progress>| (progress.name.clone(), progress.fault());
        SealHealth {
            ok: !state.fault,
            log: state.origin,
            size: state.size,
            time_s: state.time_s,
            dropped_files: self.journal.dropped(),
            places: self.places.iter().map(place).collect(),
        }
    }
}

/// Seals what former boots left, and makes ready who seals and who publishes.
#[expect(clippy::type_complexity, reason = "taken apart at once by the one caller")]
pub(super) fn seal(
    spool: &Arc<Spool>,
    reader: usize,
    settings: &Settings,
) -> Result<((Sealer, Sealed), Option<Former>, Vec<Publisher>), TrailError> {
    let (journal, last) = Journal::open(spool.directory(), spool.segment_bytes_max() / HEADROOM)
        .map_err(TrailError::Seal)?;
    let journal = Arc::new(journal);
    let mistaken = |(name, mistake)| TrailError::Sink { name, mistake };
    let targets = targets(&settings.instance, &settings.sinks, &settings.seal, &journal);
    let publishers = targets.map_err(mistaken)?.into_iter().enumerate();
    let publishers: io::Result<Vec<_>> =
        publishers.map(|(index, target)| Publisher::new(index, target, spool, &journal)).collect();
    let publishers = publishers.map_err(TrailError::Seal)?;
    journal.publishers(publishers.iter().map(Publisher::cursor).collect());
    let kept = (Arc::clone(&journal), last);
    let mut sealer = Sealer::new(spool, reader, &settings.seal, kept).map_err(TrailError::Seal)?;
    let former = sealer.finish_former(spool.tail()).map_err(TrailError::Seal)?;
    let places = publishers.iter().map(|place| Arc::clone(&place.progress)).collect();
    let sealed = Sealed { state: Arc::clone(&sealer.state), journal, places };
    Ok(((sealer, sealed), former, publishers))
}

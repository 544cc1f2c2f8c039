//! What a reload cannot change: sockets and the spool live as long as the process.

use crate::config::{Mistake, Settings};

/// A mistake for each setting that differs and needs a restart.
#[must_use]
pub(super) fn restart_needed(old: &Settings, new: &Settings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut compare = |same: bool, place: &crate::config::Place, what: &str| {
        if !same {
            mistakes.push(new.mistake(place, format!("{what} cannot change at a reload: restart")));
        }
    };
    let root = crate::config::Place::whole_file();
    compare(old.listeners.len() == new.listeners.len(), &root, "the number of listeners");
    for (before, after) in old.listeners.iter().zip(&new.listeners) {
        let same = before.address == after.address
            && before.http == after.http
            && before.min_version == after.min_version;
        compare(same, &after.place, "address, http and min_version");
    }
    let inner = old.status == new.status && old.identity == new.identity && old.admin == new.admin;
    compare(inner, &root, "status, identity and admin");
    compare(old.workers == new.workers, &root, "workers");
    compare(trail(old) == trail(new), &new.audit.place, "audit");
    compare(old.telemetry.otlp == new.telemetry.otlp, &root, "telemetry");
    mistakes
}

/// The audit settings as text, without the places where they are written; the key by its file.
fn trail(settings: &Settings) -> String {
    format!("{:?} {:?}", crate::policy::trail(settings).ok(), settings.audit.pseudonym.key)
}

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
            && before.min_version == after.min_version
            && before.client_address == after.client_address;
        compare(same, &after.place, "address, http, min_version and client_address");
    }
    let inner = old.status == new.status && old.identity == new.identity && old.admin == new.admin;
    compare(inner, &root, "status, identity and admin");
    let door =
        old.limits.connections == new.limits.connections && old.limits.body == new.limits.body;
    compare(door, &root, "limits.connections and limits.body");
    compare(old.workers == new.workers, &root, "workers");
    compare(trail(old) == trail(new), &new.audit.place, "audit");
    compare(old.telemetry.otlp == new.telemetry.otlp, &root, "telemetry");
    mistakes
}

/// The audit settings as text, without the places where they are written; the key by its file.
fn trail(settings: &Settings) -> String {
    format!("{:?} {:?}", crate::policy::trail(settings).ok(), settings.audit.pseudonym.key)
}

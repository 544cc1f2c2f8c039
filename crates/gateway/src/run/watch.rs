//! What a reload cannot change, since workers, inner listeners and the spool live as long as the process; and which files of
//! the listeners have changed since they were read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::settings::Listener;
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
    let inner = old.status == new.status && old.identity == new.identity && old.admin == new.admin;
    compare(inner, &root, "status, identity and admin");
    compare(
        crate::policy::door(old) == crate::policy::door(new),
        &root,
        "limits.connections, body, head, wait, floods and shutdown.linger",
    );
    compare(old.workers == new.workers, &root, "workers");
    compare(trail(old) == trail(new), &new.audit.place, "audit");
    compare(old.telemetry.otlp == new.telemetry.otlp, &root, "telemetry");
    mistakes
}

/// The audit settings as text, without the places where they are written; the key by its file.
fn trail(settings: &Settings) -> String {
    format!("{:?} {:?}", crate::policy::trail(settings).ok(), settings.audit.pseudonym.key)
}

/// The files of the listeners' TLS, as they looked when they were read.
#[derive(Debug)]
pub(super) struct Files {
    read: Vec<Look>,
    last: Vec<Look>,
}

/// A file and what changes with its content: time, length, number on its device. Nothing where it is not there.
type Look = (PathBuf, Option<(SystemTime, u64, u64)>);

impl Files {
    /// Before they are read: what changes meanwhile is seen at the next look.
    pub(super) fn of(listeners: &[Listener]) -> Self {
        let read = looks(listeners);
        Self { last: read.clone(), read }
    }

    /// Whether they are others than those that were read, and the same as at the last look: one that is being written is
    /// left alone until it lies still.
    pub(super) fn have_changed(&mut self, listeners: &[Listener]) -> bool {
        let now = looks(listeners);
        let still = now == self.last;
        self.last = now;
        still && self.last != self.read
    }
}

fn looks(listeners: &[Listener]) -> Vec<Look> {
    let paths = listeners.iter().flat_map(files_of);
    paths.map(|path| (path.to_owned(), look(path))).collect()
}

fn files_of(listener: &Listener) -> impl Iterator<Item = &Path> {
    let own = listener.certificates.iter().flat_map(|certificate| {
        [Some(&certificate.chain), Some(&certificate.key), certificate.ocsp.as_ref()]
    });
    let clients = listener.client_certificates.iter();
    let clients = clients.flat_map(|clients| [Some(&clients.ca), clients.crl.as_ref()]);
    let forwarded = listener.forwarded_certificates.iter();
    let forwarded = forwarded.flat_map(|passed_on| [Some(&passed_on.ca), passed_on.crl.as_ref()]);
    own.chain(clients).chain(forwarded).flatten().map(PathBuf::as_path)
}

fn look(path: &Path) -> Option<(SystemTime, u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len(), found.ino()))
}

#[cfg(test)]
mod tests;

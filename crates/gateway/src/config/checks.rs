//! From the configuration as it is written to the configuration as it is meant: defaults,
//! absolute paths, references, and the rules between sections. It opens files only to see that
//! they can be opened.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::mistake::{Mistake, Place, Placed, nearest};
use super::raw::Raw;
use super::reader::{Flag, Given, List, OneOf};
use super::settings::{Settings, Shutdown, Telemetry};

mod apis;
mod files;
mod issuers;
mod limits;
mod listeners;
mod trail;
mod upstreams;

/// How long SIGTERM waits for requests under way, where nothing is said.
const SHUTDOWN_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Checking under way: where the file is and what was wrong so far.
struct Checker<'a> {
    file: &'a Path,
    base: PathBuf,
    mistakes: Vec<Mistake>,
}

/// The settings, where they could be made, and everything that was wrong. Settings that come
/// with a mistake are not to be used.
pub(super) fn settings(raw: &Raw, file: &Path, base: PathBuf) -> (Option<Settings>, Vec<Mistake>) {
    let mut checker = Checker { file, base, mistakes: Vec::new() };
    let settings = checker.settings(raw);
    (settings, checker.mistakes)
}

impl Checker<'_> {
    /// All sections are looked at before anything is given up.
    fn settings(&mut self, raw: &Raw) -> Option<Settings> {
        tracing::debug!(version = ?raw.version.value, "configuration read");
        let listeners = self.listeners(&raw.listeners);
        let surfaces = self.surfaces(raw);
        let limits = self.limits(&raw.limits);
        let issuers = self.issuers(raw, &limits);
        let apis = self.apis(raw);
        let upstreams = self.upstreams(&raw.upstreams);
        let audit = self.audit(&raw.audit);
        let telemetry = self.telemetry(raw);
        Some(Settings {
            file: self.file.to_path_buf(),
            listeners,
            status: surfaces.status,
            identity: surfaces.identity,
            admin: surfaces.admin,
            issuers,
            apis,
            upstreams,
            limits: limits?,
            audit,
            telemetry,
            shutdown: Shutdown {
                limit: raw
                    .shutdown
                    .value()
                    .and_then(|shutdown| shutdown.limit.value())
                    .map_or(SHUTDOWN_LIMIT, |limit| limit.0),
            },
            workers: raw
                .workers
                .value()
                .and_then(|count| NonZeroUsize::new(usize::try_from(count.0).ok()?)),
        })
    }

    fn telemetry(&mut self, raw: &Raw) -> Telemetry {
        let Some(otlp) = raw.telemetry.value().and_then(|telemetry| telemetry.otlp.get()) else {
            return Telemetry::default();
        };
        self.feature(&otlp.place, cfg!(feature = "otlp"), "otlp");
        Telemetry { otlp: Some(otlp.value.0.clone()) }
    }

    /// Notes a mistake.
    fn wrong(&mut self, place: &Place, what: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.file, place, what));
    }

    /// Notes that something needs a build with a feature that this build lacks.
    fn feature(&mut self, place: &Place, present: bool, feature: &str) {
        if !present {
            let what = format!("needs a build with the feature `{feature}`; this one is without");
            self.wrong(place, what);
        }
    }

    /// Notes a name that nothing has. It is not quoted: it may come from the environment.
    fn known<'n>(
        &mut self,
        written: &Placed<String>,
        names: impl IntoIterator<Item = &'n str>,
        what: &str,
    ) {
        let names: Vec<&str> = names.into_iter().collect();
        if names.contains(&written.value.as_str()) {
            return;
        }
        let mistake = Mistake::new(self.file, &written.place, format!("there is no such {what}"))
            .with_nearest(nearest(&written.value, names));
        self.mistakes.push(mistake);
    }

    /// Notes a list that is written without items.
    fn not_empty<T, const MAX: usize>(&mut self, list: &Placed<List<T, MAX>>, what: &str) {
        if list.value.written == 0 {
            self.wrong(&list.place, format!("is empty: write at least one {what}"));
        }
    }

    /// Notes every item that is written twice.
    fn unique<T, K: PartialEq>(&mut self, items: &[Placed<T>], key: impl Fn(&T) -> K) {
        for (index, item) in items.iter().enumerate() {
            if items.iter().take(index).any(|before| key(&before.value) == key(&item.value)) {
                self.wrong(&item.place, "is written twice");
            }
        }
    }
}

/// Whether a flag is on; off where nothing is said.
fn on(flag: &Given<Flag>) -> bool {
    flag.value().is_some_and(|flag| flag.0)
}

/// A word, or its default.
fn word<W: Copy + Default>(word: &Given<OneOf<W>>) -> W {
    word.value().map_or_else(W::default, |word| word.0)
}

/// The items of a list that may be absent, as something else.
fn items<T, R, const MAX: usize>(list: &Given<List<T, MAX>>, convert: impl Fn(&T) -> R) -> Vec<R> {
    optional_items(list, convert).unwrap_or_default()
}

/// As [`items`], but an absent list stays absent.
fn optional_items<T, R, const MAX: usize>(
    list: &Given<List<T, MAX>>,
    convert: impl Fn(&T) -> R,
) -> Option<Vec<R>> {
    let list = list.value()?;
    Some(list.items.iter().map(|item| convert(&item.value)).collect())
}

/// As [`items`], each with its place.
fn placed_items<T, const MAX: usize>(
    list: &Given<List<T, MAX>>,
    convert: impl Fn(&T) -> String,
) -> Vec<Placed<String>> {
    let items = list.value().map(|list| list.items.as_slice()).unwrap_or_default();
    items.iter().map(|item| item_as(item, &convert)).collect()
}

/// A placed value as something else at the same place.
fn item_as<T, R>(item: &Placed<T>, convert: impl Fn(&T) -> R) -> Placed<R> {
    Placed { value: convert(&item.value), place: item.place.clone() }
}

/// Whether a URL names this machine itself.
pub(super) fn is_loopback(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok();
    uri.as_ref().and_then(http::Uri::host).is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

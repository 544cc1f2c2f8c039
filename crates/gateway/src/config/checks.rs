//! From the configuration as it is written to the configuration as it is meant: defaults,
//! absolute paths, references, and the rules between sections. It opens files only to see that
//! they can be opened.
//!
//! Every function here looks at all of its part before it gives up: `None` means that a mistake
//! was noted and that the part cannot be used as a whole.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::draft::{Draft, Parts};
use super::mistake::{Mistakes, Place, Placed, nearest};
use super::raw::Raw;
use super::reader::{Flag, Given, List, Named, OneOf};
use super::settings::{Settings, Shutdown, Telemetry};
pub(super) use bounds::wider;

mod apis;
mod bounds;
mod connections;
mod files;
mod filter;
mod issuers;
mod limits;
mod listeners;
mod pins;
mod trail;
mod upstreams;

/// How long SIGTERM waits for requests under way, where nothing is said.
const SHUTDOWN_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// How long a drain lets idle connections bring a last request when the file does not say so.
const SHUTDOWN_LINGER: std::time::Duration = std::time::Duration::from_secs(1);

/// Checking under way: where the file is, what was wrong so far, and what is good of items that
/// are wrong.
struct Checker<'m, 'f> {
    base: PathBuf,
    mistakes: &'m mut Mistakes<'f>,
    parts: Parts,
}

/// The settings without what is wrong in them. Only when no mistake was noted are they whole.
pub(super) fn draft(raw: &Raw, file: PathBuf, base: PathBuf, mistakes: &mut Mistakes<'_>) -> Draft {
    let mut checker = Checker { base, mistakes, parts: Parts::default() };
    let rest = checker.settings(raw, file);
    Draft { rest, parts: checker.parts }
}

impl Checker<'_, '_> {
    fn settings(&mut self, raw: &Raw, file: PathBuf) -> Settings {
        tracing::debug!(version = ?raw.version.value(), "configuration read");
        let listeners = self.listeners(&raw.listeners);
        let surfaces = self.surfaces(raw);
        let limits = self.limits(&raw.limits);
        let issuers = self.issuers(raw);
        self.reachable_tiers(raw);
        Settings {
            file,
            listeners,
            status: surfaces.status,
            identity: surfaces.identity,
            admin: surfaces.admin,
            issuers,
            apis: self.apis(raw),
            upstreams: self.upstreams(&raw.upstreams),
            limits,
            audit: self.audit(&raw.audit),
            telemetry: self.telemetry(raw),
            shutdown: shutdown(raw),
            workers: raw
                .workers
                .value()
                .and_then(|count| NonZeroUsize::new(usize::try_from(count.0).ok()?)),
        }
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
        self.mistakes.wrong(place, what);
    }

    /// What comes of a check that notes no mistake. What is wrong in one way must not be held
    /// against later rules: they would only say the same again.
    fn flawless<T>(&mut self, check: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.mistakes.count();
        check(self).filter(|_| self.mistakes.count() == before)
    }

    /// Notes that something needs a build with a feature that this build lacks.
    fn feature(&mut self, place: &Place, present: bool, feature: &str) {
        if !present {
            let what = format!("needs a build with the feature `{feature}`; this one is without");
            self.wrong(place, what);
        }
    }

    /// Whether a name is one of those there are; notes it where it is not. It is not quoted: it
    /// may come from the environment.
    fn known(&mut self, written: &Placed<String>, names: &Names<'_>, what: &str) -> bool {
        // Where it is open which names there are, that is the mistake.
        let Some(names) = names else { return false };
        let known = names.contains(&written.value.as_str());
        if !known && !self.mistakes.is_full() {
            let near = nearest(&written.value, names.iter().copied());
            self.mistakes.wrong_name(&written.place, format!("there is no such {what}"), near);
        }
        known
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

/// The names that may be referred to; `None` where a mistake leaves open which there are.
type Names<'a> = Option<Vec<&'a str>>;

/// The names in a section that must be there.
fn names<T, const MAX: usize>(named: &Given<Named<T, MAX>>) -> Names<'_> {
    named.value().map(Named::names)
}

/// Whether a flag is on; off where nothing is said.
fn on(flag: &Given<Flag>) -> bool {
    flag.value().is_some_and(|flag| flag.0)
}

/// The place of a flag that is on.
fn where_on(flag: &Given<Flag>) -> Option<&Place> {
    flag.get().filter(|flag| flag.value.0).map(|flag| &flag.place)
}

/// A word, or its default.
fn word<W: Copy + Default>(word: &Given<OneOf<W>>) -> W {
    word.value().map_or_else(W::default, |word| word.0)
}

/// Whether no item of a list is left out for being wrong.
fn complete<T, const MAX: usize>(list: &Given<List<T, MAX>>) -> bool {
    list.is_absent() || list.value().is_some_and(|list| list.items.len() == list.written)
}

/// The items of a list, none where it is absent, each with its place.
fn written<T, const MAX: usize>(list: &Given<List<T, MAX>>) -> &[Placed<T>] {
    list.value().map(|list| list.items.as_slice()).unwrap_or_default()
}

/// The items of a list that may be absent, as something else.
fn items<T, R, const MAX: usize>(list: &Given<List<T, MAX>>, convert: impl Fn(&T) -> R) -> Vec<R> {
    written(list).iter().map(|item| convert(&item.value)).collect()
}

/// As [`items`], but an absent list stays absent.
fn optional_items<T, R, const MAX: usize>(
    list: &Given<List<T, MAX>>,
    convert: impl Fn(&T) -> R,
) -> Option<Vec<R>> {
    list.value().map(|_| items(list, convert))
}

/// As [`items`], each with its place.
fn placed_items<T, const MAX: usize>(
    list: &Given<List<T, MAX>>,
    convert: impl Fn(&T) -> String,
) -> Vec<Placed<String>> {
    written(list).iter().map(|item| item_as(item, &convert)).collect()
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

fn shutdown(raw: &Raw) -> Shutdown {
    let section = raw.shutdown.value();
    let limit = section.and_then(|shutdown| shutdown.limit.value());
    let linger = section.and_then(|shutdown| shutdown.linger.value());
    Shutdown {
        limit: limit.map_or(SHUTDOWN_LIMIT, |limit| limit.0),
        linger: linger.map_or(SHUTDOWN_LINGER, |linger| linger.0),
    }
}

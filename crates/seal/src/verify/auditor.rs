//! The second pass: every entry in the order in which it is kept, and at the end what is missing, by the checkpoints, by the
//! logs after it, by pins and by the roster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::{Book, Kept, RecordSource};
use super::entries::{Entries, FormerClaim, Seen};
use super::report::{Finding, Kind, Location, LogSummary, Report};
use super::walk::Walk;
use crate::checkpoint::instance_of;
use crate::tree::Hash;

/// Logs without checkpoints, and logs that name the one before, that are remembered.
const REMEMBERED_MAX: usize = 100_000;

/// What is expected of the entries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// The beginning of each log, and whole logs, may be gone: they were delivered, or moved elsewhere.
    pub partial: bool,
    /// The leaf of what was lost before it was sealed.
    pub lost: Option<Hash>,
}

/// Looks up proved leaves aside from the order of the entries.
pub(super) struct Aside<'s> {
    book: &'s Book,
    source: &'s dyn RecordSource,
    walk: Option<(String, Walk<'s>)>,
}

impl<'s> Aside<'s> {
    /// The proved leaf at an index; `None` where it cannot be told.
    pub(super) fn leaf(&mut self, log: &str, index: u64) -> Option<Hash> {
        let fits = |(name, walk): &(String, Walk<'s>)| name == log && walk.reached() <= index;
        if !self.walk.as_ref().is_some_and(fits) {
            let kept = self.book.logs.get(log)?;
            self.walk = Some((log.to_owned(), walk(self.book, self.source, (log, kept), false)));
        }
        // What is wrong with checkpoints is told once, by the walk of the log itself.
        self.walk.as_mut()?.1.leaf(index, &mut Report::default())
    }
}

fn walk<'s>(
    book: &'s Book,
    source: &'s dyn RecordSource,
    (log, kept): (&str, &Kept),
    pinned: bool,
) -> Walk<'s> {
    let pins = if pinned { book.pins.get(log).cloned() } else { None };
    let lines = source.lines(&kept.from);
    Walk::new((log, kept.size), lines, &book.trust, pins.unwrap_or_default())
}

/// Holds entries against the checkpoints of a [`Book`].
pub struct Auditor<'s> {
    book: &'s Book,
    source: &'s dyn RecordSource,
    bounds: Bounds,
    aside: Aside<'s>,
    logs: BTreeMap<String, Entries<'s>>,
    /// Logs without a checkpoint.
    strangers: BTreeMap<String, Finding>,
    claims: Vec<(FormerClaim, Location)>,
    last: String,
    /// The log of the last entry of each instance.
    lasts: BTreeMap<String, String>,
    place: Option<Arc<str>>,
    report: Report,
}

impl<'s> Auditor<'s> {
    /// `source` gives the same lines that the book was filled with.
    #[must_use]
    pub fn new(book: &'s Book, source: &'s dyn RecordSource, bounds: Bounds) -> Self {
        Self {
            book,
            source,
            bounds,
            aside: Aside { book, source, walk: None },
            logs: BTreeMap::new(),
            strangers: BTreeMap::new(),
            claims: Vec::new(),
            last: String::new(),
            lasts: BTreeMap::new(),
            place: None,
            report: book.report.clone(),
        }
    }

    /// Takes the next entry.
    pub fn take(&mut self, seen: &Seen<'_>) {
        let across = self.place.as_ref().is_some_and(|place| *place != seen.at.place);
        if across || self.place.is_none() {
            self.place = Some(Arc::clone(&seen.at.place));
        }
        let Some(kept) = self.book.logs.get(seen.log) else { return self.stranger(seen) };
        if self.last != seen.log {
            seen.log.clone_into(&mut self.last);
            let instance = instance_of(seen.log).unwrap_or_default();
            self.lasts.insert(instance.to_owned(), seen.log.to_owned());
        }
        if !self.logs.contains_key(seen.log) {
            let entries = self.entries(seen.log, kept);
            self.logs.insert(seen.log.to_owned(), entries);
        }
        let Some(entries) = self.logs.get_mut(seen.log) else { return };
        let good = entries.take(seen, across, (&mut self.aside, &mut self.report));
        if let (true, Some(former)) = (good, &seen.former)
            && self.claims.len() < REMEMBERED_MAX
        {
            self.claims.push((former.clone(), seen.at.clone()));
        }
    }

    /// Something stands among the entries that claims no place.
    pub fn placeless(&mut self, at: &Location) {
        let finding = Finding::new(Kind::Placeless, "").at(at);
        self.report.add(finding.detail("it does not begin as an event of a log does"));
    }

    fn entries(&self, log: &str, kept: &Kept) -> Entries<'s> {
        let summary = LogSummary {
            log: log.to_owned(),
            size: kept.size,
            time_s: kept.time_s,
            ended: kept.ended,
            ..LogSummary::default()
        };
        let walk = walk(self.book, self.source, (log, kept), true);
        Entries::new(walk, summary, self.bounds.partial)
    }

    fn stranger(&mut self, seen: &Seen<'_>) {
        if let Some(finding) = self.strangers.get_mut(seen.log) {
            finding.count += 1;
        } else if self.strangers.len() < REMEMBERED_MAX {
            let known = self.book.trust.knows(seen.log);
            let kind = if known { Kind::CheckpointsMissing } else { Kind::WrongOrigin };
            let finding = Finding::new(kind, seen.log).index(seen.sequence).uid(seen.uid);
            self.strangers.insert(seen.log.to_owned(), finding.at(seen.at));
        } else {
            self.report.more += 1;
        }
    }

    /// All entries were given: what there is to say.
    #[must_use]
    pub fn finish(mut self) -> Report {
        for (_, finding) in std::mem::take(&mut self.strangers) {
            self.report.add(finding);
        }
        let named: BTreeSet<_> = self.claims.iter().map(|(claim, _)| claim.log.clone()).collect();
        let instances =
            self.book.order.iter().map(|log| (instance_of(log).unwrap_or_default(), log));
        let newest: BTreeMap<_, _> = instances.collect();
        for log in &self.book.order {
            let Some(kept) = self.book.logs.get(log) else { continue };
            let entries = self.logs.remove(log);
            let entries = entries.unwrap_or_else(|| self.entries(log, kept));
            let instance = instance_of(log).unwrap_or_default();
            let newest = newest.get(instance) == Some(&log)
                && self.lasts.get(instance).is_some_and(|last| last == log);
            let facts = (kept.ended || named.contains(log), newest);
            let whole = (&mut self.aside, &mut self.report);
            let summary = entries.finish(facts, self.bounds.lost, whole);
            self.report.logs.push(summary);
        }
        let older = self.claimed();
        self.pinned(&older);
        self.members();
        self.report
    }

    /// What the logs say of those before them; the logs that are known to have been cut or to have gone on from an older state.
    fn claimed(&mut self) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        for (claim, at) in std::mem::take(&mut self.claims) {
            let finding = |kind| Finding::new(kind, &claim.log).at(&at);
            let found = match self.book.logs.get(&claim.log) {
                None if claim.size == 0 || self.bounds.partial || self.told(&claim.log) => continue,
                None => finding(Kind::LogRemoved).index(0).count(claim.size),
                Some(kept) if kept.size < claim.size => finding(Kind::TailCutWithCheckpoints)
                    .index(kept.size)
                    .count(claim.size - kept.size),
                Some(kept) if kept.size > claim.size => {
                    finding(Kind::Rollback).index(claim.size).count(kept.size - claim.size)
                }
                Some(kept) if kept.root != claim.root => finding(Kind::Fork).index(kept.size),
                Some(_) => continue,
            };
            let detail = format!("the next log names {} events of it", claim.size);
            self.report.add(found.detail(detail));
            told.insert(claim.log);
        }
        told
    }

    fn told(&self, log: &str) -> bool {
        self.book.has_told(log)
    }

    /// What pins know and the checkpoints do not.
    fn pinned(&mut self, told: &BTreeSet<String>) {
        for (log, sizes) in &self.book.pins {
            let Some((size, pins)) = sizes.last_key_value() else { continue };
            let there = self.book.logs.get(log).map(|kept| kept.size);
            let known = there.is_some_and(|there| there >= *size) || told.contains(log);
            if known || (there.is_none() && self.bounds.partial) {
                continue;
            }
            let whose = pins.first().map(|pin| pin.whose.as_str()).unwrap_or_default();
            let kind =
                if there.is_some() { Kind::TailCutWithCheckpoints } else { Kind::LogRemoved };
            let from = there.unwrap_or_default();
            let detail = format!("the pin {whose} knows {size} events, the checkpoints {from}");
            let finding = Finding::new(kind, log).index(from).count(size - from);
            self.report.add(finding.detail(detail));
        }
    }

    /// What the roster names and is not there.
    fn members(&mut self) {
        let there: BTreeSet<_> = self.book.logs.keys().filter_map(|log| instance_of(log)).collect();
        for name in self.book.trust.members().difference(&there) {
            let finding = Finding::new(Kind::InstanceMissing, name);
            self.report.add(finding.detail("the roster names it, and no log of it is here"));
        }
    }
}

impl std::fmt::Debug for Auditor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

//! The entries of one log: which of them are there, in which order, and which of them are those that were sealed. Memory grows
//! with what was done to the log, not with the log.

use std::collections::BTreeMap;

use super::auditor::Aside;
use super::report::{Finding, Kind, Location, LogSummary, Report};
use super::walk::Walk;
use crate::tree::Hash;

/// Ranges and entries of a log that are remembered until its end is known.
const REMEMBERED_MAX: usize = 100_000;

/// What the first event of a log says of the log before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerClaim {
    /// Its origin.
    pub log: String,
    /// How many events it had.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// One entry as it was found.
#[derive(Debug)]
pub struct Seen<'e> {
    /// The log that it claims.
    pub log: &'e str,
    /// Its index there, modulo [`Self::modulus`].
    pub sequence: u64,
    /// What the sequence is counted in.
    pub modulus: u64,
    /// What it calls itself.
    pub uid: &'e str,
    /// Of its exact bytes; of an erased one, the hash it left.
    pub leaf: Hash,
    /// It was erased as planned.
    pub erased: bool,
    /// Where it was found.
    pub at: &'e Location,
    /// Where it is the first of a log that had one before it.
    pub former: Option<FormerClaim>,
}

/// Entries that are not there yet.
struct Missing {
    to: u64,
    /// Before what; `None` at the end of the log.
    at: Option<Location>,
    /// Between two files.
    across: bool,
}

/// Something that is not what was sealed at the place that it claims.
struct Suspect {
    uid: String,
    at: Location,
}

/// Entries that come again, as after a crash.
struct Rerun {
    first: u64,
    count: u64,
    next: u64,
    uid: String,
    at: Location,
}

pub(super) struct Entries<'s> {
    log: String,
    size: u64,
    walk: Walk<'s>,
    partial: bool,
    begun: bool,
    /// Behind the last that is known to be there.
    next: u64,
    missing: BTreeMap<u64, Missing>,
    suspects: BTreeMap<u64, Vec<Suspect>>,
    rerun: Option<Rerun>,
    reordered: Option<Finding>,
    /// The first beyond the last checkpoint.
    beyond: Option<(u64, Suspect)>,
    pub(super) summary: LogSummary,
}

impl<'s> Entries<'s> {
    pub(super) fn new(walk: Walk<'s>, summary: LogSummary, partial: bool) -> Self {
        Self {
            log: summary.log.clone(),
            size: summary.size,
            walk,
            partial,
            begun: false,
            next: 0,
            missing: BTreeMap::new(),
            suspects: BTreeMap::new(),
            rerun: None,
            reordered: None,
            beyond: None,
            summary,
        }
    }

    /// Takes the next entry; whether it is one that was sealed, or may be.
    pub(super) fn take(
        &mut self,
        seen: &Seen<'_>,
        across: bool,
        (aside, report): (&mut Aside<'s>, &mut Report),
    ) -> bool {
        let index = self.index(seen);
        if index >= self.size {
            self.summary.unsealed += 1;
            self.beyond.get_or_insert_with(|| (index, suspect(seen)));
            return false;
        }
        let forward = index >= self.next;
        let leaf = if index == self.next {
            self.walk.leaf(index, report)
        } else {
            aside.leaf(&self.log, index)
        };
        if leaf.is_some_and(|leaf| leaf != seen.leaf) {
            self.suspect(index, seen, report);
            return false;
        }
        if forward {
            self.forward(index, seen, across, report);
            if leaf.is_none() {
                self.walk.own(index, seen.leaf, report);
            }
            if self.next == self.size {
                self.walk.finish(report);
            }
        } else {
            self.back(index, seen, report);
        }
        self.summary.erased += u64::from(seen.erased);
        true
    }

    /// The whole index: the nearest to what comes next.
    fn index(&self, seen: &Seen<'_>) -> u64 {
        let modulus = seen.modulus.max(1);
        let round = self.next - self.next % modulus;
        let near = [round.checked_sub(modulus), Some(round), round.checked_add(modulus)];
        let indices = near.into_iter().flatten().filter_map(|r| r.checked_add(seen.sequence));
        indices.min_by_key(|index| index.abs_diff(self.next)).unwrap_or(seen.sequence)
    }

    fn forward(&mut self, index: u64, seen: &Seen<'_>, across: bool, report: &mut Report) {
        self.end_rerun(report);
        if index > self.next {
            if self.begun || !self.partial {
                let gap = Missing { to: index, at: Some(seen.at.clone()), across };
                self.miss(self.next, gap, report);
            }
            // The walk goes along.
            self.walk.leaf(index, report);
        }
        self.begun = true;
        self.next = index + 1;
        self.summary.events += 1;
    }

    fn miss(&mut self, from: u64, gap: Missing, report: &mut Report) {
        if self.missing.len() < REMEMBERED_MAX {
            self.missing.insert(from, gap);
        } else {
            report.add(self.gone(from, &gap));
        }
    }

    fn back(&mut self, index: u64, seen: &Seen<'_>, report: &mut Report) {
        if self.found(index) {
            self.summary.events += 1;
            if let Some(before) = &mut self.reordered
                && before.index.map(|first| first + before.count) == Some(index)
            {
                before.count += 1;
                return;
            }
            let finding = Finding::new(Kind::Reordered, &self.log).index(index);
            let finding = finding.uid(seen.uid).at(seen.at).detail("it stands behind later ones");
            self.reordered.replace(finding).into_iter().for_each(|before| report.add(before));
            return;
        }
        self.summary.repeats += 1;
        let skips = self.rerun.as_ref().is_some_and(|rerun| !self.is_missing(rerun.next, index));
        match &mut self.rerun {
            // On, or from an earlier place once more.
            Some(rerun) if !skips || index < rerun.next => {
                rerun.next = index + 1;
                rerun.count += 1;
            }
            _ => {
                self.end_rerun(report);
                let Suspect { uid, at } = suspect(seen);
                self.rerun = Some(Rerun { first: index, count: 1, next: index + 1, uid, at });
            }
        }
    }

    /// A crash repeats up to where everything was; whatever stops before is no repetition after a crash.
    fn end_rerun(&mut self, report: &mut Report) {
        let Some(rerun) = self.rerun.take() else { return };
        if !self.is_missing(rerun.next, self.next) {
            let finding = Finding::new(Kind::Duplicated, &self.log).index(rerun.first);
            let finding = finding.count(rerun.count).uid(&rerun.uid).at(&rerun.at);
            report.add(finding.detail("it stands there again, and not as after a crash"));
        }
    }

    /// Whether all from one index to another are missing; so where there are none between.
    fn is_missing(&self, from: u64, to: u64) -> bool {
        let mut at = from;
        while at < to {
            match self.missing.range(..=at).next_back() {
                Some((_, gap)) if gap.to > at => at = gap.to,
                _ => return false,
            }
        }
        true
    }

    /// Takes one out of what is missing.
    fn found(&mut self, index: u64) -> bool {
        let Some((from, gap)) = self.missing.range(..=index).next_back() else { return false };
        let (from, to, at, across) = (*from, gap.to, gap.at.clone(), gap.across);
        if to <= index {
            return false;
        }
        self.missing.remove(&from);
        let parts = [(from, index, false), (index + 1, to, across)];
        for (from, to, across) in parts.into_iter().filter(|(from, to, _)| from < to) {
            self.missing.insert(from, Missing { to, at: at.clone(), across });
        }
        true
    }

    fn suspect(&mut self, index: u64, seen: &Seen<'_>, report: &mut Report) {
        if self.suspects.len() < REMEMBERED_MAX {
            self.suspects.entry(index).or_default().push(suspect(seen));
        } else {
            report.add(self.tell(Kind::Changed, index, &suspect(seen)));
        }
    }

    fn tell(&self, kind: Kind, index: u64, suspect: &Suspect) -> Finding {
        Finding::new(kind, &self.log).index(index).uid(&suspect.uid).at(&suspect.at)
    }

    fn gone(&self, from: u64, gap: &Missing) -> Finding {
        let kind = match &gap.at {
            None if from == 0 && self.summary.events == 0 => Kind::LogRemoved,
            None => Kind::TailCut,
            Some(_) if gap.across => Kind::SegmentRemoved,
            Some(_) => Kind::Removed,
        };
        let finding = Finding::new(kind, &self.log).index(from).count(gap.to - from);
        match &gap.at {
            Some(at) => finding.at(at).detail("missing before this place"),
            None => finding,
        }
    }

    /// All entries were seen. `closed`: nothing can have come behind the last checkpoint. `last`: the files end with this log, and none is newer:
    /// a crash may have ended what came again.
    pub(super) fn finish(
        mut self,
        (closed, last): (bool, bool),
        lost: Option<Hash>,
        (aside, report): (&mut Aside<'s>, &mut Report),
    ) -> LogSummary {
        if !last {
            self.end_rerun(report);
        }
        report.extend(self.reordered.take());
        self.walk.finish(report);
        if self.next < self.size && (self.begun || !self.partial) {
            let gap = Missing { to: self.size, at: None, across: false };
            self.missing.insert(self.next, gap);
        }
        for (index, suspects) in std::mem::take(&mut self.suspects) {
            let mut kind = if self.found(index) { Kind::Changed } else { Kind::Inserted };
            for suspect in suspects {
                report.add(self.tell(kind, index, &suspect));
                kind = Kind::Inserted;
            }
        }
        for (from, gap) in std::mem::take(&mut self.missing) {
            self.tell_gone(from, &gap, lost, (aside, report));
        }
        if let (true, Some((index, suspect))) = (closed, &self.beyond) {
            let finding = self.tell(Kind::Inserted, *index, suspect).count(self.summary.unsealed);
            report.add(finding.detail("behind the end of the log"));
        }
        let pins = self.walk.open_pins();
        if pins > 0 && !self.partial {
            let detail = format!("{pins} pins cannot be held against the log");
            report.add(Finding::new(Kind::Altered, &self.log).detail(detail));
        }
        self.summary.pinned = self.walk.pinned;
        self.summary
    }

    /// Tells what is gone, and apart from it what was gone before it was sealed.
    fn tell_gone(
        &self,
        from: u64,
        gap: &Missing,
        lost: Option<Hash>,
        (aside, report): (&mut Aside<'s>, &mut Report),
    ) {
        let mut at = from;
        while at < gap.to {
            let is_lost = |index, aside: &mut Aside<'s>| {
                lost.is_some() && aside.leaf(&self.log, index) == lost
            };
            let kind = is_lost(at, aside);
            let end = (at..gap.to).find(|index| is_lost(*index, aside) != kind).unwrap_or(gap.to);
            let part = Missing { to: end, at: gap.at.clone(), across: gap.across };
            let mut finding = self.gone(at, &part);
            if kind {
                finding.kind = Kind::LostBeforeSeal;
            }
            report.add(finding);
            at = end;
        }
    }
}

fn suspect(seen: &Seen<'_>) -> Suspect {
    Suspect { uid: seen.uid.to_owned(), at: seen.at.clone() }
}

//! The leaves of one log in order, as its checkpoints prove them: a record at a time, so memory is bounded however long it is.

use std::collections::BTreeMap;

use super::book::{Pinned, Trust};
use super::report::{Finding, Kind, Location, Report};
use crate::record::Record;
use crate::tree::{Frontier, Hash};

type Lines<'s> = Box<dyn Iterator<Item = (Location, Vec<u8>)> + 's>;

/// Leaves between two checkpoints.
struct Range {
    from: u64,
    to: u64,
    root: Hash,
    at: Location,
    /// Those that lead to the root; empty where what is written beside the checkpoint does not.
    leaves: Vec<Hash>,
    /// Something was written beside it that does not lead to the root.
    altered: bool,
    /// Of the entries themselves, as far as none is missing; only where there are no good leaves.
    own: Option<Frontier>,
    /// The tree behind it, as written beside the checkpoint.
    frontier: Option<Frontier>,
}

pub(super) struct Walk<'s> {
    log: String,
    lines: Lines<'s>,
    trust: &'s Trust,
    /// The tree before the range; `None` where it is not known.
    tree: Option<Frontier>,
    range: Option<Range>,
    /// Behind the last range.
    reached: u64,
    /// Under the last checkpoint: what comes behind it is of other logs.
    size: u64,
    pins: BTreeMap<u64, Vec<Pinned>>,
    pub(super) pinned: Option<u64>,
}

impl<'s> Walk<'s> {
    pub(super) fn new(
        (log, size): (&str, u64),
        lines: Lines<'s>,
        trust: &'s Trust,
        pins: BTreeMap<u64, Vec<Pinned>>,
    ) -> Self {
        let log = log.to_owned();
        Self { log, lines, trust, tree: None, range: None, reached: 0, size, pins, pinned: None }
    }

    /// The first index that can still be asked for.
    pub(super) fn reached(&self) -> u64 {
        self.range.as_ref().map_or(self.reached, |range| range.from)
    }

    /// Pins that no tree was held against.
    pub(super) fn open_pins(&self) -> u64 {
        self.pins.range(..=self.size).map(|(_, pins)| pins.len() as u64).sum()
    }

    /// The proved leaf at an index; indices never go back. `None` where it cannot be told.
    pub(super) fn leaf(&mut self, index: u64, report: &mut Report) -> Option<Hash> {
        while self.range.as_ref().is_none_or(|range| index >= range.to) {
            self.leave(report);
            self.enter(report)?;
        }
        let range = self.range.as_ref()?;
        let within = usize::try_from(index.checked_sub(range.from)?).ok()?;
        range.leaves.get(within).copied()
    }

    /// An entry that has no proved leaf: it may help to prove the range as a whole.
    pub(super) fn own(&mut self, index: u64, leaf: Hash, report: &mut Report) {
        let Some(own) = self.range.as_mut().and_then(|range| range.own.as_mut()) else { return };
        if own.size() != index {
            // Something is missing before it.
            if let Some(range) = &mut self.range {
                range.own = None;
            }
            return;
        }
        own.push(leaf);
        let grown = own.clone();
        self.mark(&grown, report);
    }

    /// Goes to the end of the log.
    pub(super) fn finish(&mut self, report: &mut Report) {
        loop {
            self.leave(report);
            if self.enter(report).is_none() {
                return;
            }
        }
    }

    /// The next range.
    fn enter(&mut self, report: &mut Report) -> Option<()> {
        if self.reached >= self.size {
            // The file is open no longer.
            self.lines = Box::new(std::iter::empty());
            return None;
        }
        loop {
            let (at, line) = self.lines.next()?;
            let Some(record) = Record::parse(&line) else { continue };
            let Ok(sealed) = self.trust.open(&record.note) else { continue };
            let checkpoint = sealed.checkpoint;
            if checkpoint.origin != self.log || checkpoint.size <= self.reached {
                continue;
            }
            if self.reached == 0 && record.first() == 0 {
                self.tree = Some(Frontier::new());
            }
            let (from, to, root) = (self.reached, checkpoint.size, checkpoint.root);
            let fits = record.frontier.size() == to && record.frontier.root() == root;
            let leaves = self.proved(&record, from, to, root);
            let there = !record.leaves.is_empty() && record.first() <= from;
            let own = if leaves.is_none() { self.tree.clone() } else { None };
            let range = Range {
                from,
                to,
                root,
                at,
                altered: leaves.is_none() && (there || !fits),
                leaves: leaves.unwrap_or_default(),
                own,
                frontier: fits.then_some(record.frontier),
            };
            self.mark_range(&range, report);
            self.range = Some(range);
            return Some(());
        }
    }

    /// The leaves beside a checkpoint, where they lead from the tree before to its root.
    fn proved(&self, record: &Record, from: u64, to: u64, root: Hash) -> Option<Vec<Hash>> {
        let skip = usize::try_from(from.checked_sub(record.first())?).ok()?;
        let leaves = record.leaves.get(skip..)?;
        let mut tree = self.tree.clone()?;
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        (tree.size() == to && tree.root() == root).then(|| leaves.to_vec())
    }

    /// Settles the range that is behind.
    fn leave(&mut self, report: &mut Report) {
        let Some(range) = self.range.take() else { return };
        self.reached = range.to;
        let own = range.own.filter(|own| own.size() == range.to && own.root() == range.root);
        if range.leaves.is_empty() && self.tree.is_some() {
            let finding = |kind| Finding::new(kind, &self.log).index(range.from).at(&range.at);
            let count = range.to - range.from;
            if own.is_none() {
                let detail = "the events do not lead to the signed root";
                report.add(finding(Kind::Altered).count(count).detail(detail));
            } else if range.altered {
                let detail = "the hashes beside a checkpoint are wrong, the events are right";
                report.add(finding(Kind::LeavesAltered).count(count).detail(detail));
            }
        }
        let mut tree = self.tree.take().filter(|_| !range.leaves.is_empty());
        if let Some(tree) = &mut tree {
            range.leaves.iter().for_each(|leaf| tree.push(*leaf));
        }
        self.tree = tree.or(own).or(range.frontier);
    }

    fn mark_range(&mut self, range: &Range, report: &mut Report) {
        let Some(mut tree) = self.tree.clone().filter(|_| !range.leaves.is_empty()) else { return };
        if self.pins.range(range.from + 1..=range.to).next().is_none() {
            return;
        }
        for leaf in &range.leaves {
            tree.push(*leaf);
            self.mark(&tree, report);
        }
    }

    /// Holds a tree against the pins of its size.
    fn mark(&mut self, tree: &Frontier, report: &mut Report) {
        let Some(pins) = self.pins.remove(&tree.size()) else { return };
        let root = tree.root();
        for pin in pins {
            if pin.root == root {
                self.pinned = self.pinned.max(Some(tree.size()));
            } else {
                let detail = format!("the pin {} has another root at this size", pin.whose);
                let finding = Finding::new(Kind::Rewritten, &self.log).index(tree.size());
                report.add(finding.detail(detail));
            }
        }
    }
}

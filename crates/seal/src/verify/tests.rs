//! The table of what can be done to a log: each found and located, and what looks like it is not.

use std::sync::Arc;

use super::*;
use crate::{Checkpoint, Frontier, Hash, Record, Roster, SigningKey, VerifyKey};

const INSTANCE: &str = "shop/audit/edge-1";
/// Events between two checkpoints.
const STEP: usize = 10;

/// One entry of a file: the log and the index that it claims, and its bytes.
#[derive(Clone)]
struct Entry {
    log: String,
    index: u64,
    bytes: String,
    erased: Option<Hash>,
    former: Option<FormerClaim>,
    file: usize,
}

/// What a directory holds: entries and lines of checkpoints.
#[derive(Clone)]
struct Kept {
    key: Arc<SigningKey>,
    entries: Vec<Entry>,
    lines: Vec<(String, String)>,
}

fn name(boot: usize) -> String {
    format!("{INSTANCE}/boot-{boot}")
}

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(INSTANCE).expect("a key").0)
}

impl Kept {
    /// Three boots of 25, 30 and 35 events; the first was killed, the others ended in order.
    fn new() -> Self {
        let mut kept = Self { key: key(), entries: Vec::new(), lines: Vec::new() };
        for boot in 0..3 {
            kept.boot(boot, 25 + 5 * boot, "", boot > 0);
        }
        kept
    }

    fn boot(&mut self, boot: usize, count: usize, salt: &str, ended: bool) {
        let log = name(boot);
        let (mut tree, mut leaves) = (Frontier::new(), Vec::new());
        for index in 0..count {
            let bytes = format!("{log} {index}{salt}");
            let former = if index == 0 { self.former() } else { None };
            tree.push(Hash::leaf(bytes.as_bytes()));
            leaves.push(Hash::leaf(bytes.as_bytes()));
            let file = self.entries.len() / 20;
            let (log, index) = (log.clone(), index as u64);
            self.entries.push(Entry { log, index, bytes, erased: None, former, file });
            if leaves.len() == STEP {
                self.seal(&log_of(&self.entries), &tree, &mut leaves, false);
            }
        }
        self.seal(&name(boot), &tree, &mut leaves, ended);
    }

    fn former(&self) -> Option<FormerClaim> {
        let (log, line) = self.lines.last()?;
        let record = Record::parse(line.trim_end().as_bytes()).expect("a line");
        let (size, root) = (record.frontier.size(), record.frontier.root());
        Some(FormerClaim { log: log.clone(), size, root })
    }

    fn seal(&mut self, log: &str, tree: &Frontier, leaves: &mut Vec<Hash>, ended: bool) {
        let checkpoint =
            Checkpoint { origin: log.to_owned(), size: tree.size(), root: tree.root() };
        let note = checkpoint.sign(&self.key, 1_790_000_000 + tree.size());
        let leaves = std::mem::take(leaves);
        let record = Record { note, leaves, frontier: tree.clone(), at: (1, 8), ended };
        self.lines.push((log.to_owned(), record.to_line()));
    }

    fn place(&self, boot: usize, index: u64) -> usize {
        let log = name(boot);
        let found = self.entries.iter().position(|e| e.log == log && e.index == index);
        found.expect("an entry")
    }

    fn note(&self, line: usize) -> String {
        Record::parse(self.lines[line].1.trim_end().as_bytes()).expect("a line").note
    }

    fn last_note(&self) -> String {
        self.note(self.lines.len() - 1)
    }

    fn check(&self, trust: Trust, pins: &[String], partial: bool) -> Report {
        let mut book = Book::new(trust);
        for (at, line) in self.lines(&Location { place: "checkpoints".into(), position: 0 }) {
            book.line(&line, &at);
        }
        pins.iter().for_each(|pin| book.pin(pin, "the pin"));
        let mut auditor = Auditor::new(&book, self, Bounds { partial, lost: None });
        for (position, entry) in self.entries.iter().enumerate() {
            let place = format!("file-{}", entry.file).into();
            let at = Location { place, position: position as u64 };
            auditor.take(&Seen {
                log: &entry.log,
                sequence: entry.index % 128,
                modulus: 128,
                uid: &format!("u{position}"),
                leaf: entry.erased.unwrap_or_else(|| Hash::leaf(entry.bytes.as_bytes())),
                erased: entry.erased.is_some(),
                at: &at,
                former: entry.former.clone(),
            });
        }
        auditor.finish()
    }

    fn trust(&self) -> Trust {
        Trust { keys: vec![self.key.public().clone()], roster: None }
    }

    fn report(&self) -> Report {
        self.check(self.trust(), &[], false)
    }
}

fn log_of(entries: &[Entry]) -> String {
    entries.last().expect("an entry").log.clone()
}

impl RecordSource for Kept {
    fn lines(&self, from: &Location) -> Box<dyn Iterator<Item = (Location, Vec<u8>)> + '_> {
        let from = from.position as usize;
        let lines = self.lines.iter().enumerate().skip(from);
        Box::new(lines.map(|(position, (_, line))| {
            let at = Location { place: "checkpoints".into(), position: position as u64 };
            (at, line.trim_end().as_bytes().to_vec())
        }))
    }
}

/// Kind, log, first index, count of each finding.
fn told(report: &Report) -> Vec<(Kind, String, Option<u64>, u64)> {
    let findings = report.findings.iter();
    findings.map(|f| (f.kind, f.log.clone(), f.index, f.count)).collect()
}

#[track_caller]
fn finds(kept: &Kept, expected: &[(Kind, usize, u64, u64)]) -> Report {
    let report = kept.report();
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, boot, index, count)| (*kind, name(*boot), Some(*index), *count))
        .collect();
    assert_eq!(told(&report), expected, "{report}");
    report
}

#[test]
fn an_untouched_log_is_good_also_after_a_crash() {
    let kept = Kept::new();
    let report = finds(&kept, &[]);
    let sizes: Vec<_> = report.logs.iter().map(|log| (log.size, log.events, log.ended)).collect();
    assert_eq!(sizes, [(25, 25, false), (30, 30, true), (35, 35, true)]);
    // Delivered again after a crash, once and twice, also with the crash at the very end.
    for (from, to) in [(18, 25), (24, 25), (0, 25)] {
        let mut again = kept.clone();
        let repeated = again.entries[from..to].to_vec();
        let at = again.place(1, 0);
        again.entries.splice(at..at, repeated.clone());
        again.entries.splice(at..at, repeated[..1].to_vec());
        let report = finds(&again, &[]);
        assert_eq!(report.logs[0].repeats, (to - from) as u64 + 1);
    }
    let mut dying = kept.clone();
    let place = dying.place(2, 30);
    dying.entries.extend(kept.entries[place..place + 2].to_vec());
    finds(&dying, &[]);
    // Events that no checkpoint covers yet are told as such.
    let mut live = Kept { key: key(), entries: Vec::new(), lines: Vec::new() };
    live.boot(0, 25, "", false);
    live.lines.pop();
    assert_eq!(finds(&live, &[]).logs[0].unsealed, 5);
}

#[test]
fn what_is_done_to_events_is_found_where_it_was_done() {
    let kept = Kept::new();
    let at = |boot, index| kept.place(boot, index);
    let with = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut kept = kept.clone();
        change(&mut kept.entries);
        kept
    };
    let flipped = with(&|all| all[at(1, 7)].bytes.push('!'));
    let report = finds(&flipped, &[(Kind::Changed, 1, 7, 1)]);
    let finding = &report.findings[0];
    assert_eq!(finding.uid.as_deref(), Some(&*format!("u{}", at(1, 7))));
    assert_eq!(finding.at.as_ref().expect("a place").position, at(1, 7) as u64);
    finds(&with(&|all| drop(all.remove(at(1, 7)))), &[(Kind::Removed, 1, 7, 1)]);
    finds(&with(&|all| drop(all.drain(at(1, 7)..at(1, 12)))), &[(Kind::Removed, 1, 7, 5)]);
    finds(&with(&|all| all.swap(at(1, 7), at(1, 8))), &[(Kind::Reordered, 1, 7, 1)]);
    finds(&with(&|all| all.swap(at(1, 27), at(1, 28))), &[(Kind::Reordered, 1, 27, 1)]);
    let twice = with(&|all| all.insert(at(1, 9), all[at(1, 7)].clone()));
    finds(&twice, &[(Kind::Duplicated, 1, 7, 1)]);
    let late = with(&|all| all.push(all[at(0, 7)].clone()));
    finds(&late, &[(Kind::Duplicated, 0, 7, 1)]);
    let forged =
        |index| Entry { bytes: "forged".to_owned(), index, ..kept.entries[at(1, 7)].clone() };
    for index in [0, 6, 7, 8, 29] {
        finds(&with(&|all| all.insert(at(1, 7), forged(index))), &[(Kind::Inserted, 1, index, 1)]);
    }
    let behind = with(&|all| all.push(forged(30)));
    finds(&behind, &[(Kind::Inserted, 1, 30, 1)]);
    let behind_killed = with(&|all| all.insert(at(1, 0), Entry { log: name(0), ..forged(25) }));
    finds(&behind_killed, &[(Kind::Inserted, 0, 25, 1)]);
    let first = with(&|all| drop(all.remove(at(1, 0))));
    finds(&first, &[(Kind::Removed, 1, 0, 1)]);
    let both = with(&|all| {
        all[at(2, 20)].bytes.push('!');
        all.remove(at(2, 19));
    });
    finds(&both, &[(Kind::Changed, 2, 20, 1), (Kind::Removed, 2, 19, 1)]);
}

#[test]
fn missing_files_and_ends_are_told_apart() {
    let kept = Kept::new();
    let mut file = kept.clone();
    file.entries.retain(|entry| entry.file != 2);
    finds(&file, &[(Kind::TailCut, 1, 15, 15), (Kind::SegmentRemoved, 2, 0, 5)]);
    let mut file = kept.clone();
    file.entries.retain(|entry| entry.file != 3);
    finds(&file, &[(Kind::SegmentRemoved, 2, 5, 20)]);
    let mut tail = kept.clone();
    tail.entries.truncate(kept.place(2, 30));
    finds(&tail, &[(Kind::TailCut, 2, 30, 5)]);
    let mut log = kept.clone();
    log.entries.retain(|entry| entry.log != name(1));
    let all = [(Kind::LogRemoved, 1, 0, 30)];
    finds(&log, &all);
    log.lines.retain(|line| line.0 != name(1));
    finds(&log, &all);
    // The end of a log that another names.
    let mut cut = kept.clone();
    cut.lines.remove(2);
    cut.entries.drain(cut.place(0, 20)..cut.place(1, 0));
    finds(&cut, &[(Kind::TailCutWithCheckpoints, 0, 20, 5)]);
    // The same of the last log: only a pin knows.
    let mut last = kept.clone();
    last.entries.truncate(kept.place(2, 30));
    last.lines.pop();
    finds(&last, &[]);
    let pinned = last.check(last.trust(), &[kept.last_note()], false);
    assert_eq!(told(&pinned), [(Kind::TailCutWithCheckpoints, name(2), Some(30), 5)]);
    last.entries.retain(|entry| entry.log != name(2));
    last.lines.retain(|line| line.0 != name(2));
    finds(&last, &[]);
    let pinned = last.check(last.trust(), &[kept.last_note()], false);
    assert_eq!(told(&pinned), [(Kind::LogRemoved, name(2), Some(0), 35)]);
    let good = kept.check(kept.trust(), &[kept.last_note(), kept.note(0)], false);
    assert!(good.is_clean());
    assert_eq!(
        good.logs.iter().map(|log| log.pinned).collect::<Vec<_>>(),
        [Some(10), None, Some(35)]
    );
}

#[test]
fn what_was_delivered_is_not_missed_in_a_spool() {
    let mut kept = Kept::new();
    kept.entries.drain(..kept.place(1, 12));
    assert!(!kept.report().is_clean());
    assert!(kept.check(kept.trust(), &[], true).is_clean());
    kept.lines.drain(..4);
    assert!(kept.check(kept.trust(), &[], true).is_clean());
    let gone = kept.place(1, 28);
    kept.entries.remove(gone);
    let report = kept.check(kept.trust(), &[], true);
    assert_eq!(told(&report), [(Kind::Removed, name(1), Some(28), 1)]);
}

#[test]
fn forks_rollbacks_and_stolen_keys_are_found() {
    let kept = Kept::new();
    // A boot went on from an older state of the disk.
    let mut rolled = kept.clone();
    rolled.entries.truncate(kept.place(2, 0));
    rolled.lines.retain(|line| line.0 != name(2));
    let newer = rolled.lines.split_off(4);
    rolled.boot(2, 5, "", true);
    rolled.lines.extend(newer);
    finds(&rolled, &[(Kind::Rollback, 1, 10, 20)]);
    // Two stories of one log.
    let mut forked = kept.clone();
    let mut other = Kept { key: Arc::clone(&kept.key), entries: Vec::new(), lines: Vec::new() };
    other.boot(1, 30, " another", true);
    forked.lines.extend(other.lines.iter().cloned());
    let report = forked.report();
    assert_eq!(told(&report)[0], (Kind::Fork, name(1), Some(10), 1), "{report}");
    // Written anew with the stolen key: only a pin tells.
    let mut anew = Kept { key: Arc::clone(&kept.key), entries: Vec::new(), lines: Vec::new() };
    anew.boot(0, 25, " another", true);
    finds(&anew, &[]);
    let pinned = anew.check(anew.trust(), &[kept.note(1)], false);
    assert_eq!(told(&pinned), [(Kind::Rewritten, name(0), Some(20), 1)]);
}

#[test]
fn keys_origins_and_instances_are_checked() {
    let kept = Kept::new();
    let trusting = |key: &VerifyKey| Trust { keys: vec![key.clone()], roster: None };
    let report = kept.check(trusting(key().public()), &[], false);
    assert!(told(&report).contains(&(Kind::WrongKey, name(0), None, 1)), "{report}");
    let (other, _) = SigningKey::generate("shop/audit/edge-9").expect("a key");
    let report = kept.check(trusting(other.public()), &[], false);
    assert!(told(&report).contains(&(Kind::WrongOrigin, name(0), None, 1)), "{report}");
    let (fleet, _) = SigningKey::generate("shop").expect("a key");
    let roster = |keys: Vec<VerifyKey>| {
        let note = Roster::sign(&fleet, 7, keys);
        let roster = Roster::open(&note, fleet.public()).expect("a roster");
        Trust { keys: Vec::new(), roster: Some(roster) }
    };
    let own = kept.key.public().clone();
    assert!(kept.check(roster(vec![own.clone()]), &[], false).is_clean());
    let report = kept.check(roster(vec![own, other.public().clone()]), &[], false);
    let missing = (Kind::InstanceMissing, "shop/audit/edge-9".to_owned(), None, 1);
    assert_eq!(told(&report), [missing]);
    let mut alien = kept.clone();
    let place = alien.place(1, 3);
    let entry = Entry { log: "other/audit/x/b".to_owned(), ..alien.entries[place].clone() };
    alien.entries.insert(place, entry);
    let found = (Kind::WrongOrigin, "other/audit/x/b".to_owned(), Some(3), 1);
    assert_eq!(told(&alien.report()), [found]);
    let mut bare = kept.clone();
    bare.lines.retain(|line| line.0 != name(2));
    let report = bare.report();
    assert_eq!(told(&report), [(Kind::CheckpointsMissing, name(2), Some(0), 35)]);
}

#[test]
fn what_is_done_to_checkpoints_is_found() {
    let kept = Kept::new();
    let with = |line: usize, change: &dyn Fn(&str) -> String| {
        let mut kept = kept.clone();
        kept.lines[line].1 = change(&kept.lines[line].1);
        kept
    };
    let note = |line: &str| line.replacen("\\n20\\n", "\\n21\\n", 1);
    let report = with(1, &note).report();
    assert_eq!(told(&report), [(Kind::BadSignature, name(0), None, 1)], "{report}");
    let report = with(1, &|_| "{}\n".to_owned()).report();
    assert_eq!(told(&report), [(Kind::CheckpointUnreadable, String::new(), None, 1)]);
    let leaves = |line: &str| {
        let mut record = Record::parse(line.trim_end().as_bytes()).expect("a line");
        record.leaves[3] = Hash::leaf(b"another");
        record.to_line()
    };
    finds(&with(1, &leaves), &[(Kind::LeavesAltered, 0, 10, 10)]);
    let mut both = with(1, &leaves);
    let place = both.place(0, 13);
    both.entries[place].bytes.push('!');
    let report = both.report();
    assert_eq!(told(&report), [(Kind::Altered, name(0), Some(10), 10)], "{report}");
}

#[test]
fn a_planned_erasure_is_no_finding_and_another_is() {
    let mut kept = Kept::new();
    let place = kept.place(1, 7);
    let leaf = Hash::leaf(kept.entries[place].bytes.as_bytes());
    kept.entries[place].erased = Some(leaf);
    assert_eq!(finds(&kept, &[]).logs[1].erased, 1);
    kept.entries[place].erased = Some(Hash::leaf(b"another"));
    finds(&kept, &[(Kind::Changed, 1, 7, 1)]);
}

#[test]
fn a_sequence_that_began_anew_is_followed() {
    let mut kept = Kept { key: key(), entries: Vec::new(), lines: Vec::new() };
    kept.boot(0, 5_000, "", true);
    assert_eq!(finds(&kept, &[]).logs[0].events, 5_000);
}

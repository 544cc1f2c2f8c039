//! What a trail leaves is good, and what is done to its files is found.

use std::fs;
use std::io::Write as _;

use seal::verify::Kind;
use tempfile::TempDir;

use super::*;
use crate::sealing;
use crate::trail::tests::three_boots;

fn trust() -> Trust {
    let key = sealing::tests::settings().key;
    Trust { keys: vec![key.public().clone()], roster: None }
}

fn check(directory: &Path) -> Report {
    let kept = Kept::open(directory).expect("files");
    kept.check(trust(), &[], false).expect("readable")
}

fn change(path: &Path, f: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(path).expect("a file");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    f(&mut lines);
    fs::write(path, lines.join("\n") + "\n").expect("written");
}

#[tokio::test]
async fn a_sink_is_good_until_something_is_done_to_it() {
    let directory = TempDir::new().expect("a folder");
    three_boots(directory.path(), 30).await;
    let log = directory.path().join("log");
    let report = check(&log);
    assert!(report.is_clean(), "{report}");
    let sizes: Vec<_> = report.logs.iter().map(|log| (log.size, log.events, log.ended)).collect();
    assert_eq!(sizes, [(31, 31, true); 3]);
    let events = log.join("audit-events.jsonl");
    let good = fs::read(&events).expect("a file");
    change(&events, |lines| lines[40] = lines[40].replace("orders", "0rders"));
    let report = check(&log);
    let found = &report.findings[0];
    assert_eq!((found.kind, found.index, report.findings.len()), (Kind::Changed, Some(9), 1));
    let at = found.at.as_ref().expect("a place");
    let before: usize = good.split(|b| *b == b'\n').take(40).map(|line| line.len() + 1).sum();
    assert_eq!((&*at.place, at.position), (&*events.to_string_lossy(), before as u64));
    fs::write(&events, &good).expect("written");
    change(&events, |lines| lines[40] = erased(lines[40].as_bytes()).expect("an event"));
    let report = check(&log);
    assert!(report.is_clean() && report.logs[1].erased == 1, "{report}");
    change(&events, |lines| lines[40] = lines[40].replace("uid", "uld"));
    let kinds: Vec<_> = check(&log).findings.iter().map(|found| found.kind).collect();
    assert_eq!(kinds, [Kind::Placeless, Kind::Removed]);
    fs::write(&events, &good[..good.len() - 3]).expect("written");
    let kinds: Vec<_> = check(&log).findings.iter().map(|found| found.kind).collect();
    assert_eq!(kinds, [Kind::TailCut]);
}

#[tokio::test]
async fn a_spool_is_good_until_a_byte_is_flipped() {
    let directory = TempDir::new().expect("a folder");
    three_boots(directory.path(), 30).await;
    let spool = directory.path().join("spool");
    let report = check(&spool);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.logs.last().map(|log| log.events), Some(31));
    let last = segment::list(&spool).expect("segments").pop().expect("one");
    let path = segment::path(&spool, last);
    let mut bytes = fs::read(&path).expect("a segment");
    let head = br#"{"metadata""#;
    let starts = bytes.windows(head.len()).enumerate().filter(|(_, window)| window == head);
    let start = starts.map(|(start, _)| start).nth(15).expect("an event");
    bytes[start + 99] ^= 1;
    fs::write(&path, bytes).expect("written");
    let report = check(&spool);
    let found: Vec<_> = report.findings.iter().map(|found| (found.kind, found.index)).collect();
    assert_eq!(found, [(Kind::Removed, Some(15))], "{report}");
}

#[test]
fn nothing_may_stand_in_an_erased_event() {
    let event = br#"{"metadata":{"log_name":"a/b","sequence":1,"uid":"u","version":"1"},"x":1}"#;
    let gone = erased(event).expect("an event");
    assert_eq!(erased_leaf(gone.as_bytes()), Some(Hash::leaf(event)));
    assert_eq!(erased(gone.as_bytes()), Some(gone.clone()), "twice is once");
    for (from, to) in
        [("\"uid\"", "\"x\":1,\"uid\""), ("},\"erased", "},\"x\":1,\"erased"), (":{", ": {")]
    {
        assert_eq!(erased_leaf(gone.replacen(from, to, 1).as_bytes()), None, "{to}");
    }
}

#[test]
fn a_folder_without_files_is_told() {
    let directory = TempDir::new().expect("a folder");
    assert_eq!(Kept::open(directory.path()).expect_err("empty").kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn erasure_leaves_a_leaf_on_the_same_bytes_and_what_belongs_to_it_goes_too() {
    let directory = TempDir::new().expect("a folder");
    three_boots(directory.path(), 5).await;
    let log = directory.path().join("log");
    let file = log.join("audit-events.jsonl");
    let before = fs::read_to_string(&file).expect("events");
    let third: Value = serde_json::from_str(before.lines().nth(2).expect("one")).expect("json");
    let uid = third["metadata"]["uid"].as_str().expect("a uid");
    assert!(erase(&log, "").expect("readable").is_empty(), "an empty uid is nobody's");
    assert!(erase(&log, "nobody").expect("readable").is_empty());
    let gone = erase(&log, uid).expect("erased");
    assert_eq!(gone.len(), 1);
    let after = fs::read_to_string(&file).expect("events");
    assert_eq!(after.len(), before.len(), "no byte moved");
    for (number, (old, new)) in before.lines().zip(after.lines()).enumerate() {
        assert_eq!(old == new, number != 2);
    }
    let report = check(&log);
    assert!(report.is_clean() && report.logs[0].erased == 1, "{report}");
    assert!(erase(&log, uid).expect("readable").is_empty(), "once");
    assert!(erase(&directory.path().join("spool"), uid).is_err(), "what is on its way");
    let name = third["metadata"]["log_name"].as_str().expect("a log");
    let logs = logs_of_spool(&directory.path().join("spool")).expect("readable");
    let (first, last) = logs.expect("logs");
    assert!(first == name && last != name && last.starts_with("shop/audit/edge-1/"), "{last}");
}

#[tokio::test]
async fn what_is_written_is_followed_over_rotations_and_folders() {
    let directory = TempDir::new().expect("a folder");
    let log = directory.path();
    let mut follow = Follow::new(log);
    let mut heard = Vec::new();
    let mut listen = |follow: &mut Follow| {
        follow
            .poll(&mut |line| heard.push(String::from_utf8_lossy(line).into_owned()))
            .expect("readable");
        std::mem::take(&mut heard)
    };
    let add = |name: &str, text: &str| {
        let mut file =
            fs::OpenOptions::new().append(true).create(true).open(log.join(name)).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    };
    assert!(listen(&mut follow).is_empty());
    add("audit-events.jsonl", "one\ntwo\nhal");
    assert_eq!(listen(&mut follow), ["one", "two"], "half a line is none");
    add("audit-events.jsonl", "f\n");
    assert_eq!(listen(&mut follow), ["half"]);
    add("audit-events.jsonl", "last of it\n");
    for number in 0..2 {
        let aside = log.join(format!("audit-events-179000000000{number}.jsonl"));
        fs::rename(log.join("audit-events.jsonl"), aside).expect("put aside");
        add("audit-events.jsonl", &format!("new {number}\n"));
    }
    assert_eq!(listen(&mut follow), ["last of it", "new 0", "new 1"]);
    fs::create_dir(log.join("2")).expect("a folder");
    add("2/audit-events.jsonl", "of the next process\n");
    assert_eq!(listen(&mut follow), ["of the next process"]);
    assert!(listen(&mut follow).is_empty());
}

/// A bit anywhere in the events of logs that have ended is found.
#[tokio::test]
async fn no_bit_can_be_flipped_unseen() {
    use proptest::prelude::*;
    let directory = TempDir::new().expect("a folder");
    three_boots(directory.path(), 12).await;
    let log = directory.path().join("log");
    let file = log.join("audit-events.jsonl");
    let good = fs::read(&file).expect("events");
    let config =
        ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(at in any::<prop::sample::Index>(), bit in 0_u8..8)| {
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&file, &bytes).expect("written");
        prop_assert!(!check(&log).is_clean(), "byte {at}, bit {bit}");
    });
    fs::write(&file, &good).expect("written");
    assert!(check(&log).is_clean());
}

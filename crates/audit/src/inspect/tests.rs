//! What a trail leaves is good, and what is done to its files is found.

use std::fs;

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

//! Files: lines, rotation, a line cut off by a crash, a directory that goes away.

use super::*;

/// The file being written.
const NAME: &str = "audit-events.jsonl";

use crate::event::Masked;
use tempfile::TempDir;
use uuid::Uuid;

fn records(numbers: std::ops::Range<u128>) -> Vec<Record> {
    let record = |number| Record {
        uid: Uuid::from_u128(number),
        value: Masked::from_spool(format!("{{\"n\":{number}}}").into_bytes()),
        place: None,
    };
    numbers.map(record).collect()
}

/// All lines of all files, the current one last.
fn lines(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort_by_key(|path| (path.ends_with(NAME), path.clone()));
    let text = |path: &PathBuf| fs::read_to_string(path).expect("text");
    paths
        .iter()
        .flat_map(|path| text(path).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn one_line_per_record_over_rotations() {
    let directory = TempDir::new().expect("a folder");
    let mut sink = File::new(directory.path().to_owned(), EVENTS, 30);
    for number in 0..9 {
        assert_eq!(sink.deliver(&records(number..number + 1)), Ok(1));
    }
    assert!(fs::read_dir(directory.path()).expect("a folder").count() > 1);
    let mut found = lines(&directory);
    found.sort();
    assert_eq!(found, (0..9).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
}

#[test]
fn a_line_cut_off_is_removed_before_it_comes_again() {
    let directory = TempDir::new().expect("a folder");
    for cut in ["", "{\"n\":1", &"x".repeat(10_000)] {
        fs::write(directory.path().join(NAME), format!("{{\"n\":0}}\n{cut}")).expect("written");
        let mut sink = File::new(directory.path().to_owned(), EVENTS, 1 << 20);
        assert_eq!(sink.deliver(&records(1..2)), Ok(1));
        assert_eq!(lines(&directory), ["{\"n\":0}", "{\"n\":1}"]);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_a_fault_until_it_can() {
    let directory = TempDir::new().expect("a folder");
    let path = directory.path().join("logs");
    fs::write(&path, "in the way").expect("written");
    let mut sink = File::new(path.clone(), EVENTS, 1 << 20);
    assert_eq!(sink.deliver(&records(0..1)), Err(SinkFault::Unreachable));
    fs::remove_file(&path).expect("removed");
    assert_eq!(sink.deliver(&records(0..1)), Ok(1));
}

//! What the seal leaves behind: places in the events, checkpoints beside them, the former log named by the next one.

use seal::{Checkpoint, Frontier, Hash, Record};

use super::*;

/// Lines of a file of the sink.
fn lines(directory: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(directory.join("log").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn records(directory: &Path) -> Vec<Record> {
    let lines = lines(directory, "audit-checkpoints.jsonl");
    lines.iter().map(|line| Record::parse(line.as_bytes()).expect("a record")).collect()
}

/// So many transactions in each of three boots that end in order.
pub(crate) async fn three_boots(directory: &Path, transactions: usize) {
    for _ in 0..3 {
        let trail = open(directory);
        for _ in 0..transactions {
            serve(&trail).await;
        }
        assert!(trail.close(LIMIT).await);
        let health = trail.health().seal;
        assert!(health.ok && health.size == transactions as u64 + 1, "{health:?}");
    }
}

#[tokio::test]
async fn every_delivered_event_is_a_leaf_of_a_signed_tree() {
    let directory = TempDir::new().expect("a folder");
    three_boots(directory.path(), 30).await;
    let events = lines(directory.path(), "audit-events.jsonl");
    let key = settings(directory.path()).seal.key;
    let mut logs = Vec::new();
    for boot in events.chunks(31) {
        let mut tree = Frontier::new();
        let first: Value = serde_json::from_str(&boot[0]).expect("json");
        let log = first["metadata"]["log_name"].as_str().expect("a log").to_owned();
        for (index, line) in boot.iter().enumerate() {
            let place = crate::EventPlace::read(line.as_bytes()).expect("a place");
            assert_eq!((place.log, place.sequence), (&*log, index as u64));
            tree.push(Hash::leaf(line.as_bytes()));
        }
        logs.push((log, tree.root(), first));
    }
    assert_eq!(logs.len(), 3);
    let records = records(directory.path());
    for (log, root, _) in &logs {
        let last = records.iter().rfind(|record| record.note.starts_with(log)).expect("one");
        let sealed = Checkpoint::open(&last.note, key.public()).expect("good");
        assert_eq!((sealed.checkpoint.size, sealed.checkpoint.root), (31, *root));
        assert!(last.ended && sealed.time_s.is_some());
        let leaves: usize =
            records.iter().filter(|r| r.note.starts_with(log)).map(|r| r.leaves.len()).sum();
        assert_eq!(leaves, 31);
    }
    for pair in logs.windows(2) {
        let told = &pair[1].2["unmapped"];
        assert_eq!(told["former_log"], *pair[0].0);
        assert_eq!(told["former_root"], pair[0].1.to_string());
        assert_eq!((&told["former_size"], &told["former_end"]), (&31.into(), &"clean".into()));
    }
    assert_eq!(logs[0].2["unmapped"]["former_end"], "none");
}

/// Looks until it is so.
fn until(so: impl Fn() -> bool) {
    let looks = LIMIT.as_millis() / 5;
    assert!((0..looks).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        so()
    }));
}

/// As a process killed at this moment leaves all its files.
fn killed(directory: &Path) -> TempDir {
    let copy = TempDir::new().expect("a folder");
    for folder in ["spool", "log"] {
        fs::create_dir(copy.path().join(folder)).expect("a folder");
        let Ok(entries) = fs::read_dir(directory.join(folder)) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_owned();
            if path.extension().is_some_and(|extension| extension == "new") {
                continue;
            }
            fs::copy(&path, copy.path().join(folder).join(name)).expect("copied");
        }
    }
    copy
}

#[tokio::test]
async fn the_next_boot_seals_what_a_killed_one_left() {
    let directory = TempDir::new().expect("a folder");
    let mut long = settings(directory.path());
    // Longer than the test: nothing is sealed before the end.
    long.seal.interval = Duration::from_secs(3_600);
    let trail = Trail::open(long, started()).expect("a trail");
    for _ in 0..1_200 {
        serve(&trail).await;
    }
    // Nothing writes any more.
    until(|| trail.health().seal.size == 1_000 && trail.health().sinks[0].backlog_events == 0);
    let copy = killed(directory.path());
    let trail = open(copy.path());
    assert!(trail.close(LIMIT).await);
    let mut events = lines(copy.path(), "audit-events.jsonl");
    // What was delivered and not yet noted came again, the same.
    let mut known = std::collections::HashSet::new();
    events.retain(|line| known.insert(line.clone()));
    let second: Value = serde_json::from_str(events.last().expect("events")).expect("json");
    assert_eq!(second["status_detail"], "audit.log_begun:unclean");
    assert_eq!(second["unmapped"]["former_size"], 1_201);
    let mut tree = Frontier::new();
    events[..1_201].iter().for_each(|line| tree.push(Hash::leaf(line.as_bytes())));
    assert_eq!(second["unmapped"]["former_root"], tree.root().to_string());
    let records = records(copy.path());
    assert!(records.iter().all(|record| record.leaves.len() <= seal::LEAVES_MAX));
    assert!(records.iter().any(|record| record.frontier == tree));
}

/// A place that takes notes only when it is told to.
#[derive(Debug, Default)]
struct Other {
    open: std::sync::atomic::AtomicBool,
    notes: Mutex<Vec<String>>,
}

impl crate::Pin for Other {
    fn pin(&self, note: &str) -> Result<(), crate::PinFault> {
        if !self.open.load(Ordering::SeqCst) {
            return Err(crate::PinFault);
        }
        self.notes.lock().expect("notes").push(note.to_owned());
        Ok(())
    }
}

#[tokio::test]
async fn a_place_that_is_away_gets_all_of_it_later() {
    let directory = TempDir::new().expect("a folder");
    let (other, every) = (Arc::new(Other::default()), Duration::from_millis(1));
    let mut settings = settings(directory.path());
    let path = directory.path().join("elsewhere/pins");
    settings.seal.interval = Duration::from_millis(20);
    settings.seal.pins = vec![
        crate::PinSettings::File { path: path.clone(), every },
        crate::PinSettings::Other { name: "other".to_owned(), every, pin: other.clone() },
    ];
    let key = Arc::clone(&settings.seal.key);
    // No file can be where a folder is.
    let in_the_way = directory.path().join("log/audit-checkpoints.jsonl");
    fs::create_dir_all(&in_the_way).expect("a folder");
    let trail = Trail::open(settings, started()).expect("a trail");
    for _ in 0..50 {
        serve(&trail).await;
    }
    let faults = || trail.health().seal.places;
    until(|| faults().iter().all(|place| place.1 == Some("unreachable")));
    let names: Vec<_> = faults().into_iter().map(|place| place.0).collect();
    assert_eq!(names, ["checkpoints-file-1", "pin-file-1", "pin-other-2"]);
    assert!(trail.health().seal.ok, "it is sealed all the same");
    fs::remove_dir(&in_the_way).expect("out of the way");
    fs::create_dir(directory.path().join("elsewhere")).expect("a folder");
    other.open.store(true, Ordering::SeqCst);
    until(|| faults().iter().all(|place| place.1.is_none()));
    serve(&trail).await;
    assert!(trail.close(LIMIT).await);
    // Beside the events all of them, elsewhere the newest.
    let records = records(directory.path());
    let leaves: usize = records.iter().map(|record| record.leaves.len()).sum();
    assert_eq!(leaves, 52);
    let last = &records.last().expect("one").note;
    let pins = fs::read_to_string(path).expect("pins");
    let pin: Value = serde_json::from_str(pins.lines().last().expect("one")).expect("json");
    assert_eq!(pin["note"], **last);
    let notes = other.notes.lock().expect("notes").clone();
    assert_eq!(notes.last(), Some(last));
    assert_eq!(Checkpoint::open(last, key.public()).expect("good").checkpoint.size, 52);
}

//! The spool on real files: room, repair, damage, retirement, a disk that goes away and comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::reader::Reader;
use super::*;

/// Origin of the log.
const LOG: &str = "shop/audit/edge-1/boot";
pub(super) const ROOM: u64 = 64 * SIZE_BYTES_MIN;

fn settings(directory: &Path, size_bytes_max: u64) -> SpoolSettings {
    SpoolSettings { size_bytes_max, ..SpoolSettings::new(directory.to_owned()) }
}

pub(super) fn open(directory: &Path, size_bytes_max: u64) -> (Spool, Opened) {
    Spool::open(settings(directory, size_bytes_max), &["a".to_owned()], LOG).expect("a spool")
}

fn uid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn job(kind: Kind, number: u128) -> Job {
    let body = vec![b'x'; 1_000];
    Job { kind, uid: uid(number), body, last: false, reserved: true, account: Account::Proved }
}

/// Uids of all events from the start.
pub(super) fn read(spool: &Spool) -> Vec<u128> {
    let mut reader = Reader::new(spool.directory().to_owned());
    let (mut at, mut found) = (Cursor::default(), Vec::new());
    while at < spool.tail() {
        let batch = reader.batch(at, spool.tail()).expect("a batch");
        assert_eq!(batch.records.len(), batch.ends.len());
        found.extend(batch.records.iter().map(|record| record.uid.as_u128()));
        at = batch.end;
    }
    found
}

pub(super) fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let numbers = segment::list(directory).expect("a list");
    numbers.into_iter().map(|number| segment::path(directory, number)).collect()
}

#[test]
fn events_come_back_in_order_over_segments() {
    let directory = TempDir::new().expect("a folder");
    let size = SIZE_BYTES_MIN;
    let (spool, _) = open(directory.path(), size);
    for number in 0..200 {
        spool.append(&job(Kind::Event, number)).expect("written");
        spool.append(&job(Kind::Probe, number)).expect("written");
    }
    assert!(segments(directory.path()).len() > 2);
    assert_eq!(read(&spool), (0..200).collect::<Vec<_>>());
}

#[test]
fn only_the_owner_may_read() {
    let directory = TempDir::new().expect("a folder");
    let path = directory.path().join("spool");
    let (spool, _) = open(&path, ROOM);
    spool.acknowledge(0, "a", spool.tail()).expect("stored");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).expect("a folder") {
        assert_eq!(mode(&entry.expect("an entry").path()), 0o600);
    }
}

#[test]
fn one_process_per_directory() {
    let directory = TempDir::new().expect("a folder");
    let (spool, _opened) = open(directory.path(), ROOM);
    let second = Spool::open(settings(directory.path(), ROOM), &[], LOG);
    assert_eq!(second.err().expect("refused").kind(), io::ErrorKind::ResourceBusy);
    drop((spool, _opened));
    assert!(Spool::open(settings(directory.path(), ROOM), &[], LOG).is_ok());
}

#[test]
fn a_torn_tail_is_cut_off_kept_and_told() {
    let directory = TempDir::new().expect("a folder");
    open(directory.path(), ROOM).0.append(&job(Kind::Event, 1)).expect("written");
    let segment = segments(directory.path()).remove(0);
    let whole = fs::read(&segment).expect("bytes");
    for torn in [1, 8, 9, 500] {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&frame::encode(Kind::Event, &uid(2), &[b'y'; 600])[..torn]);
        fs::write(&segment, &bytes).expect("written");
        for newer in segments(directory.path()).iter().skip(1) {
            fs::remove_file(newer).expect("removed");
        }
        let (spool, opened) = open(directory.path(), ROOM);
        assert_eq!((opened.torn_bytes, opened.damaged), (torn as u64, 0));
        assert_eq!(fs::read(&segment).expect("bytes"), whole);
        assert_eq!(fs::read(segment.with_extension("torn")).expect("kept").len(), torn);
        assert_eq!(read(&spool), [1]);
    }
    let (_, opened) = open(directory.path(), ROOM);
    assert_eq!((opened.torn_bytes, opened.damaged), (0, 0));
}

#[test]
fn a_torn_intent_is_cut_off_and_a_whole_one_is_open() {
    let intent = frame::encode(Kind::Intent, &uid(2), &[b'y'; 60]);
    for torn in 1..=intent.len() {
        let directory = TempDir::new().expect("a folder");
        let mut bytes = frame::HEADER.to_vec();
        bytes.extend_from_slice(&intent[..torn]);
        fs::write(segment::path(directory.path(), 1), bytes).expect("written");
        let (_, opened) = open(directory.path(), ROOM);
        let whole = torn == intent.len();
        assert_eq!(opened.torn_bytes, if whole { 0 } else { torn as u64 });
        let open: Vec<_> = opened.orphans.iter().map(|orphan| (orphan.0, orphan.2.len())).collect();
        assert_eq!(open, if whole { vec![(uid(2), 60)] } else { vec![] }, "{torn}");
    }
}

#[test]
fn a_damaged_frame_is_told_and_passed_over() {
    let directory = TempDir::new().expect("a folder");
    {
        let (spool, _opened) = open(directory.path(), ROOM);
        for number in 0..3 {
            spool.append(&job(Kind::Event, number)).expect("written");
        }
    }
    let segment = segments(directory.path()).remove(0);
    let mut bytes = fs::read(&segment).expect("bytes");
    bytes[frame::HEADER.len() + 1_500] ^= 1;
    fs::write(&segment, bytes).expect("written");
    let (spool, opened) = open(directory.path(), ROOM);
    assert_eq!((opened.torn_bytes, opened.damaged, opened.events), (0, 1, 2));
    assert_eq!(read(&spool), [0, 2]);
}

#[test]
fn another_format_version_is_not_touched() {
    let directory = TempDir::new().expect("a folder");
    drop(open(directory.path(), ROOM));
    let segment = segments(directory.path()).remove(0);
    for (header, told) in [
        (b"SPOOL\0\0\x04", "segment 1 has format version 4, this program reads up to 3"),
        (b"SPOOLED\x02", "segment 1 is no spool segment"),
    ] {
        fs::write(&segment, header).expect("written");
        let refused =
            Spool::open(settings(directory.path(), ROOM), &[], LOG).err().expect("refused");
        assert_eq!((refused.kind(), &*refused.to_string()), (io::ErrorKind::InvalidData, told));
    }
    // The near miss: the versions before.
    for header in [b"SPOOL\0\0\x01", b"SPOOL\0\0\x02"] {
        fs::write(&segment, header).expect("written");
        assert!(Spool::open(settings(directory.path(), ROOM), &[], LOG).is_ok());
    }
}

#[test]
fn a_full_spool_refuses_and_takes_again_when_there_is_room() {
    let directory = TempDir::new().expect("a folder");
    let (spool, _) = open(directory.path(), SIZE_BYTES_MIN);
    let taken = std::iter::from_fn(|| spool.reserve(Account::Proved).ok()).count();
    assert_eq!(taken, 5, "five entries and a header in three quarters of eight");
    let big = Job { body: vec![0; 16_000], reserved: false, ..job(Kind::Event, 1) };
    spool.append(&big).expect("there is that much room");
    spool.append(&big).expect("there is that much room");
    assert_eq!(spool.append(&big), Err(SpoolFault::NoRoom));
    spool.append(&Job { last: true, ..job(Kind::Event, 2) }).expect("its room was reserved");
    assert_eq!(spool.append(&big), Ok(2 * 16_033 + 1_033 + 16_033));
    assert!(spool.healthy(), "full is not broken");
}

#[test]
fn an_event_that_is_too_large_is_refused() {
    let directory = TempDir::new().expect("a folder");
    let (spool, _) = open(directory.path(), ROOM);
    let sized = |size| Job { body: vec![0; size], ..job(Kind::Event, 1) };
    assert_eq!(spool.append(&sized(frame::BODY_BYTES_MAX + 1)), Err(SpoolFault::TooLarge));
    assert!(spool.append(&sized(frame::BODY_BYTES_MAX)).is_ok());
    assert_eq!(read(&spool), [1]);
}

#[test]
fn space_comes_back_when_all_is_delivered_and_no_intent_is_open() {
    let directory = TempDir::new().expect("a folder");
    let (spool, _) = open(directory.path(), SIZE_BYTES_MIN);
    spool.append(&job(Kind::Intent, 1_000)).expect("written");
    for number in 0..150 {
        spool.append(&job(Kind::Event, number)).expect("written");
    }
    let before = segments(directory.path()).len();
    spool.acknowledge(0, "a", spool.tail()).expect("stored");
    assert_eq!(segments(directory.path()).len(), before, "an open intent holds its segment");
    spool.append(&job(Kind::Event, 1_000)).expect("written");
    spool.acknowledge(0, "a", spool.tail()).expect("stored");
    assert_eq!(segments(directory.path()).len(), 1);
    assert!(spool.usage().0 < SIZE_BYTES_MIN / SEGMENTS_MIN);
}

#[test]
fn what_one_sink_lacks_stays() {
    let directory = TempDir::new().expect("a folder");
    let names = ["a".to_owned(), "b".to_owned()];
    let (spool, _) =
        Spool::open(settings(directory.path(), SIZE_BYTES_MIN), &names, LOG).expect("open");
    for number in 0..150 {
        spool.append(&job(Kind::Event, number)).expect("written");
    }
    spool.acknowledge(0, "a", spool.tail()).expect("stored");
    assert_eq!(read(&spool).len(), 150);
    spool.acknowledge(1, "b", spool.tail()).expect("stored");
    assert_eq!(segments(directory.path()).len(), 1);
}

#[test]
fn numbers_never_go_back_below_a_cursor() {
    let directory = TempDir::new().expect("a folder");
    let seen = {
        let (spool, _opened) = open(directory.path(), ROOM);
        spool.append(&job(Kind::Event, 1)).expect("written");
        spool.acknowledge(0, "a", spool.tail()).expect("stored");
        spool.tail()
    };
    for segment in segments(directory.path()) {
        fs::remove_file(segment).expect("removed");
    }
    let (spool, _opened) = open(directory.path(), ROOM);
    assert!(spool.tail() > seen);
}

#[test]
fn a_lost_disk_is_told_and_a_found_one_is_used() {
    let directory = TempDir::new().expect("a folder");
    let path = directory.path().join("spool");
    let (spool, _) = open(&path, ROOM);
    fs::remove_dir_all(&path).expect("removed");
    // The open file still takes frames; the next segment shows the loss.
    let fault = (0..).find_map(|number| spool.append(&job(Kind::Event, number)).err());
    assert_eq!(fault, Some(SpoolFault::Unwritable));
    assert!(!spool.healthy());
    assert_eq!(spool.enter(), Err(Full));
    fs::create_dir(&path).expect("created");
    assert_eq!(spool.enter(), Ok(()));
    assert!(spool.healthy());
    spool.append(&job(Kind::Event, 7)).expect("written");
    assert_eq!(read(&spool), [7]);
}

#[test]
fn a_broken_cursor_means_from_the_start() {
    let directory = TempDir::new().expect("a folder");
    {
        let (spool, _opened) = open(directory.path(), ROOM);
        spool.append(&job(Kind::Event, 1)).expect("written");
        spool.acknowledge(0, "a", spool.tail()).expect("stored");
    }
    assert_eq!(open(directory.path(), ROOM).1.backlog, [0]);
    fs::write(directory.path().join("a.cursor"), "1 x").expect("written");
    assert_eq!(open(directory.path(), ROOM).1.backlog, [1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_segments_open_and_read(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        frames in 0_u128..4,
        flipped in any::<prop::sample::Index>(),
    ) {
        let directory = TempDir::new().expect("a folder");
        let mut file = frame::HEADER.to_vec();
        for number in 0..frames {
            file.extend(frame::encode(Kind::Event, &uid(number), b"{}"));
        }
        file.extend(bytes);
        if file.len() > frame::HEADER.len() {
            let at = frame::HEADER.len() + flipped.index(file.len() - frame::HEADER.len());
            file[at] ^= 0x10;
        }
        fs::write(segment::path(directory.path(), 3), file).expect("written");
        let (spool, _opened) = open(directory.path(), ROOM);
        spool.append(&job(Kind::Event, 99)).expect("written");
        prop_assert_eq!(read(&spool).last().copied(), Some(99));
    }
}

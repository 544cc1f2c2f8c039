//! One write for a turn of the loop: everybody's promise holds, everybody hears of a fault, nobody waits alone.

use std::fs;
use std::sync::Barrier;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::super::frame::Kind;
use super::super::tests::{ROOM, job, open, read, segments};
use super::super::{Account, Job, Recorded, Spool, Writer};
use super::*;

/// Tasks in one turn.
const TASKS: u128 = 40;

fn event(number: u128) -> Job {
    Job { last: true, ..job(Kind::Event, number) }
}

/// A spool with that many entries open.
fn opened(directory: &TempDir, entries: u128) -> (Arc<Spool>, Writer) {
    let spool = Arc::new(open(&directory.path().join("spool"), ROOM).0);
    for _ in 0..entries {
        spool.enter().expect("room");
        spool.reserve(Account::Proved).expect("room");
    }
    (Arc::clone(&spool), Writer::Direct(spool))
}

fn worker() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// What each of the jobs came to, each filed and awaited by a task of its own on one thread.
fn file_all(writer: Writer, jobs: Vec<Job>) -> Vec<Result<(), SpoolFault>> {
    worker().block_on(async {
        let writer = Arc::new(writer);
        let mut tasks = JoinSet::new();
        for job in jobs {
            let writer = Arc::clone(&writer);
            tasks.spawn(async move { writer.file(job)?.await });
        }
        tasks.join_all().await
    })
}

#[test]
fn records_of_one_turn_share_one_write() {
    let directory = TempDir::new().expect("a folder");
    let (spool, writer) = opened(&directory, 2 * TASKS);
    let before = spool.writes();
    let jobs =
        (0..TASKS).map(|number| job(Kind::Intent, number)).chain((TASKS..2 * TASKS).map(event));
    assert!(file_all(writer, jobs.collect()).iter().all(Result::is_ok));
    // 80 KB: more than one group may be.
    assert_eq!(spool.writes() - before, 2);
    assert_eq!(read(&spool), (TASKS..2 * TASKS).collect::<Vec<_>>());
    assert_eq!(spool.events(), TASKS as u64);
}

#[test]
fn a_promise_is_given_behind_the_write_only() {
    let directory = TempDir::new().expect("a folder");
    let (spool, writer) = opened(&directory, 3);
    let length = || fs::metadata(&segments(spool.directory())[0]).expect("a segment").len();
    let before = length();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut first = writer.file(event(1)).expect("filed");
    let mut second = writer.file(job(Kind::Intent, 2)).expect("filed");
    assert!(!first.is_done() && !second.is_done());
    assert!(Pin::new(&mut first).poll(&mut cx).is_pending(), "others may come");
    assert!(Pin::new(&mut second).poll(&mut cx).is_pending());
    assert_eq!(length(), before);
    assert_eq!(Pin::new(&mut first).poll(&mut cx), Poll::Ready(Ok(())));
    assert!(length() > before + 2_000, "both are there");
    assert_eq!(Pin::new(&mut second).poll(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(read(&spool), [1]);
}

#[test]
fn who_is_alone_waits_for_nobody() {
    let directory = TempDir::new().expect("a folder");
    let (spool, writer) = opened(&directory, 1);
    assert!(writer.file(job(Kind::Intent, 1)).expect("filed").is_done());
    assert!(writer.file(event(1)).expect("filed").is_done());
    assert_eq!(read(&spool), [1]);
}

#[test]
fn a_waiter_that_goes_away_leaves_its_record() {
    let directory = TempDir::new().expect("a folder");
    let (spool, writer) = opened(&directory, 3);
    drop(writer.file(event(1)).expect("filed"));
    assert_eq!(writer.file(event(2)).and_then(Recorded::now), Ok(()));
    assert_eq!(read(&spool), [1, 2]);
}

#[test]
fn a_fault_of_the_disk_reaches_every_waiter_and_is_counted() {
    let directory = TempDir::new().expect("a folder");
    let (spool, writer) = opened(&directory, 2 * TASKS + 1);
    fs::remove_dir_all(spool.directory()).expect("removed");
    // The open file still takes frames; the next segment shows the loss.
    let lost = (0..).find_map(|number| spool.append(&job(Kind::Probe, number)).err());
    assert_eq!(lost, Some(SpoolFault::Unwritable));
    let jobs = (0..TASKS).map(|number| job(Kind::Intent, number)).chain((0..TASKS).map(event));
    let told = file_all(writer, jobs.collect());
    assert_eq!(told.len(), 2 * TASKS as usize);
    assert!(told.iter().all(|fate| *fate == Err(SpoolFault::Unwritable)));
    assert_eq!(spool.gaps(), TASKS as u64, "the events among them");
    assert_eq!((spool.take_untold(), spool.take_untold()), (TASKS as u64, 0));
    assert!(!spool.healthy());
    // The near miss: the disk is back.
    fs::create_dir(spool.directory()).expect("created");
    let told = file_all(Writer::Direct(Arc::clone(&spool)), vec![job(Kind::Intent, 7), event(7)]);
    assert!(told.iter().all(Result::is_ok));
    assert_eq!((read(&spool), spool.healthy(), spool.gaps()), (vec![7], true, TASKS as u64));
}

#[test]
fn workers_do_not_lose_each_others_records() {
    const WORKERS: u128 = 4;
    let directory = TempDir::new().expect("a folder");
    let (spool, _) = opened(&directory, WORKERS * TASKS);
    let barrier = Barrier::new(WORKERS as usize);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (spool, barrier) = (&spool, &barrier);
            scope.spawn(move || {
                let jobs = (worker * TASKS..(worker + 1) * TASKS).map(event).collect();
                barrier.wait();
                let told = file_all(Writer::Direct(Arc::clone(spool)), jobs);
                assert!(told.iter().all(Result::is_ok));
            });
        }
    });
    let mut found = read(&spool);
    found.sort_unstable();
    assert_eq!(found, (0..WORKERS * TASKS).collect::<Vec<_>>());
    assert!(spool.writes() < (WORKERS * TASKS) as u64 / 2);
    assert_eq!(spool.usage().1, 0, "no room is promised any more");
}

#[test]
fn an_intent_stays_until_its_event_is_written() {
    let directory = TempDir::new().expect("a folder");
    let path = directory.path().join("spool");
    let spool = Arc::new(open(&path, super::super::SIZE_BYTES_MIN).0);
    let writer = Writer::Direct(Arc::clone(&spool));
    for _ in 0..2 {
        spool.enter().expect("room");
        spool.reserve(Account::Proved).expect("room");
    }
    spool.append(&job(Kind::Intent, 1)).expect("written");
    while segments(&path).len() < 2 {
        spool.append(&job(Kind::Event, 2)).expect("written");
    }
    let waits = writer.file(event(1)).expect("filed");
    spool.acknowledge(0, "a", spool.tail()).expect("stored");
    assert_eq!(segments(&path).len(), 2, "killed now, the transaction must become Unknown");
    assert_eq!(waits.now(), Ok(()));
    spool.acknowledge(0, "a", spool.tail()).expect("stored");
    assert_eq!(segments(&path).len(), 1);
}

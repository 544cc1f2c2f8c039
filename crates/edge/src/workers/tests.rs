//! Who carries what: the least busy worker, one thread for the whole of a connection, nothing after the end.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Threads, Workers, start};

fn workers(count: usize) -> (Workers, Threads) {
    start(NonZeroUsize::new(count).unwrap(), Duration::from_secs(1)).unwrap()
}

fn loads(workers: &Workers) -> Vec<usize> {
    workers.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).collect()
}

#[tokio::test]
async fn connections_spread_evenly_and_stay_on_their_thread() {
    let (workers, threads) = workers(3);
    let (seen, mut ids) = mpsc::channel(6);
    let mut ends = Vec::new();
    for _ in 0..6 {
        let (end, ended) = oneshot::channel::<()>();
        ends.push(end);
        let seen = seen.clone();
        workers.carry(async move {
            let before = thread::current().id();
            ended.await.ok();
            seen.send((before, thread::current().id())).await.ok();
        });
    }
    assert_eq!(loads(&workers), [2, 2, 2]);
    drop((ends, seen));
    let mut own = BTreeSet::new();
    while let Some((before, after)) = ids.recv().await {
        assert_eq!(before, after);
        own.insert(format!("{before:?}"));
    }
    assert_eq!(own.len(), 3);
    threads.end().await;
}

#[tokio::test]
async fn the_end_drops_what_is_still_carried() {
    let (workers, threads) = workers(1);
    let (held, dropped) = oneshot::channel::<()>();
    workers.carry(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    threads.end().await;
    assert!(dropped.await.is_err());
}

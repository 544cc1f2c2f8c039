//! Load shedding: workers that are behind mark a share of requests, then of connections; those that are not, none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use edge::{FailureKind, Limits};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{ALL, Peer, Protocol, send};
use super::service::{DEADLINE, House, house};
use super::{get, peer};

/// Clients at the same time; each request is milliseconds of work for its worker.
const CLIENTS: usize = 48;

/// Asks for work, each time on a new connection, until it is told to stop.
async fn ask(protocol: Protocol, peer: Peer, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        // Broken ones are what this is about.
        send(protocol, &peer, get("https://localhost/work")).await.ok();
    }
}

/// Waits until a request was turned away, and a connection was.
async fn crowded(house: &House) {
    timeout(DEADLINE, house.echo.surplus.notified()).await.unwrap();
    assert!(house.server.shed_share() > 0);
    let kind = async {
        loop {
            let failure = house.echo.failure().await;
            if failure.kind == FailureKind::Overload {
                break failure;
            }
        }
    };
    timeout(DEADLINE, kind).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_turned_away_and_goes_by() {
    for &protocol in ALL {
        let house = house(Limits { queue_max: Duration::from_millis(10), ..Limits::default() });
        let peer = peer(&house);
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(ask(protocol, peer.clone(), Arc::clone(&stop)));
        }
        timeout(DEADLINE, crowded(&house)).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        let left = async {
            while clients.join_next().await.is_some() {}
            // Nobody asks: in a while everybody would be taken again.
            while house.server.shed_share() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // What is filed has room for so many; nobody may wait for it.
        let drained = async { while house.echo.next_failure().await.is_some() {} };
        tokio::select! {
            left = timeout(DEADLINE, left) => left.unwrap(),
            () = drained => {}
        }
        assert_eq!(house.server.shed_share(), 0, "{protocol:?}");
        house.server.drain(DEADLINE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_keeps_up_turns_nobody_away() {
    let house = house(Limits::default());
    let peer = peer(&house);
    for &protocol in ALL {
        for _ in 0..20 {
            let answer = send(protocol, &peer, get("https://localhost/work")).await.unwrap();
            assert_eq!(answer.text(), "done", "{protocol:?}");
        }
    }
    assert_eq!(house.server.shed_share(), 0);
    super::rest(house).await;
}

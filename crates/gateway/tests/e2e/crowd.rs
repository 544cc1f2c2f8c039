//! More work than the gateway can do: a share of new requests is told to come back, at once and on record; the others
//! are served, and when the crowd is gone, everybody is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use crate::client::{Answer, Client, PROTOCOLS, request};
use crate::parts::process::wait_until;
use crate::site::{FILE_SINK, LIMIT};
use crate::world::{World, reason, world};

/// Connections of the crowd, and the requests under way on each.
const CONNECTIONS: usize = 5;
const STREAMS: usize = 90;
/// Wide as a crowd, and one that turns away soon.
const LIMITS: &str = "limits:
  wait: { queue: 10ms }
  address: { rate: 100000/s, burst: 1000000 }
  tiers: { default: { rate: 100000/s, burst: 1000000 } }
  connections: { max_per_address: 10000, new_per_address: { rate: 10000/s, burst: 10000 } }
workers: 1
";

/// What the crowd got.
#[derive(Default)]
struct Got {
    stop: AtomicBool,
    served: AtomicUsize,
    turned_away: AtomicUsize,
}

fn client(world: &World, address: std::net::SocketAddr) -> Arc<Client> {
    Arc::new(Client::new(&world.site.authority.ca_pem(), address))
}

/// Told to come back, or answered as without a crowd.
fn is_turned_away(answer: &Answer, usual: u16) -> bool {
    let is_busy = answer.status == 503;
    assert!(is_busy || answer.status == usual, "{}", answer.status);
    assert_eq!(answer.headers.get("retry-after").is_some_and(|after| after == "1"), is_busy);
    is_busy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_told_to_come_back() {
    let world = world(&format!("{LIMITS}{FILE_SINK}"));
    let gateway = world.site.start();
    gateway.await_all_up();
    let (got, mut crowd) = (Arc::new(Got::default()), JoinSet::new());
    for _ in 0..CONNECTIONS {
        let client = client(&world, gateway.address);
        for _ in 0..STREAMS {
            let (client, got) = (Arc::clone(&client), Arc::clone(&got));
            crowd.spawn(async move {
                while !got.stop.load(Ordering::Relaxed) {
                    // Without a token: the crowd is the gateway's, not its service's.
                    let request = request("GET", "/orders", None, "");
                    // In a crowd that large connections are turned away, too.
                    let Ok(answer) = client.try_send(PROTOCOLS[1], request).await else { continue };
                    let count =
                        if is_turned_away(&answer, 401) { &got.turned_away } else { &got.served };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    let one = client(&world, gateway.address);
    let mut told = Vec::new();
    for protocol in PROTOCOLS {
        let turned_away = async {
            loop {
                let request = request("GET", "/orders", Some(&world.token()), "");
                match one.try_send(protocol, request).await {
                    Ok(answer) if is_turned_away(&answer, 200) => break answer,
                    _ => {}
                }
            }
        };
        told.push(timeout(LIMIT, turned_away).await.expect("a 503 in a crowd"));
    }
    let both = async {
        while got.served.load(Ordering::Relaxed) < 20
            || got.turned_away.load(Ordering::Relaxed) < 20
        {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, both).await.expect("some are served, and some are not");
    got.stop.store(true, Ordering::Relaxed);
    while let Some(done) = crowd.join_next().await {
        done.expect("a client of the crowd");
    }
    for answer in told {
        let event = world.site.await_event_of(answer.transaction());
        assert_eq!(reason(&event), "edge.overload");
    }
    assert!(gateway.metric(&["sallyport_requests_total", "edge.overload"]) > 0.0);
    assert!(gateway.log().contains("falls behind"), "{}", gateway.log());
    wait_until("the crowd is gone", LIMIT, || {
        gateway.log().contains("caught up")
            && gateway.metric(&["sallyport_requests_shed_ppm"]) == 0.0
    });
    for protocol in PROTOCOLS {
        let request = request("GET", "/orders", Some(&world.token()), "");
        assert_eq!(one.send(protocol, request).await.status, 200, "{protocol:?}");
    }
}

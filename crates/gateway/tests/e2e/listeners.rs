//! Listeners come and go at a reload, and nobody who is served notices.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::free_port;
use crate::parts::process::wait_until;
use crate::site::{FILE_SINK, Gateway, LIMIT};
use crate::world::{World, usual, world};

const HTTP: &str = "    http: [1, 2, 3]\n";
const TLS: &str = "    tls: { certificates: [{ chain: edge.pem, key: edge.key }] }\n";

/// Puts what the file says in force.
fn reload(gateway: &Gateway) {
    let looked = || gateway.metric(&["sallyport_reloads"]);
    let before = looked();
    gateway.process.signal("HUP");
    wait_until("the reload", LIMIT, || looked() > before);
}

async fn serves(world: &World, address: SocketAddr) {
    let client = Client::new(&world.site.authority.ca_pem(), address);
    for protocol in PROTOCOLS {
        let status = client.send(protocol, request("GET", "/orders", Some(&world.token()), ""));
        assert_eq!(status.await.status, 200, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_come_and_go_at_a_reload() {
    let world = world(&usual());
    let gateway = world.site.start();
    gateway.await_all_up();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let second = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let first = gateway.address;
    // A client of the first one goes on through all of it, on one connection as long as that lasts.
    let is_over = Arc::<AtomicBool>::default();
    let asks = PROTOCOLS.map(|protocol| {
        let client = Client::new(&world.site.authority.ca_pem(), first);
        let (is_over, token) = (Arc::clone(&is_over), world.token());
        tokio::spawn(async move {
            let mut asked = 0_usize;
            while !is_over.load(Ordering::Relaxed) {
                let answer = client.send(protocol, request("GET", "/orders", Some(&token), ""));
                assert_eq!(answer.await.status, 200, "{protocol:?}");
                asked += 1;
            }
            asked
        })
    });
    let one = |address: SocketAddr| format!("  - address: {address}\n{HTTP}{TLS}");
    let (only, both) = (one(first), one(first) + &one(second));
    // An address that cannot be had: nothing changes, and the mistake names the line.
    let taken_address = taken.local_addr().unwrap();
    world.site.amend(&only, &(one(first) + &one(taken_address)));
    reload(&gateway);
    assert_eq!(gateway.metric(&["sallyport_reloads_refused_total"]), 1.0);
    let log = gateway.log();
    assert!(log.contains(&format!("address {taken_address} cannot be bound")), "{log}");
    // Two of them, ...
    world.site.amend(&(one(first) + &one(taken_address)), &both);
    reload(&gateway);
    assert_eq!(gateway.metric(&["sallyport_reloads_total"]), 1.0, "{}", gateway.log());
    serves(&world, first).await;
    serves(&world, second).await;
    is_over.store(true, Ordering::Relaxed);
    for asks in asks {
        assert!(asks.await.unwrap() > 0);
    }
    // ... and the first one is gone.
    world.site.amend(&both, &one(second));
    reload(&gateway);
    wait_until("nobody listens", LIMIT, || TcpStream::connect(first).is_err());
    serves(&world, second).await;
    assert_eq!(gateway.metric(&["sallyport_reloads_total"]), 2.0, "{}", gateway.log());
}

/// What is settled at the start is no silent nothing at a reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_restart_is_said() {
    let world = world(FILE_SINK);
    let gateway = world.site.start();
    for (at, limits) in [
        "connections: { max: 9 }",
        "body: { min_rate: 10 }",
        "head: { fields: 9 }",
        "wait: { idle: 9s }",
        "floods: { continuations: 9 }",
    ]
    .into_iter()
    .enumerate()
    {
        let before = std::fs::read_to_string(world.site.path("gateway.yaml")).unwrap();
        world.site.amend("version: 1\n", &format!("version: 1\nlimits: {{ {limits} }}\n"));
        reload(&gateway);
        let refused = gateway.metric(&["sallyport_reloads_refused_total"]);
        assert_eq!(refused, (at + 1) as f64, "{limits}: {}", gateway.log());
        std::fs::write(world.site.path("gateway.yaml"), before).unwrap();
    }
    assert!(gateway.log().contains("cannot change at a reload"), "{}", gateway.log());
    reload(&gateway);
    assert_eq!(gateway.metric(&["sallyport_reloads_total"]), 1.0, "{}", gateway.log());
}

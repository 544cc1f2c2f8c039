//! Listeners come and go while the server goes on: nothing that is under way is lost, and what cannot be had changes nothing.

use std::sync::Arc;
use std::time::Duration;

use edge::{BindError, ClientCertificateMode, Limits, ListenerSettings, Replaced, Versions};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::authority::Authority;
use super::client::{ALL, Peer, Protocol, send};
use super::service::{DEADLINE, House, house};
use super::{get, peer, rest};

async fn answers(house: &House, protocols: &[Protocol]) {
    for &protocol in protocols {
        let answer = send(protocol, &peer(house), get("https://localhost/a")).await;
        assert_eq!(answer.unwrap().status, 200, "{protocol:?}");
    }
}

/// Until nobody accepts there.
async fn closed(peer: &Peer) {
    let closed = async { while TcpStream::connect(peer.address).await.is_ok() {} };
    timeout(DEADLINE, closed).await.unwrap();
}

/// A request that waits in the service until it is released.
async fn waiting(
    house: &House,
    protocol: Protocol,
) -> tokio::task::JoinHandle<Result<super::client::Answer, String>> {
    let peer = peer(house);
    let sent = tokio::spawn(async move {
        let sent = send(protocol, &peer, get("https://localhost/slow")).await;
        sent.map_err(|error| error.to_string())
    });
    timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
    sent
}

/// A free address on which nobody listens.
async fn elsewhere() -> std::net::SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    socket.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_gone_drains_and_a_new_one_serves() {
    for &protocol in ALL {
        let mut house = house(Limits::default());
        let old = peer(&house);
        let sent = waiting(&house, protocol).await;
        let address = elsewhere().await;
        let replaced = house.change(|listener| listener.address = address).unwrap();
        let expected = Replaced { begun: vec![address], ended: vec![old.address] };
        assert_eq!(replaced, expected, "{protocol:?}");
        assert_eq!(house.address(), address);
        answers(&house, ALL).await;
        closed(&old).await;
        house.echo.release.notify_one();
        assert_eq!(sent.await.unwrap().unwrap().text(), "slow", "{protocol:?}");
        assert_eq!(rest(house).await.cut, 0, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_gone_is_cut_at_the_limit() {
    for &protocol in ALL {
        let mut house = house(Limits::default());
        let peer = peer(&house);
        let sent =
            tokio::spawn(async move { send(protocol, &peer, get("https://localhost/hang")).await });
        timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
        let settings = ListenerSettings { address: elsewhere().await, ..house.listener.clone() };
        house.server.replace_listeners(vec![settings], Duration::from_millis(50)).unwrap();
        assert!(sent.await.unwrap().is_err(), "{protocol:?}");
        timeout(DEADLINE, house.echo.dropped.notified()).await.unwrap();
        answers(&house, ALL).await;
        rest(house).await;
    }
}

/// The whole server ends what drains as well, at its own limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_listeners_that_are_gone() {
    let mut house = house(Limits::default());
    let sent = waiting(&house, Protocol::H2).await;
    let address = elsewhere().await;
    house.change(|listener| listener.address = address).unwrap();
    let echo = Arc::clone(&house.echo);
    let fresh = peer(&house);
    let drained = tokio::spawn(rest(house));
    closed(&fresh).await;
    echo.release.notify_one();
    assert_eq!(sent.await.unwrap().unwrap().text(), "slow");
    assert_eq!(timeout(DEADLINE, drained).await.unwrap().unwrap().finished, 1);
}

/// The socket stays, so nobody is turned away meanwhile; who came on the old terms drains.
#[tokio::test(flavor = "multi_thread")]
async fn the_terms_of_one_change() {
    let mut house = house(Limits::default());
    let address = house.address();
    let sent = waiting(&house, Protocol::H2).await;
    let all = house.listener.http;
    let only_h1 = Versions { h1: true, h2: false, h3: false };
    let replaced = house.change(|listener| listener.http = only_h1).unwrap();
    assert_eq!(replaced, Replaced { begun: vec![address], ended: vec![address] });
    answers(&house, &[Protocol::H1]).await;
    let refused = async {
        while send(Protocol::H2, &peer(&house), get("https://localhost/a")).await.is_ok() {}
    };
    timeout(DEADLINE, refused).await.unwrap();
    house.echo.release.notify_one();
    assert_eq!(sent.await.unwrap().unwrap().text(), "slow");
    // And back: HTTP/3 as soon as its port is free.
    house.change(|listener| listener.http = all).unwrap();
    for &protocol in ALL {
        let served = async {
            while send(protocol, &peer(&house), get("https://localhost/a")).await.is_err() {}
        };
        timeout(DEADLINE, served).await.unwrap();
    }
    // Clients of the protocols that were refused are on record.
    house.server.drain(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificates_are_turned_on_and_off() {
    let ours = Authority::new("ours");
    let mut house = house(Limits::default());
    let only = |h3| Versions { h1: true, h2: true, h3 };
    // HTTP/3 has a test of its own above: its port changes hands later.
    house.change(|listener| listener.http = only(false)).unwrap();
    let tcp = [Protocol::H1, Protocol::H2];
    let required = Some(ours.takes(ClientCertificateMode::Required, &[]));
    house.change(|listener| listener.client_certificates = required).unwrap();
    for protocol in tcp {
        let refused = async {
            while send(protocol, &peer(&house), get("https://localhost/a")).await.is_ok() {}
        };
        timeout(DEADLINE, refused).await.unwrap();
    }
    house.change(|listener| listener.client_certificates = None).unwrap();
    for protocol in tcp {
        let served = async {
            while send(protocol, &peer(&house), get("https://localhost/a")).await.is_err() {}
        };
        timeout(DEADLINE, served).await.unwrap();
    }
    house.server.drain(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_changes_nothing() {
    let mut house = house(Limits::default());
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let (own, free) = (house.listener.clone(), elsewhere().await);
    let at = |address| ListenerSettings { address, ..own.clone() };
    // The first one could be had.
    let refused = house.server.replace_listeners(vec![at(free), at(address)], DEADLINE);
    assert!(matches!(refused, Err(BindError::Socket { address: a, .. }) if a == address));
    answers(&house, ALL).await;
    closed(&Peer { address: free, ..peer(&house) }).await;
    // A near miss.
    drop(taken);
    let replaced = house.server.replace_listeners(vec![own.clone(), at(free)], DEADLINE).unwrap();
    assert_eq!(replaced, Replaced { begun: vec![free], ended: vec![] });
    assert_eq!(house.server.addresses().len(), 2);
    answers(&house, ALL).await;
    let new = Peer { address: free, ..peer(&house) };
    for &protocol in ALL {
        assert!(send(protocol, &new, get("https://localhost/a")).await.is_ok(), "{protocol:?}");
    }
    rest(house).await;
}

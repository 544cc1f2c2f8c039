//! Sockets that another process passed: a server that cannot bind everything accepts nobody from them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use edge::{
    BindError, ClientAddress, Limits, ListenerSettings, Passed, Plaintext, Server, Settings,
    TlsVersion, Versions,
};
use tokio::time::timeout;

use super::service::{DEADLINE, house};

fn plain(address: SocketAddr) -> ListenerSettings {
    ListenerSettings {
        address,
        http: Versions { h1: true, h2: false, h3: false },
        forwarded_certificates: None,
        plaintext: Some(Plaintext::Serve),
        certificates: Vec::new(),
        min_version: TlsVersion::V1_3,
        client_certificates: None,
        client_address: ClientAddress::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_left_to_others_where_a_listener_cannot_be_bound() {
    let house = house(Limits::default());
    let kept = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (first, second) = (kept.local_addr().unwrap(), taken.local_addr().unwrap());
    let bind = |listeners: Vec<ListenerSettings>| {
        let settings = Settings { listeners, limits: Limits::default(), workers: None };
        let mut passed = Passed::new(vec![kept.try_clone().unwrap()]);
        Server::bind_passed(settings, Arc::clone(&house.echo), &mut passed)
    };
    let client = TcpStream::connect(first).unwrap();
    let refused = bind(vec![plain(first), plain(second)]);
    assert!(matches!(refused.err(), Some(BindError::Socket { address, .. }) if address == second));
    // The server that failed made the shared socket non-blocking: were nobody waiting in it, this would fail.
    let (_accepted, from) = kept.accept().unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    // The near miss: without the listener that cannot be, the next one is served.
    let server = bind(vec![plain(first)]).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut client = TcpStream::connect(first).unwrap();
        let request = b"GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        client.write_all(request).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = timeout(DEADLINE, answer).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.drain(DEADLINE).await;
    super::rest(house).await;
}

//! Client certificates: the cells {h1, h2, h3} x {none, good, revoked, wrong CA}, fresh and resumed; what is swapped takes
//! effect at the next handshake, and open connections that it concerns end.

use std::sync::Arc;

use edge::{ClientCertificateMode, ClientCertificates, Failure, FailureKind, Limits};
use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::authority::{AHEAD, Authority, Holder, Issued, OVER};
use super::client::{ALL, Peer, Protocol, connect, send, tls};
use super::h2::{PREFACE, frame};
use super::service::{DEADLINE, House, house_for};
use super::{get, rest};

use ClientCertificateMode::{Optional, Required};

/// A client of one protocol that remembers its sessions, and how often it was asked for its certificate.
fn caller(house: &House, protocol: Protocol, issued: Option<&Issued>) -> (Arc<Holder>, Peer) {
    let (holder, config) = Holder::of(issued, tls(&house.root, &[protocol.alpn()]));
    let peer = Peer {
        address: house.address(),
        name: "localhost",
        root: house.root.clone(),
        config: Some(config),
    };
    (holder, peer)
}

async fn passes(protocol: Protocol, peer: &Peer) {
    let answer = send(protocol, peer, get("https://localhost/who")).await;
    assert_eq!(answer.unwrap().status, 200, "{protocol:?}");
}

async fn fails(house: &House, protocol: Protocol, peer: &Peer, kind: FailureKind) {
    let answer = send(protocol, peer, get("https://localhost/who")).await;
    assert!(answer.is_err(), "{protocol:?} {kind:?}");
    let failure = refusal(house).await;
    assert_eq!(failure.kind, kind, "{protocol:?}");
    assert_eq!(failure.local, house.address(), "{protocol:?}");
}

/// The next handshake that was refused. A swap may still have found connections that their clients have just left: the
/// facts of those are known.
async fn refusal(house: &House) -> Failure {
    loop {
        let failure = house.echo.failure().await;
        if failure.tls.is_none() {
            return failure;
        }
    }
}

/// As [`rest`], after swaps.
async fn rest_after_swaps(house: House) {
    house.server.drain(DEADLINE).await;
}

fn swap(house: &mut House, clients: ClientCertificates) {
    house.swap(|listener| listener.client_certificates = Some(clients));
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_handshakes() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (good, revoked, foreign) = (ours.client(1), ours.client(2), other.client(1));
    let expired = ours.issue(3, OVER, ExtendedKeyUsagePurpose::ClientAuth);
    let server = ours.issue(4, AHEAD, ExtendedKeyUsagePurpose::ServerAuth);
    let house = house_for(Limits::default(), Some(ours.takes(Required, &[&revoked])));
    for &protocol in ALL {
        for (shown, refusal) in [
            (None, Some(FailureKind::ClientCertificateMissing)),
            (Some(&good), None),
            (Some(&revoked), Some(FailureKind::ClientCertificateRevoked)),
            (Some(&foreign), Some(FailureKind::ClientCertificateUntrusted)),
            (Some(&expired), Some(FailureKind::ClientCertificateExpired)),
            (Some(&server), Some(FailureKind::ClientCertificateUntrusted)),
        ] {
            let (_, peer) = caller(&house, protocol, shown);
            match refusal {
                None => passes(protocol, &peer).await,
                Some(kind) => fails(&house, protocol, &peer, kind).await,
            }
        }
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_none_gets_in_where_it_is_optional_and_who_shows_a_bad_one_does_not() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (good, revoked, foreign) = (ours.client(1), ours.client(2), other.client(1));
    let house = house_for(Limits::default(), Some(ours.takes(Optional, &[&revoked])));
    for &protocol in ALL {
        passes(protocol, &caller(&house, protocol, None).1).await;
        passes(protocol, &caller(&house, protocol, Some(&good)).1).await;
        let revoked = caller(&house, protocol, Some(&revoked)).1;
        fails(&house, protocol, &revoked, FailureKind::ClientCertificateRevoked).await;
        let foreign = caller(&house, protocol, Some(&foreign)).1;
        fails(&house, protocol, &foreign, FailureKind::ClientCertificateUntrusted).await;
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_sees_the_verified_certificate() {
    let ours = Authority::new("ours");
    let good = ours.client(1);
    let house = house_for(Limits::default(), Some(ours.takes(Optional, &[])));
    for &protocol in ALL {
        let peer = caller(&house, protocol, Some(&good)).1;
        let answer = send(protocol, &peer, get("https://localhost/who")).await.unwrap();
        let read = edge::ClientCertificate::read(vec![good.der.clone()]).unwrap();
        assert_eq!(answer.text(), &**read.thumbprint(), "{protocol:?}");
        assert_eq!(read.names(), ["uri:spiffe://test.example/client".into()]);
        let peer = caller(&house, protocol, None).1;
        let answer = send(protocol, &peer, get("https://localhost/who")).await.unwrap();
        assert_eq!(answer.text(), "-", "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_which_no_current_list_tells_is_refused() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let good = ours.client(1);
    let mut house = house_for(Limits::default(), Some(ours.takes(Required, &[])));
    let both = ours.pem() + &other.pem();
    let with = |list: String| {
        let (both, list) = (both.as_bytes(), Some(list.as_bytes()));
        ClientCertificates::from_bytes(Required, both, list).unwrap()
    };
    let old = ours.list(&[], 2020, OVER);
    let new = ours.list(&[], 2021, AHEAD);
    let revoking = ours.list(&[&good], 2022, AHEAD);
    for &protocol in ALL {
        let peer = caller(&house, protocol, Some(&good)).1;
        for (list, refusal) in [
            (other.list(&[], 2020, AHEAD), Some(FailureKind::ClientCertificateUnchecked)),
            (old.clone(), Some(FailureKind::ClientCertificateUnchecked)),
            (format!("{old}{new}"), None),
            // The newest counts, wherever it stands.
            (format!("{new}{revoking}"), Some(FailureKind::ClientCertificateRevoked)),
            (format!("{revoking}{new}"), Some(FailureKind::ClientCertificateRevoked)),
            (new.clone(), None),
        ] {
            swap(&mut house, with(list));
            match refusal {
                None => passes(protocol, &peer).await,
                Some(kind) => fails(&house, protocol, &peer, kind).await,
            }
        }
    }
    rest_after_swaps(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resumed_sessions_do_not_outlive_a_change() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (good, revoked) = (ours.client(1), ours.client(2));
    let before = ours.takes(Optional, &[]).with_resumption(true);
    let mut after = Vec::new();
    for (shown, clients, refusal) in [
        (None, ours.takes(Required, &[]), Some(FailureKind::ClientCertificateMissing)),
        (Some(&good), ours.takes(Optional, &[&revoked]), None),
        (
            Some(&revoked),
            ours.takes(Optional, &[&revoked]),
            Some(FailureKind::ClientCertificateRevoked),
        ),
        (Some(&good), other.takes(Optional, &[]), Some(FailureKind::ClientCertificateUntrusted)),
    ] {
        after.push((shown, clients.with_resumption(true), refusal));
    }
    let mut house = house_for(Limits::default(), Some(before.clone()));
    for &protocol in ALL {
        for (shown, clients, refusal) in &after {
            swap(&mut house, before.clone());
            let (holder, peer) = caller(&house, protocol, *shown);
            passes(protocol, &peer).await;
            passes(protocol, &peer).await;
            // What is equal changes nothing.
            swap(&mut house, before.clone());
            passes(protocol, &peer).await;
            assert_eq!(holder.asked(), 1, "{protocol:?}: the others were resumed");
            swap(&mut house, clients.clone());
            match refusal {
                None => passes(protocol, &peer).await,
                Some(kind) => fails(&house, protocol, &peer, *kind).await,
            }
            assert_eq!(holder.asked(), 2, "{protocol:?}: not resumed");
        }
    }
    rest_after_swaps(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_resumed_unless_asked_for() {
    let ours = Authority::new("ours");
    let good = ours.client(1);
    let house = house_for(Limits::default(), Some(ours.takes(Required, &[])));
    for &protocol in ALL {
        let (holder, peer) = caller(&house, protocol, Some(&good));
        passes(protocol, &peer).await;
        passes(protocol, &peer).await;
        assert_eq!(holder.asked(), 2, "{protocol:?}");
    }
    rest(house).await;
}

const REQUEST: &[u8] = b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn open(house: &House, protocol: Protocol, issued: &Issued) -> TlsStream<TcpStream> {
    let config = caller(house, protocol, Some(issued)).1.config.unwrap();
    connect(house.address(), "localhost", config).await.unwrap()
}

/// Reads until this text has come.
async fn until(stream: &mut TlsStream<TcpStream>, text: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(text) {
        let read = timeout(DEADLINE, stream.read_buf(&mut all)).await.unwrap().unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&all));
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_the_open_connections_it_concerns() {
    let ours = Authority::new("ours");
    let (stays, goes) = (ours.client(1), ours.client(2));
    let mut house = house_for(Limits::default(), Some(ours.takes(Required, &[])));
    let (mut staying, mut idle, mut busy) = (
        open(&house, Protocol::H1, &stays).await,
        open(&house, Protocol::H1, &goes).await,
        open(&house, Protocol::H1, &goes).await,
    );
    for stream in [&mut staying, &mut idle] {
        stream.write_all(REQUEST).await.unwrap();
        until(stream, "\r\n\r\n").await;
    }
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
    swap(&mut house, ours.takes(Required, &[&goes]));
    let thumbprint = edge::ClientCertificate::read(vec![goes.der.clone()]).unwrap();
    for _ in [&idle, &busy] {
        let failure = house.echo.failure().await;
        assert_eq!(failure.kind, FailureKind::ClientCertificateRevoked);
        let shown = failure.tls.unwrap().client_certificate.unwrap();
        assert_eq!(shown.thumbprint(), thumbprint.thumbprint());
    }
    // What was under way comes to its end, and so does the connection.
    house.echo.release.notify_one();
    let mut answer = String::new();
    timeout(DEADLINE, busy.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("slow"), "{answer}");
    let mut rest_of_idle = Vec::new();
    timeout(DEADLINE, idle.read_to_end(&mut rest_of_idle)).await.unwrap().unwrap();
    staying.write_all(REQUEST).await.unwrap();
    until(&mut staying, "\r\n\r\n").await;
    drop(staying);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_connection_serves_no_new_request_and_is_cut() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let goes = ours.client(1);
    let mut house = house_for(Limits::default(), Some(ours.takes(Required, &[])));
    let mut stream = open(&house, Protocol::H2, &goes).await;
    let slow = b"\x82\x87\x04\x05/hang\x01\x09localhost";
    let request = b"\x82\x87\x04\x02/a\x01\x09localhost";
    let start = [PREFACE, &frame(4, 0, 0, b""), &frame(1, 5, 1, slow)].concat();
    stream.write_all(&start).await.unwrap();
    timeout(DEADLINE, house.echo.started.notified()).await.unwrap();
    // An authority that is no longer trusted is as good as a revocation.
    swap(&mut house, other.takes(Required, &[]));
    let failure = house.echo.failure().await;
    assert_eq!(failure.kind, FailureKind::ClientCertificateUntrusted);
    // A client that does not heed the GOAWAY, nor answers the PING behind it.
    stream.write_all(&frame(1, 5, 3, request)).await.unwrap();
    until(&mut stream, "distrusted").await;
    let mut all = Vec::new();
    // A cut: with or without a goodbye of TLS.
    timeout(DEADLINE, stream.read_to_end(&mut all)).await.unwrap().ok();
    timeout(DEADLINE, house.echo.dropped.notified()).await.unwrap();
    rest(house).await;
}

#[cfg(feature = "http3")]
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_open_connections_of_http3() {
    use super::client::h3;
    let ours = Authority::new("ours");
    let (stays, goes) = (ours.client(1), ours.client(2));
    let mut house = house_for(Limits::default(), Some(ours.takes(Required, &[])));
    let (staying, going) =
        (caller(&house, Protocol::H3, Some(&stays)).1, caller(&house, Protocol::H3, Some(&goes)).1);
    let (_endpoint, staying) = h3::connect(&staying).await.unwrap();
    let (_endpoint2, going) = h3::connect(&going).await.unwrap();
    // The server's control stream: both handshakes are over on its side, too.
    for quic in [&staying, &going] {
        timeout(DEADLINE, quic.accept_uni()).await.unwrap().unwrap();
    }
    swap(&mut house, ours.takes(Required, &[&goes]));
    assert_eq!(house.echo.failure().await.kind, FailureKind::ClientCertificateRevoked);
    timeout(DEADLINE, going.closed()).await.unwrap();
    assert!(staying.close_reason().is_none());
    staying.close(0x100_u32.into(), b"");
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_asks_for_them_as_well() {
    let ours = Authority::new("ours");
    let (good, revoked) = (ours.client(1), ours.client(2));
    let clients = ours.takes(Required, &[&revoked]).with_resumption(true);
    let house = super::service::house_of_tls_1_2(clients);
    for (shown, refusal) in [
        (None, Some(FailureKind::ClientCertificateMissing)),
        (Some(&good), None),
        (Some(&revoked), Some(FailureKind::ClientCertificateRevoked)),
    ] {
        for protocol in [Protocol::H1, Protocol::H2] {
            let config = super::client::tls_1_2(&house.root, &[protocol.alpn()]);
            let (holder, config) = Holder::of(shown, config);
            let peer = Peer { config: Some(config), ..super::peer(&house) };
            match refusal {
                None => {
                    passes(protocol, &peer).await;
                    passes(protocol, &peer).await;
                    assert_eq!(holder.asked(), 1, "{protocol:?}: resumed");
                }
                Some(kind) => fails(&house, protocol, &peer, kind).await,
            }
        }
    }
    rest(house).await;
}

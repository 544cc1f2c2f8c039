//! Clients behind proxies: whose word counts, who is refused, and what each is counted as.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge::{
    AddressSource, ClientAddress, FailureKind, Limits, ListenerSettings, Server, Settings,
    TlsVersion, Versions,
};
use http::Request;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::{ALL, Error, send, tls};
use super::service::{DEADLINE, House, certificate, house_behind};
use super::{get, peer, rest};

fn behind(network: &str, from: AddressSource) -> ClientAddress {
    ClientAddress { trusted_proxies: vec![network.parse().unwrap()], from, insecure_direct: false }
}

fn with(name: &str, lines: &[&str]) -> Request<Bytes> {
    let mut request = get("https://localhost/client");
    for line in lines {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, line.parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_whom_the_proxy_names() {
    for (from, name, good, bad) in [
        (
            AddressSource::XForwardedFor,
            "x-forwarded-for",
            ["198.51.100.9, 192.0.2.7", "spoofed, 192.0.2.7"],
            ["192.0.2.7, unknown", ""],
        ),
        (
            AddressSource::Forwarded,
            "forwarded",
            ["for=198.51.100.9, for=192.0.2.7", "for=_x, For=192.0.2.7;proto=https"],
            ["for=192.0.2.7, for=_x", "192.0.2.7"],
        ),
    ] {
        let house = house_behind(Limits::default(), behind("127.0.0.0/8", from));
        let peer = peer(&house);
        for &protocol in ALL {
            for line in good {
                let answer = send(protocol, &peer, with(name, &[line])).await.unwrap();
                assert_eq!(answer.text(), "192.0.2.7 false behind 127.0.0.1", "{protocol:?}");
            }
            for line in bad {
                let answer = send(protocol, &peer, with(name, &[line])).await.unwrap();
                let told = (answer.status.as_u16(), answer.text());
                assert_eq!(told, (400, "client_address_syntax"), "{protocol:?} {line:?}");
            }
            let answer = send(protocol, &peer, with(name, &[])).await.unwrap();
            let told = (answer.status.as_u16(), answer.text());
            assert_eq!(told, (400, "client_address_missing"), "{protocol:?}");
        }
        rest(house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_no_proxy_is_hung_up_on() {
    let elsewhere = behind("192.0.2.0/24", AddressSource::XForwardedFor);
    let spoofed = || with("x-forwarded-for", &["192.0.2.7"]);
    let house = house_behind(Limits::default(), elsewhere.clone());
    for &protocol in ALL {
        assert!(send(protocol, &peer(&house), spoofed()).await.is_err(), "{protocol:?}");
        assert_eq!(house.echo.failure().await.kind, FailureKind::UntrustedPeer, "{protocol:?}");
    }
    rest(house).await;
    let direct = ClientAddress { insecure_direct: true, ..elsewhere };
    let house = house_behind(Limits::default(), direct);
    for &protocol in ALL {
        let answer = send(protocol, &peer(&house), spoofed()).await.unwrap();
        assert_eq!(answer.text(), "127.0.0.1 true behind 127.0.0.1", "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_proxies_nobody_is_believed() {
    let house = house_behind(Limits::default(), ClientAddress::default());
    for &protocol in ALL {
        let request = with("x-forwarded-for", &["192.0.2.7"]);
        let answer = send(protocol, &peer(&house), request).await.unwrap();
        assert_eq!(answer.text(), "127.0.0.1 true behind 127.0.0.1", "{protocol:?}");
    }
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_are_not_counted_as_addresses() {
    let limits = Limits { address_connections_max: 1, ..Limits::default() };
    let rules = behind("127.0.0.0/8", AddressSource::XForwardedFor);
    let house = house_behind(limits, rules);
    let config = tls(&house.root, &["http/1.1"]);
    let address = house.address();
    let _held = super::client::connect(address, "localhost", config.clone()).await.unwrap();
    let _second = super::client::connect(address, "localhost", config).await.unwrap();
    for &protocol in ALL {
        let request = with("x-forwarded-for", &["192.0.2.7"]);
        assert!(send(protocol, &peer(&house), request).await.is_ok(), "{protocol:?}");
    }
    house.echo.nothing_filed().await;
}

/// Says a PROXY header, then shakes hands.
async fn introduce(house: &House, header: &[u8]) -> Result<TlsStream<TcpStream>, Error> {
    let mut stream = TcpStream::connect(house.address()).await?;
    stream.write_all(header).await?;
    let config = tls(&house.root, &["http/1.1"]);
    let name = ServerName::try_from("localhost")?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// Asks who the client is, with a spoofed field.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /client HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 198.51.100.9\r\n\
                    forwarded: for=198.51.100.9\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u8::try_from(block.len()).unwrap();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family, 0, length][..], block].concat()
}

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n";

fn announcing() -> ClientAddress {
    behind("127.0.0.0/8", AddressSource::ProxyProtocol)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_protocol_names_the_client_before_tls() {
    let house = house_behind(Limits::default(), announcing());
    let v4 = v2(0x21, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 18, 103, 1, 187]);
    let local = v2(0x20, 0, b"");
    for (header, client) in [(V1, "192.0.2.7"), (&v4, "192.0.2.7"), (&local, "127.0.0.1")] {
        let answer = ask(&mut introduce(&house, header).await.unwrap()).await;
        let expected = format!("{client} true behind 127.0.0.1");
        assert!(answer.ends_with(&expected), "{answer}");
    }
    let asked: Vec<IpAddr> = house.echo.asked.lock().unwrap().drain(..).collect();
    let [proxy, client] = ["127.0.0.1", "192.0.2.7"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(asked, [proxy, client, proxy, client, proxy]);
    // A header that comes byte by byte, with the handshake right behind it.
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    for byte in V1 {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    let config = tls(&house.root, &["http/1.1"]);
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert!(ask(&mut stream).await.contains("192.0.2.7 true"));
    // A probe that says nothing is no failure.
    drop(TcpStream::connect(house.address()).await.unwrap());
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_names_nobody_is_hung_up_on() {
    let house = house_behind(Limits::default(), announcing());
    for header in [b"".as_slice(), b"PROXY UNKNOWN\r\n", &v2(0x21, 0, b""), b"GET / HTTP/1.1\r\n"] {
        assert!(introduce(&house, header).await.is_err(), "{}", header.escape_ascii());
        let failure = house.echo.failure().await;
        assert_eq!(failure.kind, FailureKind::ProxyHeader, "{}", header.escape_ascii());
    }
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    stream.write_all(b"PROXY TCP4 ").await.unwrap();
    drop(stream);
    assert_eq!(house.echo.failure().await.kind, FailureKind::HandshakeAborted);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_takes_too_long_is_filed() {
    let limits = Limits { handshake_timeout: Duration::from_millis(200), ..Limits::default() };
    let house = house_behind(limits, announcing());
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    stream.write_all(b"PROXY TCP4 192.").await.unwrap();
    assert_eq!(house.echo.failure().await.kind, FailureKind::HandshakeTimedOut);
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn announced_clients_are_counted() {
    let limits = Limits { address_connections_max: 1, ..Limits::default() };
    let house = house_behind(limits, announcing());
    let header = |source: &str| format!("PROXY TCP6 {source} ::1 4711 443\r\n").into_bytes();
    let mut held = introduce(&house, &header("2001:db8::1")).await.unwrap();
    assert!(introduce(&house, &header("2001:db8::2")).await.is_err());
    let failure = house.echo.failure().await;
    assert_eq!(failure.kind, FailureKind::AddressConnections);
    assert_eq!(failure.client, "[2001:db8::2]:4711".parse::<SocketAddr>().unwrap());
    assert!(failure.peer.ip().is_loopback());
    let mut other = introduce(&house, &header("2001:db8:0:1::1")).await.unwrap();
    assert!(ask(&mut other).await.contains("2001:db8:0:1::1 true"));
    assert!(ask(&mut held).await.contains("2001:db8::1 true"));
    rest(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_client_that_is_not_admitted_is_hung_up_on() {
    let house = house_behind(Limits::default(), announcing());
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    let asked = || house.echo.asked.lock().unwrap().len();
    let until = |count| async move {
        while asked() < count {
            tokio::task::yield_now().await
        }
    };
    timeout(DEADLINE, until(1)).await.unwrap();
    house.echo.admits.store(false, std::sync::atomic::Ordering::SeqCst);
    stream.write_all(V1).await.unwrap();
    let mut rest_of = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut rest_of)).await.unwrap().ok();
    assert_eq!(asked(), 2);
    rest(house).await;
}

#[tokio::test]
async fn quic_has_no_proxy_protocol() {
    let (certificate, _) = certificate(&["localhost"]);
    let listener = |h3| ListenerSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        http: Versions { h1: true, h2: true, h3 },
        forwarded_certificates: None,
        plaintext: None,
        certificates: vec![certificate.clone()],
        min_version: TlsVersion::V1_3,
        client_certificates: None,
        client_address: announcing(),
    };
    let house = house_behind(Limits::default(), announcing());
    let bind = |h3| {
        let listeners = vec![listener(h3)];
        let settings = Settings { listeners, limits: Limits::default(), workers: None };
        Server::bind(settings, Arc::clone(&house.echo)).err()
    };
    #[cfg(feature = "http3")]
    assert!(matches!(bind(true), Some(edge::BindError::ProxyProtocolOverQuic(_))));
    assert!(bind(false).is_none());
}

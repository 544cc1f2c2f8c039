//! The versions are really spoken; the transaction id is found in both places.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tokio::net::TcpListener;

use super::super::authority::Authority;
use super::super::listener::{self, Listener, Peer, Service};
use super::{Ask, Clients, Protocol, answer};

struct Mirror;

impl Service for Mirror {
    async fn answer(&self, request: Request<Bytes>, _peer: Peer) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::new());
        let said = format!("{:?}", request.version()).replace('/', "-");
        let said = HeaderValue::from_str(&said).expect("a value");
        answer.headers_mut().insert("x-request-id", said);
        answer
    }
}

#[tokio::test]
async fn each_client_speaks_its_version() {
    let authority = Authority::new(crate::clock::now()).expect("an authority");
    let server = authority.server(&["localhost"]).expect("a certificate");
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let tls = listener::tls(&server, None).expect("TLS");
    let _running = Listener::start(socket, address, tls, Arc::new(Mirror));
    let roots = authority.roots().expect("roots");
    let clients = Clients::new(&roots, "localhost", address).expect("clients");
    let ask = Ask {
        method: Method::GET,
        target: "/orders".to_owned(),
        fields: Vec::new(),
        body: Bytes::new(),
    };
    for (protocol, said) in [(Protocol::H1, "HTTP-1.1"), (Protocol::H2, "HTTP-2.0")] {
        let answer = clients.send(protocol, &ask).await.expect("an answer");
        assert_eq!(answer.transaction.as_deref(), Some(said));
    }
}

#[test]
fn the_problem_document_comes_before_the_field() {
    let mut fields = HeaderMap::new();
    let id = |fields: &HeaderMap, body: &str| {
        answer(StatusCode::OK, fields, body.as_bytes()).transaction
    };
    assert_eq!(id(&fields, "{}"), None);
    fields.insert("x-request-id", HeaderValue::from_static("from-field"));
    assert_eq!(id(&fields, r#"{"orders":[]}"#).as_deref(), Some("from-field"));
    assert_eq!(id(&fields, r#"{"instance":"urn:uuid:abc"}"#).as_deref(), Some("abc"));
    assert_eq!(id(&fields, r#"{"instance":"abc"}"#).as_deref(), Some("abc"));
}

/// A server that answers every HTTP/3 request with its body's length as transaction id.
#[cfg(feature = "http3")]
fn quic(authority: &Authority) -> (quinn::Endpoint, std::net::SocketAddr) {
    let server = authority.server(&["localhost"]).expect("a certificate");
    let tls = listener::tls(&server, None).expect("TLS");
    let mut tls = Arc::unwrap_or_clone(tls);
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls).expect("suites");
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let any = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let endpoint = quinn::Endpoint::server(config, any).expect("a port");
    let address = endpoint.local_addr().expect("an address");
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            let connection = h3_quinn::Connection::new(match incoming.await {
                Ok(connection) => connection,
                Err(_) => continue,
            });
            let mut connection =
                h3::server::Connection::<_, Bytes>::new(connection).await.expect("h3");
            while let Ok(Some(resolver)) = connection.accept().await {
                let (_, mut stream) = resolver.resolve_request().await.expect("a request");
                let mut length = 0;
                while let Some(piece) = stream.recv_data().await.expect("data") {
                    length += bytes::Buf::remaining(&piece);
                }
                let answer = Response::builder().header("x-request-id", length).body(());
                stream.send_response(answer.expect("an answer")).await.expect("sent");
                stream.send_data(Bytes::from_static(b"{}")).await.expect("sent");
                stream.finish().await.expect("finished");
            }
        }
    });
    (endpoint, address)
}

#[cfg(feature = "http3")]
#[tokio::test]
async fn http_3_carries_the_body_and_brings_the_answer() {
    let authority = Authority::new(crate::clock::now()).expect("an authority");
    let (_endpoint, address) = quic(&authority);
    let roots = authority.roots().expect("roots");
    let clients = Clients::new(&roots, "localhost", address).expect("clients");
    let ask = Ask {
        method: Method::POST,
        target: "/orders".to_owned(),
        fields: Vec::new(),
        body: Bytes::from_static(b"seven b"),
    };
    let answer = clients.send(Protocol::H3, &ask).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.transaction.as_deref(), Some("7"));
    let other = Authority::new(crate::clock::now()).expect("another authority");
    let strangers = other.roots().expect("roots");
    let clients = Clients::new(&strangers, "localhost", address).expect("clients");
    assert!(clients.send(Protocol::H3, &ask).await.is_err());
}

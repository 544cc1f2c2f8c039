//! WebSockets, over HTTP/1.1 and HTTP/2, through to a service that speaks them; and everything that is none.

use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::tls;
use crate::issuer::Issuer;
use crate::parts::echo;
use crate::site::{Gateway, HOST, LIMIT, Site};
use crate::world::{reason, usual};

/// Under /live/ a GET may open one, under /news/ not.
pub(crate) const API: &str = "apis:
  - prefix: /live/
    methods: [GET]
    upstream: orders
    audience: https://orders.test.example
    stream: { websocket: true, size: 1MiB, idle: 1h }
  - prefix: /news/
    methods: [GET]
    upstream: orders
    audience: https://orders.test.example
    stream: {}
  - openapi: orders.openapi.yaml
";

/// A key and its answer (RFC 6455 1.3).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What the service answers in place of a 101, by the beginning of the head: a status that is none, a framing with two
/// readings, and a plain no.
const REFUSALS: [(&str, &str); 3] = [
    ("GET /live/odd-status", "HTTP/1.1 999 No\r\ncontent-length: 2\r\n\r\nno"),
    ("GET /live/odd-framing", "HTTP/1.1 403 No\r\ntransfer-encoding: chunked, identity\r\n\r\nno"),
    ("GET /live/no", "HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno"),
];

/// A service that opens WebSockets and then sends back whatever it gets, until `bye`.
struct Talker {
    address: std::net::SocketAddr,
    /// The heads it got, as they came.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Talker {
    async fn start(site: &Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(echo::tls(&site.authority, "http/1.1")));
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let key = head
                        .lines()
                        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
                        .map(str::to_owned);
                    log.lock().unwrap().push(head.clone());
                    if let Some((_, no)) = REFUSALS.iter().find(|(line, _)| head.starts_with(line))
                    {
                        stream.write_all(no.as_bytes()).await.ok();
                        stream.read_u8().await.ok();
                        return;
                    }
                    let Some(key) = key else {
                        let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain";
                        stream.write_all(plain).await.ok();
                        return;
                    };
                    let proof = if head.starts_with("GET /live/liar") { KEY } else { &prove(&key) };
                    let answer = format!(
                        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: \
                         websocket\r\nsec-websocket-accept: {proof}\r\n\
                         sec-websocket-protocol: chat\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).await.ok();
                    let mut room = [0; 1024];
                    while let Ok(read @ 1..) = stream.read(&mut room).await {
                        if room[..read].ends_with(b"bye") {
                            break;
                        }
                        stream.write_all(&room[..read]).await.ok();
                    }
                    stream.write_all(b"and bye").await.ok();
                    stream.shutdown().await.ok();
                });
            }
        });
        Self { address, heads }
    }
}

fn prove(key: &str) -> String {
    use base64::Engine as _;
    let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}{guid}").as_bytes(),
    );
    base64::engine::general_purpose::STANDARD.encode(digest)
}

struct Place {
    site: Site,
    issuer: Issuer,
    talker: Talker,
    gateway: Gateway,
}

async fn place() -> Place {
    let site = Site::new();
    let issuer = Issuer::new(&site);
    let talker = Talker::start(&site).await;
    site.configure(&Issuer::configuration(), talker.address, &usual());
    site.amend("apis:\n  - openapi: orders.openapi.yaml\n", API);
    let gateway = site.start();
    gateway.await_all_up();
    Place { site, issuer, talker, gateway }
}

impl Place {
    async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        let tls = tls(&self.site.authority.ca_pem(), alpn);
        let stream = TcpStream::connect(self.gateway.address).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap()
    }

    fn handshake(&self, path: &str) -> http::request::Builder {
        let token = self.issuer.token("shop", "");
        Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "chat")
            .header("sec-websocket-extensions", "permessage-deflate")
    }

    /// Sends a handshake over HTTP/1.1.
    async fn over_h1(
        &self,
        builder: http::request::Builder,
    ) -> http::Response<hyper::body::Incoming> {
        let io = TokioIo::new(self.connect(b"http/1.1").await);
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let builder = builder.header("host", HOST);
        sender.send_request(builder.body(Empty::<Bytes>::new()).unwrap()).await.unwrap()
    }
}

fn upgrade(builder: http::request::Builder) -> http::request::Builder {
    let builder = builder.header("upgrade", "websocket").header("connection", "upgrade");
    builder.header("sec-websocket-key", KEY)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_opens_over_http_1_and_its_record_tells_what_passed() {
    let place = place().await;
    let mut answer = place.over_h1(upgrade(place.handshake("/live/orders"))).await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["sec-websocket-accept"], PROOF);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    assert!(!answer.headers().contains_key("sec-websocket-extensions"));
    let transaction = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut socket = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let mut heard = [0; 5];
    for said in [b"hello", b"again"] {
        socket.write_all(said).await.unwrap();
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, said);
    }
    let opening = place.site.await_opening_of(&transaction);
    assert_eq!(opening["unmapped"]["stream"], "websocket", "{opening:#}");
    socket.write_all(b"bye").await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"and bye");
    let event = place.site.await_event_of(&transaction);
    assert!(event["unmapped"]["observed"].to_string().contains("stream.opened"), "{event:#}");
    assert_eq!(event["http_response"]["code"], 101, "{event:#}");
    assert_eq!(event["unmapped"]["request_bytes"], 13);
    assert_eq!(event["unmapped"]["response_bytes"], 17);
    let head = place.talker.heads.lock().unwrap()[0].clone();
    assert!(head.contains("x-gateway-assertion: ") && !head.contains("authorization"), "{head}");
    assert!(!head.contains(KEY) && !head.contains("sec-websocket-extensions"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_too_much_ends_its_websocket() {
    let place = place().await;
    let mut answer = place.over_h1(upgrade(place.handshake("/live/orders"))).await;
    assert_eq!(answer.status(), 101);
    let transaction = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let socket = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let (mut hears, mut says) = tokio::io::split(socket);
    let talk = tokio::spawn(async move {
        // Until nobody takes it any more.
        while says.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    });
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(LIMIT, hears.read_to_end(&mut heard)).await;
    assert!(ended.is_ok(), "the service waits for more, and so would the client");
    assert!(heard.len() <= 1 << 20);
    drop(hears);
    talk.await.unwrap();
    let event = place.site.await_event_of(&transaction);
    assert_eq!(reason(&event), "schema.body_too_large", "{event:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_handshake_is_an_answer_like_any_other() {
    let place = place().await;
    for path in ["/live/odd-status", "/live/odd-framing"] {
        assert_eq!(place.over_h1(upgrade(place.handshake(path))).await.status(), 502, "{path}");
    }
    let plain = place.over_h1(upgrade(place.handshake("/live/no"))).await;
    assert_eq!(plain.status(), 403);
    let transaction = plain.headers()["x-request-id"].to_str().unwrap();
    place.site.await_event_of(transaction);
    assert_eq!(place.site.openings(transaction).len(), 0, "nothing was opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_opens_over_http_2() {
    let place = place().await;
    let io = TokioIo::new(place.connect(b"h2").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("https://{HOST}/live/orders");
    let builder = place.handshake(&uri).method("CONNECT");
    let request = builder.extension(hyper::ext::Protocol::from_static("websocket"));
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    // The client has to hear first that it is spoken here (RFC 8441 3), which comes with the first SETTINGS.
    let settled = Request::get(format!("https://{HOST}/")).body(Empty::new()).unwrap();
    sender.send_request(settled).await.unwrap();
    let mut answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let mut socket = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let mut heard = [0; 5];
    for said in [b"hello", b"again"] {
        socket.write_all(said).await.unwrap();
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, said);
    }
    socket.write_all(b"bye").await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"and bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_a_websocket_is_none() {
    let place = place().await;
    let closed = place.over_h1(upgrade(place.handshake("/news/orders"))).await;
    assert_eq!(closed.status(), 400);
    let transaction = closed.headers()["x-request-id"].to_str().unwrap().to_owned();
    let event = place.site.await_event_of(&transaction);
    assert_eq!(reason(&event), "stream.upgrade_undeclared");
    let nobody = Request::get("/live/orders").header("sec-websocket-version", "13");
    assert_eq!(place.over_h1(upgrade(nobody)).await.status(), 401);
    let liar = place.over_h1(upgrade(place.handshake("/live/liar"))).await;
    assert_eq!(liar.status(), 502, "a service that has not read the handshake");
    assert_eq!(place.talker.heads.lock().unwrap().len(), 1);
    let other = place.handshake("/live/orders").header("upgrade", "h2c");
    let other = place.over_h1(other.header("connection", "upgrade")).await;
    assert_eq!(other.status(), 200, "an upgrade to anything else is an ordinary request");
    let head = place.talker.heads.lock().unwrap()[1].clone();
    assert!(!head.contains("upgrade"), "{head}");
}

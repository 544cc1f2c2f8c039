//! Bodies that pass unread where the configuration says so: both ways at once, bounded in size and time, with trailers;
//! gRPC calls hear of refusals in their own way.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Channel};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Client, PROTOCOLS, Protocol, request, tls};
use crate::issuer::Issuer;
use crate::parts::echo::Echo;
use crate::site::{Gateway, HOST, Site};
use crate::world::{reason, usual};

const MEGABYTE: usize = 1 << 20;

/// The API of these tests: everything under /chat/ passes, at most two megabytes, with the two prefixes as they differ.
const API: &str = "apis:
  - prefix: /chat/
    methods: [GET, POST]
    upstream: orders
    audience: https://orders.test.example
    stream: { size: 2MiB, idle: 1m, age: 1h }
  - prefix: /brief/
    methods: [POST]
    upstream: orders
    audience: https://orders.test.example
    stream: { age: 1s }
  - openapi: orders.openapi.yaml
";

/// A gateway before a service that sends back what it gets.
pub(crate) struct Place {
    pub(crate) site: Site,
    issuer: Issuer,
    echo: Echo,
    pub(crate) gateway: Gateway,
}

pub(crate) async fn place(alpn: &'static str) -> Place {
    let site = Site::new();
    let issuer = Issuer::new(&site);
    let echo = Echo::start(&site.authority, alpn).await;
    site.configure(&Issuer::configuration(), echo.address, &usual());
    site.amend("apis:\n  - openapi: orders.openapi.yaml\n", API);
    let gateway = site.start();
    gateway.await_all_up();
    Place { site, issuer, echo, gateway }
}

impl Place {
    pub(crate) fn token(&self) -> String {
        self.issuer.token("shop", "")
    }

    fn client(&self) -> Client {
        Client::new(&self.site.authority.ca_pem(), self.gateway.address)
    }

    /// A call whose request is still open: what it says, and what it hears.
    async fn call(&self, protocol: Protocol, path: &str) -> (Sender, http::Response<Incoming>) {
        let (sender, body) = Channel::new(1);
        let builder = Request::builder().method("POST").header("content-type", "application/grpc");
        let builder = builder.header("authorization", format!("Bearer {}", self.token()));
        let alpn: &[u8] = if protocol == Protocol::H1 { b"http/1.1" } else { b"h2" };
        let tls = tls(&self.site.authority.ca_pem(), alpn);
        let stream = TcpStream::connect(self.gateway.address).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
        let io = TokioIo::new(stream);
        let answer = if protocol == Protocol::H1 {
            let (mut requests, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            let request = builder.uri(path).header("host", HOST).body(body).unwrap();
            requests.send_request(request).await.unwrap()
        } else {
            let (mut requests, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            let uri = format!("https://{HOST}{path}");
            requests.send_request(builder.uri(uri).body(body).unwrap()).await.unwrap()
        };
        (sender, answer)
    }
}

type Sender = http_body_util::channel::Sender<Bytes>;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_speaks_and_hears_at_once_and_its_trailers_arrive() {
    for (protocol, alpn) in
        [(Protocol::H1, "http/1.1"), (Protocol::H2, "h2"), (Protocol::H2, "http/1.1")]
    {
        let place = place(alpn).await;
        let (mut sender, answer) = place.call(protocol, "/chat/shop.Chat/Talk").await;
        assert_eq!(answer.status(), 200, "{protocol:?}");
        let transaction = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let mut heard = answer.into_body();
        for said in ["one", "two", "three"] {
            sender.send_data(Bytes::from(said)).await.unwrap();
            let piece = heard.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece, said, "{protocol:?}");
        }
        drop(sender);
        let rest = heard.collect().await.unwrap();
        if alpn == "h2" {
            let trailers: &HeaderMap = rest.trailers().expect("trailers");
            assert_eq!(trailers["grpc-status"], "0");
            assert_eq!(trailers["x-bytes"], "11");
            let seen = place.echo.seen.lock().unwrap();
            assert_eq!(seen[0]["te"], "trailers");
        }
        let event = place.site.await_event_of(&transaction);
        assert_eq!(event["unmapped"]["request_bytes"], 11, "{event:#}");
        assert_eq!(event["http_response"]["code"], 200);
        assert!(event.to_string().contains("stream.unread"), "{event:#}");
    }
}

/// A stream is on record from its beginning, and once more, with its sizes, at its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_an_opening_record_while_it_lasts_and_a_closing_one() {
    for (protocol, alpn) in [(Protocol::H1, "http/1.1"), (Protocol::H2, "h2")] {
        let place = place(alpn).await;
        let (mut sender, answer) = place.call(protocol, "/chat/shop.Chat/Talk").await;
        let transaction = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let mut heard = answer.into_body();
        sender.send_data(Bytes::from("one")).await.unwrap();
        heard.frame().await.unwrap().unwrap();
        let opening = place.site.await_opening_of(&transaction);
        assert_eq!(opening["unmapped"]["stream"], "grpc", "{opening:#}");
        let path = opening["unmapped"]["path"].as_str().unwrap_or_default();
        assert!(path.starts_with("/chat/") && !path.contains("Talk"), "{opening:#}");
        assert_eq!(opening["actor"]["app_uid"], "shop", "{opening:#}");
        assert_eq!(opening["src_endpoint"]["ip"], "127.0.0.1");
        sender.send_data(Bytes::from("two")).await.unwrap();
        drop(sender);
        heard.collect().await.unwrap();
        let closing = place.site.await_event_of(&transaction);
        assert_eq!(closing["unmapped"]["request_bytes"], 6, "{closing:#}");
        assert_eq!(closing["unmapped"]["response_bytes"], 6);
        assert!(closing["end_time"].as_u64() >= opening["time"].as_u64(), "{closing:#}");
        assert!(closing["duration"].is_u64());
        assert_eq!(place.site.openings(&transaction).len(), 1);
    }
}

/// What a service sends as it comes is a stream, too; what has a length, or nothing in it, is none.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_service_are_a_stream_and_whole_answers_are_none() {
    let place = place("http/1.1").await;
    let (client, token) = (place.client(), place.token());
    for protocol in PROTOCOLS {
        let mut asked = request("POST", "/chat/news", Some(&token), "data: one\n\n");
        let headers = asked.headers_mut();
        headers.insert("content-type", "text/event-stream".parse().unwrap());
        headers.insert("content-length", "11".parse().unwrap());
        let answer = client.send(protocol, asked).await;
        place.site.await_event_of(answer.transaction());
        let openings = place.site.openings(answer.transaction());
        assert_eq!(openings.len(), 1, "{protocol:?}: {openings:#?}");
        assert_eq!(openings[0]["unmapped"]["stream"], "events", "{protocol:?}");
        let refused = client.send(protocol, request("GET", "/chat/news", None, "")).await;
        assert_eq!(refused.status, 401);
        place.site.await_event_of(refused.transaction());
        assert_eq!(place.site.openings(refused.transaction()).len(), 0, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_passes_on_every_protocol_up_to_its_limit() {
    let place = place("h2").await;
    let (client, token) = (place.client(), place.token());
    let post = |bytes: usize| {
        let mut post = request("POST", "/chat/upload", Some(&token), "");
        post.headers_mut().insert("content-type", "application/octet-stream".parse().unwrap());
        *post.body_mut() = Bytes::from(vec![b'x'; bytes]);
        post
    };
    for protocol in PROTOCOLS {
        let fits = client.send(protocol, post(2 * MEGABYTE)).await;
        assert_eq!((fits.status.as_u16(), fits.body.len()), (200, 2 * MEGABYTE), "{protocol:?}");
        let mut large = post(2 * MEGABYTE + 1);
        if protocol == Protocol::H3 {
            // The other clients announce it by themselves.
            let length = large.body().len();
            large.headers_mut().insert("content-length", length.into());
        }
        let large = client.send(protocol, large).await;
        assert_eq!(large.status, 413, "{protocol:?}");
        let event = place.site.await_event_of(large.transaction());
        assert_eq!(reason(&event), "schema.body_too_large", "{protocol:?}");
        let empty = client.send(protocol, request("GET", "/chat/news", Some(&token), "")).await;
        assert_eq!((empty.status.as_u16(), empty.body.len()), (200, 0), "{protocol:?}");
        let unnamed = client.send(protocol, request("POST", "/orders", Some(&token), "")).await;
        assert_eq!(unnamed.status, 403, "the other API goes on checking: {protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_grows_too_large_ends_its_call() {
    let place = place("h2").await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let (mut sender, answer) = place.call(protocol, "/chat/shop.Chat/Talk").await;
        let transaction = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let heard = tokio::spawn(answer.into_body().collect());
        let piece = Bytes::from(vec![b'x'; MEGABYTE]);
        while sender.send_data(piece.clone()).await.is_ok() {}
        assert!(heard.await.unwrap().is_err(), "{protocol:?}: an end is no clean one");
        let event = place.site.await_event_of(&transaction);
        assert_eq!(reason(&event), "schema.body_too_large", "{protocol:?}");
        assert_eq!(event["http_response"]["code"], 200, "what was answered before: {protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_with_its_age() {
    let place = place("h2").await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let (_sender, answer) = place.call(protocol, "/brief/shop.Chat/Talk").await;
        let transaction = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(
            answer.into_body().collect().await.is_err(),
            "{protocol:?}: an end is no clean one"
        );
        let event = place.site.await_event_of(&transaction);
        assert_eq!(reason(&event), "stream.expired", "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_hears_it_as_grpc() {
    let place = place("h2").await;
    let client = place.client();
    for protocol in PROTOCOLS {
        let mut call = request("POST", "/chat/shop.Chat/Talk", None, "");
        call.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
        let answer = client.send(protocol, call).await;
        let told = (&answer.headers["content-type"], &answer.headers["grpc-status"]);
        assert_eq!(answer.status, 200, "{protocol:?}");
        assert_eq!(told, (&"application/grpc".parse().unwrap(), &"16".parse().unwrap()));
        let event = place.site.await_event_of(answer.transaction());
        assert_eq!(reason(&event), "token.absent", "{protocol:?}");
        assert_eq!(event["http_response"]["code"], 401, "{protocol:?}");
    }
}

//! Attacks over HTTP/3, frame by frame, on streams of a real QUIC connection.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::timeout;

use super::wire::{frame3, pseudo, qpack, qpack_status};
use super::{Stage, TAIL};
use crate::client::tls;
use crate::site::{HOST, LIMIT};

/// The code of an end without an error (RFC 9114 8.1).
const NO_ERROR: u32 = 0x100;
/// Bytes of an answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What became of a request stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Status(u16),
    Reset,
    /// The whole connection ended.
    Closed,
}

/// A connection with its control stream.
pub(super) struct Quic {
    _endpoint: quinn::Endpoint,
    pub(super) connection: quinn::Connection,
    pub(super) control: quinn::SendStream,
}

impl Stage {
    pub(super) async fn quic(&self) -> Quic {
        self.try_quic().await.expect("a connection")
    }

    /// The same, where the gateway may not want it.
    pub(super) async fn try_quic(&self) -> Option<Quic> {
        let config = tls(&self.site.authority.ca_pem(), b"h3");
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut endpoint = quinn::Endpoint::client(address).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        let connection = endpoint.connect(self.gateway.address, HOST).unwrap().await.ok()?;
        let mut control = connection.open_uni().await.ok()?;
        // The stream type, and empty SETTINGS.
        control.write_all(&[0, 4, 0]).await.ok()?;
        Some(Quic { _endpoint: endpoint, connection, control })
    }

    /// Sends frames on a stream of a new connection, then an honest request on another.
    async fn judge_h3(&self, name: &str, frames: &[u8], expected: &[Outcome], seen: &[&str]) {
        let quic = self.quic().await;
        let outcome = quic.ask(name, frames).await;
        assert!(expected.contains(&outcome), "{name}: {outcome:?}");
        let mut lines = seen.to_vec();
        let tail = format!("GET {TAIL}");
        if outcome != Outcome::Closed {
            // What ends a connection is seen on its stream first, as a reset or as the answer to what was well-formed before.
            let may_end = expected.contains(&Outcome::Closed);
            let behind = quic.ask(name, &get(TAIL)).await;
            let is_served = behind == Outcome::Status(200);
            assert!(is_served || may_end && behind == Outcome::Closed, "{name}: {behind:?}");
            if is_served {
                lines.push(&tail);
            }
        }
        quic.connection.close(NO_ERROR.into(), b"");
        self.saw(name, &lines);
    }

    pub(super) async fn path_h3(&self, path: &str, statuses: &[u16], seen: &[&str]) {
        let quic = self.quic().await;
        let outcome = quic.ask(path, &get(path)).await;
        // What is no target at all is reset by the library.
        let is_reset = outcome == Outcome::Reset && !path.is_ascii();
        let is_told = statuses.iter().any(|status| outcome == Outcome::Status(*status));
        assert!(is_reset || is_told, "{path}: {outcome:?}");
        quic.connection.close(NO_ERROR.into(), b"");
        self.saw(path, seen);
    }
}

impl Quic {
    async fn ask(&self, name: &str, frames: &[u8]) -> Outcome {
        self.ask_with(name, frames, true).await
    }

    /// Sends bytes on a stream, and its end where they are the whole of it.
    pub(super) async fn ask_with(&self, name: &str, frames: &[u8], is_whole: bool) -> Outcome {
        let Ok((mut send, mut recv)) = self.connection.open_bi().await else {
            return Outcome::Closed;
        };
        // A gateway that has heard enough may stop the rest.
        send.write_all(frames).await.ok();
        if is_whole {
            send.finish().ok();
        }
        let heard = timeout(LIMIT, recv.read_to_end(ANSWER_BYTES_MAX)).await;
        match heard.unwrap_or_else(|_| panic!("{name}: neither an answer nor an end")) {
            Ok(answer) => Outcome::Status(qpack_status(section(&answer))),
            Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(_))) => Outcome::Reset,
            Err(quinn::ReadToEndError::Read(quinn::ReadError::ConnectionLost(_))) => {
                Outcome::Closed
            }
            Err(other) => panic!("{name}: {other}"),
        }
    }

    /// The code that the connection ended with.
    pub(super) async fn ended(&self, name: &str) -> u64 {
        let closed = timeout(LIMIT, self.connection.closed()).await;
        let closed = closed.unwrap_or_else(|_| panic!("{name}: no end"));
        let quinn::ConnectionError::ApplicationClosed(close) = closed else {
            panic!("{name}: {closed}");
        };
        close.error_code.into_inner()
    }
}

/// The field section of the first frame.
fn section(answer: &[u8]) -> &[u8] {
    assert_eq!(answer[0], 1, "HEADERS come first: {answer:?}");
    let length_bytes = 1_usize << (answer[1] >> 6);
    &answer[1 + length_bytes..]
}

pub(super) fn get(path: &str) -> Vec<u8> {
    frame3(1, &qpack(&pseudo("GET", path)))
}

fn with(fields: &[(&str, &str)]) -> Vec<u8> {
    frame3(1, &qpack(&[pseudo("GET", "/api/open").as_slice(), fields].concat()))
}

fn only(fields: &[(&str, &str)]) -> Vec<u8> {
    frame3(1, &qpack(fields))
}

/// A POST with fields and what follows its HEADERS.
fn posted(fields: &[(&str, &str)], rest: &[u8]) -> Vec<u8> {
    let head =
        [pseudo("POST", "/api/open").as_slice(), &[("content-type", "application/json")], fields]
            .concat();
    [frame3(1, &qpack(&head)).as_slice(), rest].concat()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let [method, scheme, authority, path] = pseudo("GET", "/api/open");
    let json = frame3(0, b"{}");
    let trailers = |fields: &[(&str, &str)]| {
        posted(&[], &[json.as_slice(), &frame3(1, &qpack(fields))].concat())
    };
    vec![
        (
            "CVE-2021-33193 a request line as :method",
            only(&pseudo("GET /admin/s HTTP/1.1\r\nx: y", "/api/open")),
        ),
        ("CVE-2023-25690 a space in :path", only(&pseudo("GET", "/api/open HTTP/1.1"))),
        ("CVE-2023-25690 a line end in :path", only(&pseudo("GET", "/api/open\r\nx: y"))),
        ("line end in a value", with(&[("x-a", "x\r\n\r\nGET /admin/s HTTP/1.1\r\n")])),
        ("bare LF in a value", with(&[("x-a", "b\nx-injected: 1")])),
        ("bare CR in a value", with(&[("x-a", "b\rx-injected: 1")])),
        ("CVE-2019-9900 NUL in a value", with(&[("x-a", "b\0c")])),
        ("line end in a name", with(&[("x-a: b\r\nx-injected", "1")])),
        ("space in a name", with(&[("x-a ", "b")])),
        ("upper case in a name", with(&[("X-A", "b")])),
        ("CVE-2019-9516 an empty name", with(&[("", "b")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("connection", with(&[("connection", "x-forwarded-for")])),
        ("upgrade", with(&[("upgrade", "h2c")])),
        ("te other than trailers", with(&[("te", "gzip")])),
        ("two content-lengths", posted(&[("content-length", "2"), ("content-length", "3")], &json)),
        (
            "CVE-2021-21295 content-length 0 with DATA",
            posted(&[("content-length", "0")], &frame3(0, b"GET /admin/s HTTP/1.1\r\n\r\n")),
        ),
        ("CVE-2021-21409 content-length and no DATA", posted(&[("content-length", "9")], b"")),
        ("content-length more than DATA", posted(&[("content-length", "9")], &json)),
        ("host other than :authority", with(&[("host", "other.example")])),
        ("two hosts", with(&[("host", "localhost"), ("host", "localhost")])),
        (":authority twice", only(&[method, scheme, authority, authority, path])),
        (":path twice", only(&[method, scheme, authority, path, (":path", "/admin/s")])),
        (":method twice", only(&[method, (":method", "POST"), scheme, authority, path])),
        (":path missing", only(&[method, scheme, authority])),
        (":path empty", only(&[method, scheme, authority, (":path", "")])),
        (":scheme http", only(&[method, (":scheme", "http"), authority, path])),
        (
            ":authority with a path",
            only(&[method, scheme, (":authority", "localhost/admin/s"), path]),
        ),
        ("no host at all", only(&[method, scheme, path])),
        ("pseudo after a field", only(&[method, scheme, authority, ("x-a", "b"), path])),
        ("an unknown pseudo", with(&[(":x", "y")])),
        (":status in a request", with(&[(":status", "200")])),
        ("CVE-2026-73547 CONNECT with only :authority", only(&[(":method", "CONNECT"), authority])),
        ("TRACE", only(&pseudo("TRACE", "/api/open"))),
        (
            "CVE-2026-26308 two authorizations",
            with(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
        ),
        ("CVE-2025-32094 Expect", with(&[("expect", "y 100-continue")])),
        ("pseudo-header fields in trailers", trailers(&[(":path", "/admin/s")])),
        ("DATA before HEADERS", frame3(0, b"{}")),
        ("a second request on a stream", [get("/api/open"), get("/api/open")].concat()),
        ("SETTINGS on a request stream", [get("/api/open").as_slice(), &[4, 0]].concat()),
        ("a frame that ends early", posted(&[], &[0, 9, b'{'])),
        ("a QPACK reference nobody made", frame3(1, &[0, 0, 0x80])),
        ("a QPACK table nobody has", frame3(1, &[9, 0, 0xd1])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_section_becomes_another_request() {
    let stage = Stage::new(Vec::new());
    let fates = [Outcome::Status(400), Outcome::Status(431), Outcome::Reset, Outcome::Closed];
    for (name, frames) in refused() {
        stage.judge_h3(name, &frames, &fates, &[]).await;
    }
    let json = frame3(0, b"{}");
    let trailers = [json.as_slice(), &frame3(1, &qpack(&[("x-checksum", "1")]))].concat();
    let forbidden = frame3(1, &qpack(&[("content-length", "50")]));
    let forbidden = [json.as_slice(), &forbidden].concat();
    let served = [Outcome::Status(200)];
    for (name, frames, line) in [
        ("near miss: a plain request", with(&[("x-a", "b")]), "GET /api/open"),
        ("near miss: host as :authority", with(&[("host", "localhost")]), "GET /api/open"),
        ("near miss: a length", posted(&[("content-length", "2")], &json), "POST /api/open"),
        ("near miss: trailers", posted(&[], &trailers), "POST /api/open"),
        // Trailers go nowhere, whatever they say.
        ("CVE-2025-58068 content-length in trailers", posted(&[], &forbidden), "POST /api/open"),
        (
            "near miss: an unknown frame",
            [frame3(0x21, b"x"), get("/api/open")].concat(),
            "GET /api/open",
        ),
    ] {
        stage.judge_h3(name, &frames, &served, &[line]).await;
    }
}

/// Errors of the client's own streams: each ends its connection with the code that RFC 9114 8.1 has for it, or with none
/// where the library has another; and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_streams_of_the_connection_end_it() {
    let stage = Stage::new(Vec::new());
    for (name, control, codes) in [
        ("a second SETTINGS", [4, 0].as_slice(), &[0x105][..]),
        ("a setting of HTTP/2", &[4, 2, 2, 0], &[0x105, 0x109]),
        ("DATA on the control stream", &[0, 1, 1], &[0x105]),
        ("empty DATA on the control stream", &[0, 0], &[0x105]),
        ("HEADERS on the control stream", &[1, 1, 1], &[0x105]),
        ("MAX_PUSH_ID that falls", &[0x0d, 1, 7, 0x0d, 1, 6], &[0x108]),
        ("CANCEL_PUSH of nothing", &[3, 1, 0], &[0x108]),
        ("GOAWAY that rises", &[7, 1, 4, 7, 1, 8], &[0x108]),
    ] {
        let mut quic = stage.quic().await;
        quic.control.write_all(control).await.unwrap();
        let code = quic.ended(name).await;
        assert!(codes.contains(&code), "{name}: {code:#x}");
    }
    let mut quic = stage.quic().await;
    quic.control.finish().unwrap();
    assert_eq!(quic.ended("the control stream ends").await, 0x104);
    let quic = stage.quic().await;
    let mut second = quic.connection.open_uni().await.unwrap();
    second.write_all(&[0]).await.unwrap();
    assert_eq!(quic.ended("a second control stream").await, 0x103);
    // CVE-2026-42530: the encoder stream is reset, and opened anew.
    let quic = stage.quic().await;
    let mut encoder = quic.connection.open_uni().await.unwrap();
    encoder.write_all(&[2]).await.unwrap();
    assert_eq!(quic.ask("an encoder stream", &get(TAIL)).await, Outcome::Status(200));
    encoder.reset(0x100_u32.into()).unwrap();
    let mut again = quic.connection.open_uni().await.unwrap();
    again.write_all(&[2]).await.unwrap();
    let code = quic.ended("an encoder stream opened anew").await;
    assert!([0x103, 0x104].contains(&code), "{code:#x}");
    stage.saw("broken streams", &[&format!("GET {TAIL}")]);
    // Whoever is honest is still served.
    stage
        .judge_h3("afterwards", &get("/api/open"), &[Outcome::Status(200)], &["GET /api/open"])
        .await;
}

/// CVE-2026-40898: sections that would be large once they are decoded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_sections_are_refused() {
    let stage = Stage::new(Vec::new());
    let value = "v".repeat(4 * 1024 * 1024);
    let before = stage.resident_kib();
    let fates = [Outcome::Status(431), Outcome::Reset, Outcome::Closed];
    stage.judge_h3("4 MiB", &with(&[("x-a", &value)]), &fates, &[]).await;
    stage.judge_h3("20,000 fields", &with(&vec![("x", "y"); 20_000]), &fates, &[]).await;
    stage.judge_h3("300 fields", &with(&vec![("x", "y"); 300]), &fates, &[]).await;
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB");
    let near = with(&vec![("x", "y"); 90]);
    stage.judge_h3("near miss", &near, &[Outcome::Status(200)], &["GET /api/open"]).await;
}

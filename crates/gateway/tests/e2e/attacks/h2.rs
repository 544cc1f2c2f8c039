//! Attacks over HTTP/2, frame by frame: what HTTP/2 lets a client write that would be something else in the HTTP/1.1
//! request behind the gateway, and what breaks the order of frames.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::rows::{CLOSED, PATHS, UNDECLARED};
use super::wire::{frame, hpack, hpack_status, next_frame, preface, pseudo};
use super::{Stage, TAIL};
use crate::site::LIMIT;

/// The stream of a row, and the one of the honest request behind it.
const ROW: u32 = 1;
const BEHIND: u32 = 101;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Status(u16),
    Reset,
    /// The whole connection ended.
    Goodbye,
}

/// What a connection was told.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) streams: BTreeMap<u32, Outcome>,
    pub(super) ended: Vec<u32>,
    /// The code of a GOAWAY.
    pub(super) goodbye: Option<u32>,
}

impl Outcomes {
    /// The statuses that came, by stream.
    pub(super) fn told(&self) -> Vec<u16> {
        let status = |outcome: &Outcome| match outcome {
            Outcome::Status(status) => Some(*status),
            Outcome::Reset | Outcome::Goodbye => None,
        };
        self.streams.values().filter_map(status).collect()
    }
}

/// Reads frames as far as they are whole.
pub(super) fn outcomes(mut bytes: &[u8]) -> Outcomes {
    let mut all = Outcomes::default();
    while let Some((kind, flags, stream, payload)) = next_frame(&mut bytes) {
        match kind {
            1 => {
                all.streams.entry(stream).or_insert(Outcome::Status(hpack_status(&payload)));
            }
            3 => {
                // An answer that was complete stays one.
                all.streams.entry(stream).or_insert(Outcome::Reset);
                all.ended.push(stream);
            }
            7 => {
                all.goodbye = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
            _ => {}
        }
        if kind <= 1 && flags & 1 != 0 {
            all.ended.push(stream);
        }
    }
    all
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(1, 5, stream, &hpack(&pseudo("GET", path)))
}

impl Stage {
    /// Sends bytes and reads until there is enough, or the connection ends.
    pub(super) async fn exchange_h2(
        &self,
        name: &str,
        sent: &[u8],
        enough: impl Fn(&Outcomes) -> bool,
    ) -> Vec<u8> {
        let (mut read, mut write) = tokio::io::split(self.connect(b"h2").await);
        let send = async {
            write.write_all(sent).await.ok();
            write.flush().await.ok();
            std::future::pending::<()>().await;
        };
        let hear = async {
            let mut heard = Vec::new();
            let mut room = vec![0; 16 * 1024];
            while !enough(&outcomes(&heard)) {
                match read.read(&mut room).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => heard.extend(&room[..count]),
                }
            }
            heard
        };
        timeout(LIMIT, async {
            tokio::select! {
                heard = hear => heard,
                () = send => unreachable!("it waits for ever"),
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{name}: neither an answer nor an end"))
    }

    /// Sends frames on a new connection with an honest request behind them.
    async fn judge_h2(&self, name: &str, frames: &[u8], expected: &[Outcome], seen: &[&str]) {
        let sent = [preface().as_slice(), frames, &request(BEHIND, TAIL)].concat();
        let both = |all: &Outcomes| [ROW, BEHIND].iter().all(|stream| all.ended.contains(stream));
        let all = outcomes(&self.exchange_h2(name, &sent, both).await);
        let goodbye = all.goodbye.is_some_and(|code| code != 0);
        let behind = all.streams.get(&BEHIND).copied();
        let row = all.streams.get(&ROW).copied();
        let outcome = if goodbye { Some(Outcome::Goodbye) } else { row };
        assert!(outcome.is_some_and(|outcome| expected.contains(&outcome)), "{name}: {all:?}");
        let tail = format!("GET {TAIL}");
        let mut lines: Vec<&str> = seen.to_vec();
        if !goodbye {
            assert_eq!(behind, Some(Outcome::Status(200)), "{name}: {all:?}");
            lines.push(&tail);
        }
        let mut found: Vec<String> =
            self.recorder.take().iter().map(super::Arrived::line).collect();
        // Two streams have no order; what ends a connection may come after the request behind it was served.
        found.sort();
        lines.sort_unstable();
        if goodbye {
            found.retain(|line| *line != tail);
        }
        assert_eq!(found, lines, "{name}: what the service saw");
    }
}

/// A request with other or more fields.
fn with(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 5, ROW, &hpack(&[pseudo("GET", "/api/open").as_slice(), fields].concat()))
}

/// Exactly these fields.
fn only(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 5, ROW, &hpack(fields))
}

/// A POST with fields, then DATA with and without an end, then more frames.
fn posted(fields: &[(&str, &str)], data: &[u8], flags: u8) -> Vec<u8> {
    let head =
        [pseudo("POST", "/api/open").as_slice(), &[("content-type", "application/json")], fields]
            .concat();
    [frame(1, 4, ROW, &hpack(&head)), frame(0, flags, ROW, data)].concat()
}

/// Heads that would be more than one request, or another one, in HTTP/1.1.
#[expect(clippy::too_many_lines, reason = "a table")]
fn injections() -> Vec<(&'static str, Vec<u8>)> {
    let get = |method: &str, path: &str| only(&pseudo(method, path));
    let [method, scheme, authority, path] = pseudo("GET", "/api/open");
    let hidden = "x\r\n\r\nGET /admin/s HTTP/1.1\r\nhost: localhost\r\n\r\n";
    vec![
        (
            "CVE-2021-33193 a request line as :method",
            get("GET /admin/s HTTP/1.1\r\nx: y", "/api/open"),
        ),
        ("CVE-2021-33193 a space in :method", get("GET /admin/s", "/api/open")),
        ("CVE-2023-25690 a space in :path", get("GET", "/api/open HTTP/1.1")),
        ("CVE-2023-25690 a line end in :path", get("GET", "/api/open HTTP/1.1\r\nx: y")),
        ("line end in a value", with(&[("x-a", hidden)])),
        ("bare LF in a value", with(&[("x-a", "b\nx-injected: 1")])),
        ("bare CR in a value", with(&[("x-a", "b\rx-injected: 1")])),
        ("CVE-2019-9900 NUL in a value", with(&[("x-a", "b\0c")])),
        ("line end in a name", with(&[("x-a: b\r\nx-injected", "1")])),
        ("colon in a name", with(&[("x-a:", "b")])),
        ("space in a name", with(&[("x-a ", "b")])),
        ("upper case in a name", with(&[("X-A", "b")])),
        ("CVE-2019-9516 an empty name", with(&[("", "b")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("connection", with(&[("connection", "x-forwarded-for")])),
        ("upgrade", with(&[("upgrade", "h2c")])),
        ("keep-alive", with(&[("keep-alive", "1")])),
        ("proxy-connection", with(&[("proxy-connection", "close")])),
        ("te other than trailers", with(&[("te", "gzip")])),
        (
            "two content-lengths",
            posted(&[("content-length", "2"), ("content-length", "3")], b"{}", 1),
        ),
        ("content-length list", posted(&[("content-length", "2, 2")], b"{}", 1)),
        ("content-length with a sign", posted(&[("content-length", "+2")], b"{}", 1)),
        (
            "CVE-2021-21295 content-length 0 with DATA",
            posted(&[("content-length", "0")], b"GET /admin/s HTTP/1.1\r\n\r\n", 1),
        ),
        (
            "CVE-2021-21409 content-length and no DATA",
            frame(
                1,
                5,
                ROW,
                &hpack(
                    &[pseudo("POST", "/api/open").as_slice(), &[("content-length", "9")]].concat(),
                ),
            ),
        ),
        ("content-length more than DATA", posted(&[("content-length", "9")], b"{}", 1)),
        ("content-length less than DATA", posted(&[("content-length", "1")], b"{}", 1)),
        ("host other than :authority", with(&[("host", "other.example")])),
        ("two hosts", with(&[("host", "localhost"), ("host", "localhost")])),
        (":authority twice", only(&[method, scheme, authority, authority, path])),
        (":path twice", only(&[method, scheme, authority, path, (":path", "/admin/s")])),
        (":method twice", only(&[method, (":method", "POST"), scheme, authority, path])),
        (":path missing", only(&[method, scheme, authority])),
        (":path empty", only(&[method, scheme, authority, (":path", "")])),
        (":path absolute", get("GET", "https://localhost/admin/s")),
        (":scheme http", only(&[method, (":scheme", "http"), authority, path])),
        (
            ":scheme with a path",
            only(&[method, (":scheme", "https://localhost/admin/s?"), authority, path]),
        ),
        (":scheme missing", only(&[method, authority, path])),
        (
            ":authority with a path",
            only(&[method, scheme, (":authority", "localhost/admin/s"), path]),
        ),
        (
            ":authority with user information",
            only(&[method, scheme, (":authority", "a@localhost"), path]),
        ),
        ("no host at all", only(&[method, scheme, path])),
        ("pseudo after a field", only(&[method, scheme, authority, ("x-a", "b"), path])),
        ("an unknown pseudo", with(&[(":x", "y")])),
        (":status in a request", with(&[(":status", "200")])),
        (
            ":protocol nobody offered",
            only(&[(":method", "CONNECT"), (":protocol", "websocket"), scheme, authority, path]),
        ),
        ("CVE-2026-73547 CONNECT with only :authority", only(&[(":method", "CONNECT"), authority])),
        ("TRACE", get("TRACE", "/api/open")),
        (
            "CVE-2026-26308 two authorizations",
            with(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
        ),
        ("CVE-2025-32094 Expect", with(&[("expect", "y 100-continue")])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_head_becomes_another_request() {
    let stage = Stage::new(Vec::new());
    for (name, frames) in injections() {
        let refused = [Outcome::Status(400), Outcome::Reset, Outcome::Goodbye];
        stage.judge_h2(name, &frames, &refused, &[]).await;
    }
    let served = [Outcome::Status(200)];
    for (name, frames, line) in [
        ("near miss: a plain request", with(&[("x-a", "b")]), "GET /api/open"),
        ("near miss: host as :authority", with(&[("host", "localhost")]), "GET /api/open"),
        ("near miss: te trailers", with(&[("te", "trailers")]), "GET /api/open"),
        ("near miss: a length", posted(&[("content-length", "2")], b"{}", 1), "POST /api/open"),
        ("near miss: a body without a length", posted(&[], b"{}", 1), "POST /api/open"),
    ] {
        stage.judge_h2(name, &frames, &served, &[line]).await;
    }
}

/// Frames where none of their kind may be.
fn disorders() -> Vec<(&'static str, Vec<u8>)> {
    let head = |flags| frame(1, flags, ROW, &hpack(&pseudo("POST", "/api/open")));
    let trailers = |flags| frame(1, flags, ROW, &hpack(&[("x-checksum", "1")]));
    let data = posted(&[], b"{}", 0);
    vec![
        ("CVE-2026-73513 trailers without END_STREAM", [data.as_slice(), &trailers(4)].concat()),
        ("CVE-2025-8671 window update of 0", [head(4), frame(8, 0, ROW, &[0; 4])].concat()),
        (
            "CVE-2025-8671 window that overflows",
            [head(4), frame(8, 0, ROW, &[0x7f, 0xff, 0xff, 0xff])].concat(),
        ),
        ("CVE-2025-8671 a priority of 4 bytes", [head(4), frame(2, 0, ROW, &[0; 4])].concat()),
        (
            "CVE-2025-8671 a stream that depends on itself",
            [head(4), frame(2, 0, ROW, &[0, 0, 0, 1, 9])].concat(),
        ),
        ("RST_STREAM on an idle stream", frame(3, 0, ROW, &[0, 0, 0, 8])),
        ("DATA on an idle stream", frame(0, 1, ROW, b"x")),
        ("a lower stream id", [request(3, "/api/open/three"), request(ROW, "/api/open")].concat()),
        ("an even stream id", frame(1, 5, 2, &hpack(&pseudo("GET", "/api/open")))),
        ("CONTINUATION of nothing", frame(9, 4, ROW, b"")),
        (
            "HEADERS with another frame before their end",
            [head(0), frame(6, 0, 0, &[0; 8])].concat(),
        ),
        ("PUSH_PROMISE of a client", frame(5, 4, ROW, &[0, 0, 0, 2])),
        (
            "CVE-2026-27135 frames after a GOAWAY with an error",
            [frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]), frame(0, 1, ROW, b"x")].concat(),
        ),
        ("padding longer than the frame", frame(0x0, 0x9, ROW, &[200, 0])),
        ("HPACK index 0", frame(1, 5, ROW, &[0x80])),
        ("HPACK index nobody made", frame(1, 5, ROW, &[0xff, 0xff, 0xff, 0x0f])),
        ("HPACK table size beyond the setting", frame(1, 5, ROW, &[0x3f, 0xff, 0xff, 0x7f])),
        ("HPACK integer without end", frame(1, 5, ROW, &[0xff; 20])),
        ("HPACK string longer than the block", frame(1, 5, ROW, &[0x10, 0x7f])),
        ("SETTINGS window beyond 2^31", frame(4, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("SETTINGS frame size of 1", frame(4, 0, 0, &[0, 5, 0, 0, 0, 1])),
        ("a frame larger than agreed", frame(0, 0, ROW, &vec![0; 20_000])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_out_of_order_end_what_they_break() {
    let stage = Stage::new(Vec::new());
    let trailers = |flags| frame(1, flags, ROW, &hpack(&[("x-checksum", "1")]));
    let broken = [Outcome::Status(400), Outcome::Reset, Outcome::Goodbye];
    let data = posted(&[], b"{}", 0);
    for (name, frames) in disorders() {
        // A request of the row that is honest by itself may be served.
        let lines = if name == "a lower stream id" { &["GET /api/open/three"][..] } else { &[] };
        let three = |found: &str| lines.contains(&found);
        let sent = [preface().as_slice(), &frames, &request(BEHIND, TAIL)].concat();
        let done = |all: &Outcomes| all.ended.contains(&ROW) && all.ended.contains(&BEHIND);
        let all = outcomes(&stage.exchange_h2(name, &sent, done).await);
        let ended = all.goodbye.is_some_and(|code| code != 0) || all.streams.is_empty();
        let outcome = if ended { Some(Outcome::Goodbye) } else { all.streams.get(&ROW).copied() };
        assert!(outcome.is_some_and(|found| broken.contains(&found)), "{name}: {all:?}");
        let mut found: Vec<String> =
            stage.recorder.take().iter().map(super::Arrived::line).collect();
        found.retain(|line| !three(line) && *line != format!("GET {TAIL}"));
        assert_eq!(found, [""; 0], "{name}: what the service saw");
    }
    let served = [Outcome::Status(200)];
    let lines = &["POST /api/open"];
    let with_trailers = [data.as_slice(), &trailers(5)].concat();
    stage.judge_h2("near miss: trailers", &with_trailers, &served, lines).await;
    // Trailers go nowhere, whatever they say.
    for (name, fields) in [
        ("CVE-2025-58068 content-length in trailers", [("content-length", "50")]),
        ("CVE-2025-58068 authorization in trailers", [("authorization", "Bearer a")]),
        ("pseudo-header fields in trailers", [(":path", "/admin/s")]),
    ] {
        let frames = [data.as_slice(), &frame(1, 5, ROW, &hpack(&fields))].concat();
        stage.judge_h2(name, &frames, &served, lines).await;
    }
    let after = [posted(&[], b"{}", 1), frame(2, 0, ROW, &[0, 0, 0, 3, 9])].concat();
    stage.judge_h2("near miss: a priority", &after, &served, lines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_path_opens_a_closed_route() {
    let stage = Stage::new(Vec::new());
    let refused = [Outcome::Status(400), Outcome::Status(404), Outcome::Reset];
    for path in PATHS {
        stage.path_h1(path, &[400, 404]).await;
        if path.contains('#') {
            // The engines cut a fragment off before anybody sees it; what is left is what it says.
            let served = [Outcome::Status(200)];
            stage.judge_h2(path, &request(ROW, path), &served, &["GET /api/open"]).await;
            stage.path_h3(path, &[200], &["GET /api/open"]).await;
        } else {
            stage.judge_h2(path, &request(ROW, path), &refused, &[]).await;
            stage.path_h3(path, &[400, 404], &[]).await;
        }
    }
    for (paths, status) in [(&CLOSED[..], 401), (&UNDECLARED[..], 404)] {
        for path in paths {
            stage.judge_h2(path, &request(ROW, path), &[Outcome::Status(status)], &[]).await;
            stage.path_h1(path, &[status]).await;
            stage.path_h3(path, &[status], &[]).await;
        }
    }
    let near = request(ROW, "/api/open/%61dmin");
    stage.judge_h2("near miss", &near, &[Outcome::Status(200)], &["GET /api/open/admin"]).await;
}

impl Stage {
    async fn path_h1(&self, path: &str, statuses: &[u16]) {
        let sent = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let heard = super::wire::statuses(&self.raw_h1(path, sent.as_bytes()).await);
        assert!(heard.len() == 1 && statuses.contains(&heard[0]), "{path}: {heard:?}");
        self.saw(path, &[]);
    }
}

//! Limits x protocols, on a running gateway: what the client sees, that the request or the connection leaves exactly one event
//! with its reason, that the metric with that reason grows by one, and that what is just within the limit passes.

mod doors;
mod floods;
mod heads;
mod table;
mod times;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::h2::{Outcome as Outcome2, Outcomes};
use super::h3::{Outcome as Outcome3, Quic};
use super::wire::{frame, frame3, hpack, preface, pseudo, qpack, statuses};
use super::{Stage, TAIL};
use crate::client::{PROTOCOLS, Protocol};
use crate::parts::process::wait_until;
use crate::site::LIMIT;
use crate::world::reason;
use table::{Cell, LIMITS, Told};

/// Bytes of an HTTP/2 frame that need no other agreement.
const PIECE_BYTES: usize = 16_000;
/// The pause of a client that was not let in.
const PAUSE: Duration = Duration::from_millis(50);
/// Flags of HTTP/2 frames: END_STREAM and END_HEADERS (RFC 9113 6.2).
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The cell of a limit, and what to call it.
fn cell(name: &str, protocol: Protocol) -> (Cell, String) {
    let limit = LIMITS.iter().find(|limit| limit.name == name);
    let limit = limit.unwrap_or_else(|| panic!("no such limit: {name}"));
    let at = PROTOCOLS.iter().position(|one| *one == protocol).unwrap();
    (limit.cells[at], format!("{name} ({}), {protocol:?}", limit.key))
}

/// What is on record so far under a reason: events, and the count of the metric.
fn filed(stage: &Stage, expected: &str) -> (usize, f64) {
    let events = stage.site.events();
    let class = table::class(expected);
    let of_reason =
        events.iter().filter(|event| reason(event) == expected && event["class_uid"] == class);
    let word = if class == 6003 {
        format!("decision=\"{expected}\"")
    } else {
        format!("reason=\"{}\"", expected.rsplit('.').next().unwrap())
    };
    let family = if class == 6003 { "requests_total" } else { "connections_broken_total" };
    (of_reason.count(), stage.gateway.metric(&[family, &word]))
}

/// Holds one cell: `over` goes beyond the limit, `near` stays within it and tells whether it was served.
async fn hold(
    stage: &Stage,
    name: &str,
    protocol: Protocol,
    over: impl Future<Output = Told>,
    near: impl Future<Output = bool>,
) {
    let (cell, row) = cell(name, protocol);
    let Cell::Is(told, expected) = cell else { panic!("{row}: no such limit") };
    let before = filed(stage, expected);
    assert!(near.await, "{row}: the near miss");
    assert_eq!(filed(stage, expected), before, "{row}: what is on record of the near miss");
    assert_eq!(over.await, told, "{row}");
    let after = (before.0 + 1, before.1 + 1.0);
    let mut found = before;
    wait_until(&format!("{row}: {expected}"), LIMIT, || {
        found = filed(stage, expected);
        found.0 >= after.0 && found.1 >= after.1
    });
    // Whatever comes with or behind it is not filed under the same reason; where there has to be room first, each refusal is.
    let mut after = after;
    if expected.starts_with("connection.") {
        while !stage.enters(protocol, &mut Vec::new()).await {
            after = (after.0 + 1, after.1 + 1.0);
            tokio::time::sleep(PAUSE).await;
        }
    } else {
        assert!(stage.is_served(protocol).await, "{row}: somebody else");
    }
    wait_until(&format!("{row}: all refusals"), LIMIT, || filed(stage, expected) >= after);
    assert_eq!(filed(stage, expected), after, "{row}: {expected}");
}

/// Cells that make no sense say why; all others are held by a test.
#[test]
fn every_cell_is_held() {
    let held: BTreeSet<&str> =
        [heads::NAMES.as_slice(), &doors::NAMES, &times::NAMES, &floods::NAMES]
            .concat()
            .into_iter()
            .collect();
    let named: BTreeSet<&str> = LIMITS.iter().map(|limit| limit.name).collect();
    assert_eq!(held, named);
}

/// A request as bytes of a protocol.
struct Sent<'a> {
    method: &'a str,
    path: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    /// Bytes of a body, and whether they are all.
    body: Option<(&'a [u8], bool)>,
}

impl<'a> Sent<'a> {
    fn get(path: &'a str) -> Self {
        Self { method: "GET", path, fields: Vec::new(), body: None }
    }

    fn post(fields: Vec<(&'a str, &'a str)>, body: &'a [u8], is_whole: bool) -> Self {
        let fields = [vec![("content-type", "application/json")], fields].concat();
        Self { method: "POST", path: "/api/open", fields, body: Some((body, is_whole)) }
    }

    fn h1(&self) -> Vec<u8> {
        let Self { method, path, .. } = self;
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        [text.as_bytes(), self.body.map_or(&[][..], |(body, _)| body)].concat()
    }

    /// On a stream, without the preface.
    fn h2(&self, stream: u32) -> Vec<u8> {
        let fields = [pseudo(self.method, self.path).as_slice(), &self.fields].concat();
        let block = hpack(&fields);
        let mut pieces = block.chunks(PIECE_BYTES).peekable();
        let mut frames = Vec::new();
        while let Some(piece) = pieces.next() {
            let is_first = frames.is_empty();
            let ends = if is_first && self.body.is_none() { END_STREAM } else { 0 };
            let flags = ends | if pieces.peek().is_none() { END_HEADERS } else { 0 };
            frames.extend(frame(if is_first { 1 } else { 9 }, flags, stream, piece));
        }
        if let Some((body, is_whole)) = self.body {
            let mut pieces = body.chunks(PIECE_BYTES).peekable();
            while let Some(piece) = pieces.next() {
                let ends = u8::from(is_whole && pieces.peek().is_none());
                frames.extend(frame(0, ends, stream, piece));
            }
        }
        frames
    }

    fn h3(&self) -> Vec<u8> {
        let fields = [pseudo(self.method, self.path).as_slice(), &self.fields].concat();
        let body = self.body.map_or(Vec::new(), |(body, _)| frame3(0, body));
        [frame3(1, &qpack(&fields)), body].concat()
    }

    /// Whether nothing more comes.
    fn is_whole(&self) -> bool {
        self.body.is_none_or(|(_, is_whole)| is_whole)
    }
}

/// What an HTTP/2 connection came to, as its first stream saw it.
fn seen(all: &Outcomes) -> Told {
    match (all.goodbye, all.streams.get(&1)) {
        (_, Some(Outcome2::Status(status))) => Told::Status(*status),
        (None, Some(Outcome2::Reset)) => Told::Reset,
        (Some(_), _) => Told::Goodbye,
        (None, _) => Told::Closed,
    }
}

impl Stage {
    /// Sends a request on a connection of its own.
    async fn told(&self, name: &str, protocol: Protocol, sent: &Sent<'_>) -> Told {
        match protocol {
            Protocol::H1 => {
                let heard = statuses(&self.raw_h1(name, &sent.h1()).await);
                heard.first().map_or(Told::Closed, |status| Told::Status(*status))
            }
            Protocol::H2 => {
                let bytes = [preface(), sent.h2(1)].concat();
                let enough = |all: &Outcomes| all.streams.contains_key(&1) || all.goodbye.is_some();
                seen(&super::h2::outcomes(&self.exchange_h2(name, &bytes, enough).await))
            }
            Protocol::H3 => {
                let quic = self.quic().await;
                let told = quic.told(name, &sent.h3(), sent.is_whole()).await;
                quic.connection.close(0x100_u32.into(), b"");
                told
            }
        }
    }

    /// Whether an ordinary request is served.
    async fn is_served(&self, protocol: Protocol) -> bool {
        self.told("an ordinary request", protocol, &Sent::get(TAIL)).await == Told::Status(200)
    }
}

impl Quic {
    /// Sends bytes on a stream of its own, and what becomes of it.
    async fn told(&self, name: &str, bytes: &[u8], is_whole: bool) -> Told {
        let asked = self.ask_with(name, bytes, is_whole);
        match timeout(LIMIT, asked).await.unwrap_or_else(|_| panic!("{name}: no end")) {
            Outcome3::Status(status) => Told::Status(status),
            Outcome3::Reset => Told::Reset,
            Outcome3::Closed => Told::Closed,
        }
    }
}

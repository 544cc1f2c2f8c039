//! The rows of hostile handshakes: what is sent, what is heard, and the reason on record.

use super::Heard::{self, Alert, End, Retry};
use super::hello::{
    ALERT, ALPN, CHANGE_CIPHER_SPEC, DATA, EARLY_DATA, GROUPS, HANDSHAKE, Hello, KEY_SHARES, P256,
    POINT, SERVER_NAME, SIGNATURES, TICKET_MODES, TICKETS, VERSIONS, X25519, X25519_MLKEM768,
    groups, long, message, name, protocols, record, record_of, shares, short, tickets,
};

/// One handshake.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) sent: Vec<u8>,
    /// Whether nothing more comes.
    pub(super) is_over: bool,
    /// What is said after an answer.
    pub(super) then: Vec<u8>,
    pub(super) heard: Heard,
    pub(super) reason: &'static str,
}

impl Row {
    fn over(mut self) -> Self {
        self.is_over = true;
        self
    }

    fn then(mut self, bytes: Vec<u8>) -> Self {
        self.then = bytes;
        self
    }
}

fn row(name: &'static str, sent: Vec<u8>, heard: Heard, reason: &'static str) -> Row {
    Row { name, sent, is_over: false, then: Vec::new(), heard, reason }
}

fn hello(name: &'static str, sent: &Hello, heard: Heard, reason: &'static str) -> Row {
    row(name, sent.record(), heard, reason)
}

/// Alerts (RFC 8446 6), as rustls chooses them: a missing extension is to it a failed handshake, a name without a certificate a
/// denied access. Those behind a ServerHello are encrypted; what is looked at is that the connection ends.
const UNEXPECTED_MESSAGE: Heard = Alert(10);
const HANDSHAKE_FAILURE: Heard = Alert(40);
const ILLEGAL_PARAMETER: Heard = Alert(47);
const DECODE_ERROR: Heard = Alert(50);
const PROTOCOL_VERSION: Heard = Alert(70);
const MISSING_EXTENSION: Heard = Alert(109);
const ACCESS_DENIED: Heard = Alert(49);

/// Reasons.
const NOT_TLS: &str = "tls.not_tls";
const INCOMPATIBLE: &str = "tls.tls_incompatible";
const BROKEN: &str = "tls.tls_handshake";
pub(super) const ABORTED: &str = "tls.handshake_aborted";
const NAME: &str = "tls.tls_server_name";
const PROTOCOL: &str = "tls.tls_protocol";
const ALERTED: &str = "tls.tls_alert";

pub(super) fn rows() -> Vec<Row> {
    [unusual(), records(), messages(), versions(), extensions(), exchanges(), sessions()]
        .into_iter()
        .flatten()
        .collect()
}

/// Near misses: they are answered, and go.
fn unusual() -> Vec<Row> {
    let good = Hello::good();
    let bytes = good.message();
    let pieces: Vec<u8> = bytes.iter().flat_map(|byte| record(HANDSHAKE, &[*byte])).collect();
    let unknown = good.clone().and(0xfafa, vec![0]).and(0x2a2a, vec![1; 500]);
    let grease = Hello { suites: vec![0x0a0a, 0x1301], ..good.clone() };
    let greased = grease.with(GROUPS, groups(&[0x1a1a, X25519]));
    let no_name = good.clone().without(SERVER_NAME);
    let shares = good.clone().with(KEY_SHARES, shares(&[(0x1a1a, &[0]), (X25519, &POINT)]));
    let shares = shares.with(GROUPS, groups(&[0x1a1a, X25519]));
    vec![
        hello("nothing wrong", &good, Heard::Hello, ABORTED),
        row("a record for each byte", pieces, Heard::Hello, ABORTED),
        hello("unknown extensions", &unknown, Heard::Hello, ABORTED),
        hello("unknown suites and groups first", &greased, Heard::Hello, ABORTED),
        hello("a share of an unknown group first", &shares, Heard::Hello, ABORTED),
        hello("no server name", &no_name, Heard::Hello, ABORTED),
    ]
}

/// What is no record, or none that may be.
fn records() -> Vec<Row> {
    let good = Hello::good();
    let bytes = good.message();
    let (first, rest) = bytes.split_at(40);
    let within = |kind: u8, body: &[u8]| {
        [record(HANDSHAKE, first), record(kind, body), record(HANDSHAKE, rest)].concat()
    };
    // The hello of SSL 2 (RFC 5246 E.2) that a client sends which knows 3.0.
    let ssl2 = [&[0x80, 0x2e, 1, 3, 0, 0, 0x15, 0, 0, 0, 0x10][..], &[7; 37]].concat();
    let http = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec();
    let huge = [&[HANDSHAKE, 3, 1, 0xff, 0xff], [0; 17_000].as_slice()].concat();
    vec![
        row("HTTP on the port of TLS", http, DECODE_ERROR, NOT_TLS),
        row("a hello of SSL 2", ssl2, DECODE_ERROR, NOT_TLS),
        row("zeros", vec![0; 300], DECODE_ERROR, NOT_TLS),
        row("a record of SSL 2", record_of([2, 0], HANDSHAKE, &bytes), DECODE_ERROR, NOT_TLS),
        row("a record of a kind that is none", record(99, &bytes), DECODE_ERROR, NOT_TLS),
        row("an empty record", record(HANDSHAKE, b""), DECODE_ERROR, NOT_TLS),
        row("a record of 64 KiB", huge, DECODE_ERROR, NOT_TLS),
        row("data first", record(DATA, b"GET / HTTP/1.1"), UNEXPECTED_MESSAGE, BROKEN),
        row(
            "a change of ciphers first",
            record(CHANGE_CIPHER_SPEC, &[1]),
            UNEXPECTED_MESSAGE,
            BROKEN,
        ),
        row("an alert within a hello", within(ALERT, &[1, 0]), End, BROKEN),
        row("data within a hello", within(DATA, b"x"), End, BROKEN),
        row("a fatal alert first", record(ALERT, &[2, 40]), End, ALERTED),
        row("half an alert", record(ALERT, &[2]), DECODE_ERROR, NOT_TLS),
        row("a record cut short", good.record()[..60].to_vec(), End, ABORTED).over(),
        row("the head of a record", good.record()[..3].to_vec(), End, ABORTED).over(),
    ]
}

/// Messages that are out of place, or whose lengths lie.
fn messages() -> Vec<Row> {
    let good = Hello::good();
    let bytes = good.message();
    let finished = record(HANDSHAKE, &message(20, &[0; 32]));
    let behind = Hello { behind: vec![0; 5], ..good.clone() };
    let session = Hello { session: vec![7; 33], ..good.clone() };
    let cut = record(HANDSHAKE, &message(1, &bytes[4..80]));
    // 16 MiB are announced, and what comes is never the end.
    let endless = [[1, 0xff, 0xff, 0xff].as_slice(), &[0; 16_000]].concat();
    let endless: Vec<u8> = std::iter::once(endless)
        .chain((0..8).map(|_| vec![0; 16_000]))
        .flat_map(|body| record(HANDSHAKE, &body))
        .collect();
    let twice = record(HANDSHAKE, &[bytes.clone(), bytes.clone()].concat());
    vec![
        row("Finished first", finished, UNEXPECTED_MESSAGE, BROKEN),
        row(
            "a message of a kind that is none",
            record(HANDSHAKE, &message(77, &[0; 9])),
            UNEXPECTED_MESSAGE,
            BROKEN,
        ),
        hello("bytes behind the extensions", &behind, DECODE_ERROR, NOT_TLS),
        hello("a session id of 33 bytes", &session, DECODE_ERROR, NOT_TLS),
        row("a hello that ends early", cut, DECODE_ERROR, NOT_TLS),
        row("a hello of 16 MiB", endless, DECODE_ERROR, NOT_TLS),
        row("two hellos in a record", twice, UNEXPECTED_MESSAGE, BROKEN),
        hello("a second hello", &good, Heard::Hello, BROKEN).then(good.record()),
        hello("data in place of Finished", &good, Heard::Hello, BROKEN)
            .then(record(DATA, &[0; 100])),
        hello("a fatal alert in place of Finished", &good, Heard::Hello, ALERTED)
            .then(record(ALERT, &[2, 40])),
    ]
}

fn versions() -> Vec<Row> {
    let good = Hello::good();
    let offer = |all: &[u8]| good.clone().with(VERSIONS, short(all));
    let old = Hello { version: [3, 1], ..good.clone().without(VERSIONS) };
    vec![
        hello("TLS 1.2", &good.clone().without(VERSIONS), PROTOCOL_VERSION, INCOMPATIBLE),
        hello("TLS 1.0", &old, PROTOCOL_VERSION, INCOMPATIBLE),
        hello("SSL 3, TLS 1.0, 1.1", &offer(&[3, 0, 3, 1, 3, 2]), PROTOCOL_VERSION, INCOMPATIBLE),
        hello("a version of the future", &offer(&[3, 5]), PROTOCOL_VERSION, INCOMPATIBLE),
        hello("a draft of TLS 1.3", &offer(&[0x7f, 28]), PROTOCOL_VERSION, INCOMPATIBLE),
        hello("no version", &offer(&[]), DECODE_ERROR, NOT_TLS),
        hello("a version and a half", &offer(&[3, 4, 3]), DECODE_ERROR, NOT_TLS),
    ]
}

fn extensions() -> Vec<Row> {
    let good = Hello::good;
    let compressed = Hello { compression: vec![1, 0], ..good() };
    let only = Hello { compression: vec![1], ..good() };
    let none = Hello { compression: Vec::new(), ..good() };
    let two_names = long(&[[0].as_slice(), &long(b"localhost"), &[0], &long(b"other")].concat());
    vec![
        hello("two ALPNs", &good().and(ALPN, protocols(&[b"h2"])), ILLEGAL_PARAMETER, NOT_TLS),
        hello(
            "two of a kind unknown",
            &good().and(0xfafa, vec![]).and(0xfafa, vec![]),
            ILLEGAL_PARAMETER,
            NOT_TLS,
        ),
        hello("compression", &compressed, ILLEGAL_PARAMETER, BROKEN),
        hello("nothing but compression", &only, ILLEGAL_PARAMETER, INCOMPATIBLE),
        hello("no way to be uncompressed", &none, DECODE_ERROR, NOT_TLS),
        hello("an empty name", &good().with(SERVER_NAME, name(b"")), DECODE_ERROR, NOT_TLS),
        hello(
            "a name with a NUL",
            &good().with(SERVER_NAME, name(b"localhost\0.x")),
            ILLEGAL_PARAMETER,
            BROKEN,
        ),
        hello("two names", &good().with(SERVER_NAME, two_names), DECODE_ERROR, NOT_TLS),
        hello(
            "somebody else's name",
            &good().with(SERVER_NAME, name(b"other.example")),
            ACCESS_DENIED,
            NAME,
        ),
        hello(
            "an unknown protocol",
            &good().with(ALPN, protocols(&[b"spdy/3"])),
            Heard::Hello,
            PROTOCOL,
        ),
        hello(
            "a protocol without a name",
            &good().with(ALPN, protocols(&[b""])),
            DECODE_ERROR,
            NOT_TLS,
        ),
        hello("no protocol in ALPN", &good().with(ALPN, protocols(&[])), DECODE_ERROR, NOT_TLS),
        hello("no signatures", &good().without(SIGNATURES), HANDSHAKE_FAILURE, INCOMPATIBLE),
        hello(
            "signatures of others only",
            &good().with(SIGNATURES, groups(&[0x0808])),
            Heard::Hello,
            INCOMPATIBLE,
        ),
        hello(
            "an extension that lies about its length",
            &good().with(GROUPS, vec![0, 9, 0, 29]),
            DECODE_ERROR,
            NOT_TLS,
        ),
    ]
}

/// Key exchange.
fn exchanges() -> Vec<Row> {
    let good = Hello::good;
    let with = |all: &[(u16, &[u8])]| good().with(KEY_SHARES, shares(all));
    let suites = |all: &[u16]| Hello { suites: all.to_vec(), ..good() };
    let unknown =
        good().with(GROUPS, groups(&[0x1234])).with(KEY_SHARES, shares(&[(0x1234, &[1; 32])]));
    let hybrid = good().with(GROUPS, groups(&[X25519_MLKEM768]));
    let short_hybrid = hybrid.clone().with(KEY_SHARES, shares(&[(X25519_MLKEM768, &[1; 1215])]));
    let wrong_hybrid = hybrid.with(KEY_SHARES, shares(&[(X25519_MLKEM768, &[0xff; 1216])]));
    let curve = good().with(GROUPS, groups(&[P256]));
    let off_curve: Vec<u8> = [&[4], [1; 64].as_slice()].concat();
    let asked = with(&[]);
    vec![
        hello("no suite of ours", &suites(&[0x002f, 0xc013]), HANDSHAKE_FAILURE, INCOMPATIBLE),
        hello("no suite at all", &suites(&[]), DECODE_ERROR, NOT_TLS),
        hello(
            "export and null suites",
            &suites(&[0x0000, 0x0003]),
            HANDSHAKE_FAILURE,
            INCOMPATIBLE,
        ),
        hello("unknown groups", &unknown, HANDSHAKE_FAILURE, INCOMPATIBLE),
        hello("no groups", &good().without(GROUPS), HANDSHAKE_FAILURE, INCOMPATIBLE),
        hello("no shares", &good().without(KEY_SHARES), HANDSHAKE_FAILURE, INCOMPATIBLE),
        hello(
            "two shares of a group",
            &with(&[(X25519, &POINT), (X25519, &POINT)]),
            ILLEGAL_PARAMETER,
            BROKEN,
        ),
        hello("a share of 31 bytes", &with(&[(X25519, &POINT[..31])]), ILLEGAL_PARAMETER, BROKEN),
        hello("a share of 33 bytes", &with(&[(X25519, &[1; 33])]), ILLEGAL_PARAMETER, BROKEN),
        hello("an empty share", &with(&[(X25519, b"")]), DECODE_ERROR, NOT_TLS),
        hello("a share of small order", &with(&[(X25519, &[0; 32])]), ILLEGAL_PARAMETER, BROKEN),
        hello(
            "a point off its curve",
            &curve.with(KEY_SHARES, shares(&[(P256, &off_curve)])),
            ILLEGAL_PARAMETER,
            BROKEN,
        ),
        hello("a hybrid share cut short", &short_hybrid, ILLEGAL_PARAMETER, BROKEN),
        hello("a hybrid share out of range", &wrong_hybrid, ILLEGAL_PARAMETER, BROKEN),
        hello("no share yet", &asked, Retry, ABORTED),
        hello("no share when asked again", &asked, Retry, BROKEN).then(asked.record()),
        hello("other suites when asked again", &asked, Retry, BROKEN)
            .then(Hello { suites: vec![0x1303], ..good() }.record()),
    ]
}

/// Sessions to go on with: none of them is one of ours.
fn sessions() -> Vec<Row> {
    let good = Hello::good;
    let modes = || good().with(TICKET_MODES, short(&[1]));
    let early = modes().and(EARLY_DATA, Vec::new()).and(TICKETS, tickets(1));
    let request = record(DATA, &[0x17; 600]);
    vec![
        hello("an unknown ticket", &modes().and(TICKETS, tickets(1)), Heard::Hello, ABORTED),
        hello("early data, and nothing else", &early, Heard::Hello, BROKEN)
            .then(request.repeat(200)),
        hello(
            "a ticket without modes",
            &good().and(TICKETS, tickets(1)),
            MISSING_EXTENSION,
            BROKEN,
        ),
        hello(
            "a ticket without a binder",
            &modes().and(TICKETS, tickets(0)),
            DECODE_ERROR,
            NOT_TLS,
        ),
        hello(
            "two binders for a ticket",
            &modes().and(TICKETS, tickets(2)),
            ILLEGAL_PARAMETER,
            BROKEN,
        ),
        hello(
            "a ticket before other extensions",
            &modes().and(TICKETS, tickets(1)).and(0xfafa, vec![]),
            ILLEGAL_PARAMETER,
            NOT_TLS,
        ),
        hello(
            "early data without a ticket",
            &modes().and(EARLY_DATA, Vec::new()),
            Heard::Hello,
            ABORTED,
        ),
    ]
}

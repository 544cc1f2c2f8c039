//! The table of limits x protocols: what a client sees of each limit of the edge, and what stays on record. The tests beside
//! it hold it against the running gateway, `tests/tidy/limits.rs` against `docs/limits.md`, the defaults and the settings.

/// One limit.
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    /// Where it is set; `-` where it is a constant.
    pub(crate) key: &'static str,
    /// HTTP/1.1, HTTP/2, HTTP/3.
    pub(crate) cells: [Cell; 3],
}

/// A limit on one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// What the client sees, and the reason on record.
    Is(Told, &'static str),
    /// Why it makes no sense there.
    No(&'static str),
}

/// What a client sees of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Status(u16),
    /// The end of a connection that was no HTTP yet.
    HungUp,
    /// The end of the connection.
    Closed,
    /// The end of the connection, announced.
    Goodbye,
    /// The end of its request.
    Reset,
}

use Cell::{Is, No};
use Told::{Closed, Goodbye, HungUp, Reset, Status};

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::HungUp => f.write_str("hung up on"),
            Self::Closed => f.write_str("closed"),
            Self::Goodbye => f.write_str("GOAWAY"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Is(told, reason) => write!(f, "{told}, `{reason}`, {}", class(reason)),
            Self::No(why) => write!(f, "- ({why})"),
        }
    }
}

/// The class of the event that tells a reason (OCSF).
pub(crate) fn class(reason: &str) -> u16 {
    match reason.split('.').next() {
        Some("tls" | "connection") => 4001,
        Some("http") => 4002,
        _ => 6003,
    }
}

/// The same everywhere.
const fn alike(told: Told, reason: &'static str) -> [Cell; 3] {
    [Is(told, reason), Is(told, reason), Is(told, reason)]
}

const ONE_BY_ONE: Cell = No("requests come one after another");
const NO_FRAMES: Cell = No("no frames");

pub(crate) const LIMITS: [Limit; 25] = [
    Limit {
        name: "path and query",
        key: "limits.head.target",
        cells: alike(Status(414), "edge.target_too_long"),
    },
    Limit {
        name: "one field",
        key: "limits.head.field",
        cells: alike(Status(431), "edge.field_too_long"),
    },
    Limit {
        name: "fields",
        key: "limits.head.fields",
        cells: alike(Status(431), "edge.field_count"),
    },
    Limit {
        name: "all fields",
        key: "limits.head.size",
        cells: alike(Status(431), "edge.field_bytes"),
    },
    Limit {
        name: "all fields, by far",
        key: "limits.head.size",
        cells: [
            Is(Status(431), "edge.field_bytes"),
            Is(Status(431), "http.head_too_large"),
            Is(Status(431), "edge.field_bytes"),
        ],
    },
    Limit { name: "request body", key: "-", cells: alike(Status(413), "schema.body_too_large") },
    Limit {
        name: "connections in all",
        key: "limits.connections.max",
        cells: alike(HungUp, "connection.connection_limit"),
    },
    Limit {
        name: "connections of an address",
        key: "limits.connections.max_per_address",
        cells: alike(HungUp, "connection.address_connections"),
    },
    Limit {
        name: "new connections of an address",
        key: "limits.connections.new_per_address",
        cells: alike(HungUp, "connection.address_rate"),
    },
    Limit {
        name: "requests at the same time",
        key: "limits.connections.max_streams",
        cells: [
            ONE_BY_ONE,
            Is(Reset, "http.stream_limit"),
            No("QUIC gives the client no more streams: it waits"),
        ],
    },
    Limit {
        name: "requests on a connection",
        key: "limits.connections.max_requests",
        cells: [
            Is(Closed, "http.request_limit"),
            Is(Goodbye, "http.request_limit"),
            Is(Goodbye, "http.request_limit"),
        ],
    },
    Limit {
        name: "age of a connection",
        key: "limits.connections.max_age",
        cells: [
            Is(Closed, "http.connection_age"),
            Is(Goodbye, "http.connection_age"),
            Is(Goodbye, "http.connection_age"),
        ],
    },
    Limit {
        name: "time of a handshake",
        key: "limits.wait.handshake",
        cells: alike(HungUp, "tls.handshake_timed_out"),
    },
    Limit {
        name: "time of a head",
        key: "limits.wait.head",
        cells: [
            Is(Status(408), "edge.head_timed_out"),
            Is(Goodbye, "http.head_timed_out"),
            Is(Reset, "http.head_timed_out"),
        ],
    },
    Limit {
        name: "time between two pieces of a body",
        key: "limits.wait.body",
        cells: alike(Status(408), "schema.body_timed_out"),
    },
    Limit {
        name: "pace of a body",
        key: "limits.body.min_rate",
        cells: alike(Status(408), "schema.body_too_slow"),
    },
    Limit {
        name: "how far behind its pace a body may be",
        key: "limits.body.grace",
        cells: alike(Status(408), "schema.body_too_slow"),
    },
    Limit {
        name: "time without a request",
        key: "limits.wait.idle",
        cells: [
            Is(Closed, "http.connection_idle"),
            Is(Goodbye, "http.connection_idle"),
            Is(Closed, "http.connection_idle"),
        ],
    },
    Limit {
        name: "time to take a piece of an answer",
        key: "limits.wait.write",
        cells: [
            Is(Closed, "http.write_timed_out"),
            Is(Reset, "http.write_timed_out"),
            Is(Reset, "http.write_timed_out"),
        ],
    },
    Limit {
        name: "requests taken back",
        key: "limits.floods.resets",
        cells: [
            ONE_BY_ONE,
            Is(Goodbye, "http.http2_reset_flood"),
            Is(Closed, "http.http3_reset_flood"),
        ],
    },
    Limit {
        name: "frames without work",
        key: "limits.floods.control",
        cells: [
            NO_FRAMES,
            Is(Goodbye, "http.http2_control_flood"),
            Is(Closed, "http.http3_control_flood"),
        ],
    },
    Limit {
        name: "window updates",
        key: "limits.floods.window_updates",
        cells: [
            NO_FRAMES,
            Is(Goodbye, "http.http2_window_flood"),
            No("frames of QUIC, which cost the library no answer"),
        ],
    },
    Limit {
        name: "pieces of a head",
        key: "limits.floods.continuations",
        cells: [
            NO_FRAMES,
            Is(Goodbye, "http.http2_continuation_flood"),
            No("a section is one frame"),
        ],
    },
    Limit {
        name: "broken requests on a connection",
        key: "-",
        cells: [
            No("the first one ends the connection"),
            Is(Goodbye, "http.http2_protocol"),
            Is(Closed, "http.http3_reset_flood"),
        ],
    },
    Limit {
        name: "frames without data on a request",
        key: "-",
        cells: [NO_FRAMES, No("frames without work"), Is(Reset, "http.http3_stream")],
    },
];

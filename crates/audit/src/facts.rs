//! What the caller tells about a transaction. Nothing here is masked yet; the encoder takes each value
//! by allow-list. It knows no HTTP library and no policy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretSlice;

use crate::digest::Digestion;

/// The methods OCSF names (`http_request.http_method`); every other one is `Other`, never its raw text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `TRACE`
    Trace,
    /// `CONNECT`
    Connect,
    /// Anything else.
    Other,
}

impl Method {
    /// The method of that name (RFC 9110 9.1: case matters).
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Other => return None,
        })
    }
}

/// What the TLS handshake gave.
#[derive(Debug, Clone)]
pub struct TlsFacts {
    /// For example `1.3`.
    pub version: &'static str,
    /// IANA name of the suite; `None` over QUIC, which does not tell.
    pub cipher: Option<&'static str>,
    /// The server name the client asked for: its text, so it is masked.
    pub sni: Option<Arc<str>>,
    /// SHA-256 of the client's verified certificate in base64url (`x5t#S256`, RFC 8705 3.1); the certificate never.
    pub client_certificate: Option<Arc<str>>,
}

/// What is known when a request begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Start of the request.
    pub time: SystemTime,
    /// The client, after trusted proxies.
    pub client_address: IpAddr,
    /// The client's port, where no proxy hides it.
    pub client_port: Option<u16>,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// For example `2`.
    pub http_version: &'static str,
    /// The method, closed.
    pub method: Method,
    /// TLS, where there is any.
    pub tls: Option<TlsFacts>,
    /// The client's text, so it is masked.
    pub user_agent: Option<Arc<str>>,
    /// W3C trace id of our own span: 32 lower-case hexadecimal digits, else it is left out.
    pub trace_id: Option<String>,
}

/// The operation a request was matched to; all of it from our own documents.
#[derive(Debug, Clone)]
pub struct RouteFacts {
    /// Name of the API.
    pub api: Arc<str>,
    /// Operation id.
    pub operation: Arc<str>,
    /// Path template: never the path, which carries ids and names.
    pub template: Arc<str>,
    /// Name of the upstream.
    pub upstream: Arc<str>,
    /// Whether this API is refused without a record.
    pub audit_required: bool,
}

/// Who was proved to call.
#[derive(Debug, Clone, Copy)]
pub struct PrincipalFacts<'a> {
    /// A name that only these facts have and that nobody can choose, such as a keyed digest of the credential: what has
    /// one is masked once.
    pub fingerprint: Option<&'a [u8; 32]>,
    /// Issuer of the credential.
    pub issuer: &'a str,
    /// Client id: in clear where it has the grammar of an id and hides nothing, else a pseudonym.
    pub client: Option<&'a str>,
    /// Tenant: as the client id.
    pub tenant: Option<&'a str>,
    /// Subject: always a pseudonym, unless it is the client id itself.
    pub subject: Option<&'a str>,
    /// Service tier, from our own configuration.
    pub tier: &'a str,
    /// How it was proved, for example `jwt` or `mtls`; [`ANONYMOUS`] where nobody was asked.
    pub method: &'static str,
    /// Id of the key that signed; as the client id.
    pub key_id: Option<&'a str>,
    /// `jti` or the like: always a pseudonym.
    pub token_id: Option<&'a str>,
    /// What whoever shows the token must hold beside it, where it is bound.
    pub bound_to: Option<Binding<'a>>,
}

/// What a token is bound to (RFC 7800 3.1). A thumbprint tells nothing of a person that the certificate or key does not prove,
/// and is no credential: it stands in an event as it is, where it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// A certificate: `x5t#S256` (RFC 8705 3.1).
    Certificate(&'a str),
    /// A key of DPoP: `jkt` (RFC 9449 6.1).
    Key(&'a str),
}

/// The method of callers who need not prove who they are.
pub const ANONYMOUS: &str = "anonymous";

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Served; the status is the upstream's.
    Allowed,
    /// We said no.
    Refused {
        /// Stage that refused, for example `token`.
        stage: &'static str,
        /// Machine reason, for example `expired`.
        reason: &'static str,
        /// A JSON pointer made of schema names, or the like; never a value of the request.
        detail: Option<String>,
    },
    /// Something of ours or behind us broke.
    Failed {
        /// Stage that failed; `upstream` where the request was let in first.
        stage: &'static str,
        /// Machine reason, for example `connect`.
        reason: &'static str,
    },
    /// The client went away, or nobody closed the entry.
    Aborted,
    /// Nobody knows: the process died in between.
    Unknown,
}

/// What passes both ways for as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// A WebSocket.
    WebSocket,
    /// A gRPC call.
    Grpc,
    /// Events that the service sends as they come (`text/event-stream`).
    Events,
    /// A body of another kind whose length nobody knows at its beginning.
    Body,
}

impl StreamKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Grpc => "grpc",
            Self::Events => "events",
            Self::Body => "body",
        }
    }
}

/// The end of a transaction.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Status sent to the client; 0 where none was.
    pub status: u16,
    /// How it went.
    pub decision: Decision,
    /// Body bytes received from the client.
    pub request_bytes: u64,
    /// Body bytes sent to the client.
    pub response_bytes: u64,
    /// Time the upstream took, milliseconds.
    pub upstream_ms: Option<u64>,
    /// From the opening to the end.
    pub duration: Duration,
    /// Digests of what passed.
    pub digests: Digestion,
}

/// Why a connection never became a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The TLS handshake failed or was refused (OCSF 4001).
    Tls,
    /// What came was not HTTP (OCSF 4002).
    Http {
        /// Status answered; 0 where the connection was just closed.
        status: u16,
    },
    /// The address was not let in (OCSF 4001).
    Refused,
}

/// A connection that never became a request.
#[derive(Debug, Clone)]
pub struct ConnectionFailure {
    /// When.
    pub time: SystemTime,
    /// Who.
    pub client: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: &'static str,
    /// Which kind.
    pub kind: FailureKind,
    /// Machine reason, for example `handshake_timeout`.
    pub reason: &'static str,
    /// TLS, where it got that far.
    pub tls: Option<TlsFacts>,
    /// Whether it is a finding, too.
    pub finding: Option<Finding>,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Happens every day.
    Low,
    /// Worth a look.
    Medium,
    /// Somebody tries to break in, or was shut out.
    High,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// A request was blocked for what it holds.
    Block,
    /// Somebody sends more than may be.
    Flood,
    /// Somebody was shut out for a time.
    Ban,
}

/// A rule that was hit (OCSF 2004): which, never by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// Id of the rule, as in the `stage.reason` beside it.
    pub rule: &'static str,
    /// The weakness it is about, as a CWE number.
    pub cwe: u16,
    /// How much it matters.
    pub severity: Severity,
}

impl Finding {
    pub(crate) const fn title(&self) -> &'static str {
        match self.kind {
            FindingKind::Block => "Request blocked",
            FindingKind::Flood => "Flood rejected",
            FindingKind::Ban => "Source banned",
        }
    }
}

/// A secret in force, for its version in the records: never its content.
#[derive(Clone)]
pub struct SecretInForce {
    /// Where it is used, from our own configuration.
    pub name: String,
    /// Its content, of which a keyed pseudonym is made.
    pub content: SecretSlice<u8>,
}

impl std::fmt::Debug for SecretInForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretInForce").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What happened to the gateway itself (OCSF 6002, and 3004 for what somebody asked for).
#[derive(Debug, Clone)]
pub enum Lifecycle {
    /// It serves.
    Started {
        /// When.
        time: SystemTime,
        /// Hash of the policy in force.
        policy: String,
        /// Every secret in force.
        secrets: Vec<SecretInForce>,
    },
    /// It ends.
    Stopped {
        /// When.
        time: SystemTime,
    },
    /// A new policy is in force.
    Reloaded {
        /// When.
        time: SystemTime,
        /// Hash of the policy in force.
        policy: String,
        /// Every secret in force.
        secrets: Vec<SecretInForce>,
        /// Uid of the event of who asked for it.
        cause: Option<String>,
    },
    /// A new policy was refused; the old one goes on.
    ReloadRefused {
        /// When.
        time: SystemTime,
        /// Hash of the policy in force.
        policy: String,
        /// Machine reason.
        reason: &'static str,
        /// Uid of the event of who asked for it.
        cause: Option<String>,
    },
    /// Something that the gateway needs is away.
    DependencyDown {
        /// When it was seen.
        time: SystemTime,
        /// Its name, from our own configuration.
        name: String,
    },
    /// It is there again.
    DependencyUp {
        /// When it was seen.
        time: SystemTime,
        /// Its name, from our own configuration.
        name: String,
        /// How long it was away.
        away: Duration,
    },
    /// An operator asked for a change through the admin listener (OCSF 3004).
    ReloadAsked {
        /// When.
        time: SystemTime,
        /// Hash of the policy in force.
        policy: String,
    },
}

impl Lifecycle {
    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> SystemTime {
        match self {
            Self::Started { time, .. }
            | Self::Stopped { time }
            | Self::Reloaded { time, .. }
            | Self::ReloadRefused { time, .. }
            | Self::DependencyDown { time, .. }
            | Self::DependencyUp { time, .. }
            | Self::ReloadAsked { time, .. } => *time,
        }
    }
}

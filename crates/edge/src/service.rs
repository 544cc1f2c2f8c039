//! What the edge asks of the one who serves: may this address connect, what is the answer, what went wrong.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::Version;

use crate::connection::TlsFacts;
use crate::exchange::Exchange;

/// Any error of an answer's body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whoever answers requests.
pub trait Service: Send + Sync + 'static {
    /// The body of an answer. An error cuts the stream, so that a client never takes it for complete.
    type Body: http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static;

    /// Whether this address may connect. Asked at the TCP accept and at the QUIC Initial, and again where the PROXY
    /// protocol names another address; always before any work on TLS. A refused address is hung up on.
    fn admits(&self, address: IpAddr) -> bool;

    /// Answers one request. The future is dropped when the client goes away.
    fn serve(&self, exchange: Exchange) -> impl Future<Output = http::Response<Self::Body>> + Send;

    /// Puts on record what never became an exchange. Called once per failure; what the client is told about it, if
    /// anything, waits for this.
    fn failed(&self, failure: Failure) -> impl Future<Output = ()> + Send;
}

/// A connection or a request that broke before it became an [`Exchange`].
#[derive(Clone, Debug)]
pub struct Failure {
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// The client: the other end of the socket, or whom a trusted proxy announced there.
    pub client: SocketAddr,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// What happened.
    pub kind: FailureKind,
    /// The facts of the handshake, when it was over.
    pub tls: Option<TlsFacts>,
    /// The HTTP version, when it was known.
    pub http: Option<Version>,
}

/// What broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// As many connections as the limits allow are open.
    ConnectionLimit,
    /// As many connections as one address may have are open.
    AddressConnections,
    /// One address opens connections too fast.
    AddressRate,
    /// The workers are far behind: a share of new connections is turned away.
    Overload,
    /// A peer that is no trusted proxy, where only those may come.
    UntrustedPeer,
    /// No header of the PROXY protocol from a trusted proxy, or one that names no client.
    ProxyHeader,
    /// The bytes are not TLS.
    NotTls,
    /// No common TLS version, cipher suite or key exchange.
    TlsIncompatible,
    /// No certificate for the server name.
    TlsServerName,
    /// None of the offered protocols is spoken here.
    TlsProtocol,
    /// The client ended the handshake with an alert.
    TlsAlert,
    /// The listener wants a client certificate, and the client showed none.
    ClientCertificateMissing,
    /// The client certificate comes from no authority of the listener, is of no use for clients, or is malformed.
    ClientCertificateUntrusted,
    /// The client certificate, or one above it, is revoked.
    ClientCertificateRevoked,
    /// The client certificate, or one above it, has ended or not yet begun.
    ClientCertificateExpired,
    /// No current revocation list tells of the client certificate, or of one above it.
    ClientCertificateUnchecked,
    /// Any other broken handshake.
    TlsHandshake,
    /// The client went away within the handshake.
    HandshakeAborted,
    /// The handshake took too long.
    HandshakeTimedOut,
    /// Behind the handshake: a record that cannot be opened, or that must not come there.
    TlsBroken,
    /// An HTTP/1 head that passed our reading and not the engine's.
    HeadUnparsable,
    /// A request head larger than any limit of ours, answered by the HTTP/2 engine.
    HeadTooLarge,
    /// The connection ended within a request head.
    HeadTruncated,
    /// A request head took too long.
    HeadTimedOut,
    /// As many requests as a connection may carry came: its client was told to open another one.
    RequestLimit,
    /// A connection grew as old as it may: its client was told to open another one.
    ConnectionAge,
    /// A connection was without a request for as long as it may: it was closed.
    ConnectionIdle,
    /// A client took too little of an answer for too long: the stream was reset, or the connection closed.
    WriteTimedOut,
    /// A violation of HTTP/2 that ended the connection.
    Http2Protocol,
    /// A malformed request on an HTTP/2 stream, which the engine reset.
    Http2Stream,
    /// One more stream than an HTTP/2 connection may have open, refused unprocessed (RFC 9113 8.7).
    StreamLimit,
    /// Too many streams reset by the client (CVE-2023-44487).
    Http2ResetFlood,
    /// Too many frames that bring no work: PING, SETTINGS, PRIORITY, empty and unknown ones.
    Http2ControlFlood,
    /// Too many window updates.
    Http2WindowFlood,
    /// A header block in too many pieces (CVE-2024-27316).
    Http2ContinuationFlood,
    /// A violation of HTTP/3 that ended the connection.
    Http3Protocol,
    /// A malformed request on an HTTP/3 stream.
    Http3Stream,
    /// Too many requests that the client took back on an HTTP/3 connection, or broke (CVE-2023-44487, CVE-2025-8671).
    Http3ResetFlood,
    /// Too many frames of the control stream, or streams that are no requests.
    Http3ControlFlood,
}

impl FailureKind {
    /// The reason in one word, for records and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "connection_limit",
            Self::AddressConnections => "address_connections",
            Self::AddressRate => "address_rate",
            Self::Overload => "overload",
            Self::UntrustedPeer => "untrusted_peer",
            Self::ProxyHeader => "proxy_header",
            Self::NotTls => "not_tls",
            Self::TlsIncompatible => "tls_incompatible",
            Self::TlsServerName => "tls_server_name",
            Self::TlsProtocol => "tls_protocol",
            Self::TlsAlert => "tls_alert",
            Self::ClientCertificateMissing => "client_certificate_missing",
            Self::ClientCertificateUntrusted => "client_certificate_untrusted",
            Self::ClientCertificateRevoked => "client_certificate_revoked",
            Self::ClientCertificateExpired => "client_certificate_expired",
            Self::ClientCertificateUnchecked => "client_certificate_unchecked",
            Self::TlsHandshake => "tls_handshake",
            Self::HandshakeAborted => "handshake_aborted",
            Self::HandshakeTimedOut => "handshake_timed_out",
            Self::TlsBroken => "tls_broken",
            Self::HeadUnparsable => "head_unparsable",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTruncated => "head_truncated",
            Self::HeadTimedOut => "head_timed_out",
            Self::RequestLimit => "request_limit",
            Self::ConnectionAge => "connection_age",
            Self::ConnectionIdle => "connection_idle",
            Self::WriteTimedOut => "write_timed_out",
            Self::Http2Protocol => "http2_protocol",
            Self::Http2Stream => "http2_stream",
            Self::StreamLimit => "stream_limit",
            Self::Http2ResetFlood => "http2_reset_flood",
            Self::Http2ControlFlood => "http2_control_flood",
            Self::Http2WindowFlood => "http2_window_flood",
            Self::Http2ContinuationFlood => "http2_continuation_flood",
            Self::Http3Protocol => "http3_protocol",
            Self::Http3Stream => "http3_stream",
            Self::Http3ResetFlood => "http3_reset_flood",
            Self::Http3ControlFlood => "http3_control_flood",
        }
    }
}

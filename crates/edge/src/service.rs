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

    /// Whether this address may connect. Asked at the TCP accept and at the QUIC Initial, before any work on
    /// TLS; a refused address is hung up on.
    fn admits(&self, address: IpAddr) -> bool;

    /// Answers one request. The future is dropped when the client goes away.
    fn serve(&self, exchange: Exchange) -> impl Future<Output = http::Response<Self::Body>> + Send;

    /// Takes note of what never became an exchange. Called once per failure; must not block.
    fn failed(&self, failure: Failure);
}

/// A connection or a request that broke before it became an [`Exchange`].
#[derive(Clone, Debug)]
pub struct Failure {
    /// The other end of the socket.
    pub peer: SocketAddr,
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
    /// Any other broken handshake.
    TlsHandshake,
    /// The client went away within the handshake.
    HandshakeAborted,
    /// The handshake took too long.
    HandshakeTimedOut,
    /// The bytes are not HTTP/1.
    HeadUnparsable,
    /// A request head larger than any limit of ours.
    HeadTooLarge,
    /// The connection ended within a request head.
    HeadTruncated,
    /// A request head took too long.
    HeadTimedOut,
    /// A violation of HTTP/2 that ended the connection.
    Http2Protocol,
    /// A violation of HTTP/3 that ended the connection.
    Http3Protocol,
    /// A malformed request on an HTTP/3 stream.
    Http3Stream,
}

impl FailureKind {
    /// The reason in one word, for records and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "connection_limit",
            Self::NotTls => "not_tls",
            Self::TlsIncompatible => "tls_incompatible",
            Self::TlsServerName => "tls_server_name",
            Self::TlsProtocol => "tls_protocol",
            Self::TlsAlert => "tls_alert",
            Self::TlsHandshake => "tls_handshake",
            Self::HandshakeAborted => "handshake_aborted",
            Self::HandshakeTimedOut => "handshake_timed_out",
            Self::HeadUnparsable => "head_unparsable",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTruncated => "head_truncated",
            Self::HeadTimedOut => "head_timed_out",
            Self::Http2Protocol => "http2_protocol",
            Self::Http3Protocol => "http3_protocol",
            Self::Http3Stream => "http3_stream",
        }
    }
}

//! What kind of event a connection leaves that never became a request.

use audit::facts::FailureKind;

/// The kind in the words of the audit trail.
pub(super) const fn kind(kind: edge::FailureKind) -> FailureKind {
    match kind {
        edge::FailureKind::ConnectionLimit
        | edge::FailureKind::AddressConnections
        | edge::FailureKind::AddressRate
        | edge::FailureKind::Overload
        | edge::FailureKind::UntrustedPeer
        | edge::FailureKind::ProxyHeader => FailureKind::Refused,
        edge::FailureKind::HeadUnparsable => FailureKind::Http { status: 400 },
        edge::FailureKind::HeadTooLarge => FailureKind::Http { status: 431 },
        // A stream that is reset and a connection that is closed have no status.
        edge::FailureKind::TlsBroken
        | edge::FailureKind::HeadTruncated
        | edge::FailureKind::HeadTimedOut
        | edge::FailureKind::Http2Stream
        | edge::FailureKind::StreamLimit
        | edge::FailureKind::RequestLimit
        | edge::FailureKind::ConnectionAge
        | edge::FailureKind::ConnectionIdle
        | edge::FailureKind::WriteTimedOut
        | edge::FailureKind::Http2ResetFlood
        | edge::FailureKind::Http2ControlFlood
        | edge::FailureKind::Http2WindowFlood
        | edge::FailureKind::Http2ContinuationFlood
        | edge::FailureKind::Http3Stream
        | edge::FailureKind::Http3ResetFlood
        | edge::FailureKind::Http3ControlFlood
        | edge::FailureKind::Http2Protocol
        | edge::FailureKind::Http3Protocol => FailureKind::Http { status: 0 },
        edge::FailureKind::NotTls
        | edge::FailureKind::TlsIncompatible
        | edge::FailureKind::TlsServerName
        | edge::FailureKind::TlsProtocol
        | edge::FailureKind::TlsAlert
        | edge::FailureKind::ClientCertificateMissing
        | edge::FailureKind::ClientCertificateUntrusted
        | edge::FailureKind::ClientCertificateRevoked
        | edge::FailureKind::ClientCertificateExpired
        | edge::FailureKind::ClientCertificateUnchecked
        | edge::FailureKind::TlsHandshake
        | edge::FailureKind::HandshakeAborted
        | edge::FailureKind::HandshakeTimedOut => FailureKind::Tls,
    }
}

//! Why a service gave no answer. It knows no status codes: the caller maps each to its own answer.

/// What broke between the gateway and a service. It never holds text from a request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No endpoint takes a connection: refused, unreachable, or its name is unknown.
    #[error("connect to the service")]
    Connect,
    /// No connection within the time for it.
    #[error("connect to the service in time")]
    ConnectTimeout,
    /// The TLS handshake failed: another authority, another name, no TLS 1.3.
    #[error("agree on TLS with the service")]
    Tls,
    /// No head of an answer within the time for it. The service may have acted.
    #[error("get an answer from the service in time")]
    ResponseTimeout,
    /// The connection broke, or what came back is no acceptable HTTP. The service may have acted. With TLS 1.3 a service
    /// refuses the gateway's certificate only after the handshake, so that is seen as this; the log line says more.
    #[error("read an answer of the service")]
    Protocol,
    /// As many requests as may be are under way to this service.
    #[error("find room for another request to the service")]
    Saturated,
    /// The request cannot be written as HTTP.
    #[error("write the request to the service")]
    Request,
    /// The assertion could not be signed.
    #[error("sign the assertion")]
    Assertion,
    /// The assertion would be longer than services take, because the target is.
    #[error("fit the request target into an assertion")]
    AssertionTooLong,
}

impl Fault {
    /// One word for records and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::ResponseTimeout => "response_timeout",
            Self::Protocol => "protocol",
            Self::Saturated => "saturated",
            Self::Request => "request",
            Self::Assertion => "assertion",
            Self::AssertionTooLong => "assertion_too_long",
        }
    }

    /// Whether time ran out (504) rather than something broke (502).
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::ResponseTimeout)
    }

    /// Whether the service surely never saw the request, so that another endpoint may be asked.
    pub(crate) const fn is_before_request(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout | Self::Tls)
    }
}

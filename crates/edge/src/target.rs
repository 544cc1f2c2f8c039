//! The one canonical reading of a request's target: method, host, path, query and the fields that frame a message.
//! Pure: no socket, no clock. It knows no route; what normalising would change in a dangerous way is refused.

use http::request::Parts;
use http::{Method, Version};

use crate::settings::Limits;

mod fields;
mod host;
mod path;
#[cfg(test)]
mod tests;

pub(crate) use fields::content_length;

/// The canonical target of a request: what is matched, limited, recorded and forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: Box<str>,
    path: Box<str>,
    query: Option<Box<str>>,
}

impl Target {
    /// Reads the target of a request head. `sni` is the server name of the TLS handshake, in lower case.
    ///
    /// # Errors
    /// With the reason where the request is malformed, too long, or addressed to another host than the
    /// connection (RFC 9110 7.4).
    pub fn parse(head: &Parts, sni: Option<&str>, limits: &Limits) -> Result<Self, Malformed> {
        Self::read(head, "https", sni, limits)
    }

    /// As [`Target::parse`], for a connection without TLS: there is no server name to agree with.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn parse_plain(head: &Parts, limits: &Limits) -> Result<Self, Malformed> {
        Self::read(head, "http", None, limits)
    }

    fn read(
        head: &Parts,
        scheme: &str,
        sni: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, Malformed> {
        method(&head.method)?;
        let text = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        if text.len() > limits.target_bytes_max {
            return Err(Malformed::TargetTooLong);
        }
        fields::check(head, limits)?;
        let host = authority(head, scheme)?;
        if sni.is_some_and(|sni| !sni.eq_ignore_ascii_case(&host)) {
            return Err(Malformed::Misdirected);
        }
        let path = path::canonical(head.uri.path())?;
        let query = head.uri.query().map(path::query).transpose()?;
        Ok(Self { host, path: path.into(), query: query.map(Into::into) })
    }

    /// The host in lower case, without port; IPv6 literals keep their brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The canonical path: begins with `/`, no dot segment, no empty segment but a last one, unreserved
    /// characters decoded, hex digits of what stays encoded in upper case.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether a `;` stands in the path: servers cut segments there, so that a path is read in one way only where an
    /// operation declares matrix parameters (RFC 6570 3.2.7).
    pub fn has_matrix(&self) -> bool {
        self.path.contains(';')
    }

    /// The query as sent, without `?`; its escapes are well-formed and it is printable ASCII.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

/// Why a request is malformed. Closed; none of them holds text of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// A request line other than method, target and version with one space between (RFC 9112 3).
    RequestLine,
    /// A version of HTTP other than 1.0 and 1.1 in a request line.
    Version,
    /// A line that ends otherwise than with CRLF, or a CR within one (RFC 9112 2.2).
    LineEnding,
    /// A field line that is folded, has no colon, or no name right before it (RFC 9112 5).
    FieldSyntax,
    /// A pseudo-header field that is missing, repeated, unknown or in the wrong place (RFC 9114 4.3).
    PseudoField,
    /// A request head that took too long.
    HeadTimedOut,
    /// No word of the trusted proxy about the client.
    ClientAddressMissing,
    /// A word of the trusted proxy about the client that is no address.
    ClientAddressSyntax,
    /// A method other than GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.
    Method,
    /// Path and query are longer than [`Limits::target_bytes_max`].
    TargetTooLong,
    /// A target in asterisk form, or one that does not begin with `/`.
    TargetForm,
    /// A scheme other than that of the connection.
    Scheme,
    /// User information in the authority (RFC 9110 4.2.4).
    Userinfo,
    /// No host at all.
    HostMissing,
    /// A host or port that is not well-formed.
    HostSyntax,
    /// Host and authority differ (RFC 9112 3.2.2, RFC 9113 8.3.1).
    HostMismatch,
    /// The host is not the one of the TLS handshake.
    Misdirected,
    /// The client certificate of the connection is no longer good.
    Distrusted,
    /// A character that a path may not hold unencoded, or `;` where no operation declares it.
    PathCharacter,
    /// A percent sign without two hex digits, or an encoded percent sign before two hex digits.
    PathEscape,
    /// A control character, encoded or not.
    PathControl,
    /// An encoded slash or backslash.
    PathSeparator,
    /// Encoded bytes that are not UTF-8.
    PathUtf8,
    /// A `.` or `..` segment, encoded or not.
    PathDots,
    /// An empty segment before the last.
    PathSlashes,
    /// A character a query may not hold, or a broken escape.
    Query,
    /// A field name outside `a-z`, `0-9` and `-`.
    FieldName,
    /// A control character in a field value.
    FieldValue,
    /// A second field of a name that may come once.
    FieldRepeated,
    /// More fields than [`Limits::header_count_max`].
    FieldCount,
    /// More bytes than [`Limits::header_bytes_max`].
    FieldBytes,
    /// A field with more bytes than [`Limits::field_bytes_max`].
    FieldTooLong,
    /// A content length that is not a plain number.
    ContentLength,
    /// A transfer coding other than `chunked` on HTTP/1.1, or beside a content length.
    TransferEncoding,
    /// A field of the connection in HTTP/2 or HTTP/3 (RFC 9113 8.2.2, RFC 9114 4.2).
    ConnectionField,
    /// An expectation other than `100-continue`.
    Expect,
    /// A certificate that a proxy passes on in another form than RFC 9440 has, or that is none.
    ClientCertSyntax,
    /// Two certificates that a proxy passes on, of which nobody can say which is the client's.
    ClientCertRepeated,
    /// A certificate that a proxy passes on comes from no authority of clients, or is of no use for them.
    ClientCertUntrusted,
    /// It is revoked, or one above it.
    ClientCertRevoked,
    /// It has ended or not yet begun, or one above it.
    ClientCertExpired,
    /// No current revocation list tells of it, or of one above it.
    ClientCertUnchecked,
}

impl Malformed {
    /// The reason in one word, for records and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::RequestLine => "request_line",
            Self::Version => "http_version",
            Self::LineEnding => "line_ending",
            Self::FieldSyntax => "field_syntax",
            Self::PseudoField => "pseudo_field",
            Self::HeadTimedOut => "head_timed_out",
            Self::ClientAddressMissing => "client_address_missing",
            Self::ClientAddressSyntax => "client_address_syntax",
            Self::Method => "method",
            Self::TargetTooLong => "target_too_long",
            Self::TargetForm => "target_form",
            Self::Scheme => "scheme",
            Self::Userinfo => "userinfo",
            Self::HostMissing => "host_missing",
            Self::HostSyntax => "host_syntax",
            Self::HostMismatch => "host_mismatch",
            Self::Misdirected => "misdirected",
            Self::Distrusted => "distrusted",
            Self::PathCharacter => "path_character",
            Self::PathEscape => "path_escape",
            Self::PathControl => "path_control",
            Self::PathSeparator => "path_separator",
            Self::PathUtf8 => "path_utf8",
            Self::PathDots => "path_dots",
            Self::PathSlashes => "path_slashes",
            Self::Query => "query",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::FieldRepeated => "field_repeated",
            Self::FieldCount => "field_count",
            Self::FieldBytes => "field_bytes",
            Self::FieldTooLong => "field_too_long",
            Self::ContentLength => "content_length",
            Self::TransferEncoding => "transfer_encoding",
            Self::ConnectionField => "connection_field",
            Self::Expect => "expect",
            Self::ClientCertSyntax => "client_cert_syntax",
            Self::ClientCertRepeated => "client_cert_repeated",
            Self::ClientCertUntrusted => "client_cert_untrusted",
            Self::ClientCertRevoked => "client_cert_revoked",
            Self::ClientCertExpired => "client_cert_expired",
            Self::ClientCertUnchecked => "client_cert_unchecked",
        }
    }

    /// The status to answer with: 400, 401, 408, 414, 421, 431 or 505.
    pub fn status(self) -> u16 {
        match self {
            Self::ClientCertUntrusted
            | Self::ClientCertRevoked
            | Self::ClientCertExpired
            | Self::ClientCertUnchecked => 401,
            Self::TargetTooLong => 414,
            Self::Misdirected | Self::Distrusted => 421,
            Self::FieldCount | Self::FieldBytes | Self::FieldTooLong => 431,
            Self::HeadTimedOut => 408,
            Self::Version => 505,
            Self::RequestLine
            | Self::LineEnding
            | Self::FieldSyntax
            | Self::PseudoField
            | Self::ClientAddressMissing
            | Self::ClientAddressSyntax
            | Self::Method
            | Self::TargetForm
            | Self::Scheme
            | Self::Userinfo
            | Self::HostMissing
            | Self::HostSyntax
            | Self::HostMismatch
            | Self::PathCharacter
            | Self::PathEscape
            | Self::PathControl
            | Self::PathSeparator
            | Self::PathUtf8
            | Self::PathDots
            | Self::PathSlashes
            | Self::Query
            | Self::FieldName
            | Self::FieldValue
            | Self::FieldRepeated
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::ConnectionField
            | Self::Expect
            | Self::ClientCertSyntax
            | Self::ClientCertRepeated => 400,
        }
    }
}

/// TRACE echoes secrets, CONNECT opens tunnels, and what no API declares has no use here.
fn method(method: &Method) -> Result<(), Malformed> {
    const KNOWN: [Method; 8] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::QUERY,
    ];
    if KNOWN.contains(method) { Ok(()) } else { Err(Malformed::Method) }
}

/// The one host of the request, from the authority, the Host field or both.
fn authority(head: &Parts, scheme: &str) -> Result<Box<str>, Malformed> {
    let uri = &head.uri;
    if uri.scheme_str().is_some_and(|said| said != scheme) {
        return Err(Malformed::Scheme);
    }
    if head.version >= Version::HTTP_2 && uri.scheme().is_none() {
        return Err(Malformed::Scheme);
    }
    let field = match head.headers.get(http::header::HOST) {
        None => None,
        Some(value) => Some(host::parse(value.to_str().map_err(|_| Malformed::HostSyntax)?)?),
    };
    // HTTP/1 always needs the field, whatever the form of the target (RFC 9112 3.2).
    if field.is_none() && head.version < Version::HTTP_2 {
        return Err(Malformed::HostMissing);
    }
    let authority = match uri.authority() {
        None => None,
        Some(authority) if uri.scheme().is_some() => Some(host::parse(authority.as_str())?),
        Some(_) => return Err(Malformed::TargetForm),
    };
    match (authority, field) {
        (Some(a), Some(f)) if a != f => Err(Malformed::HostMismatch),
        (Some(found), _) | (None, Some(found)) => Ok(found.into_name()),
        (None, None) => Err(Malformed::HostMissing),
    }
}

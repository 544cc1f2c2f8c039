//! Which of a client's header fields go inside, and which the gateway says itself. It knows names, not meanings: what a
//! value must look like is the contract's business.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::header::{CONNECTION, FORWARDED, HeaderMap, HeaderName, HeaderValue, VIA};

use crate::fault::Fault;

/// The request header fields that every operation accepts from a client, beside those it names.
///
/// Not among them, on purpose: `accept-encoding` (answers are checked and must come as they are), `content-encoding`
/// (what was checked is what is sent), `authorization` and `cookie` (a credential for the gateway is not for services;
/// they pass where an operation names them), `origin` and `referer` (the gateway answers cross-origin questions).
pub const STANDARD_HEADERS: [&str; 15] = [
    "accept",
    "accept-language",
    "cache-control",
    "content-language",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "user-agent",
    "x-requested-with",
];

/// Names, folded, that no client may say anything in. Everything that only means one connection (RFC 9110 7.6.1), that
/// services believe about origin or identity, or that changes what a request is after it was checked.
const OWNED: [&str; 44] = [
    "alt-used",
    "baggage",
    "cf-connecting-ip",
    "connection",
    "content-digest",
    "content-length",
    "digest",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "proxy",
    "remote-addr",
    "remote-host",
    "remote-user",
    "repr-digest",
    "te",
    "tracestate",
    "traceparent",
    "trailer",
    "trailers",
    "transfer-encoding",
    "true-client-ip",
    "txn-token",
    "upgrade",
    "via",
    "want-content-digest",
    "x-anonymous-consumer",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-jwt-payload",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
    "x-userinfo",
];

/// Beginnings of names, folded, with the same meaning.
const OWNED_PREFIXES: [&str; 27] = [
    "client-cert",
    "impersonate",
    "proxy-",
    "sec-websocket-",
    "signature",
    "ssl-client",
    "x-amzn-oidc",
    "x-arr-",
    "x-auth-request",
    "x-authenticated",
    "x-b3-",
    "x-client-cert",
    "x-consumer",
    "x-credential",
    "x-envoy",
    "x-forwarded",
    "x-gateway",
    "x-goog-authenticated",
    "x-goog-iap",
    "x-ms-client-principal",
    "x-remote",
    "x-ssl",
    "x-tls-client",
    "x-txn-",
    "x-verified",
    "x-webauth",
    "x-wap-",
];

/// What the gateway calls itself in `via` (RFC 9110 7.6.3).
const VIA_VALUE: HeaderValue = HeaderValue::from_static("1.1 sallyport");

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How many fields the gateway adds: what it says, the assertion and `host`.
const OWN_MAX: usize = 9;

/// The scheme that a request came in by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientScheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS or QUIC.
    #[default]
    Https,
}

impl ClientScheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The header fields that pass on one operation: [`STANDARD_HEADERS`] and those it names.
#[derive(Clone, Debug)]
pub struct AllowList {
    names: BTreeSet<String>,
}

/// What the gateway itself says about a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) transaction: &'a str,
    pub(crate) client_address: IpAddr,
    pub(crate) host: &'a str,
    pub(crate) scheme: ClientScheme,
    pub(crate) trace_parent: Option<&'a str>,
}

impl Default for AllowList {
    /// [`STANDARD_HEADERS`] and nothing else.
    fn default() -> Self {
        Self::new([])
    }
}

impl AllowList {
    /// The standard fields and these, in any case. Those for which [`is_gateway_owned`] holds never pass, listed or
    /// not.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = STANDARD_HEADERS.into_iter().chain(names).map(str::to_ascii_lowercase);
        Self { names: names.filter(|name| !is_gateway_owned(name)).collect() }
    }

    /// Whether a field of this name passes. A name passes as it is written and in no other spelling, since services
    /// fold `_` and `.` to `-` each in their own way.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.names.contains(&name.to_ascii_lowercase())
    }

    /// The fields that go inside, in their order; those that a `connection` field names are not among them, since the
    /// client says that they are for the next hop only (RFC 9110 7.6.1).
    pub(crate) fn filter(&self, client: &HeaderMap) -> HeaderMap {
        let nominated: BTreeSet<String> = client
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
            .collect();
        let passes = |name: &HeaderName| {
            self.names.contains(name.as_str()) && !nominated.contains(name.as_str())
        };
        // Room for all at once: a map that grows hashes everything in it anew.
        let mut passing = HeaderMap::with_capacity(client.len().saturating_add(OWN_MAX));
        for (name, value) in client.iter().filter(|(name, _)| passes(name)) {
            passing.append(name.clone(), value.clone());
        }
        passing
    }
}

/// Whether clients may never say this field, in whatever spelling: case is ignored, and every character that is no
/// letter or digit counts as `-`, as WSGI, CGI and PHP have it.
#[must_use]
pub fn is_gateway_owned(name: &str) -> bool {
    let folded = fold(name);
    OWNED.contains(&folded.as_str())
        || OWNED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}

fn fold(name: &str) -> String {
    let fold = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(fold).collect()
}

impl Said<'_> {
    /// Sets what the gateway says, in place of whatever is there.
    pub(crate) fn write(&self, headers: &mut HeaderMap) -> Result<(), Fault> {
        let value = |text: &str| HeaderValue::try_from(text).map_err(|_| Fault::Request);
        let whole = |text: String| HeaderValue::try_from(text).map_err(|_| Fault::Request);
        let address = self.client_address.to_canonical();
        let text = address.to_string();
        headers.insert(X_REQUEST_ID, value(self.transaction)?);
        headers.insert(FORWARDED, whole(self.forwarded(address, &text)?)?);
        headers.insert(X_FORWARDED_FOR, whole(text)?);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(self.scheme.as_str()));
        headers.insert(X_FORWARDED_HOST, value(self.host)?);
        headers.insert(VIA, VIA_VALUE);
        if let Some(parent) = self.trace_parent {
            headers.insert(TRACEPARENT, value(parent)?);
        }
        Ok(())
    }

    /// RFC 7239 4: an IPv6 address in brackets, and it and the host in quotes.
    fn forwarded(&self, address: IpAddr, text: &str) -> Result<String, Fault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
        if self.host.is_empty() || !self.host.bytes().all(plain) {
            return Err(Fault::Request);
        }
        let (open, close) = if address.is_ipv6() { ("\"[", "]\"") } else { ("", "") };
        let scheme = self.scheme.as_str();
        let parts = ["for=", open, text, close, ";host=\"", self.host, "\";proto=", scheme];
        Ok(parts.concat())
    }
}

#[cfg(test)]
mod tests;

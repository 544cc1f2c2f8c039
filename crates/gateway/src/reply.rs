//! What goes back to a client when the gateway itself answers: RFC 9457 problems and the fields
//! that belong to them. It decides nothing.

use crate::record::RecordedBody;
use crate::refusal::Refusal;
use bytes::Bytes;
use edge::Exchange;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, Response, StatusCode};
use ratelimit::{Granted, Limited};
use serde::Serialize;
use std::time::Duration;
use validate::{Place, Violation};

/// What the pipeline answers.
pub type Reply = Response<RecordedBody>;

/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The transaction id of the gateway, on every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The port that `https` means where none is said (RFC 9110 4.2.2).
const HTTPS_PORT: u16 = 443;
/// Violations told to the client at most.
const VIOLATIONS_MAX: usize = 10;
/// Room for a problem document, bytes: one without violations fits.
const DOCUMENT_BYTES: usize = 256;
/// Fields of an answer of ours, with those that the connection adds.
const FIELDS: usize = 8;

/// The answer to a refused request.
#[must_use]
pub fn problem(refusal: &Refusal, transaction: &str) -> Response<Bytes> {
    let status = refusal.status();
    let mut response = Response::new(Bytes::from(document(refusal, status, transaction)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(FIELDS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    insert(headers, REQUEST_ID, transaction);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields(refusal, headers);
    response
}

/// The answer to a refused gRPC call: no body, and the status in the head ("trailers only").
#[must_use]
pub fn grpc(refusal: &Refusal, transaction: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.reserve(FIELDS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    insert(headers, GRPC_STATUS, grpc_status(refusal.status()));
    insert(headers, GRPC_MESSAGE, refusal.title());
    insert(headers, REQUEST_ID, transaction);
    fields(refusal, headers);
    response
}

/// Whether a request is a gRPC call, which hears of refusals in its own way.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// The gRPC status nearest to an HTTP status (grpc/doc/statuscodes.md).
const fn grpc_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "16",                   // UNAUTHENTICATED
        403 => "7",                    // PERMISSION_DENIED
        404 | 405 | 415 | 421 => "12", // UNIMPLEMENTED
        408 | 504 => "4",              // DEADLINE_EXCEEDED
        413 | 429 | 431 => "8",        // RESOURCE_EXHAUSTED
        400..=499 => "3",              // INVALID_ARGUMENT
        _ => "14",                     // UNAVAILABLE
    }
}

/// RFC 9457 3. All but `errors` is text of our own that needs no escape.
fn document(refusal: &Refusal, status: StatusCode, transaction: &str) -> String {
    let mut document = String::with_capacity(DOCUMENT_BYTES);
    for part in [
        r#"{"type":"urn:sallyport:problem:"#,
        status.as_str(),
        r#"","title":""#,
        refusal.title(),
        r#"","status":"#,
        status.as_str(),
        r#","instance":"urn:uuid:"#,
        transaction,
        "\"",
    ] {
        document.push_str(part);
    }
    if let Refusal::ContractViolated(violations) = refusal {
        let errors: Vec<Told<'_>> = violations.iter().take(VIOLATIONS_MAX).map(told).collect();
        // Texts into memory cannot fail; should they ever, the problem stays valid without them.
        if let Ok(errors) = serde_json::to_string(&errors) {
            document.push_str(r#","errors":"#);
            document.push_str(&errors);
        }
    }
    document.push('}');
    document
}

/// Says where a redirected client finds the same target by https: on a declared host, and nowhere else.
#[must_use]
pub fn led(mut reply: Reply, refusal: &Refusal, exchange: &Exchange) -> Reply {
    if let (Refusal::Redirected(port), Ok(target)) = (refusal, exchange.target())
        && reply.status() == StatusCode::PERMANENT_REDIRECT
    {
        let location = location(target.host(), *port, target.path(), target.query());
        insert(reply.headers_mut(), LOCATION, &location);
    }
    reply
}

/// RFC 9110 4.2.2: the port is left out where it is the default.
fn location(host: &str, port: u16, path: &str, query: Option<&str>) -> String {
    let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
    let (mark, query) = query.map_or(("", ""), |query| ("?", query));
    ["https://", host, &port, path, mark, query].concat()
}

/// An answer of the gateway itself, whose record is filed.
#[must_use]
pub fn whole(response: Response<Bytes>) -> Reply {
    response.map(RecordedBody::whole)
}

/// One violation as the client sees it: where and which rule, never the value.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Parameter {
        parameter: &'a str,
        #[serde(rename = "in")]
        location: &'a str,
        rule: &'a str,
    },
    Pointer {
        pointer: &'a str,
        rule: &'a str,
    },
}

fn told(violation: &Violation) -> Told<'_> {
    let rule = violation.rule;
    match &violation.place {
        Place::Parameter { name, location } => {
            Told::Parameter { parameter: name, location: location.as_str(), rule }
        }
        Place::Body { pointer } => Told::Pointer { pointer, rule },
        Place::ContentType => {
            Told::Parameter { parameter: "content-type", location: "header", rule }
        }
        Place::Size => Told::Pointer { pointer: "", rule },
    }
}

fn fields(refusal: &Refusal, headers: &mut HeaderMap) {
    match refusal {
        Refusal::AddressLimited(limited) | Refusal::ClientLimited(limited) => {
            retry_after(limited, headers);
        }
        Refusal::MethodUndeclared(methods) => {
            let allow = methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(", ");
            insert(headers, ALLOW, &allow);
        }
        Refusal::Credential(denied) => challenge(denied, headers),
        Refusal::ScopeMissing(wanted) => {
            // RFC 6750 3.1
            let value = format!(r#"Bearer error="insufficient_scope", scope="{wanted}""#);
            insert(headers, WWW_AUTHENTICATE, &value);
        }
        Refusal::Overloaded => insert(headers, RETRY_AFTER, "1"),
        Refusal::LimitsUnavailable | Refusal::Unrecordable => insert(headers, RETRY_AFTER, "5"),
        // RFC 9110 15.5.2: never without a challenge.
        Refusal::Malformed(malformed) if malformed.status() == 401 => {
            insert(headers, WWW_AUTHENTICATE, "Bearer");
        }
        Refusal::Malformed(_)
        | Refusal::Redirected(_)
        | Refusal::HostUndeclared
        | Refusal::PathUndeclared
        | Refusal::AccessDenied
        | Refusal::ContractViolated(_)
        | Refusal::Body(_)
        | Refusal::Attack(_)
        | Refusal::AnswerViolated(_)
        | Refusal::Expired
        | Refusal::UpgradeUndeclared
        | Refusal::Upstream(_) => {}
    }
}

/// RFC 6750 3: no error code where no credential came, `invalid_token` for every bad one.
fn challenge(denied: &authn::Denied, headers: &mut HeaderMap) {
    match denied {
        authn::Denied::Absent => insert(headers, WWW_AUTHENTICATE, "Bearer"),
        authn::Denied::Refused(_) => {
            insert(headers, WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#);
        }
        authn::Denied::Malformed(_) | authn::Denied::Unasked => {
            insert(headers, WWW_AUTHENTICATE, r#"Bearer error="invalid_request""#);
        }
        authn::Denied::Unavailable { .. } => insert(headers, RETRY_AFTER, "5"),
    }
}

fn retry_after(limited: &Limited, headers: &mut HeaderMap) {
    let seconds = seconds_up(limited.reset);
    insert(headers, RETRY_AFTER, &seconds.to_string());
    insert(headers, RATE_LIMIT, &format!(r#""default";r=0;t={seconds}"#));
}

/// Tells an admitted client what is left.
pub fn rate_limit(granted: &Granted, headers: &mut HeaderMap) {
    if !granted.is_limited() {
        return;
    }
    let (left, seconds) = (granted.remaining(), seconds_up(granted.reset()));
    insert(headers, RATE_LIMIT, &format!(r#""default";r={left};t={seconds}"#));
}

fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

/// Sets a field; a value that is no field value (it cannot be: all are ours) is left out.
pub fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

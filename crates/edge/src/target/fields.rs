//! The checks on a field section that hold whatever the route: size, names, values, framing. It decides nothing about
//! what fields mean to a service.

use http::request::Parts;
use http::{HeaderMap, Version, header};

use super::Malformed;
use crate::settings::Limits;

/// What each field costs beside its bytes (RFC 9113 6.5.2, RFC 9114 4.2.2).
const FIELD_OVERHEAD_BYTES: usize = 32;
/// Digits of a content length that fit into 63 bits.
const CONTENT_LENGTH_DIGITS_MAX: usize = 18;
/// Fields that two servers could read differently when they come twice.
const ONCE: [header::HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    header::HOST,
    header::EXPECT,
];
/// Fields of a connection, which HTTP/2 and HTTP/3 do not have.
const CONNECTION_FIELDS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Checks the field section of a request head.
pub(super) fn check(head: &Parts, limits: &Limits) -> Result<(), Malformed> {
    size(&head.headers, limits)?;
    for (name, value) in &head.headers {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !name.as_str().bytes().all(letters) {
            return Err(Malformed::FieldName);
        }
        if value.as_bytes().iter().any(|&byte| byte != b'\t' && byte.is_ascii_control()) {
            return Err(Malformed::FieldValue);
        }
    }
    if ONCE.iter().any(|name| head.headers.get_all(name).iter().nth(1).is_some()) {
        return Err(Malformed::FieldRepeated);
    }
    framing(head)?;
    match head.headers.get(header::EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Malformed::Expect)
        }
        Some(_) | None => Ok(()),
    }
}

fn size(headers: &HeaderMap, limits: &Limits) -> Result<(), Malformed> {
    if headers.len() > limits.header_count_max {
        return Err(Malformed::FieldCount);
    }
    let mut bytes = 0_usize;
    let mut longest = 0_usize;
    for (name, value) in headers {
        let field = name.as_str().len().saturating_add(value.len());
        longest = longest.max(field);
        bytes = bytes.saturating_add(field).saturating_add(FIELD_OVERHEAD_BYTES);
    }
    if bytes > limits.header_bytes_max {
        Err(Malformed::FieldBytes)
    } else if longest > limits.field_bytes_max {
        Err(Malformed::FieldTooLong)
    } else {
        Ok(())
    }
}

/// A content length: plain digits, no sign, no list (RFC 9110 8.6).
pub(crate) fn content_length(value: &[u8]) -> Option<u64> {
    let plain = (1..=CONTENT_LENGTH_DIGITS_MAX).contains(&value.len())
        && value.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

/// Content length and transfer coding: one reading or none (RFC 9112 6.3).
fn framing(head: &Parts) -> Result<(), Malformed> {
    let length = head.headers.get(header::CONTENT_LENGTH);
    if length.is_some_and(|value| content_length(value.as_bytes()).is_none()) {
        return Err(Malformed::ContentLength);
    }
    if head.version >= Version::HTTP_2 {
        let te = head.headers.get_all(header::TE);
        let stray_te = te.iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers"));
        if stray_te || CONNECTION_FIELDS.iter().any(|name| head.headers.contains_key(*name)) {
            return Err(Malformed::ConnectionField);
        }
        return Ok(());
    }
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None)
            if coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && length.is_none()
                && head.version == Version::HTTP_11 =>
        {
            Ok(())
        }
        (Some(_), _) => Err(Malformed::TransferEncoding),
    }
}

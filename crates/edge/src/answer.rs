//! What hyper does for HTTP/1 answers, done for the engines that do not: no fields of a connection, a length where it is
//! known, a date. It knows no protocol.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as HttpBody;

use crate::clock;
use crate::target::content_length;

/// Fields of a connection, which an answer over HTTP/2 or HTTP/3 may not have (RFC 9113 8.2.2, RFC 9114 4.2).
const CONNECTION_FIELDS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// An answer that is ready to be sent.
pub(crate) struct Tidied<B> {
    pub(crate) head: Response<()>,
    /// `None` where there is none by the rules (RFC 9110 6.4.1).
    pub(crate) body: Option<B>,
    /// The length that the head announces for the body.
    pub(crate) announced: Option<u64>,
}

/// Makes the head fit for a protocol without connection fields.
pub(crate) fn tidy<B: HttpBody>(response: Response<B>, method: &Method) -> Tidied<B> {
    let (mut parts, body) = response.into_parts();
    let without_body = method == Method::HEAD
        || parts.status == StatusCode::NO_CONTENT
        || parts.status == StatusCode::NOT_MODIFIED;
    for name in CONNECTION_FIELDS {
        parts.headers.remove(name);
    }
    if let Some(exact) = body.size_hint().exact().filter(|_| !without_body)
        && !parts.headers.contains_key(header::CONTENT_LENGTH)
    {
        parts.headers.insert(header::CONTENT_LENGTH, exact.into());
    }
    if !parts.headers.contains_key(header::DATE)
        && let Some(date) = date(clock::now())
    {
        parts.headers.insert(header::DATE, date);
    }
    let announced = length(&parts.headers);
    let head = Response::from_parts(parts, ());
    Tidied { head, body: (!without_body).then_some(body), announced }
}

/// The announced length of a body.
pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    content_length(headers.get(header::CONTENT_LENGTH)?.as_bytes())
}

/// The date as fields have it (RFC 9110 5.6.7), written once a second and thread.
fn date(now: SystemTime) -> Option<HeaderValue> {
    thread_local! {
        static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let second = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    LAST.with_borrow_mut(|last| match last {
        Some((at, value)) if *at == second => Some(value.clone()),
        _ => {
            let value = HeaderValue::try_from(httpdate::fmt_http_date(now)).ok()?;
            *last = Some((second, value.clone()));
            Some(value)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn connection_fields_go_and_length_and_date_come() {
        let response = Response::builder().header("connection", "x").header("x", "1");
        let response = response.header("Keep-Alive", "1").body(Full::new(bytes::Bytes::from("ok")));
        let tidied = tidy(response.unwrap(), &Method::GET);
        let headers = tidied.head.headers();
        assert_eq!(headers["content-length"], "2");
        assert_eq!(headers["x"], "1");
        assert!(headers.contains_key("date") && headers.len() == 3, "{headers:?}");
        assert_eq!(tidied.announced, Some(2));
        assert!(tidied.body.is_some());
    }

    #[test]
    fn a_head_request_keeps_the_length_it_was_given() {
        let response = Response::builder().header("content-length", "7").header("date", "d");
        let tidied = tidy(response.body(Empty::<bytes::Bytes>::new()).unwrap(), &Method::HEAD);
        assert_eq!(tidied.announced, Some(7));
        assert!(tidied.body.is_none());
        assert_eq!(tidied.head.headers()["date"], "d");
    }

    #[test]
    fn the_date_follows_the_clock() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_778), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}

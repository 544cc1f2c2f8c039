//! The handshake of a WebSocket (RFC 6455 4, RFC 8441 4): whether a request is one, and what HTTP/1 answers to it. Pure.
//! What is no complete handshake is an ordinary request.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

/// What is appended to the key before it is hashed (RFC 6455 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The version of the protocol (RFC 6455 4.1).
const VERSION: &[u8] = b"13";
/// Bytes of a decoded key (RFC 6455 4.1).
const KEY_BYTES: usize = 16;

/// The proof that the client looks for in the answer, where this is a handshake over HTTP/1.1.
pub(crate) fn over_h1(head: &Parts) -> Option<HeaderValue> {
    let headers = &head.headers;
    // One look for all requests that are none.
    let upgrade = only(headers, &UPGRADE)?;
    let asked = upgrade.eq_ignore_ascii_case(b"websocket")
        && head.method == Method::GET
        && head.version == Version::HTTP_11
        && lists_upgrade(headers)
        && only(headers, &SEC_WEBSOCKET_VERSION)? == VERSION;
    let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|_| asked)?;
    if STANDARD.decode(key).ok()?.len() != KEY_BYTES {
        return None;
    }
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    HeaderValue::try_from(STANDARD.encode(hash.finish())).ok()
}

/// Whether this is one over HTTP/2: an extended CONNECT for it.
pub(crate) fn over_h2(head: &Parts) -> bool {
    let protocol = head.extensions.get::<h2::ext::Protocol>();
    head.method == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
        && only(&head.headers, &SEC_WEBSOCKET_VERSION) == Some(VERSION)
}

/// The value of a field that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes().trim_ascii();
    values.next().is_none().then_some(value)
}

fn lists_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter().map(HeaderValue::as_bytes);
    let mut tokens = values.flat_map(|value| value.split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// The example of RFC 6455 1.3.
    fn example() -> http::request::Builder {
        Request::get("/chat")
            .header("upgrade", "WebSocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13")
    }

    fn head(builder: http::request::Builder) -> Parts {
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let proof = over_h1(&head(example())).unwrap();
        assert_eq!(proof, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_complete_handshake_is_none() {
        for (what, builder) in [
            ("method", example().method("POST")),
            ("version of HTTP", example().version(Version::HTTP_10)),
            ("a second upgrade", example().header("upgrade", "h2c")),
            ("a second key", example().header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")),
        ] {
            assert_eq!(over_h1(&head(builder)), None, "{what}");
        }
        for (name, value) in [
            ("upgrade", "h2c"),
            ("connection", "keep-alive"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "c2hvcnQ="),
            ("sec-websocket-key", "no base64"),
        ] {
            let mut head = head(example());
            head.headers.insert(name, value.parse().unwrap());
            assert_eq!(over_h1(&head), None, "{name}: {value}");
        }
    }

    #[test]
    fn an_extended_connect_asks_for_a_protocol_by_name() {
        let connect = |protocol: &'static str| {
            let builder = Request::connect("https://a/chat").header("sec-websocket-version", "13");
            let mut head = head(builder);
            head.extensions.insert(h2::ext::Protocol::from_static(protocol));
            head
        };
        assert!(over_h2(&connect("websocket")));
        assert!(!over_h2(&connect("connect-udp")));
        assert!(!over_h2(&head(Request::connect("https://a/chat"))));
    }
}

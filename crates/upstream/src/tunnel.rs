//! A WebSocket to a service (RFC 6455 4.1): a connection of its own over HTTP/1.1, a handshake of the gateway's own, then
//! bytes both ways. It knows no frames of the protocol inside.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use aws_lc_rs::digest::{Context as Hash, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use crate::connect::{Connector, chain};
use crate::fault::Fault;
use crate::line::HEAD_BYTES_MAX;
use crate::sent::{Passing, Sent};

/// What is appended to the key before it is hashed (RFC 6455 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// What a service answered to a handshake.
#[derive(Debug)]
pub(crate) enum Opening {
    /// An open tunnel; the head is its 101.
    Open(Response<Tunnel>),
    /// Something else.
    Refused(Response<Incoming>),
}

/// An open tunnel: what the service says is read here, what the client says goes its own way until this drops.
#[derive(Debug)]
pub(crate) struct Tunnel {
    read: ReadHalf<TokioIo<Upgraded>>,
    room: BytesMut,
    /// `None` once the client has said all it had to say.
    writes: Option<JoinHandle<Spoken>>,
}

/// How what the client says came to its end.
#[derive(Debug)]
enum Spoken {
    /// In form, or because the service does not listen any more: it may go on speaking.
    Ended,
    /// The client's side broke, or was ended: so is the tunnel.
    Broken,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(writes) = &self.writes {
            writes.abort();
        }
    }
}

/// Asks for a WebSocket on a new connection. `said` is what the client says in it.
pub(crate) async fn open(
    connector: &Connector,
    mut request: Sent,
    said: Passing,
) -> Result<Opening, Fault> {
    let mut nonce = [0; 16];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Fault::Request)?;
    let key = STANDARD.encode(nonce);
    write(request.headers_mut(), &key)?;
    let stream = connector.open_http_1().await.map_err(|error| {
        tracing::warn!(detail = error.detail, "no connection for a WebSocket");
        error.fault
    })?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let protocol = |error: hyper::Error| {
        tracing::warn!(detail = chain(&error), "a service gave no answer to a WebSocket handshake");
        Fault::Protocol
    };
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(protocol)?;
    tokio::spawn(connection.with_upgrades());
    let mut response = sender.send_request(request).await.map_err(protocol)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Opening::Refused(response));
    }
    if !agrees(response.headers(), &key) {
        return Err(Fault::Protocol);
    }
    let stream = hyper::upgrade::on(&mut response).await.map_err(protocol)?;
    let (read, write) = tokio::io::split(TokioIo::new(stream));
    let writes = Some(tokio::spawn(speak(write, said)));
    let tunnel = Tunnel { read, room: BytesMut::new(), writes };
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::SEC_WEBSOCKET_ACCEPT);
    Ok(Opening::Open(Response::from_parts(head, tunnel)))
}

fn write(headers: &mut HeaderMap, key: &str) -> Result<(), Fault> {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::try_from(key).map_err(|_| Fault::Request)?;
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(())
}

/// RFC 6455 4.1: the service has read this very handshake, and uses no extension, since none was offered.
fn agrees(headers: &HeaderMap, key: &str) -> bool {
    let mut hash = Hash::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(GUID);
    let expected = STANDARD.encode(hash.finish());
    let is = |name, wanted: &str| {
        let value = headers.get(name).map(HeaderValue::as_bytes);
        value.is_some_and(|value| value.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let proof = headers.get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    is(header::UPGRADE, "websocket")
        && proof == Some(expected.as_bytes())
        && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
}

/// Hands on what the client says.
async fn speak(mut write: WriteHalf<TokioIo<Upgraded>>, mut said: Passing) -> Spoken {
    while let Some(frame) = said.frame().await {
        let Ok(frame) = frame else { return Spoken::Broken };
        let Ok(data) = frame.into_data() else { continue };
        if write.write_all(&data).await.is_err() || write.flush().await.is_err() {
            return Spoken::Ended;
        }
    }
    // The service may still have something to say.
    write.shutdown().await.ok();
    Spoken::Ended
}

impl Tunnel {
    /// The next bytes of the service; nothing after its end, an error where the client's side broke.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(writes) = &mut self.writes
            && let Poll::Ready(spoken) = Pin::new(writes).poll(cx)
        {
            self.writes = None;
            if !matches!(spoken, Ok(Spoken::Ended)) {
                return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
            }
        }
        self.room.reserve(READ_BYTES);
        let read = pin!(self.read.read_buf(&mut self.room));
        let read = ready!(read.poll(cx));
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.room.split().freeze())),
            Err(error) => Some(Err(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_this_handshake_opens_a_tunnel() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let mut good = HeaderMap::new();
        good.insert("upgrade", "WebSocket".parse().unwrap());
        good.insert("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".parse().unwrap());
        assert!(agrees(&good, key));
        assert!(!agrees(&good, "c2hvcnQ="), "another key");
        for (name, value) in [("upgrade", "h2c"), ("sec-websocket-extensions", "x")] {
            let mut bad = good.clone();
            bad.insert(name, value.parse().unwrap());
            assert!(!agrees(&bad, key), "{name}");
        }
    }
}

//! The readers of bytes that come before the protocol engines, for the fuzz targets, which see the public face of a crate
//! only. Each is fed the bytes in pieces of a size, since pieces must make no difference. No part of the product's API.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::proxy::{Announced, Progress};
use crate::settings::{AddressSource, ClientAddress, Limits};

/// The head and the body of an HTTP/1 request: how many bytes belong to it and whether it is complete; `None` where it
/// is refused.
#[must_use]
pub fn h1(bytes: &[u8], piece: usize) -> Option<(usize, bool)> {
    let mut reader = crate::h1::HeadReader::new(&Limits::default());
    let mut seen = 0_usize;
    let (head_bytes, framing) = loop {
        seen = seen.saturating_add(piece.max(1)).min(bytes.len());
        match reader.advance(bytes.get(..seen)?).ok()? {
            Some(read) => break read,
            None if seen == bytes.len() => return Some((seen, false)),
            None => {}
        }
    };
    let mut follow = crate::h1::Follow::new(framing);
    let mut taken = head_bytes;
    for part in bytes.get(head_bytes..)?.chunks(piece.max(1)) {
        if follow.is_over() {
            break;
        }
        taken = taken.saturating_add(follow.take(part).ok()?);
    }
    Some((taken, follow.is_over()))
}

/// The frame heads of an HTTP/2 connection after its preface: how many there are.
#[must_use]
pub fn h2(bytes: &[u8], piece: usize) -> usize {
    let mut follow = crate::h2::Follow::after(0);
    let mut heads = 0_usize;
    for mut part in bytes.chunks(piece.max(1)) {
        while !part.is_empty() {
            let (taken, head) = follow.next(part);
            heads = heads.saturating_add(usize::from(head.is_some()));
            part = part.get(taken..).unwrap_or_default();
        }
    }
    heads
}

/// The PROXY header that a connection begins with, read as a socket is read, never more than is asked for: how many bytes
/// were taken, and the client where one is named; `None` where it is refused.
#[must_use]
pub fn proxy(bytes: &[u8], piece: usize) -> Option<(usize, Option<SocketAddr>)> {
    let mut seen = 0_usize;
    loop {
        match crate::proxy::read(bytes.get(..seen)?).ok()? {
            Progress::Whole(Announced::Client(client)) => return Some((seen, Some(client))),
            Progress::Whole(Announced::Proxy) => return Some((seen, None)),
            Progress::Needs(missing) => {
                let left = bytes.len().saturating_sub(seen);
                let taken = missing.min(piece.max(1)).min(left);
                if taken == 0 {
                    return Some((seen, None));
                }
                seen = seen.saturating_add(taken);
            }
        }
    }
}

/// The client that lines of `Forwarded` (or `X-Forwarded-For`) name behind proxies in 10.0.0.0/8; `None` where they name
/// nobody, or are no field values.
#[must_use]
pub fn forwarded(lines: &[&[u8]], is_rfc: bool) -> Option<IpAddr> {
    let (from, name) = if is_rfc {
        (AddressSource::Forwarded, http::header::FORWARDED)
    } else {
        (AddressSource::XForwardedFor, HeaderName::from_static("x-forwarded-for"))
    };
    let trusted_proxies = vec!["10.0.0.0/8".parse().ok()?];
    let rules = ClientAddress { trusted_proxies, from, insecure_direct: false };
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(&name, HeaderValue::from_bytes(line).ok()?);
    }
    crate::forwarded::client(&headers, &rules).ok().map(|client| client.address)
}

/// The certificates that a proxy passes on in lines of `Client-Cert` and of `Client-Cert-Chain`; `None` where they are
/// refused, or are no field values.
#[must_use]
pub fn client_cert(leaf: &[&[u8]], chain: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let mut headers = HeaderMap::new();
    for (name, lines) in [("client-cert", leaf), ("client-cert-chain", chain)] {
        for line in lines {
            headers.append(name, HeaderValue::from_bytes(line).ok()?);
        }
    }
    let chain = crate::vouched::chain(&headers).ok()??;
    Some(chain.iter().map(|certificate| certificate.to_vec()).collect())
}

/// The frames of an HTTP/3 request stream: what the library is shown; `None` where the stream is broken. The same bytes
/// are read as a stream from the client only, too.
#[cfg(feature = "http3")]
#[must_use]
pub fn h3(bytes: &[u8], piece: usize) -> Option<Vec<u8>> {
    const FRAME_BYTES_MAX: u64 = 4096;
    let mut control = crate::h3::Frames::of_client_stream(FRAME_BYTES_MAX);
    for part in bytes.chunks(piece.max(1)) {
        if control.push(Bytes::copy_from_slice(part), &mut VecDeque::new()).is_err() {
            break;
        }
    }
    let mut frames = crate::h3::Frames::of_request(FRAME_BYTES_MAX);
    let mut out = VecDeque::new();
    for part in bytes.chunks(piece.max(1)) {
        frames.push(Bytes::copy_from_slice(part), &mut out).ok()?;
    }
    frames.end().ok()?;
    Some(out.iter().flatten().copied().collect())
}

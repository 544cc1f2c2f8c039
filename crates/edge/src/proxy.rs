//! The PROXY protocol, versions 1 and 2: what a load balancer says about a client before the client's own first byte.
//! Sans-IO and bounded; it says how many bytes may be read without touching what follows the header. It knows no peer:
//! whom to believe is decided before anything is read.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

use crate::connection::canonical;

mod checksum;
mod v2;

/// The first bytes of version 1.
const V1: &[u8] = b"PROXY ";
/// The shortest header of version 1: `PROXY UNKNOWN` and the line end.
const V1_BYTES_MIN: usize = 15;
/// The longest one, with its line end, as the specification says.
const V1_BYTES_MAX: usize = 107;

/// Who is at the other end of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// The proxy itself, as in its own health checks (LOCAL of version 2): the socket's address counts.
    Proxy,
    /// A client.
    Client(SocketAddr),
}

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// At least so many bytes of it are missing: so many may be read, and not one more.
    Needs(usize),
    /// It is whole.
    Whole(Announced),
}

/// Bytes that are no header of the PROXY protocol, or one that names no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("PROXY header is missing, malformed or without an address")]
pub(crate) struct ProxyFault;

/// Reads all bytes that came so far. Whoever reads no more than [`Progress::Needs`] says never holds a byte that does
/// not belong to the header.
pub(crate) fn read(bytes: &[u8]) -> Result<Progress, ProxyFault> {
    if begins(bytes, &v2::SIGNATURE) {
        if bytes.is_empty() {
            return Ok(Progress::Needs(V1_BYTES_MIN));
        }
        return v2::read(bytes);
    }
    if !begins(bytes, V1) {
        return Err(ProxyFault);
    }
    if let Some(missing) = V1_BYTES_MIN.checked_sub(bytes.len()).filter(|missing| *missing > 0) {
        return if bytes.contains(&b'\n') { Err(ProxyFault) } else { Ok(Progress::Needs(missing)) };
    }
    if let Some(line) = bytes.strip_suffix(b"\r\n") {
        return line_of_v1(line).map(Progress::Whole);
    }
    if bytes.contains(&b'\n') || bytes.len() >= V1_BYTES_MAX {
        return Err(ProxyFault);
    }
    // Only the line end is sure to come.
    Ok(Progress::Needs(if bytes.ends_with(b"\r") { 1 } else { 2 }))
}

/// Whether bytes are the beginning of something, or begin with it.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    bytes.iter().zip(with).all(|(a, b)| a == b)
}

/// `PROXY TCP4 SOURCE DESTINATION PORT PORT`, with one space between. `UNKNOWN` names nobody.
fn line_of_v1(line: &[u8]) -> Result<Announced, ProxyFault> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyFault)?;
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(ProxyFault);
    let (_proxy, family) = (word()?, word()?);
    let is_v4 = match family {
        "TCP4" => true,
        "TCP6" => false,
        _ => return Err(ProxyFault),
    };
    let (source, _destination) = (ip(word()?, is_v4)?, ip(word()?, is_v4)?);
    let (source_port, _destination_port) = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return Err(ProxyFault);
    }
    client(SocketAddr::new(source, source_port))
}

fn ip(word: &str, is_v4: bool) -> Result<IpAddr, ProxyFault> {
    let address = IpAddr::from_str(word).map_err(|_| ProxyFault)?;
    if address.is_ipv4() == is_v4 { Ok(address) } else { Err(ProxyFault) }
}

/// Plain digits, without a zero in front.
fn port(word: &str) -> Result<u16, ProxyFault> {
    let plain =
        word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    if plain { word.parse().map_err(|_| ProxyFault) } else { Err(ProxyFault) }
}

/// An address that may be a client's.
fn client(address: SocketAddr) -> Result<Announced, ProxyFault> {
    let address = canonical(address);
    if address.ip().is_unspecified() { Err(ProxyFault) } else { Ok(Announced::Client(address)) }
}

#[cfg(test)]
mod tests;

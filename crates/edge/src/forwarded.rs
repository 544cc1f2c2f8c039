//! The client's address out of `Forwarded` (RFC 7239) or `X-Forwarded-For`, as trusted proxies wrote it: the right-most
//! one that is no trusted proxy. What stands to the left of it may be anything the client likes, and counts for nothing.
//! Pure; it believes nobody: that the peer may be believed is decided where the connection is accepted.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use thiserror::Error;

use crate::settings::{AddressSource, ClientAddress};
use crate::target::Malformed;

mod elements;

/// Proxies and clients that one request may have come through.
const HOPS_MAX: usize = 32;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client, with its port where a proxy told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

/// One entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    Known(Client),
    /// `unknown`, an obfuscated identifier, no `for` at all, or no address.
    Hidden,
}

/// No list that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("list of addresses is malformed")]
struct ListFault;

impl From<SocketAddr> for Client {
    fn from(address: SocketAddr) -> Self {
        Self { address: address.ip(), port: Some(address.port()) }
    }
}

/// The client that a trusted proxy forwards a request for.
pub(crate) fn client(headers: &HeaderMap, rules: &ClientAddress) -> Result<Client, Malformed> {
    let name = match rules.from {
        AddressSource::XForwardedFor => X_FORWARDED_FOR,
        AddressSource::Forwarded => header::FORWARDED,
        // Says it before TLS, and nothing in a request.
        AddressSource::ProxyProtocol => return Err(Malformed::ClientAddressMissing),
    };
    // Several lines are one list, in their order (RFC 9110 5.3).
    let mut hops = Vec::new();
    for line in headers.get_all(name) {
        let read = match rules.from {
            AddressSource::Forwarded => elements::read(line.as_bytes(), &mut hops),
            AddressSource::XForwardedFor | AddressSource::ProxyProtocol => {
                plain(line.as_bytes(), &mut hops)
            }
        };
        read.map_err(|ListFault| Malformed::ClientAddressSyntax)?;
    }
    if hops.is_empty() {
        return Err(Malformed::ClientAddressMissing);
    }
    nearest(&hops, rules)
}

/// The right-most entry that is no trusted proxy; the left-most one where all are.
fn nearest(hops: &[Hop], rules: &ClientAddress) -> Result<Client, Malformed> {
    let mut last = Err(Malformed::ClientAddressMissing);
    for hop in hops.iter().rev() {
        let Hop::Known(client) = *hop else { return Err(Malformed::ClientAddressSyntax) };
        last = Ok(client);
        if !rules.trusts(client.address) {
            break;
        }
    }
    last
}

/// One line of `X-Forwarded-For`: addresses with commas between.
fn plain(line: &[u8], hops: &mut Vec<Hop>) -> Result<(), ListFault> {
    for entry in line.split(|byte| *byte == b',') {
        push(hops, node(entry.trim_ascii()))?;
    }
    Ok(())
}

fn push(hops: &mut Vec<Hop>, hop: Hop) -> Result<(), ListFault> {
    if hops.len() >= HOPS_MAX {
        return Err(ListFault);
    }
    hops.push(hop);
    Ok(())
}

/// An address, or an IPv6 address in brackets, each with or without a port; `X-Forwarded-For` has IPv6 without brackets,
/// too. A port may be obfuscated (RFC 7239 6.2).
fn node(bytes: &[u8]) -> Hop {
    let known = || {
        let text = std::str::from_utf8(bytes).ok()?;
        if let Ok(bare) = text.parse::<IpAddr>() {
            return Some(Client { address: bare, port: None });
        }
        let (address, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address = IpAddr::V6(address.parse().ok()?);
                if port.is_empty() {
                    return Some(Client { address, port: None });
                }
                (address, port.strip_prefix(':')?)
            }
            None => {
                let (address, port) = text.split_once(':')?;
                (IpAddr::V4(address.parse().ok()?), port)
            }
        };
        Some(Client { address, port: node_port(port)? })
    };
    let known = known().map(|client| Client { address: client.address.to_canonical(), ..client });
    known.filter(|client| !client.address.is_unspecified()).map_or(Hop::Hidden, Hop::Known)
}

/// A port in at most five digits, or `_` and a name: then it is not told.
fn node_port(text: &str) -> Option<Option<u16>> {
    if let Some(name) = text.strip_prefix('_') {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        return (!name.is_empty() && name.bytes().all(fits)).then_some(None);
    }
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().map(Some)
}

#[cfg(test)]
mod tests;

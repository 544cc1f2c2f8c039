//! The host syntax of RFC 3986 3.2.2, narrowed to names that DNS can hold and addresses in their usual spelling.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Malformed;

/// Bytes of a name (RFC 1035 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Bytes of a label (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A host in lower case and its port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: Box<str>,
    port: Option<u16>,
}

impl Host {
    /// The host without its port.
    pub(super) fn into_name(self) -> Box<str> {
        self.name
    }
}

/// Reads `host` or `host:port`.
pub(super) fn parse(text: &str) -> Result<Host, Malformed> {
    if text.is_empty() {
        return Err(Malformed::HostMissing);
    }
    if text.contains('@') {
        return Err(Malformed::Userinfo);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or(Malformed::HostSyntax)?;
        let address: Ipv6Addr = inside.parse().map_err(|_| Malformed::HostSyntax)?;
        let port = match after.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if after.is_empty() => None,
            None => return Err(Malformed::HostSyntax),
        };
        return Ok(Host { name: format!("[{address}]").into(), port });
    }
    let (name, port) = match text.split_once(':') {
        Some((name, digits)) => (name, Some(port(digits)?)),
        None => (text, None),
    };
    let name = name.to_ascii_lowercase();
    if is_name(&name) { Ok(Host { name: name.into(), port }) } else { Err(Malformed::HostSyntax) }
}

fn port(digits: &str) -> Result<u16, Malformed> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(port) if plain && port != 0 => Ok(port),
        Ok(_) | Err(_) => Err(Malformed::HostSyntax),
    }
}

/// Letters, digits, inner hyphens; a name that ends in a number must be a dotted IPv4 address, because
/// other spellings (`127.1`, `0x7f.1`) are read differently by different resolvers (WHATWG URL 3.5).
fn is_name(name: &str) -> bool {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.split('.').all(is_label) {
        return false;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    !numeric || name.parse::<Ipv4Addr>().is_ok()
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= LABEL_BYTES_MAX
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

//! The binary header of version 2. What follows the addresses is skipped, but for the checksum, which must be right
//! where there is one.

use std::net::{IpAddr, SocketAddr};

use super::checksum::crc32c;
use super::{Announced, Progress, ProxyFault, client};

/// The first bytes of version 2.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses: signature, version and command, family, length.
const HEAD_BYTES: usize = 16;
/// The longest block of addresses and extensions; the specification asks for room for 536 bytes in all, and a client
/// certificate's name may be in it.
const BLOCK_BYTES_MAX: usize = 4096;
/// The type of the extension that holds a CRC-32C of the whole header.
const CHECKSUM: u8 = 0x03;
/// Bytes of that checksum.
const CHECKSUM_BYTES: usize = 4;

/// As [`super::read`], for bytes that begin like the signature.
pub(super) fn read(bytes: &[u8]) -> Result<Progress, ProxyFault> {
    let Some((head, block)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Ok(Progress::Needs(HEAD_BYTES.saturating_sub(bytes.len())));
    };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BLOCK_BYTES_MAX {
        return Err(ProxyFault);
    }
    match length.checked_sub(block.len()) {
        Some(0) => {}
        Some(missing) => return Ok(Progress::Needs(missing)),
        None => return Err(ProxyFault),
    }
    match command {
        // LOCAL: the block is ignored, whatever it says.
        0x20 => Ok(Progress::Whole(Announced::Proxy)),
        0x21 => announced(bytes, block, family).map(Progress::Whole),
        _ => Err(ProxyFault),
    }
}

/// The client of a PROXY command. Families that name no client of a TCP connection are refused.
fn announced(header: &[u8], block: &[u8], family: u8) -> Result<Announced, ProxyFault> {
    let (source, extensions) = match family {
        // AF_INET, STREAM: two addresses, two ports.
        0x11 => {
            let (parts, rest) = block.split_first_chunk::<12>().ok_or(ProxyFault)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *parts;
            (SocketAddr::new([a, b, c, d].into(), u16::from_be_bytes([high, low])), rest)
        }
        // AF_INET6, STREAM.
        0x21 => {
            let (source, rest) = block.split_first_chunk::<16>().ok_or(ProxyFault)?;
            let (_destination, rest) = rest.split_first_chunk::<16>().ok_or(ProxyFault)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or(ProxyFault)?;
            let [high, low, _, _] = *ports;
            (SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes([high, low])), rest)
        }
        _ => return Err(ProxyFault),
    };
    check(header, extensions)?;
    client(source)
}

/// Walks over the extensions, which must fill their room exactly.
fn check(header: &[u8], mut extensions: &[u8]) -> Result<(), ProxyFault> {
    let mut sum = None;
    while let Some((&[kind, high, low], rest)) = extensions.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(ProxyFault)?;
        if kind == CHECKSUM {
            let stated = value.try_into().map(u32::from_be_bytes).map_err(|_| ProxyFault)?;
            let place = header.len().checked_sub(rest.len().saturating_add(CHECKSUM_BYTES));
            if sum.replace((place.ok_or(ProxyFault)?, stated)).is_some() {
                return Err(ProxyFault);
            }
        }
        extensions = rest;
    }
    if !extensions.is_empty() {
        return Err(ProxyFault);
    }
    let Some((place, stated)) = sum else { return Ok(()) };
    // It is taken over the header with zeros in its own place.
    let own = place..place.saturating_add(CHECKSUM_BYTES);
    let zeroed = header.iter().enumerate();
    let zeroed = zeroed.map(|(index, byte)| if own.contains(&index) { 0 } else { *byte });
    if crc32c(zeroed) == stated { Ok(()) } else { Err(ProxyFault) }
}

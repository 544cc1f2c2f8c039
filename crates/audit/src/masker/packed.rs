//! What is packed in bytes: gzip (RFC 1952) and zlib (RFC 1950), unpacked within bounds. Bare deflate has no mark by which it
//! could be known. Pure; it does not know what is looked for.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// Bytes that are unpacked of one stream at most.
const UNPACKED_BYTES_MAX: usize = 64 << 10;
/// Unpacked bytes for each packed one at most: text becomes a tenth, hardly a thirtieth.
const RATIO_MAX: usize = 32;
/// How gzip begins: its name and its one method (RFC 1952 2.3.1).
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// How zlib begins with the usual window and no dictionary, by level (RFC 1950 2.2).
const ZLIB: [[u8; 2]; 4] = [[0x78, 0x9c], [0x78, 0xda], [0x78, 0x01], [0x78, 0x5e]];

/// What bytes turn out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packed {
    /// Not packed.
    No,
    /// This is in it.
    Open(Vec<u8>),
    /// Too much, or broken: nobody knows what is in it.
    Closed,
}

/// Unpacks the first packed stream in the bytes.
pub(super) fn opened(bytes: &[u8]) -> Packed {
    if let Some(gzip) = from(bytes, &GZIP) {
        return match unpacked(MultiGzDecoder::new(gzip), gzip.len()) {
            (plain, true) => Packed::Open(plain),
            (_, false) => Packed::Closed,
        };
    }
    // Its two bytes are a word's, too, except where the second one is no ASCII.
    let inside = ZLIB.iter().take(2).find_map(|mark| from(bytes, mark));
    let zlib = inside.or_else(|| ZLIB.iter().any(|mark| bytes.starts_with(mark)).then_some(bytes));
    match zlib.map(|zlib| unpacked(ZlibDecoder::new(zlib), zlib.len())) {
        Some((plain, true)) => Packed::Open(plain),
        Some((plain, false)) if plain.len() > UNPACKED_BYTES_MAX.min(RATIO_MAX * bytes.len()) => {
            Packed::Closed
        }
        // Broken, or none at all: what came out is looked at.
        Some((plain, false)) if !plain.is_empty() => Packed::Open(plain),
        Some(_) | None => Packed::No,
    }
}

fn from<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<&'b [u8]> {
    let start = bytes.windows(mark.len()).position(|window| window == mark)?;
    bytes.get(start..)
}

/// What came out, and whether that is all of it.
fn unpacked(reader: impl Read, packed_bytes: usize) -> (Vec<u8>, bool) {
    let limit = UNPACKED_BYTES_MAX.min(RATIO_MAX * packed_bytes);
    let mut plain = Vec::new();
    // One byte more tells too much from just enough.
    let read = reader.take(limit as u64 + 1).read_to_end(&mut plain);
    let whole = read.is_ok() && plain.len() <= limit;
    (plain, whole)
}

#[cfg(test)]
mod tests;

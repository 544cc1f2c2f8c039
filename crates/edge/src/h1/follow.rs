//! Follows the framing of an HTTP/1 body (RFC 9112 6, 7) to know where it ends, stricter than the engine that decodes
//! it: chunk sizes are plain hex digits, there are no extensions, every line ends with CRLF, trailers are few, and none
//! of them frames or routes. Sans-IO; it keeps nothing of the content.

use thiserror::Error;

use super::head::is_token;

/// Hex digits of a chunk size: 4 GiB less one byte at most.
const SIZE_DIGITS_MAX: usize = 8;
/// Bytes of a trailer section.
const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Fields of a trailer section.
const TRAILERS_MAX: usize = 32;
/// Fields that frame, route or authorize, which may not come after the body they are about (RFC 9110 6.5.1).
const FORBIDDEN: [&[u8]; 10] = [
    b"authorization",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"host",
    b"trailer",
    b"transfer-encoding",
];

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes; 0 is no body.
    Length(u64),
    /// With the last chunk and its trailers.
    Chunked,
}

/// The framing of a chunked body is not well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("chunk is malformed")]
pub(crate) struct ChunkFault;

/// The position within one body.
#[derive(Debug)]
pub(crate) struct Follow {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Bytes of a body of known length.
    Plain { left: u64 },
    /// The line of a chunk size.
    Size { digits: usize, size: u64 },
    /// The LF after a chunk size.
    SizeEnd { size: u64 },
    /// Bytes of a chunk.
    Chunk { left: u64 },
    /// The line end after a chunk.
    ChunkEnd { seen_cr: bool },
    /// A line of the trailer section.
    Trailer { line: Vec<u8>, bytes: usize, fields: usize },
    /// Nothing more belongs to this body.
    Over,
}

impl Follow {
    pub(crate) fn new(framing: Framing) -> Self {
        let place = match framing {
            Framing::Length(0) => Place::Over,
            Framing::Length(left) => Place::Plain { left },
            Framing::Chunked => Place::Size { digits: 0, size: 0 },
        };
        Self { place }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.place, Place::Over)
    }

    /// How many of the next bytes belong to the body.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<usize, ChunkFault> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            if self.is_over() {
                break;
            }
            taken = taken.saturating_add(self.step(rest)?);
        }
        Ok(taken)
    }

    /// Takes what the place at hand can take, at least one byte.
    fn step(&mut self, rest: &[u8]) -> Result<usize, ChunkFault> {
        let first = rest.first().copied().ok_or(ChunkFault)?;
        match &mut self.place {
            Place::Plain { left } => {
                let (taken, left) = within(rest, *left);
                self.place = if left == 0 { Place::Over } else { Place::Plain { left } };
                return Ok(taken);
            }
            Place::Chunk { left } => {
                let (taken, left) = within(rest, *left);
                self.place = match left {
                    0 => Place::ChunkEnd { seen_cr: false },
                    left => Place::Chunk { left },
                };
                return Ok(taken);
            }
            Place::Size { digits, size } => {
                if first == b'\r' && *digits > 0 {
                    self.place = Place::SizeEnd { size: *size };
                } else {
                    let digit = char::from(first).to_digit(16).ok_or(ChunkFault)?;
                    *digits = digits.saturating_add(1);
                    *size = (*size << 4) | u64::from(digit);
                    if *digits > SIZE_DIGITS_MAX {
                        return Err(ChunkFault);
                    }
                }
            }
            Place::SizeEnd { size } if first == b'\n' => {
                self.place = match *size {
                    0 => Place::Trailer { line: Vec::new(), bytes: 0, fields: 0 },
                    left => Place::Chunk { left },
                };
            }
            Place::ChunkEnd { seen_cr: seen_cr @ false } if first == b'\r' => *seen_cr = true,
            Place::ChunkEnd { seen_cr: true } if first == b'\n' => {
                self.place = Place::Size { digits: 0, size: 0 };
            }
            Place::Trailer { line, bytes, fields } => {
                line.push(first);
                *bytes = bytes.saturating_add(1);
                if *bytes > TRAILER_BYTES_MAX {
                    return Err(ChunkFault);
                }
                if first == b'\n' {
                    if line.as_slice() == b"\r\n" {
                        self.place = Place::Over;
                    } else {
                        *fields = fields.saturating_add(1);
                        trailer(line, *fields)?;
                        line.clear();
                    }
                }
            }
            Place::SizeEnd { .. } | Place::ChunkEnd { .. } | Place::Over => return Err(ChunkFault),
        }
        Ok(1)
    }
}

/// How many of the bytes belong, and how many are left to come.
fn within(rest: &[u8], left: u64) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    (taken, left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX)))
}

/// One line of the trailer section, with its end.
fn trailer(line: &[u8], number: usize) -> Result<(), ChunkFault> {
    let line = line.strip_suffix(b"\r\n").ok_or(ChunkFault)?;
    let colon = memchr::memchr(b':', line).ok_or(ChunkFault)?;
    let (name, value) = line.split_at_checked(colon).ok_or(ChunkFault)?;
    let named = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
    let valued = value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    let forbidden = FORBIDDEN.iter().any(|taboo| name.eq_ignore_ascii_case(taboo));
    if named && valued && !forbidden && number <= TRAILERS_MAX { Ok(()) } else { Err(ChunkFault) }
}

#[cfg(test)]
mod tests;

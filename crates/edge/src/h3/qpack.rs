//! Reads an encoded field section (RFC 9204 4.5) before the library does, only to refuse what the library would merge,
//! overwrite or answer by itself: repeated and unknown pseudo-header fields, names that are none, sections that are too
//! large. Pure; it keeps nothing.

use super::huffman;
use super::tables::STATIC;
use crate::target::Malformed;

/// What each field costs beside its bytes (RFC 9114 4.2.2).
const FIELD_OVERHEAD_BYTES: usize = 32;
/// Bytes of a field name.
const NAME_BYTES_MAX: usize = 256;
/// The pseudo-header fields of a request (RFC 9114 4.3.1).
const PSEUDO: [&[u8]; 4] = [b":method", b":scheme", b":authority", b":path"];
/// Of these, the ones that must be there.
const NEEDED: [usize; 3] = [0, 1, 3];

/// Which section of a message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Trailers,
}

/// What is wrong with a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionFault {
    /// The request is malformed.
    Malformed(Malformed),
    /// The encoding is broken, which ends the connection (RFC 9204 2.2): a matter of the library.
    Encoding,
}

use SectionFault::{Encoding, Malformed as Bad};

/// Checks a whole section of at most `bytes_max` bytes, counted as RFC 9114 4.2.2 does.
pub(super) fn inspect(section: &[u8], bytes_max: usize, part: Part) -> Result<(), SectionFault> {
    // Coded values are only measured, as if each code were of the shortest kind; decoded where that is too much.
    match read(section, bytes_max, part, false) {
        Err(Bad(Malformed::FieldBytes)) => read(section, bytes_max, part, true),
        checked => checked,
    }
}

fn read(section: &[u8], bytes_max: usize, part: Part, exact: bool) -> Result<(), SectionFault> {
    let mut reader = Reader { rest: section, exact };
    // Required insert count and base: there is no dynamic table.
    if reader.integer(0xff)? != 0 || reader.integer(0x7f)? != 0 {
        return Err(Encoding);
    }
    let mut names = Names { part, seen: [false; PSEUDO.len()], has_regular: false };
    let mut bytes = 0_usize;
    while !reader.rest.is_empty() {
        let left = bytes_max.saturating_sub(bytes);
        let field = reader.field(&mut names, left)?;
        bytes = bytes.saturating_add(field).saturating_add(FIELD_OVERHEAD_BYTES);
        if bytes > bytes_max {
            return Err(Bad(Malformed::FieldBytes));
        }
    }
    names.finish()
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Whether coded values are decoded to learn their length.
    exact: bool,
}

impl<'a> Reader<'a> {
    /// One field line; the bytes of its name and value.
    fn field(&mut self, names: &mut Names, left: usize) -> Result<usize, SectionFault> {
        let first = *self.rest.first().ok_or(Encoding)?;
        if first & 0x80 != 0 {
            let (name, value) = indexed(first & 0x40 != 0, self.integer(0x3f)?)?;
            names.next(name.as_bytes())?;
            return Ok(name.len().saturating_add(value));
        }
        let name_bytes = if first & 0x40 != 0 {
            let (name, _) = indexed(first & 0x10 != 0, self.integer(0x0f)?)?;
            names.next(name.as_bytes())?;
            name.len()
        } else if first & 0x20 != 0 {
            let (is_coded, name) = self.string(0x08, 0x07)?;
            if is_coded {
                let name = huffman::decode(name, NAME_BYTES_MAX);
                let name = name.ok_or(Bad(Malformed::FieldName))?;
                names.next(&name)?;
                name.len()
            } else {
                names.next(name)?;
                name.len()
            }
        } else {
            return Err(Encoding);
        };
        let (is_coded, value) = self.string(0x80, 0x7f)?;
        let value_bytes = if is_coded { self.decoded(value, left)? } else { value.len() };
        Ok(name_bytes.saturating_add(value_bytes))
    }

    /// The bytes of a coded value; no code has fewer than five bits.
    fn decoded(&self, value: &[u8], left: usize) -> Result<usize, SectionFault> {
        if !self.exact {
            return Ok(value.len().saturating_mul(8) / 5);
        }
        let value = huffman::decode(value, left).ok_or(Bad(Malformed::FieldBytes))?;
        Ok(value.len())
    }

    /// A string with its flag for the Huffman code.
    fn string(&mut self, flag: u8, mask: u8) -> Result<(bool, &'a [u8]), SectionFault> {
        let is_coded = self.rest.first().ok_or(Encoding)? & flag != 0;
        let length = self.integer(mask)?;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(Encoding)?;
        self.rest = rest;
        Ok((is_coded, string))
    }

    /// An integer with a prefix (RFC 7541 5.1), below 2^28.
    fn integer(&mut self, mask: u8) -> Result<usize, SectionFault> {
        let (first, mut rest) = self.rest.split_first().ok_or(Encoding)?;
        let mut value = usize::from(first & mask);
        if value == usize::from(mask) {
            let mut shift = 0_u32;
            loop {
                let (byte, after) = rest.split_first().ok_or(Encoding)?;
                rest = after;
                value = value.saturating_add(usize::from(byte & 0x7f) << shift);
                if byte & 0x80 == 0 {
                    break;
                }
                shift = shift.saturating_add(7);
                if shift > 21 {
                    return Err(Encoding);
                }
            }
        }
        self.rest = rest;
        Ok(value)
    }
}

fn indexed(is_static: bool, index: usize) -> Result<(&'static str, usize), SectionFault> {
    STATIC.get(index).copied().filter(|_| is_static).ok_or(Encoding)
}

/// The names of one section.
struct Names {
    part: Part,
    seen: [bool; PSEUDO.len()],
    has_regular: bool,
}

impl Names {
    fn next(&mut self, name: &[u8]) -> Result<(), SectionFault> {
        if !name.starts_with(b":") {
            self.has_regular = true;
            let is_token = |byte: &u8| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || b"!#$%&'*+-.^_`|~".contains(byte)
            };
            let is_name = !name.is_empty() && name.iter().all(is_token);
            return if is_name { Ok(()) } else { Err(Bad(Malformed::FieldName)) };
        }
        let known = PSEUDO.iter().position(|own| *own == name);
        let seen = known.and_then(|known| self.seen.get_mut(known));
        match seen {
            Some(seen) if !*seen && !self.has_regular && self.part == Part::Head => {
                *seen = true;
                Ok(())
            }
            _ => Err(Bad(Malformed::PseudoField)),
        }
    }

    fn finish(&self) -> Result<(), SectionFault> {
        let complete = NEEDED.iter().all(|needed| self.seen.get(*needed) == Some(&true));
        if complete || self.part == Part::Trailers {
            Ok(())
        } else {
            Err(Bad(Malformed::PseudoField))
        }
    }
}

#[cfg(test)]
mod tests;

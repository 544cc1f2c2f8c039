//! The bytes of a frame: `length u32 LE | crc32 u32 LE | kind u8 | uid 16 | body`. The length counts uid
//! and body, the check sum covers kind, uid and body. Pure; it knows no files.
//!
//! The body of an event is its JSON; of an intent, what [`crate::event::intent`] says; of a probe, nothing. Format version 1
//! differs in one thing: the body of an intent is the whole JSON of the event to be filed. It is read, not written.

use uuid::Uuid;

/// First bytes of every segment: a name and the version of this format.
pub(crate) const HEADER: [u8; 8] = *b"SPOOL\0\0\x02";
/// The same of the version before.
const HEADER_BEFORE: [u8; 8] = *b"SPOOL\0\0\x01";
/// Bytes before the uid.
const PREFIX: usize = 9;
/// Bytes of a uid.
const UID: usize = 16;
/// Bytes of a frame beside its body.
pub(crate) const OVERHEAD: usize = PREFIX + UID;
/// Largest body, bytes; a longer length field is damage.
pub(crate) const BODY_BYTES_MAX: usize = crate::event::EVENT_BYTES_MAX;

/// What a frame holds. Readers pass over kinds they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A finished event.
    Event,
    /// What the event of a transaction needs should its outcome never come.
    Intent,
    /// Nothing: written to see whether writing works.
    Probe,
    /// From a later version.
    Other,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Event => 1,
            Self::Intent => 2,
            Self::Probe => 3,
            Self::Other => u8::MAX,
        }
    }

    fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Event,
            2 => Self::Intent,
            3 => Self::Probe,
            _ => Self::Other,
        }
    }
}

/// Why a segment with these first bytes is not read; `None` where it is.
pub(crate) fn refusal(header: [u8; 8]) -> Option<String> {
    if header == HEADER || header == HEADER_BEFORE {
        return None;
    }
    let ([name @ .., version], [own @ .., newest]) = (header, HEADER);
    Some(if name == own {
        format!("has format version {version}, this program reads up to {newest}")
    } else {
        "is no spool segment".to_owned()
    })
}

/// The check sum of a frame.
pub(crate) fn checksum(kind: Kind, uid: &Uuid, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind.byte()]);
    crc.update(uid.as_bytes());
    crc.update(body);
    crc.finalize()
}

/// Appends one frame, whose check sum is known.
pub(crate) fn append(out: &mut Vec<u8>, kind: Kind, uid: &Uuid, body: &[u8], checksum: u32) {
    let length = u32::try_from(UID + body.len()).unwrap_or(u32::MAX);
    out.reserve(OVERHEAD + body.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.push(kind.byte());
    out.extend_from_slice(uid.as_bytes());
    out.extend_from_slice(body);
}

/// The bytes of one frame.
#[cfg(test)]
pub(crate) fn encode(kind: Kind, uid: &Uuid, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, kind, uid, body, checksum(kind, uid, body));
    out
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A whole frame of `size` bytes.
    Frame {
        /// What it holds.
        kind: Kind,
        /// Whose it is.
        uid: Uuid,
        /// Its body.
        body: &'a [u8],
        /// Bytes of the whole frame.
        size: usize,
    },
    /// Of a plausible length, but its check sum is wrong.
    Damaged {
        /// Bytes of the whole frame.
        size: usize,
    },
    /// Not all of it is there, or its length is impossible.
    Torn,
}

/// Reads one frame.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    whole(bytes).unwrap_or(Parsed::Torn)
}

fn whole(bytes: &[u8]) -> Option<Parsed<'_>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if !(UID..=UID + BODY_BYTES_MAX).contains(&length) {
        return None;
    }
    let payload = rest.get(..length)?;
    let size = PREFIX + length;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[*kind]);
    hasher.update(payload);
    if hasher.finalize() != u32::from_le_bytes(*crc) {
        return Some(Parsed::Damaged { size });
    }
    let (uid, body) = payload.split_first_chunk::<UID>()?;
    Some(Parsed::Frame { kind: Kind::from_byte(*kind), uid: Uuid::from_bytes(*uid), body, size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flipped_bit_is_found() {
        let good = encode(Kind::Event, &Uuid::max(), b"{}");
        assert!(matches!(parse(&good), Parsed::Frame { kind: Kind::Event, body: b"{}", .. }));
        for index in 4..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert_eq!(parse(&bad), Parsed::Damaged { size: good.len() }, "byte {index}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            match parse(&bytes) {
                Parsed::Frame { size, .. } | Parsed::Damaged { size } => {
                    prop_assert!(size <= bytes.len());
                }
                Parsed::Torn => {}
            }
        }

        #[test]
        fn what_is_written_is_read(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = encode(Kind::Intent, &Uuid::max(), &body);
            let parsed = parse(&bytes);
            let size = bytes.len();
            let uid = Uuid::max();
            prop_assert_eq!(parsed, Parsed::Frame { kind: Kind::Intent, uid, body: &body, size });
            prop_assert_eq!(parse(&bytes[..size - 1]), Parsed::Torn);
        }
    }
}

//! The bytes of a frame: `length u32 LE | crc32 u32 LE | kind u8 | uid 16 | body`. The length counts uid
//! and body, the check sum covers kind, uid and body. Pure; it knows no files.
//!
//! The body of an event is its JSON and then its index in the log, a u64; of an intent, what [`crate::event::intent`] says; of a probe,
//! nothing; of a log, the origin of the log that the events of this segment belong to: it is the first frame of each segment.
//! Format version 2 knows no logs: its events have another kind, and no index. In version 1 the body of an intent is, moreover, the
//! whole JSON of the event to be filed. Both are read, not written.

use uuid::Uuid;

/// First bytes of every segment: a name and the version of this format.
pub(crate) const HEADER: [u8; 8] = *b"SPOOL\0\0\x03";
/// The same of the versions before.
const HEADERS_BEFORE: [[u8; 8]; 2] = [*b"SPOOL\0\0\x01", *b"SPOOL\0\0\x02"];
/// Bytes before the uid.
const PREFIX: usize = 9;
/// Bytes of a uid.
const UID: usize = 16;
/// Bytes of a frame beside its body.
pub(crate) const OVERHEAD: usize = PREFIX + UID;
/// Largest body, bytes; a longer length field is damage.
pub(crate) const BODY_BYTES_MAX: usize = crate::event::EVENT_BYTES_MAX;
/// Bytes of the index behind the body of an event.
pub(crate) const INDEX_BYTES: usize = 8;
/// Kind of an event of a format that knew no logs.
const PLACELESS: u8 = 1;

/// What a frame holds. Readers pass over kinds they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A finished event.
    Event,
    /// What the event of a transaction needs should its outcome never come.
    Intent,
    /// Nothing: written to see whether writing works.
    Probe,
    /// The origin of the log.
    Log,
    /// From a later version.
    Other,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Event => 4,
            Self::Intent => 2,
            Self::Probe => 3,
            Self::Log => 5,
            Self::Other => u8::MAX,
        }
    }

    fn from_byte(byte: u8) -> Self {
        match byte {
            PLACELESS | 4 => Self::Event,
            2 => Self::Intent,
            3 => Self::Probe,
            5 => Self::Log,
            _ => Self::Other,
        }
    }
}

/// Why a segment with these first bytes is not read; `None` where it is.
pub(crate) fn refusal(header: [u8; 8]) -> Option<String> {
    if header == HEADER || HEADERS_BEFORE.contains(&header) {
        return None;
    }
    let ([name @ .., version], [own @ .., newest]) = (header, HEADER);
    Some(if name == own {
        format!("has format version {version}, this program reads up to {newest}")
    } else {
        "is no spool segment".to_owned()
    })
}

/// The check sum of a frame, for an event without its index.
pub(crate) fn checksum(kind: Kind, uid: &Uuid, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind.byte()]);
    crc.update(uid.as_bytes());
    crc.update(body);
    crc.finalize()
}

/// One frame to be written.
pub(crate) struct Frame<'f> {
    pub(crate) kind: Kind,
    pub(crate) uid: &'f Uuid,
    pub(crate) body: &'f [u8],
    /// What [`checksum`] gave.
    pub(crate) checksum: u32,
}

/// Appends one frame; an event at that index.
pub(crate) fn append(out: &mut Vec<u8>, frame: &Frame<'_>, index: u64) {
    let place = index.to_le_bytes();
    let place: &[u8] = if frame.kind == Kind::Event { &place } else { &[] };
    let mut crc = crc32fast::Hasher::new_with_initial(frame.checksum);
    crc.update(place);
    let length = u32::try_from(UID + frame.body.len() + place.len()).unwrap_or(u32::MAX);
    out.reserve(OVERHEAD + frame.body.len() + place.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    out.push(frame.kind.byte());
    out.extend_from_slice(frame.uid.as_bytes());
    out.extend_from_slice(frame.body);
    out.extend_from_slice(place);
}

/// The bytes of one frame; of an event, at the index 0.
pub(crate) fn encode(kind: Kind, uid: &Uuid, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, &Frame { kind, uid, body, checksum: checksum(kind, uid, body) }, 0);
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
        /// Of an event, its index in the log that the segment names; `None` in formats that knew no logs.
        index: Option<u64>,
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
    if !(UID..=UID + BODY_BYTES_MAX + INDEX_BYTES).contains(&length) {
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
    let placed = Kind::from_byte(*kind) == Kind::Event && *kind != PLACELESS;
    let (body, index) = match body.split_last_chunk::<INDEX_BYTES>() {
        Some((body, index)) if placed => (body, Some(u64::from_le_bytes(*index))),
        _ => (body, None),
    };
    let (kind, uid) = (Kind::from_byte(*kind), Uuid::from_bytes(*uid));
    Some(Parsed::Frame { kind, uid, body, index, size })
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

    #[test]
    fn an_event_has_its_index_and_one_of_before_has_none() {
        let (uid, body) = (Uuid::max(), &b"{}"[..]);
        let mut out = Vec::new();
        let checksum = checksum(Kind::Event, &uid, body);
        append(&mut out, &Frame { kind: Kind::Event, uid: &uid, body, checksum }, 77);
        let size = out.len();
        let frame = |index| Parsed::Frame { kind: Kind::Event, uid, body, index, size };
        assert_eq!(parse(&out), frame(Some(77)));
        let mut old = 18_u32.to_le_bytes().to_vec();
        let payload = [&[PLACELESS], &uid.as_bytes()[..], body].concat();
        old.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        old.extend_from_slice(&payload);
        let size = old.len();
        let expected = Parsed::Frame { kind: Kind::Event, uid, body, index: None, size };
        assert_eq!(parse(&old), expected);
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
            let index = None;
            prop_assert_eq!(parsed, Parsed::Frame { kind: Kind::Intent, uid, body: &body, index, size });
            prop_assert_eq!(parse(&bytes[..size - 1]), Parsed::Torn);
        }
    }
}

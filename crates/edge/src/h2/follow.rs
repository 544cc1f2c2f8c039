//! Follows the frames of an HTTP/2 connection by their heads (RFC 9113 4.1), in one direction. Sans-IO; payloads are
//! skipped.

/// Bytes of a frame head.
pub(super) const HEAD_BYTES: usize = 9;

/// DATA (RFC 9113 6.1).
pub(super) const DATA: u8 = 0x0;
/// HEADERS (6.2).
pub(super) const HEADERS: u8 = 0x1;
/// RST_STREAM (6.4).
pub(super) const RST_STREAM: u8 = 0x3;
/// GOAWAY (6.8).
pub(super) const GOAWAY: u8 = 0x7;
/// WINDOW_UPDATE (6.9).
pub(super) const WINDOW_UPDATE: u8 = 0x8;
/// CONTINUATION (6.10).
pub(super) const CONTINUATION: u8 = 0x9;

/// END_STREAM of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// END_HEADERS of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;

/// A frame head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Head {
    pub(super) fn parse(bytes: [u8; HEAD_BYTES]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]),
            kind,
            flags,
            // The first bit is reserved and has no meaning.
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }
}

/// The position within the frames of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    /// Bytes to skip: the preface, the rest of a payload.
    skip: u64,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
}

impl Follow {
    /// Begins after so many bytes that are no frame.
    pub(crate) fn after(skip: u64) -> Self {
        Self { skip, head: [0; HEAD_BYTES], head_bytes: 0 }
    }

    /// Whether the next byte begins a frame.
    pub(super) fn is_between(&self) -> bool {
        self.skip == 0 && self.head_bytes == 0
    }

    /// Takes bytes up to the next boundary, the end of a frame or of its head; how many, and that head.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> (usize, Option<Head>) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip = self.skip.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
        if skipped > 0 {
            return (skipped, None);
        }
        let room = self.head.get_mut(self.head_bytes..).unwrap_or_default();
        let taken = room.len().min(bytes.len());
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.head_bytes = self.head_bytes.saturating_add(taken);
        if self.head_bytes < HEAD_BYTES {
            return (taken, None);
        }
        let head = Head::parse(self.head);
        self.head_bytes = 0;
        self.skip = u64::from(head.length);
        (taken, Some(head))
    }
}

#[cfg(test)]
pub(crate) mod tests;

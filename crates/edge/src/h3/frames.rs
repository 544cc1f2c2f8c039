//! Follows the frames of an HTTP/3 stream (RFC 9114 7.1) below the h3 library and stops what that library would buffer
//! without end, misread or panic on: oversized frames, empty DATA frames, streams that end within a frame. Sans-IO; it
//! does not look into payloads.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use thiserror::Error;

#[cfg(test)]
mod tests;

/// DATA (RFC 9114 7.2.1).
const DATA: u64 = 0x00;
/// The stream type of a control stream (RFC 9114 6.2.1).
const CONTROL: u64 = 0x00;
/// Frames of a request stream that bring no data: headers, trailers, unknown ones, empty DATA.
const BARREN_FRAMES_MAX: usize = 64;

/// What a stream's frames may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FrameFault {
    /// A frame other than DATA is longer than a head may be.
    #[error("frame is too long")]
    TooLong,
    /// Too many frames without data.
    #[error("too many frames without data")]
    TooMany,
    /// The stream ended within a frame.
    #[error("stream ended within a frame")]
    Truncated,
}

/// The position within the frames of one stream.
#[derive(Debug)]
pub(crate) struct Frames {
    place: Place,
    /// Bytes of an unfinished head: two variable-length integers at most (RFC 9000 16).
    head: Vec<u8>,
    payload_max: u64,
    barren_left: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    StreamType,
    Head,
    Payload { left: u64 },
    Unframed,
}

impl Frames {
    /// A request stream; `payload_max` bounds every frame that is not DATA.
    pub(crate) fn of_request(payload_max: u64) -> Self {
        let barren_left = Some(BARREN_FRAMES_MAX);
        Self { place: Place::Head, head: Vec::new(), payload_max, barren_left }
    }

    /// A stream from the client only: its type says whether it holds frames.
    pub(crate) fn of_client_stream(payload_max: u64) -> Self {
        Self { place: Place::StreamType, head: Vec::new(), payload_max, barren_left: None }
    }

    /// Takes the next bytes and passes on, in order, those the library may see.
    pub(crate) fn push(
        &mut self,
        mut input: Bytes,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), FrameFault> {
        while input.has_remaining() {
            match self.place {
                Place::Unframed => out.push_back(std::mem::take(&mut input)),
                Place::Payload { left } => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    out.push_back(input.split_to(taken));
                    self.place = match left.saturating_sub(u64::try_from(taken).unwrap_or(left)) {
                        0 => Place::Head,
                        left => Place::Payload { left },
                    };
                }
                Place::StreamType => {
                    self.head.push(input.get_u8());
                    if let Some((kind, _)) = integer(&self.head) {
                        self.pass_head(out);
                        self.place = if kind == CONTROL { Place::Head } else { Place::Unframed };
                    }
                }
                Place::Head => {
                    self.head.push(input.get_u8());
                    self.head_grown(out)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the stream may end here.
    pub(crate) fn end(&self) -> Result<(), FrameFault> {
        let complete = match self.place {
            Place::Unframed | Place::StreamType => true,
            Place::Head => self.head.is_empty(),
            Place::Payload { .. } => false,
        };
        if complete { Ok(()) } else { Err(FrameFault::Truncated) }
    }

    fn head_grown(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), FrameFault> {
        let Some((kind, rest)) = integer(&self.head) else { return Ok(()) };
        let Some((length, _)) = integer(rest) else { return Ok(()) };
        if kind != DATA && length > self.payload_max {
            return Err(FrameFault::TooLong);
        }
        if (kind != DATA || length == 0)
            && let Some(left) = &mut self.barren_left
        {
            *left = left.checked_sub(1).ok_or(FrameFault::TooMany)?;
        }
        if kind == DATA && length == 0 {
            // The library takes an empty DATA frame for the end of the body.
            self.head.clear();
            return Ok(());
        }
        self.pass_head(out);
        self.place = if length == 0 { Place::Head } else { Place::Payload { left: length } };
        Ok(())
    }

    fn pass_head(&mut self, out: &mut VecDeque<Bytes>) {
        out.push_back(Bytes::copy_from_slice(&self.head));
        self.head.clear();
    }
}

/// A variable-length integer (RFC 9000 16) and what follows it; `None` while it is incomplete.
fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let length = 1_usize << (first >> 6);
    let (own, rest) = bytes.split_at_checked(length)?;
    let value = own
        .iter()
        .skip(1)
        .fold(u64::from(first & 0x3f), |value, byte| (value << 8) | u64::from(*byte));
    Some((value, rest))
}

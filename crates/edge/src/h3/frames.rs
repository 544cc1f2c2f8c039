//! Follows the frames of an HTTP/3 stream (RFC 9114 7.1) below the h3 library and stops what that library would buffer
//! without end, misread or panic on: oversized frames, empty DATA frames, streams that end within a frame. Field sections
//! are held until they are whole and have been read strictly; a request that may not pass is replaced by a stand-in, and
//! the verdict on it travels beside: so it is recorded and answered like any other. Sans-IO.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::qpack::{self, Part, SectionFault};
use crate::target::Malformed;

#[cfg(test)]
mod tests;

/// DATA (RFC 9114 7.2.1).
const DATA: u64 = 0x00;
/// HEADERS (RFC 9114 7.2.2).
const HEADERS: u64 = 0x01;
/// CANCEL_PUSH (RFC 9114 7.2.3).
const CANCEL_PUSH: u64 = 0x03;
/// MAX_PUSH_ID (RFC 9114 7.2.7).
const MAX_PUSH_ID: u64 = 0x0d;
/// Bytes of the longest push id (RFC 9000 16).
const PUSH_ID_BYTES_MAX: u64 = 8;
/// The stream type of a control stream (RFC 9114 6.2.1).
const CONTROL: u64 = 0x00;
/// Frames of a request stream that bring no data: headers, trailers, unknown ones, empty DATA.
const BARREN_FRAMES_MAX: usize = 64;

/// A HEADERS frame of `MALFORMED https://malformed.invalid/` (RFC 9204 4.5: literal method and authority, the rest from
/// the static table).
const STAND_IN: &[u8] = b"\x01\x23\0\0\x5f\0\x09MALFORMED\xd7\x50\x11malformed.invalid\xc1";

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
    /// The trailers are no field section of trailers.
    #[error("trailers are malformed")]
    Trailers,
    /// A push is cancelled that never was, or the highest push id falls (RFC 9114 7.2.3, 7.2.7).
    #[error("push id is wrong")]
    PushId,
}

/// The position within the frames of one stream.
#[derive(Debug)]
pub(crate) struct Frames {
    place: Place,
    /// Bytes of an unfinished head: two variable-length integers at most (RFC 9000 16).
    head: Vec<u8>,
    payload_max: u64,
    barren_left: Option<usize>,
    /// Frames of a control stream begun and not asked for yet.
    control_frames: u32,
    is_control: bool,
    push_id: u64,
    /// The field section at hand, and of which part of the message it is.
    section: Vec<u8>,
    part: Part,
    verdict: Option<Malformed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    StreamType,
    Head,
    Payload {
        left: u64,
    },
    Section {
        left: u64,
    },
    PushId {
        left: u64,
    },
    Unframed,
    /// After a stand-in: nothing more passes.
    Refused,
}

impl Frames {
    /// A request stream; `payload_max` bounds every frame that is not DATA.
    pub(crate) fn of_request(payload_max: u64) -> Self {
        Self { barren_left: Some(BARREN_FRAMES_MAX), ..Self::new(Place::Head, payload_max) }
    }

    /// A stream from the client only: its type says whether it holds frames.
    pub(crate) fn of_client_stream(payload_max: u64) -> Self {
        Self::new(Place::StreamType, payload_max)
    }

    fn new(place: Place, payload_max: u64) -> Self {
        Self {
            place,
            head: Vec::new(),
            payload_max,
            barren_left: None,
            control_frames: 0,
            is_control: false,
            push_id: 0,
            section: Vec::new(),
            part: Part::Head,
            verdict: None,
        }
    }

    /// Why a stand-in was given to the library, where it was.
    pub(crate) fn verdict(&self) -> Option<Malformed> {
        self.verdict
    }

    /// How many frames of a control stream have begun since this was asked last.
    pub(crate) fn take_control_frames(&mut self) -> u32 {
        std::mem::take(&mut self.control_frames)
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
                Place::Refused => input.clear(),
                Place::Payload { left } => {
                    let (taken, left) = within(&mut input, left);
                    out.push_back(taken);
                    self.place = if left == 0 { Place::Head } else { Place::Payload { left } };
                }
                Place::Section { left } => {
                    let (taken, left) = within(&mut input, left);
                    self.section.extend_from_slice(&taken);
                    self.place = Place::Section { left };
                    if left == 0 {
                        self.section_ended(out)?;
                    }
                }
                Place::PushId { left } => {
                    let (taken, left) = within(&mut input, left);
                    self.section.extend_from_slice(&taken);
                    self.place = Place::PushId { left };
                    if left == 0 {
                        self.push_id_ended(out)?;
                    }
                }
                Place::StreamType => {
                    self.head.push(input.get_u8());
                    if let Some((kind, _)) = integer(&self.head) {
                        self.pass_head(out);
                        self.is_control = kind == CONTROL;
                        self.place = if self.is_control { Place::Head } else { Place::Unframed };
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
            Place::Unframed | Place::StreamType | Place::Refused => true,
            Place::Head => self.head.is_empty(),
            Place::Payload { .. } | Place::Section { .. } | Place::PushId { .. } => false,
        };
        if complete { Ok(()) } else { Err(FrameFault::Truncated) }
    }

    fn head_grown(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), FrameFault> {
        let Some((kind, rest)) = integer(&self.head) else { return Ok(()) };
        let Some((length, _)) = integer(rest) else { return Ok(()) };
        if self.is_control {
            self.control_frames = self.control_frames.saturating_add(1);
            if kind == CANCEL_PUSH {
                // Nothing is ever pushed.
                return Err(FrameFault::PushId);
            }
            if kind == MAX_PUSH_ID && (1..=PUSH_ID_BYTES_MAX).contains(&length) {
                self.section.clear();
                self.place = Place::PushId { left: length };
                return Ok(());
            }
        }
        let is_section = kind == HEADERS && self.barren_left.is_some();
        if kind != DATA && length > self.payload_max {
            return if is_section && self.part == Part::Head {
                self.refuse(Malformed::FieldBytes, out);
                Ok(())
            } else {
                Err(FrameFault::TooLong)
            };
        }
        if (kind != DATA || length == 0)
            && let Some(left) = &mut self.barren_left
        {
            *left = left.checked_sub(1).ok_or(FrameFault::TooMany)?;
        }
        if kind == DATA && length == 0 && !self.is_control {
            // The library takes an empty DATA frame for the end of the body.
            self.head.clear();
            return Ok(());
        }
        if is_section {
            // Its head waits with it.
            self.section.clear();
            self.place = Place::Section { left: length };
            return if length == 0 { self.section_ended(out) } else { Ok(()) };
        }
        self.pass_head(out);
        self.place = if length == 0 { Place::Head } else { Place::Payload { left: length } };
        Ok(())
    }

    fn section_ended(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), FrameFault> {
        let bytes_max = usize::try_from(self.payload_max).unwrap_or(usize::MAX);
        match (qpack::inspect(&self.section, bytes_max, self.part), self.part) {
            (Ok(()) | Err(SectionFault::Encoding), _) => {
                self.pass_head(out);
                out.push_back(std::mem::take(&mut self.section).into());
                self.part = Part::Trailers;
                self.place = Place::Head;
                Ok(())
            }
            (Err(SectionFault::Malformed(why)), Part::Head) => {
                self.refuse(why, out);
                Ok(())
            }
            (Err(SectionFault::Malformed(_)), Part::Trailers) => Err(FrameFault::Trailers),
        }
    }

    /// The library ignores it; it may not fall.
    fn push_id_ended(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), FrameFault> {
        if let Some((id, [])) = integer(&self.section) {
            if id < self.push_id {
                return Err(FrameFault::PushId);
            }
            self.push_id = id;
        }
        self.pass_head(out);
        out.push_back(std::mem::take(&mut self.section).into());
        self.place = Place::Head;
        Ok(())
    }

    fn refuse(&mut self, why: Malformed, out: &mut VecDeque<Bytes>) {
        out.push_back(Bytes::from_static(STAND_IN));
        self.section = Vec::new();
        self.head.clear();
        self.verdict = Some(why);
        self.place = Place::Refused;
    }

    fn pass_head(&mut self, out: &mut VecDeque<Bytes>) {
        out.push_back(Bytes::copy_from_slice(&self.head));
        self.head.clear();
    }
}

/// Takes what belongs to a payload, and how much of it is left to come.
fn within(input: &mut Bytes, left: u64) -> (Bytes, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    let taken = input.split_to(taken);
    let left = left.saturating_sub(u64::try_from(taken.len()).unwrap_or(left));
    (taken, left)
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

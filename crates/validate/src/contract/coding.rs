//! Bodies that come compressed (RFC 9110 8.4): decoded within a size and a ratio, and to their very end, so that what is
//! checked is what goes inside. It knows no media types.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::decoding::StreamingDecoder;

use super::handling::Codings;
use crate::limits::Limits;

/// Decoded bytes that no ratio is asked of: small bodies repeat themselves.
const RATIO_FREE_BYTES: usize = 64 * 1024;
/// The most that a frame of zstd may say its decoder must remember (RFC 8878 3.1.1.1.2 recommends 8 MiB).
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A content coding that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Br,
    Zstd,
}

/// Why a body was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecoded {
    /// It became too large, or too much larger than it came: the rule.
    Size(&'static str),
    /// It is not what its coding says, or something follows it.
    Broken,
}

impl Coding {
    /// The one coding of a body; `None`: as it is. Refused: one that the configuration does not name, and several.
    pub(crate) fn of(headers: &HeaderMap, allowed: Codings) -> Result<Option<Self>, &'static str> {
        let mut fields = headers.get_all(CONTENT_ENCODING).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err("content_encoding");
        }
        let name = field.as_bytes().trim_ascii().to_ascii_lowercase();
        match name.as_slice() {
            b"identity" => Ok(None),
            b"gzip" | b"x-gzip" if allowed.gzip => Ok(Some(Self::Gzip)),
            b"br" if allowed.br => Ok(Some(Self::Br)),
            b"zstd" if allowed.zstd => Ok(Some(Self::Zstd)),
            _ => Err("content_encoding"),
        }
    }

    /// Decodes a whole body.
    pub(crate) fn decode(self, body: &Bytes, limits: &Limits) -> Result<Bytes, Undecoded> {
        if body.is_empty() {
            return Err(Undecoded::Broken);
        }
        let bytes_max = limits.body_bytes_max;
        let ratio_max = body.len().saturating_mul(limits.ratio_max).max(RATIO_FREE_BYTES);
        let (limit, rule) = if ratio_max < bytes_max {
            (ratio_max, "ratio_max")
        } else {
            (bytes_max, "body_bytes_max")
        };
        let mut rest: &[u8] = body;
        let decode = || match self {
            Self::Gzip => take(&mut GzDecoder::new(&mut rest), limit, rule),
            Self::Br => take_br(&mut rest, limit, rule),
            Self::Zstd => take_zstd(&mut rest, limit, rule),
        };
        // Decoders of others, and bytes of anybody: a panic in one is a refusal.
        let plain = catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(Undecoded::Broken))?;
        // A second member or frame is another body to some decoders and none to others.
        if rest.is_empty() { Ok(plain.into()) } else { Err(Undecoded::Broken) }
    }
}

fn take(decoder: &mut impl Read, limit: usize, rule: &'static str) -> Result<Vec<u8>, Undecoded> {
    let mut plain = Vec::new();
    let room = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(room).read_to_end(&mut plain).map_err(|_| Undecoded::Broken)?;
    if plain.len() > limit { Err(Undecoded::Size(rule)) } else { Ok(plain) }
}

fn take_zstd(rest: &mut &[u8], limit: usize, rule: &'static str) -> Result<Vec<u8>, Undecoded> {
    let decoder = StreamingDecoder::new_with_max_window_size(&mut *rest, WINDOW_BYTES_MAX);
    let mut decoder = decoder.map_err(|_| Undecoded::Broken)?;
    let plain = take(&mut decoder, limit, rule)?;
    let frame = &decoder.decoder;
    let sums = (frame.get_checksum_from_data(), frame.get_calculated_checksum());
    let is_intact = sums.0.is_none() || sums.0 == sums.1;
    if frame.is_finished() && is_intact { Ok(plain) } else { Err(Undecoded::Broken) }
}

/// Bytes that the decoder of br writes at once.
const STEP_BYTES: usize = 16 * 1024;

fn take_br(rest: &mut &[u8], limit: usize, rule: &'static str) -> Result<Vec<u8>, Undecoded> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new(alloc(), alloc(), alloc());
    let (mut left, mut at, mut total) = (rest.len(), 0, 0);
    let (mut plain, mut step) = (Vec::new(), vec![0; STEP_BYTES]);
    loop {
        let (mut room, mut end) = (step.len(), 0);
        let outcome = BrotliDecompressStream(
            &mut left, &mut at, rest, &mut room, &mut end, &mut step, &mut total, &mut state,
        );
        plain.extend_from_slice(step.get(..end).unwrap_or_default());
        if plain.len() > limit {
            return Err(Undecoded::Size(rule));
        }
        match outcome {
            BrotliResult::ResultSuccess => {
                *rest = rest.get(at..).unwrap_or_default();
                return Ok(plain);
            }
            BrotliResult::NeedsMoreOutput => {}
            // There is no more of it.
            BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                return Err(Undecoded::Broken);
            }
        }
    }
}

#[cfg(test)]
mod tests;

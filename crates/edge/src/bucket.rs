//! A budget that refills with time, and what the engines of HTTP/2 and HTTP/3 spend from such. It knows no frames.

use tokio::time::Instant;

/// Frames and streams that bring no work (on HTTP/2 PING, SETTINGS, PRIORITY, unknown frames, empty DATA and
/// CONTINUATION; on HTTP/3 frames of the control stream, streams that are no requests): at once, and in a second.
pub(crate) const CONTROL_FRAMES_MAX: u32 = 256;
pub(crate) const CONTROL_FRAMES_PER_SECOND: u32 = 32;
/// Requests that the client takes back: at once, and in a second.
pub(crate) const RESETS_MAX: u32 = 100;
pub(crate) const RESETS_PER_SECOND: u32 = 10;

/// Tokens that come back with time, up to a maximum.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    tokens_max: u32,
    per_second: u32,
    /// Until when what came back is counted.
    counted: Instant,
}

impl Bucket {
    pub(crate) fn new(tokens_max: u32, per_second: u32, now: Instant) -> Self {
        Self { tokens: tokens_max, tokens_max, per_second, counted: now }
    }

    /// Takes one; `false` where there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.counted).as_secs();
        if seconds > 0 {
            self.counted = now;
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            self.earn(self.per_second.saturating_mul(seconds));
        }
        let left = self.tokens.checked_sub(1);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }

    pub(crate) fn earn(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens).min(self.tokens_max);
    }
}

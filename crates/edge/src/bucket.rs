//! A budget that refills with time, of which the engines of HTTP/2 and HTTP/3 spend. It knows no frames.

use tokio::time::Instant;

use crate::settings::Allowance;

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
    pub(crate) fn new(allowed: Allowance, now: Instant) -> Self {
        let Allowance { burst, per_second } = allowed;
        Self { tokens: burst, tokens_max: burst, per_second, counted: now }
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

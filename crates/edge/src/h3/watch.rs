//! How much that brings no work a client may do on one HTTP/3 connection, and why that connection has to end: what the
//! library would serve for ever. It knows no frames.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quinn::VarInt;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::bucket::Bucket;
use crate::service::FailureKind;
use crate::settings::Floods;

/// H3_EXCESSIVE_LOAD (RFC 9114 8.1).
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);
/// H3_ID_ERROR (RFC 9114 8.1).
const ID_ERROR: VarInt = VarInt::from_u32(0x108);

/// Why a connection has to end, and the code that tells the client.
pub(super) type Violation = (FailureKind, VarInt);

/// What the streams of a connection tell its task.
pub(super) struct Watch {
    state: Mutex<State>,
    told: Notify,
}

struct State {
    control: Bucket,
    resets: Bucket,
    violation: Option<Violation>,
}

impl Watch {
    pub(super) fn new(floods: &Floods, now: Instant) -> Self {
        let state = State {
            control: Bucket::new(floods.control, now),
            resets: Bucket::new(floods.resets, now),
            violation: None,
        };
        Self { state: Mutex::new(state), told: Notify::new() }
    }

    /// Counts frames of the control stream, or streams that are no requests; `false` where nothing more of the
    /// connection may be read.
    pub(super) fn control(&self, count: u32, now: Instant) -> bool {
        let mut state = self.lock();
        let is_within = (0..count).all(|_| state.control.take(now));
        if !is_within {
            self.end(&mut state, (FailureKind::Http3ControlFlood, EXCESSIVE_LOAD));
        }
        state.violation.is_none()
    }

    /// Counts a request that the client took back, or that was broken so that we had to (CVE-2023-44487, CVE-2025-8671).
    pub(super) fn reset(&self, now: Instant) {
        let mut state = self.lock();
        if !state.resets.take(now) {
            self.end(&mut state, (FailureKind::Http3ResetFlood, EXCESSIVE_LOAD));
        }
    }

    /// A push id that cannot be (RFC 9114 7.2.3, 7.2.7).
    pub(super) fn push_id(&self) {
        self.end(&mut self.lock(), (FailureKind::Http3Protocol, ID_ERROR));
    }

    /// Waits until the connection has to end.
    pub(super) async fn ended(&self) -> Violation {
        loop {
            if let Some(violation) = self.violation() {
                return violation;
            }
            self.told.notified().await;
        }
    }

    fn violation(&self) -> Option<Violation> {
        self.lock().violation
    }

    fn end(&self, state: &mut State, violation: Violation) {
        state.violation.get_or_insert(violation);
        // One waits, and where it does not yet, it finds the permit.
        self.told.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it can be left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

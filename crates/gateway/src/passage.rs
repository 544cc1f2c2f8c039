//! A request body that passes unread, where the configuration says so: bounded in size, in silence, and in time, which
//! ends with its caller's token at the latest. It knows no contract and no service.

use crate::clock;
use audit::{Digest, Digested};
use bytes::Bytes;
use edge::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::time::Sleep;
use upstream::BoxError;

/// How much may pass unread on one operation, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a request body.
    pub bytes_max: u64,
    /// How long either side may say nothing.
    pub silence_max: Duration,
    /// From the first byte of the request to the last of its answer.
    pub age_max: Duration,
    /// Whether a GET may open a WebSocket.
    pub websocket: bool,
}

impl Bounds {
    /// How long a passage may last from `now` on whose caller's token ends then.
    #[must_use]
    pub fn lasts(&self, token_ends: Option<SystemTime>, now: SystemTime) -> Duration {
        let token = token_ends.map(|end| end.duration_since(now).unwrap_or_default());
        token.map_or(self.age_max, |token| token.min(self.age_max))
    }
}

/// Why a passage was ended by the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client's side broke, or was too much.
    Body(BodyError),
    /// It lasted as long as it may, or the caller's token is over.
    Expired,
}

/// What a passage has come to, for its record.
#[derive(Debug, Default)]
pub struct Passed {
    bytes: AtomicU64,
    ended: OnceLock<Ended>,
    /// As received and as forwarded: the bytes are the same, the digests of the two are not.
    digests: Mutex<Option<(Digest, Digest)>>,
}

impl Passed {
    /// Bytes that have passed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why the gateway ended it, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended.get().copied()
    }

    /// The digests of what has passed so far, as received and as forwarded.
    #[must_use]
    pub fn digested(&self) -> Option<(Digested, Digested)> {
        let digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        digests.map(|(received, forwarded)| (received.finish(), forwarded.finish()))
    }

    fn digest(&self, bytes: &[u8]) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((received, forwarded)) = &mut *digests {
            received.update(bytes);
            forwarded.update(bytes);
        }
    }

    /// Notes the end; the first one counts.
    pub fn ends(&self, ended: Ended) {
        self.ended.get_or_init(|| ended);
    }
}

/// A body under way.
#[derive(Debug)]
pub struct Passage {
    body: Body,
    left: u64,
    end: Pin<Box<Sleep>>,
    passed: Arc<Passed>,
}

impl Passage {
    /// Lets a body pass for at most `lasts`.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] where more is announced than may pass.
    pub fn open(body: Body, bounds: &Bounds, lasts: Duration) -> Result<Self, BodyError> {
        if HttpBody::size_hint(&body).lower() > bounds.bytes_max {
            return Err(BodyError::TooLarge);
        }
        Ok(Self {
            body: body.with_silence(bounds.silence_max),
            left: bounds.bytes_max,
            end: clock::alarm(lasts),
            passed: Arc::default(),
        })
    }

    /// The same, with digests of what passes: as received and as forwarded.
    #[must_use]
    pub fn digested_by(self, digests: Option<(Digest, Digest)>) -> Self {
        *self.passed.digests.lock().unwrap_or_else(PoisonError::into_inner) = digests;
        self
    }

    /// What it comes to.
    #[must_use]
    pub fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.passed)
    }

    fn end(&self, ended: Ended) -> BoxError {
        self.passed.ends(ended);
        "the passage was ended".into()
    }
}

impl HttpBody for Passage {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(this.end(Ended::Expired))));
        }
        Pin::new(&mut this.body).poll_frame(cx).map(|frame| {
            Some(match frame? {
                Ok(frame) => {
                    let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                    this.passed.bytes.fetch_add(bytes, Ordering::Relaxed);
                    match this.left.checked_sub(bytes) {
                        Some(left) => {
                            this.left = left;
                            if let Some(data) = frame.data_ref() {
                                this.passed.digest(data);
                            }
                            Ok(frame)
                        }
                        None => Err(this.end(Ended::Body(BodyError::TooLarge))),
                    }
                }
                Err(fault) => Err(this.end(Ended::Body(fault))),
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        HttpBody::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests;

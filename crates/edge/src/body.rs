//! A request body, whatever protocol carries it: bounded in time between pieces and in pace, in size when read whole.
//! It knows neither content types nor limits of an operation.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::leave::Leave;
use crate::settings::Limits;

mod pace;
#[cfg(test)]
mod tests;

use pace::Pace;

/// The first allocation of [`Body::read_whole`] in bytes, whatever length a client announces.
const FIRST_BYTES_MAX: usize = 64 * 1024;

/// A request body.
pub struct Body {
    source: Source,
    /// The first piece, where [`Body::has_bytes`] had to look at it.
    first: Option<Bytes>,
    gap: Gap,
    /// What is due when the body is first waited for.
    leave: Option<Arc<Leave>>,
}

enum Source {
    Empty,
    Whole(Bytes),
    Hyper(Incoming),
    Tunnel(crate::h1::Source),
    H2(Box<crate::h2::RequestBody>),
    #[cfg(feature = "http3")]
    H3(Box<crate::h3::RequestBody>),
}

/// Why a body cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than the caller takes.
    #[error("body is too large")]
    TooLarge,
    /// The client sent nothing for too long.
    #[error("body timed out")]
    TimedOut,
    /// The client sent less than the minimum pace for too long.
    #[error("body is too slow")]
    TooSlow,
    /// The client went away.
    #[error("body was aborted")]
    Aborted,
    /// The framing of the body is broken.
    #[error("body is malformed")]
    Malformed,
}

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::of(Source::Empty, Pace::none())
    }

    /// The same body, with another longest wait between two pieces, and no pace to keep: it may be silent that long.
    #[must_use]
    pub fn with_silence(mut self, silence_max: std::time::Duration) -> Self {
        self.gap = Gap::new(Pace::silent(silence_max));
        self
    }

    /// Whether there is a body at all. Where no length was announced (HTTP/2 and 3 may say only with the end of the
    /// stream that there is none) this waits for the first piece and keeps it.
    ///
    /// # Errors
    /// With what broke the body.
    pub async fn has_bytes(&mut self) -> Result<bool, BodyError> {
        if let Some(length) = HttpBody::size_hint(self).exact() {
            return Ok(length > 0);
        }
        while let Some(frame) = self.frame().await {
            if let Some(data) = frame?.into_data().ok().filter(|data| !data.is_empty()) {
                self.first = Some(data);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads everything, at most `max` bytes. An announced length above `max` is refused before anything is
    /// read; trailers are dropped.
    ///
    /// # Errors
    /// With [`BodyError::TooLarge`] above `max`, else with what broke the body.
    pub async fn read_whole(&mut self, max: usize) -> Result<Bytes, BodyError> {
        let max_u64 = u64::try_from(max).unwrap_or(u64::MAX);
        let hint = HttpBody::size_hint(self);
        if hint.lower() > max_u64 {
            return Err(BodyError::TooLarge);
        }
        let mut first = Bytes::new();
        let mut rest: Option<BytesMut> = None;
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let held = rest.as_ref().map_or(first.len(), BytesMut::len);
            if data.len() > max.saturating_sub(held) {
                return Err(BodyError::TooLarge);
            }
            if held == 0 {
                // Most bodies arrive in one piece and need no copy.
                first = data;
                continue;
            }
            let whole = rest.get_or_insert_with(|| {
                let expected = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
                let mut whole = BytesMut::with_capacity(expected.min(FIRST_BYTES_MAX));
                whole.extend_from_slice(&first);
                whole
            });
            whole.extend_from_slice(&data);
        }
        Ok(rest.map_or(first, BytesMut::freeze))
    }

    fn of(source: Source, pace: Pace) -> Self {
        Self { source, first: None, gap: Gap::new(pace), leave: None }
    }

    /// The same body of a client that waits for leave to send it.
    pub(crate) fn awaiting(self, leave: Option<Arc<Leave>>) -> Self {
        Self { leave, ..self }
    }

    /// A body that hyper reads.
    pub(crate) fn incoming(incoming: Incoming, limits: &Limits) -> Self {
        let source = if incoming.is_end_stream() { Source::Empty } else { Source::Hyper(incoming) };
        Self::of(source, Pace::of(limits))
    }

    /// What a client says in a tunnel.
    pub(crate) fn tunnel(source: crate::h1::Source, limits: &Limits) -> Self {
        Self::of(Source::Tunnel(source), Pace::of(limits))
    }

    /// A body that an HTTP/2 stream carries.
    pub(crate) fn h2(body: crate::h2::RequestBody, limits: &Limits) -> Self {
        let source = if body.is_end_stream() { Source::Empty } else { Source::H2(Box::new(body)) };
        Self::of(source, Pace::of(limits))
    }

    /// A body that an HTTP/3 stream carries.
    #[cfg(feature = "http3")]
    pub(crate) fn h3(body: crate::h3::RequestBody, limits: &Limits) -> Self {
        Self::of(Source::H3(Box::new(body)), Pace::of(limits))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let source = if bytes.is_empty() { Source::Empty } else { Source::Whole(bytes) };
        Self::of(source, Pace::none())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let polled = match &mut this.source {
            Source::Empty => return Poll::Ready(None),
            Source::Whole(bytes) => {
                let data = std::mem::take(bytes);
                this.source = Source::Empty;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Source::Hyper(incoming) => {
                Pin::new(incoming).poll_frame(cx).map_err(|error| cause(&error))
            }
            Source::Tunnel(source) => {
                source.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(data))))
            }
            Source::H2(body) => body.poll_frame(cx),
            #[cfg(feature = "http3")]
            Source::H3(body) => body.poll_frame(cx),
        };
        let result = match polled {
            Poll::Ready(result) => {
                let data = result.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                this.gap.stop(data.map_or(0, Bytes::len));
                // Whoever sends waits for nothing.
                this.leave = None;
                result
            }
            Poll::Pending => {
                if let Some(leave) = this.leave.take() {
                    leave.fall_due();
                }
                Some(Err(ready!(this.gap.poll(cx))))
            }
        };
        if matches!(result, None | Some(Err(_))) {
            // Nothing after an end or an error; dropping the source tells the client, too.
            this.source = Source::Empty;
        }
        Poll::Ready(result)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            _ if self.first.is_some() => false,
            Source::Empty => true,
            Source::Whole(_) => false,
            Source::Hyper(incoming) => incoming.is_end_stream(),
            Source::Tunnel(_) => false,
            Source::H2(body) => body.is_end_stream(),
            #[cfg(feature = "http3")]
            Source::H3(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Whole(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Source::Hyper(incoming) => incoming.size_hint(),
            Source::Tunnel(_) => SizeHint::default(),
            Source::H2(body) => body.size_hint(),
            #[cfg(feature = "http3")]
            Source::H3(body) => body.size_hint(),
        };
        if let Some(first) = &self.first {
            // Only kept where no length was announced, so that there is no upper bound to move.
            let kept = u64::try_from(first.len()).unwrap_or(u64::MAX);
            hint = SizeHint::new();
            hint.set_lower(kept);
        }
        hint
    }
}

/// hyper tells a broken chunk from a lost peer only by the kind of an inner IO error.
fn cause(error: &hyper::Error) -> BodyError {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            let broken = matches!(
                io.kind(),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData
            );
            return if broken { BodyError::Malformed } else { BodyError::Aborted };
        }
        source = inner.source();
    }
    BodyError::Aborted
}

/// The clock between two pieces: it runs only while somebody waits for the next one.
struct Gap {
    pace: Pace,
    clock: Clock,
    /// What it means that the clock ran out.
    then: Option<BodyError>,
}

impl Gap {
    fn new(pace: Pace) -> Self {
        Self { pace, clock: Clock::default(), then: None }
    }

    /// So many bytes came.
    fn stop(&mut self, bytes: usize) {
        self.pace.came(bytes, Instant::now);
        self.clock.stop();
        self.then = None;
    }

    /// Ready with what is wrong where nothing came for too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let patience = match self.then {
            // The clock runs already: its end was set when it started.
            Some(then) => pace::Patience { wait: std::time::Duration::ZERO, then },
            None => self.pace.waits(Instant::now()),
        };
        self.then = Some(patience.then);
        self.clock.poll(cx, patience.wait).map(|()| patience.then)
    }
}

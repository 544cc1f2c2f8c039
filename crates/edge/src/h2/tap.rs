//! The tap between TLS and the HTTP/2 engine. It reads nothing but frame heads: inbound ones to end floods that the
//! engine would serve for ever, outbound ones to hold back what the engine says by itself about a request that the
//! service never saw, until that is on record. It decides nothing about requests.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::budget::Budget;
use super::follow::{self, Follow, Head};
use crate::clock::{self, Clock};
use crate::service::FailureKind;
use crate::settings::Limits;

/// Bytes of the client's preface (RFC 9113 3.4).
const PREFACE_BYTES: u64 = 24;
/// Streams begun that the engine has neither handed on nor answered; it never keeps that many.
const UNSURFACED_MAX: usize = 1024;
/// REFUSED_STREAM (RFC 9113 7).
const REFUSED_STREAM: u32 = 0x7;

/// What the tap and the connection's task tell each other.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    has_spoken: bool,
    /// Streams that began and have not become requests.
    unsurfaced: Vec<u32>,
    last_stream: u32,
    held: Option<Held>,
    violation: Option<FailureKind>,
    /// Whether the end of the connection is on record.
    is_filed: bool,
    /// Whether the client took nothing of what was written for too long.
    is_stalled: bool,
}

/// A frame that the engine wants to send.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// On a stream that is no request so far.
    Stream(u32, FailureKind),
    /// The end of the connection because of an error.
    Goodbye,
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it can be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client has sent nothing at all.
    pub(super) fn is_silent(&self) -> bool {
        !self.lock().has_spoken
    }

    /// A stream has become a request: from now on its record tells what happens.
    pub(super) fn surfaced(&self, stream: u32) {
        self.lock().unsurfaced.retain(|other| *other != stream);
    }

    /// Whether something is held back. To be asked when the engine has handed on all requests it had.
    pub(super) fn holds(&self) -> bool {
        self.lock().held.is_some()
    }

    /// What is held back, where it has to be filed first: once for each.
    pub(super) fn suspect(&self) -> Option<FailureKind> {
        let mut state = self.lock();
        match state.held? {
            Held::Stream(stream, kind) => {
                let before = state.unsurfaced.len();
                state.unsurfaced.retain(|other| *other != stream);
                (state.unsurfaced.len() < before).then_some(kind)
            }
            Held::Goodbye => {
                let is_filed = std::mem::replace(&mut state.is_filed, true);
                (!is_filed).then_some(FailureKind::Http2Protocol)
            }
        }
    }

    /// What was held back may go.
    pub(super) fn cleared(&self) {
        self.lock().held = None;
    }

    /// Why the connection has to end, if it has, and that is not on record.
    pub(super) fn violation(&self) -> Option<FailureKind> {
        let state = self.lock();
        state.violation.filter(|_| !state.is_filed)
    }

    /// The end of the connection is on record.
    pub(super) fn filed(&self) {
        self.lock().is_filed = true;
    }

    /// Whether the end of the connection is on record.
    pub(super) fn is_filed(&self) -> bool {
        self.lock().is_filed
    }

    /// Whether the client took nothing of what was written for too long, which ended the connection.
    pub(super) fn is_stalled(&self) -> bool {
        self.lock().is_stalled
    }

    fn violate(&self, kind: FailureKind) {
        self.lock().violation.get_or_insert(kind);
    }

    /// A HEADERS frame came: of a new stream, or trailers.
    fn begun(&self, stream: u32) {
        let mut state = self.lock();
        if stream > state.last_stream {
            state.last_stream = stream;
            if state.unsurfaced.len() >= UNSURFACED_MAX {
                state.violation.get_or_insert(FailureKind::Http2ControlFlood);
            } else {
                state.unsurfaced.push(stream);
            }
        }
    }

    /// Whether a frame may not leave yet; it is noted as held.
    fn stops(&self, head: Head, payload: &[u8]) -> bool {
        let is_answer = head.kind == follow::HEADERS || head.kind == follow::RST_STREAM;
        if !is_answer && head.kind != follow::GOAWAY {
            return false;
        }
        let mut state = self.lock();
        if head.kind == follow::GOAWAY {
            let code = payload.get(4..8).and_then(number).unwrap_or(0);
            if code == 0 || state.is_filed {
                return false;
            }
            state.held = Some(Held::Goodbye);
        } else {
            if !state.unsurfaced.contains(&head.stream) {
                return false;
            }
            let kind = if head.kind == follow::HEADERS {
                FailureKind::HeadTooLarge
            } else if payload.get(..4).and_then(number) == Some(REFUSED_STREAM) {
                FailureKind::StreamLimit
            } else {
                FailureKind::Http2Stream
            };
            state.held = Some(Held::Stream(head.stream, kind));
        }
        true
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// A byte stream whose frames are watched.
pub(super) struct Tap<T> {
    stream: T,
    watch: Arc<Watch>,
    inbound: Follow,
    outbound: Follow,
    budget: Budget,
    header_timeout: Duration,
    write_timeout: Duration,
    head_clock: Clock,
    write_clock: Clock,
}

impl<T> Tap<T> {
    pub(super) fn new(stream: T, watch: Arc<Watch>, limits: &Limits) -> Self {
        Self {
            stream,
            watch,
            inbound: Follow::after(PREFACE_BYTES),
            outbound: Follow::after(0),
            budget: Budget::new(&limits.floods, Instant::now()),
            header_timeout: limits.header_timeout,
            write_timeout: limits.write_timeout,
            head_clock: Clock::default(),
            write_clock: Clock::default(),
        }
    }

    /// What a write came to; one that waited too long ends the connection.
    fn timed<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let timed = self.write_clock.timed(cx, self.write_timeout, polled);
        if clock::is_over(&timed) {
            self.watch.lock().is_stalled = true;
        }
        timed
    }

    /// Looks at the heads of what came in.
    fn count(&mut self, mut bytes: &[u8]) -> Result<(), FailureKind> {
        let now = Instant::now();
        while !bytes.is_empty() {
            let (taken, head) = self.inbound.next(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            let Some(head) = head else { continue };
            if head.kind == follow::HEADERS {
                self.watch.begun(head.stream);
                self.head_clock.stop();
            }
            self.budget.spend(head, now)?;
        }
        Ok(())
    }

    /// How many of the bytes may leave now.
    fn passable(&self, bytes: &[u8]) -> usize {
        let mut follow = self.outbound.clone();
        let mut passed = 0;
        while let Some(rest) = bytes.get(passed..).filter(|rest| !rest.is_empty()) {
            // The engine writes heads and the frames that matter here in one piece.
            if follow.is_between()
                && let Some((head, payload)) = rest.split_first_chunk::<{ follow::HEAD_BYTES }>()
                && self.watch.stops(Head::parse(*head), payload)
            {
                break;
            }
            passed = passed.saturating_add(follow.next(rest).0);
        }
        passed
    }

    /// Follows what has left.
    fn left(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, head) = self.outbound.next(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            if head.is_some_and(|head| head.kind == follow::DATA) {
                self.budget.sent_data();
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_pending() {
            if this.budget.is_in_head(&this.inbound)
                && this.head_clock.poll(cx, this.header_timeout).is_ready()
            {
                this.watch.violate(FailureKind::HeadTimedOut);
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let fresh = buf.filled().get(start..).unwrap_or_default();
        if fresh.is_empty() {
            return read;
        }
        let counted = this.count(fresh);
        let mut state = this.watch.lock();
        state.has_spoken = true;
        if let Err(kind) = counted {
            state.violation.get_or_insert(kind);
        }
        if state.violation.is_some() {
            // The engine sees nothing more; the connection's task looks after each poll.
            buf.set_filled(start);
            return Poll::Pending;
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tap<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let passable = this.passable(buf);
        let bytes = buf.get(..passable).unwrap_or_default();
        if bytes.is_empty() && !buf.is_empty() {
            // The connection's task looks after each poll.
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            this.left(bytes.get(..*written).unwrap_or_default());
        }
        this.timed(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.as_mut().get_mut();
        let first = bufs.first().map_or(&[][..], |first| &**first);
        if bufs.len() < 2 || this.passable(first) < first.len() {
            return self.poll_write(cx, first);
        }
        // Frames that are stopped come whole in the first slice: what follows it is the payload of DATA.
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(written)) = &polled {
            let mut left = *written;
            for slice in bufs {
                let taken = left.min(slice.len());
                this.left(slice.get(..taken).unwrap_or_default());
                left = left.saturating_sub(taken);
            }
        }
        this.timed(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.timed(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.timed(cx, polled)
    }
}

#[cfg(test)]
mod tests;

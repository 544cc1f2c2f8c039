//! The byte gate between TLS and the HTTP/1 engine. It holds each request head back until it is complete and has passed
//! the strict reading, follows the body's framing, and owns the clocks of the connection. Where a head may not pass, the
//! engine is given a stand-in instead, and the verdict travels beside it: so a broken request is an exchange like any
//! other, recorded and answered by the service, and the engine never answers by itself. It decides nothing else.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::follow::{Follow, Framing};
use super::head::HeadReader;
use crate::clock::{self, Clock};
use crate::service::FailureKind;
use crate::session::Pulse;
use crate::settings::Limits;
use crate::target::Malformed;

/// Bytes of requests that came before the answer to the one under way was over; more wait in the socket.
const PIPELINED_BYTES_MAX: usize = 16 * 1024;
/// How long, and for how many bytes, a connection that is closed by us still reads, so that the client sees our last
/// answer and not a reset (RFC 9112 9.6).
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a connection is without a request until it gives its engine back: see [`Verdicts::rests`].
const REST_AFTER: Duration = Duration::from_secs(1);
/// Bytes read at a time from what nobody wants.
const LINGER_READ_BYTES: usize = 4 * 1024;

/// What stands in for a head that may not pass: the method is kept where it is a common one, since the engine must know
/// whether the answer has a body.
const STAND_INS: [(&[u8], &[u8]); 2] = [
    (b"HEAD ", b"HEAD / HTTP/1.1\r\nhost: malformed.invalid\r\nconnection: close\r\n\r\n"),
    (b"", b"MALFORMED / HTTP/1.1\r\nhost: malformed.invalid\r\nconnection: close\r\n\r\n"),
];

/// What the gate and the service's side of a connection tell each other.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    next: Mutex<Option<Malformed>>,
    /// Whether the connection ended within a head.
    is_truncated: AtomicBool,
    /// Whether it was without a request for too long.
    is_idle: AtomicBool,
    /// Whether the client took nothing of an answer for too long.
    is_stalled: AtomicBool,
    rests: AtomicBool,
}

impl Verdicts {
    /// The verdict on the request that the engine has just handed on.
    pub(super) fn take(&self) -> Option<Malformed> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether nothing is under way, and has not been for a while: engine and buffers can go until something comes.
    pub(super) fn rests(&self) -> bool {
        self.rests.load(Ordering::Acquire)
    }

    /// What the connection ended with, where that was outside of any request.
    pub(super) fn failure(&self) -> Option<FailureKind> {
        let ends = [
            (&self.is_stalled, FailureKind::WriteTimedOut),
            (&self.is_truncated, FailureKind::HeadTruncated),
            (&self.is_idle, FailureKind::ConnectionIdle),
        ];
        ends.into_iter().find_map(|(is, kind)| is.load(Ordering::Acquire).then_some(kind))
    }

    fn put(&self, malformed: Malformed) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(malformed);
    }
}

/// A byte stream that shows the engine nothing but well-formed requests.
pub(super) struct Gate<T> {
    stream: T,
    pulse: Arc<Pulse>,
    verdicts: Arc<Verdicts>,
    place: Place,
    reader: HeadReader,
    /// Bytes that came and may not pass yet, or not yet all.
    held: BytesMut,
    /// How many of them may pass.
    approved: usize,
    /// Heads that have passed.
    passed: u64,
    idle_timeout: Duration,
    /// What is left of it.
    idle_left: Duration,
    header_timeout: Duration,
    write_timeout: Duration,
    read_clock: Clock,
    write_clock: Clock,
    lingered_bytes: usize,
}

enum Place {
    /// A head is awaited, or its rest.
    Head,
    /// The rest of a body is awaited.
    Body(Follow),
    /// The body broke: the engine is told when it reads on.
    Broken,
    /// The request has passed whole, its answer is not over.
    Answer,
    /// The stand-in has passed: nothing more will.
    Refused,
}

impl<T> Gate<T> {
    /// A gate before a connection that may be without a request for `idle_left` from now on.
    pub(super) fn new(
        stream: T,
        pulse: Arc<Pulse>,
        verdicts: Arc<Verdicts>,
        limits: &Limits,
        idle_left: Duration,
    ) -> Self {
        // An engine before this one may have served some.
        let passed = pulse.started();
        Self {
            stream,
            pulse,
            verdicts,
            place: Place::Head,
            reader: HeadReader::new(limits),
            held: BytesMut::new(),
            approved: 0,
            passed,
            idle_timeout: limits.idle_timeout,
            idle_left,
            header_timeout: limits.header_timeout,
            write_timeout: limits.write_timeout,
            read_clock: Clock::default(),
            write_clock: Clock::default(),
            lingered_bytes: 0,
        }
    }

    /// Looks at the head that `held` begins with; what may pass of it is approved.
    fn judge(&mut self) {
        match self.reader.advance(&self.held) {
            Ok(None) => {}
            Ok(Some((head_bytes, framing))) => {
                let rest = self.held.get(head_bytes..).unwrap_or_default();
                let body_bytes = self.place.enter(framing, rest);
                self.approved = head_bytes.saturating_add(body_bytes);
                self.pass();
            }
            Err(malformed) => self.refuse(malformed),
        }
    }

    /// The stream, and what came on it before it was known to be a tunnel.
    pub(super) fn into_tunnel(self) -> (T, BytesMut) {
        (self.stream, self.held)
    }

    /// The stream, and how long it may still be without a request.
    pub(super) fn into_rest(self) -> (T, Duration) {
        (self.stream, self.idle_left)
    }

    /// What a write came to; one that waited too long ends the connection.
    fn timed<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let timed = self.write_clock.timed(cx, self.write_timeout, polled);
        if clock::is_over(&timed) {
            self.verdicts.is_stalled.store(true, Ordering::Release);
        }
        timed
    }

    fn pass(&mut self) {
        self.reader.renew();
        self.read_clock.stop();
        self.idle_left = self.idle_timeout;
        self.passed = self.passed.saturating_add(1);
    }

    /// Lets the stand-in pass in place of the head.
    fn refuse(&mut self, malformed: Malformed) {
        let stand_in = STAND_INS.iter().find(|(start, _)| self.held.starts_with(start));
        let stand_in = stand_in.map_or(b"".as_slice(), |(_, stand_in)| stand_in);
        self.held.clear();
        self.held.extend_from_slice(stand_in);
        self.approved = self.held.len();
        self.place = Place::Refused;
        self.verdicts.put(malformed);
        self.pass();
    }

    /// Gives the engine what was approved.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let given = self.approved.min(buf.remaining());
        if let Some(bytes) = self.held.get(..given) {
            buf.put_slice(bytes);
        }
        self.held.advance(given);
        self.approved = self.approved.saturating_sub(given);
        if self.held.is_empty() {
            // An idle connection holds no buffer.
            self.held = BytesMut::new();
        }
    }

    /// Takes back what was read into the engine's buffer from `from` on.
    fn hold(&mut self, buf: &mut ReadBuf<'_>, from: usize) {
        if let Some(bytes) = buf.filled().get(from..) {
            self.held.extend_from_slice(bytes);
        }
        buf.set_filled(from);
    }
}

impl Place {
    /// The place after a head, and how many of the bytes behind it belong to its body.
    fn enter(&mut self, framing: Framing, rest: &[u8]) -> usize {
        let mut follow = Follow::new(framing);
        let taken = follow.take(rest);
        *self = match &taken {
            Err(_) => Self::Broken,
            Ok(_) if follow.is_over() => Self::Answer,
            Ok(_) => Self::Body(follow),
        };
        taken.unwrap_or_default()
    }
}

impl<T: AsyncRead + Unpin> Gate<T> {
    /// Reads until a head is complete, has no chance to become one, or nothing comes.
    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            self.judge();
        }
        let start = buf.filled().len();
        while self.approved == 0 {
            let read = Pin::new(&mut self.stream).poll_read(cx, buf);
            if read.is_pending() {
                ready!(self.wait(cx));
                break;
            }
            let fresh = buf.filled().get(start..).unwrap_or_default();
            if fresh.is_empty() {
                self.verdicts.is_truncated.store(!self.held.is_empty(), Ordering::Release);
                return read;
            }
            if self.held.is_empty()
                && let Ok(Some((head_bytes, framing))) = self.reader.advance(fresh)
            {
                // The common case: a whole head in one piece, which stays where it was read to.
                let rest = fresh.get(head_bytes..).unwrap_or_default();
                let body_bytes = self.place.enter(framing, rest);
                self.pass();
                let end = start.saturating_add(head_bytes).saturating_add(body_bytes);
                self.hold(buf, end);
                return read;
            }
            if self.held.is_empty() {
                self.reader.renew();
                // From the idle time to the time of a head.
                self.read_clock.stop();
            }
            self.hold(buf, start);
            self.judge();
        }
        self.give(buf);
        Poll::Ready(Ok(()))
    }

    /// Nothing came: ready where that has lasted too long, with a stand-in or nothing to give, which is the end.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.held.is_empty() {
            let spell = self.idle_left.min(REST_AFTER);
            ready!(self.read_clock.poll(cx, spell));
            self.read_clock.stop();
            self.idle_left = self.idle_left.saturating_sub(spell);
            if self.idle_left.is_zero() {
                self.verdicts.is_idle.store(true, Ordering::Release);
                return Poll::Ready(());
            }
            if !self.write_clock.is_running() {
                // Nobody is woken: whoever polls the engine looks there next.
                self.verdicts.rests.store(true, Ordering::Release);
                return Poll::Pending;
            }
        }
        ready!(self.read_clock.poll(cx, self.header_timeout));
        self.refuse(Malformed::HeadTimedOut);
        Poll::Ready(())
    }

    /// Passes a body on as far as it goes.
    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let fresh = buf.filled().get(start..).unwrap_or_default();
        let Place::Body(follow) = &mut self.place else { return Poll::Ready(read) };
        match follow.take(fresh) {
            Err(_) => {
                self.place = Place::Broken;
                buf.set_filled(start);
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            Ok(taken) => {
                if follow.is_over() {
                    self.place = Place::Answer;
                }
                self.hold(buf, start.saturating_add(taken));
            }
        }
        Poll::Ready(read)
    }

    /// Watches for the end of the connection while the answer is under way; what comes is held.
    fn poll_answer(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        while self.held.len() < PIPELINED_BYTES_MAX {
            match Pin::new(&mut self.stream).poll_read(cx, buf) {
                Poll::Pending => break,
                Poll::Ready(read) if buf.filled().len() == start => return Poll::Ready(read),
                Poll::Ready(_) => self.hold(buf, start),
            }
        }
        if !self.held.is_empty() {
            // The socket will not tell of what was read already.
            self.pulse.wakes(cx);
        }
        Poll::Pending
    }

    /// Reads what nobody wants, for a while.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.lingered_bytes < LINGER_BYTES_MAX {
            let mut room = [0_u8; LINGER_READ_BYTES];
            let mut buf = ReadBuf::new(&mut room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Pending => return self.read_clock.poll(cx, LINGER_TIME),
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.lingered_bytes = self.lingered_bytes.saturating_add(buf.filled().len());
                }
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gate<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.approved > 0 {
            this.give(buf);
            return Poll::Ready(Ok(()));
        }
        if matches!(this.place, Place::Answer) && this.pulse.has_answered(this.passed) {
            this.place = Place::Head;
            this.read_clock.stop();
        }
        match this.place {
            Place::Head => this.poll_head(cx, buf),
            Place::Body(_) => this.poll_body(cx, buf),
            Place::Broken => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            Place::Answer => this.poll_answer(cx, buf),
            Place::Refused => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.timed(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
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
        ready!(this.timed(cx, polled))?;
        // A client that sent all it had to say needs no time to hear the answer.
        if matches!(this.place, Place::Body(_) | Place::Broken | Place::Refused)
            || this.approved < this.held.len()
        {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;

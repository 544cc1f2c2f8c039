//! The clocks of a TCP connection: idle time and head time while no request is under way, and the time a client
//! takes to accept bytes. hyper's own header timer cannot tell an idle connection from a slow head, hence this layer
//! below it. It knows no HTTP: the server tells it when a request begins and ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::settings::Limits;

/// What the requests of one connection and its clocks tell each other.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    open: AtomicUsize,
    started: AtomicU64,
    in_head: AtomicBool,
    head_timed_out: AtomicBool,
}

impl Pulse {
    /// A request head is complete.
    pub(crate) fn begin(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::AcqRel);
        self.in_head.store(false, Ordering::Release);
    }

    /// Its answer is over.
    pub(crate) fn end(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether requests are under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// How many requests there have been.
    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Whether bytes came that no request has claimed.
    pub(crate) fn is_in_head(&self) -> bool {
        !self.is_busy() && self.in_head.load(Ordering::Acquire)
    }

    /// Whether a head took too long.
    pub(crate) fn head_timed_out(&self) -> bool {
        self.head_timed_out.load(Ordering::Acquire)
    }
}

/// Which clocks run on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Idle and head time (HTTP/1).
    Timed,
    /// None; frames of many streams share the connection (HTTP/2).
    Free,
}

/// A byte stream with clocks.
pub(crate) struct Paced<T> {
    stream: T,
    pulse: Arc<Pulse>,
    reading: Reading,
    idle: Duration,
    head: Duration,
    write: Duration,
    read_clock: Clock,
    write_clock: Clock,
    /// Requests seen when the read clock was last looked at: a new one makes its deadline void.
    seen: u64,
}

impl<T> Paced<T> {
    pub(crate) fn new(stream: T, pulse: Arc<Pulse>, reading: Reading, limits: &Limits) -> Self {
        Self {
            stream,
            pulse,
            reading,
            idle: limits.idle_timeout,
            head: limits.header_timeout,
            write: limits.write_timeout,
            read_clock: Clock::default(),
            write_clock: Clock::default(),
            seen: 0,
        }
    }

    /// The write clock runs while the client accepts nothing.
    fn timed_write<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.write_clock.stop();
            return polled;
        }
        if self.write_clock.poll(cx, self.write).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.reading == Reading::Free || this.pulse.is_busy() {
            this.read_clock.stop();
            return polled;
        }
        let started = this.pulse.started();
        if started != this.seen {
            this.seen = started;
            this.read_clock.stop();
        }
        let arrived = buf.filled().len() > before;
        if arrived && !this.pulse.in_head.swap(true, Ordering::AcqRel) {
            this.read_clock.stop();
        }
        let in_head = this.pulse.in_head.load(Ordering::Acquire);
        let limit = if in_head { this.head } else { this.idle };
        // Checked also when bytes arrive: a head that comes in drops must end, too.
        if this.read_clock.poll(cx, limit).is_pending() {
            return polled;
        }
        if in_head {
            this.pulse.head_timed_out.store(true, Ordering::Release);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // An idle connection ends as if the client had closed it.
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.timed_write(cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.timed_write(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.timed_write(cx, polled)
    }
}

/// One deadline, armed when first polled.
#[derive(Default)]
struct Clock {
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Clock {
    fn stop(&mut self) {
        self.running = false;
    }

    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.running {
            let Some(end) = Instant::now().checked_add(limit) else { return Poll::Pending };
            sleep.as_mut().reset(end);
            self.running = true;
        }
        sleep.as_mut().poll(cx)
    }
}

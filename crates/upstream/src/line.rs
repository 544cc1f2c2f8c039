//! One HTTP/1.1 connection to a service, moved on by whoever waits for something from it: a request costs no second task
//! and no wake-up between two. It knows no shelves and no second tries.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use http::Response;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;

use crate::connect::{Opened, chain};
use crate::sent::{Sent, SentBody};

/// Bytes of the longest head of an answer.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection that carries one request at a time. Dropping it closes it in the middle of whatever it is doing.
pub(crate) struct Line {
    sender: http1::SendRequest<SentBody>,
    wire: Wire,
}

/// What reads and writes. It moves only while somebody polls it.
struct Wire {
    /// `None` once it is over.
    connection: Option<http1::Connection<TokioIo<Opened>, SentBody>>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("over", &self.is_over()).finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) async fn open(stream: Opened) -> hyper::Result<Self> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        let bell = Arc::<Bell>::default();
        let waker = Waker::from(Arc::clone(&bell));
        Ok(Self { sender, wire: Wire { connection: Some(connection), bell, waker } })
    }

    /// Sends a request and waits for the head of its answer. Whatever came before the request was sent, an end or bytes
    /// that nobody asked for, is read first: then the request comes back unsent.
    ///
    /// Requests that are ready at the same time go out together, and so do their answers: see [`turn`].
    pub(crate) async fn ask(
        &mut self,
        request: Sent,
    ) -> Result<Response<Incoming>, TrySendError<Sent>> {
        turn().await;
        let mut answer = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| self.wire.poll_for(cx, |cx| answer.as_mut().poll(cx))).await;
        turn().await;
        answered
    }

    /// Polls a part of the answer that comes on this connection, and moves the connection on where the part is not
    /// there yet. What is left of the request is written on the way, as fast as the answer is taken.
    pub(crate) fn poll_for<T>(
        &mut self,
        cx: &mut Context<'_>,
        part: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.wire.poll_for(cx, part)
    }

    /// Whether the last exchange is complete and another may begin.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_over() && self.sender.is_ready()
    }

    /// Whether it was closed, by whomever, or broke.
    pub(crate) fn is_over(&self) -> bool {
        self.wire.connection.is_none()
    }

    /// Does what can be done without waiting, and tells whether the connection is free then.
    pub(crate) fn look(&mut self) -> bool {
        self.wire.bell.hush();
        self.wire.advance();
        self.is_free()
    }

    /// Waits until the last exchange is complete; `false` where the connection is over instead.
    pub(crate) async fn freed(&mut self) -> bool {
        let Self { sender, wire } = self;
        let freed = poll_fn(|cx| wire.poll_for(cx, |cx| sender.poll_ready(cx))).await;
        freed.is_ok() && self.is_free()
    }

    /// Closes a free connection in form (TLS: RFC 8446 6.1), as far as that goes without waiting.
    pub(crate) fn close(self) {
        let Self { sender, mut wire } = self;
        wire.bell.hush();
        drop(sender);
        wire.advance();
    }
}

/// Lets the tasks that are ready go first, once. What several of them write is then written in one go rather than with
/// each one's work in between, so that whoever reads it is not put to sleep and woken for each.
async fn turn() {
    let mut waited = false;
    poll_fn(|cx| {
        if mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Wire {
    fn poll_for<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut part: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.bell.hush();
        // What has been read already comes first: reading more would take memory instead of giving some back.
        let polled = part(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            return polled;
        }
        self.advance();
        let polled = part(&mut Context::from_waker(&self.waker));
        if polled.is_pending() {
            self.bell.ring_for(cx.waker());
        }
        polled
    }

    fn advance(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let polled = Pin::new(connection).poll(&mut Context::from_waker(&self.waker));
        if let Poll::Ready(ended) = polled {
            if let Err(error) = ended {
                tracing::debug!(error = chain(&error), "a connection to a service broke");
            }
            // Gives back a request that it did not take.
            self.connection = None;
        }
    }
}

/// What a connection wakes: the task that waits for it, or nobody. The halves of hyper's connection wake each other
/// with everything that they hand over; as one task polls them both, that is heeded only where it happens after the
/// poll. A connection that lies idle wakes nobody and keeps no task's memory.
#[derive(Default)]
struct Bell(Mutex<Hearing>);

#[derive(Default)]
struct Hearing {
    task: Option<Waker>,
    rung: bool,
}

impl Bell {
    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        // Nothing in it can be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes nobody from now on.
    fn hush(&self) {
        *self.hearing() = Hearing::default();
    }

    /// Wakes `task` once: at once where the bell was rung since it was hushed.
    fn ring_for(&self, task: &Waker) {
        let mut hearing = self.hearing();
        if !hearing.rung {
            hearing.task = Some(task.clone());
            return;
        }
        drop(hearing);
        task.wake_by_ref();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut hearing = self.hearing();
        hearing.rung = true;
        let task = hearing.task.take();
        drop(hearing);
        if let Some(task) = task {
            task.wake();
        }
    }
}

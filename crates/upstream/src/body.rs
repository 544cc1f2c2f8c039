//! The body of a service's answer, under a clock: silence for too long is an error, never an end. It knows no content.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::pool::Lease;
use crate::tunnel::Tunnel;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

/// A body that comes from a service. Dropping it ends the request (on HTTP/1.1 the connection).
#[derive(Debug)]
pub struct UpstreamBody {
    inner: Inner,
    silence_max: Duration,
    /// Set while a frame is waited for.
    alarm: Option<Pin<Box<Sleep>>>,
    /// The place among the requests to this service, given back with the last byte.
    place: Option<OwnedSemaphorePermit>,
    /// The HTTP/1.1 connection it comes on, moved on while it is read and given back with the last byte.
    lease: Option<Lease>,
}

#[derive(Debug)]
enum Inner {
    Answer(Incoming),
    Tunnel(Tunnel),
}

impl Inner {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self {
            Self::Answer(answer) => Pin::new(answer).poll_frame(cx).map_err(|_| BodyFault::Broken),
            Self::Tunnel(tunnel) => tunnel
                .poll_data(cx)
                .map(|data| data.map(|data| data.map(Frame::data).map_err(|_| BodyFault::Broken))),
        }
    }
}

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Nothing came for too long.
    #[error("go on reading: the service fell silent")]
    Stalled,
    /// The connection broke, or what came is no HTTP.
    #[error("go on reading: the service broke off")]
    Broken,
}

impl UpstreamBody {
    pub(crate) fn new(
        inner: Incoming,
        silence_max: Duration,
        place: OwnedSemaphorePermit,
        lease: Option<Lease>,
    ) -> Self {
        let is_over = inner.is_end_stream();
        let inner = Inner::Answer(inner);
        let mut body = Self { inner, silence_max, alarm: None, place: Some(place), lease };
        if is_over {
            body.finish();
        }
        body
    }

    /// What the service says in a tunnel.
    pub(crate) fn tunnel(
        tunnel: Tunnel,
        silence_max: Duration,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let inner = Inner::Tunnel(tunnel);
        Self { inner, silence_max, alarm: None, place: Some(place), lease: None }
    }

    fn finish(&mut self) {
        self.place = None;
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        let inner = &mut this.inner;
        let polled = match &mut this.lease {
            Some(lease) => lease.line.poll_for(cx, |cx| inner.poll_frame(cx)),
            None => inner.poll_frame(cx),
        };
        if let Poll::Ready(frame) = polled {
            this.alarm = None;
            if frame.is_none() || this.is_end_stream() {
                this.finish();
            }
            return Poll::Ready(frame);
        }
        let silence_max = this.silence_max;
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep(silence_max)));
        match alarm.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                // Asked again, it says the same again, rather than panic over a finished timer.
                alarm.as_mut().reset(Instant::now());
                Poll::Ready(Some(Err(BodyFault::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Answer(answer) => answer.is_end_stream(),
            Inner::Tunnel(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Answer(answer) => answer.size_hint(),
            Inner::Tunnel(_) => SizeHint::default(),
        }
    }
}

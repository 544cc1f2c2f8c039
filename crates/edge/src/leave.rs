//! Leave to send a body, for clients that wait for it (RFC 9110 10.1.1): given when somebody reads the body, which is when
//! the request has passed whatever can be decided by its head. HTTP/1's engine does the same by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use http::{HeaderMap, Response, StatusCode, header};

/// Between the body of a request, which is read, and its stream, which answers.
#[derive(Debug, Default)]
pub(crate) struct Leave {
    is_due: AtomicBool,
    waker: AtomicWaker,
}

impl Leave {
    /// For a request whose client waits. What else may be expected is refused.
    pub(crate) fn awaited(headers: &HeaderMap) -> Option<Arc<Self>> {
        headers.contains_key(header::EXPECT).then(Arc::default)
    }

    /// The body is read, and nothing of it is there.
    pub(crate) fn fall_due(&self) {
        self.is_due.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready, once, when leave is to be given.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_due.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What gives it.
    pub(crate) fn given() -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::CONTINUE;
        response
    }
}

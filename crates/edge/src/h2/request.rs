//! One HTTP/2 request: its body as [`Body`] reads it, its answer with backpressure and a clock; an answer that does not
//! come to its end is reset. It knows nothing of other requests.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, StatusCode, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Tidied, length, tidy};
use crate::body::{Body, BodyError};
use crate::exchange::Exchange;
use crate::handshake;
use crate::leave::Leave;
use crate::service::{BoxError, FailureKind, Service};
use crate::session::Session;

/// Bytes that a client has to take within the write time limit, so that a window opened byte by byte holds nothing.
const PROGRESS_BYTES_MIN: usize = 1024;

/// Serves one request.
pub(super) async fn serve<S: Service>(
    session: &Session<S>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let limits = &session.engine.limits;
    let (mut head, stream) = request.into_parts();
    let asks_websocket = handshake::over_h2(&head);
    if asks_websocket {
        head.method = Method::GET;
    }
    let method = head.method.clone();
    let leave = Leave::awaited(&head.headers);
    let body = RequestBody::new(stream, length(&head.headers));
    let body = Body::h2(body, limits).awaiting(leave.clone());
    let mut exchange = Exchange::new(Arc::clone(&session.connection), head, body, limits);
    if asks_websocket {
        exchange = exchange.for_websocket();
    }
    let served = session.engine.serve(exchange, &session.pulse, &session.presence);
    let served = unless_reset(served, |cx| {
        if leave.as_ref().is_some_and(|leave| leave.poll(cx).is_ready()) {
            // An error says that the stream is gone, which the next line tells.
            respond.send_informational(Leave::given()).ok();
        }
        respond.poll_reset(cx)
    });
    let Some(mut response) = served.await else { return };
    if let Some(alternative) = &session.alternative {
        response.headers_mut().insert(header::ALT_SVC, alternative.clone());
    }
    if asks_websocket && response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // RFC 8441 5
        *response.status_mut() = StatusCode::OK;
    }
    let Tidied { head, body, announced } = tidy(response, &method);
    let body = body.filter(|body| !body.is_end_stream());
    let Ok(mut send) = respond.send_response(head, body.is_none()) else { return };
    let Some(body) = body else { return };
    match copy(body, &mut send, announced, limits.write_timeout).await {
        Ok(()) => {}
        Err(Cut::Broken) => send.send_reset(Reason::INTERNAL_ERROR),
        Err(Cut::Stalled) => {
            session.failed(FailureKind::WriteTimedOut, Version::HTTP_2).await;
            send.send_reset(Reason::CANCEL);
        }
    }
}

/// Why an answer does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The service broke it off, or the client reset it.
    Broken,
    /// The client took too little of it for too long.
    Stalled,
}

/// The outcome, or nothing where the client resets the stream first.
async fn unless_reset<F: Future>(
    work: F,
    mut reset: impl FnMut(&mut Context<'_>) -> Poll<Result<Reason, h2::Error>>,
) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        reset(cx).map(|_| None)
    })
    .await
}

/// Sends the body; an error where it may not be taken for complete.
async fn copy<B>(
    body: B,
    send: &mut SendStream<Bytes>,
    announced: Option<u64>,
    limit: Duration,
) -> Result<(), Cut>
where
    B: HttpBody<Data = Bytes, Error = BoxError>,
{
    let mut body = pin!(body);
    let mut left = announced;
    loop {
        let next = unless_reset(body.frame(), |cx| send.poll_reset(cx)).await;
        let Some(frame) = next.ok_or(Cut::Broken)? else { break };
        match frame.map_err(|_| Cut::Broken)?.into_data() {
            Ok(data) => {
                if let Some(left) = &mut left {
                    let length = u64::try_from(data.len()).map_err(|_| Cut::Broken)?;
                    *left = left.checked_sub(length).ok_or(Cut::Broken)?;
                }
                let is_last = body.is_end_stream();
                if is_last && left.unwrap_or(0) > 0 {
                    return Err(Cut::Broken);
                }
                put(send, data, is_last, limit).await?;
                if is_last {
                    return Ok(());
                }
            }
            Err(frame) => {
                let trailers = frame.into_trailers().map_err(|_| Cut::Broken)?;
                let sent = left.unwrap_or(0) == 0 && send.send_trailers(trailers).is_ok();
                return if sent { Ok(()) } else { Err(Cut::Broken) };
            }
        }
    }
    let sent = left.unwrap_or(0) == 0 && send.send_data(Bytes::new(), true).is_ok();
    if sent { Ok(()) } else { Err(Cut::Broken) }
}

/// Sends one piece as fast as the client takes it.
async fn put(
    send: &mut SendStream<Bytes>,
    mut data: Bytes,
    is_last: bool,
    limit: Duration,
) -> Result<(), Cut> {
    if data.is_empty() {
        return if is_last { sent(send.send_data(data, true)) } else { Ok(()) };
    }
    // Starts when the client first makes us wait, and anew when it has taken enough.
    let mut deadline = None;
    let mut taken = 0_usize;
    while !data.is_empty() {
        send.reserve_capacity(data.len());
        if send.capacity() == 0 {
            let end = *deadline.get_or_insert_with(|| Instant::now().checked_add(limit));
            let wait = poll_fn(|cx| room(send, cx));
            let room = match end {
                Some(end) => timeout_at(end, wait).await.map_err(|_| Cut::Stalled)?,
                None => wait.await,
            };
            room.ok_or(Cut::Broken)?;
        }
        let piece = data.split_to(send.capacity().min(data.len()));
        taken = taken.saturating_add(piece.len());
        if taken >= PROGRESS_BYTES_MIN {
            (taken, deadline) = (0, None);
        }
        sent(send.send_data(piece, is_last && data.is_empty()))?;
    }
    Ok(())
}

/// The engine takes nothing for a stream that is gone.
fn sent(outcome: Result<(), h2::Error>) -> Result<(), Cut> {
    outcome.map_err(|_| Cut::Broken)
}

/// Waits for room; `None` where nothing can be sent any more.
fn room(send: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Option<()>> {
    while send.capacity() == 0 {
        if !matches!(ready!(send.poll_capacity(cx)), Some(Ok(_))) {
            return Poll::Ready(None);
        }
    }
    Poll::Ready(Some(()))
}

/// The body of a request on its stream. The engine holds it against the announced length (RFC 9113 8.1.1).
pub(crate) struct RequestBody {
    stream: RecvStream,
    left: Option<u64>,
    data_ended: bool,
}

impl RequestBody {
    fn new(stream: RecvStream, announced: Option<u64>) -> Self {
        Self { stream, left: announced, data_ended: false }
    }

    /// The next frame; its bytes count against no window from then on.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    if let Some(left) = &mut self.left {
                        let taken = u64::try_from(data.len()).unwrap_or(u64::MAX);
                        *left = left.saturating_sub(taken);
                    }
                    // An error says that the stream is gone, which the next poll tells.
                    self.stream.flow_control().release_capacity(data.len()).ok();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(cause(&error)))),
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(cause(&error))),
        })
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// What the client announced and has not sent.
    pub(crate) fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Whose fault it is: the engine resets what is malformed.
fn cause(error: &h2::Error) -> BodyError {
    if error.is_library() { BodyError::Malformed } else { BodyError::Aborted }
}

//! One HTTP/3 request: its head within a time limit, its body as [`Body`] reads it, its answer with backpressure; an
//! answer that does not come to its end is reset. It knows nothing of other requests.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::{Code, StreamError};
use h3::server::{RequestResolver, RequestStream};
use http::{HeaderMap, Request, Version};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use super::Session;
use super::transport::{Beside, RecvStream, Seen, SendStream, Stopped, Transport};
use crate::answer::{Tidied, length, tidy};
use crate::body::{Body, BodyError};
use crate::engine::Reply;
use crate::exchange::Exchange;
use crate::leave::Leave;
use crate::service::{FailureKind, Service};
use crate::target::Malformed;

/// Serves one request stream.
pub(super) async fn serve<S: Service>(
    session: Arc<Session<S>>,
    resolver: RequestResolver<Transport, Bytes>,
    beside: Beside,
) {
    let Beside { stopped, seen } = beside;
    let ended = attend(&session, resolver, stopped, &seen).await;
    if ended == Ended::Cancelled || seen.was_reset() {
        session.watch.reset(Instant::now());
    }
}

/// How a request stream ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// With an answer, or because the client is gone.
    Served,
    /// By the client, before its answer was over, or because it was broken.
    Cancelled,
}

async fn attend<S: Service>(
    session: &Arc<Session<S>>,
    resolver: RequestResolver<Transport, Bytes>,
    mut stopped: Stopped,
    seen: &Seen,
) -> Ended {
    let limits = &session.engine.limits;
    let resolved = timeout(limits.header_timeout, resolver.resolve_request()).await;
    let (request, stream) = match resolved {
        Ok(Ok(resolved)) => resolved,
        Ok(Err(error)) => {
            let Some(kind) = failure(&error) else { return Ended::Served };
            session.failed(kind).await;
            return Ended::Cancelled;
        }
        Err(_) => {
            session.failed(FailureKind::HeadTimedOut).await;
            return Ended::Cancelled;
        }
    };
    let verdict = seen.verdict();
    let (send, recv) = stream.split();
    tokio::select! {
        biased;
        () = answer(session, (request, verdict), send, recv) => {}
        was_stopped = &mut stopped => {
            return if was_stopped { Ended::Cancelled } else { Ended::Served };
        }
    }
    // The connection stays until the client has everything, so that a drain cuts nothing.
    timeout(limits.write_timeout, stopped).await.ok();
    Ended::Served
}

async fn answer<S: Service>(
    session: &Session<S>,
    (request, verdict): (Request<()>, Option<Malformed>),
    mut send: RequestStream<SendStream<Bytes>, Bytes>,
    recv: RequestStream<RecvStream, Bytes>,
) {
    let limits = &session.engine.limits;
    let (mut head, ()) = request.into_parts();
    head.version = Version::HTTP_3;
    let method = head.method.clone();
    let connection = Arc::clone(&session.connection);
    let leave = Leave::awaited(&head.headers);
    let exchange = match verdict {
        None => {
            let body = Body::h3(RequestBody::new(recv, &head.headers), limits);
            let body = body.awaiting(leave.clone());
            Exchange::new(connection, head, body, limits)
        }
        Some(malformed) => Exchange::malformed(connection, head, malformed),
    };
    let served = session.engine.serve(exchange, &session.pulse, &session.presence);
    let Some(response) = with_leave(served, leave, &mut send, limits.write_timeout).await else {
        return;
    };
    let Tidied { head, body, announced } = tidy(response, &method);
    if !matches!(in_time(session, send.send_response(head)).await, Some(Ok(()))) {
        return;
    }
    let complete = match body {
        None => true,
        Some(body) => copy(session, body, &mut send, announced).await.is_some(),
    };
    if complete && !matches!(in_time(session, send.finish()).await, Some(Ok(()))) {
        tracing::debug!("an HTTP/3 answer could not be finished");
    }
}

/// The answer; gives leave to send the body on the way, where that falls due. `None` where it cannot be given.
async fn with_leave<R>(
    served: impl Future<Output = R>,
    leave: Option<Arc<Leave>>,
    send: &mut RequestStream<SendStream<Bytes>, Bytes>,
    limit: Duration,
) -> Option<R> {
    let mut served = pin!(served);
    let due = async {
        match leave {
            Some(leave) => poll_fn(|cx| leave.poll(cx)).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        response = &mut served => return Some(response),
        () = due => {}
    }
    let given = timeout(limit, send.send_response(Leave::given())).await;
    if matches!(given, Ok(Ok(()))) { Some(served.await) } else { None }
}

/// Sends the body; `None` where it may not be taken for complete: dropping `send` then resets the stream.
async fn copy<S: Service>(
    session: &Session<S>,
    mut body: Reply<S::Body>,
    send: &mut RequestStream<SendStream<Bytes>, Bytes>,
    announced: Option<u64>,
) -> Option<()> {
    let mut left = announced;
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                let length = u64::try_from(data.len()).ok()?;
                if let Some(left) = &mut left {
                    *left = left.checked_sub(length)?;
                }
                in_time(session, send.send_data(data)).await?.ok()?;
            }
            Err(frame) => {
                let trailers = frame.into_trailers().ok()?;
                in_time(session, send.send_trailers(trailers)).await?.ok()?;
                break;
            }
        }
    }
    if left.unwrap_or(0) == 0 { Some(()) } else { None }
}

/// What sending came to; `None`, and on record, where the client takes nothing for too long.
async fn in_time<S: Service, F: Future>(session: &Session<S>, sending: F) -> Option<F::Output> {
    let sent = timeout(session.engine.limits.write_timeout, sending).await;
    if sent.is_err() {
        session.failed(FailureKind::WriteTimedOut).await;
    }
    sent.ok()
}

/// What broke a request before it was one. A client that went away, and what ended the whole connection (filed
/// there), is none.
fn failure(error: &StreamError) -> Option<FailureKind> {
    let is_connection = matches!(error, StreamError::ConnectionError { .. });
    let is_client = matches!(error, StreamError::RemoteTerminate { .. });
    if is_connection || is_client || matches!(error, StreamError::RemoteClosing { .. }) {
        None
    } else {
        Some(FailureKind::Http3Stream)
    }
}

/// The body of a request on its stream. Its DATA frames must add up to the announced length (RFC 9114 4.1.2), which
/// the library does not check.
pub(crate) struct RequestBody {
    stream: RequestStream<RecvStream, Bytes>,
    left: Option<u64>,
    data_ended: bool,
}

impl RequestBody {
    fn new(stream: RequestStream<RecvStream, Bytes>, headers: &HeaderMap) -> Self {
        Self { stream, left: length(headers), data_ended: false }
    }

    /// The next frame.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.data_ended {
            let read = ready!(self.stream.poll_recv_data(cx));
            let data = read.map(|data| data.map(|mut data| data.copy_to_bytes(data.remaining())));
            match data {
                Ok(Some(data)) => return Poll::Ready(Some(self.counted(data))),
                Ok(None) if self.left.unwrap_or(0) > 0 => {
                    return Poll::Ready(Some(Err(BodyError::Malformed)));
                }
                Ok(None) => self.data_ended = true,
                Err(error) => return Poll::Ready(Some(Err(cause(&error)))),
            }
        }
        let trailers = ready!(self.stream.poll_recv_trailers(cx));
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(cause(&error))),
        })
    }

    /// What the client announced and has not sent.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    fn counted(&mut self, data: Bytes) -> Result<Frame<Bytes>, BodyError> {
        if let Some(left) = &mut self.left {
            let length = u64::try_from(data.len()).map_err(|_| BodyError::TooLarge)?;
            *left = left.checked_sub(length).ok_or(BodyError::Malformed)?;
        }
        Ok(Frame::data(data))
    }
}

fn cause(error: &StreamError) -> BodyError {
    let broken = matches!(
        error,
        StreamError::StreamError { .. }
            | StreamError::Undefined { .. }
            | StreamError::HeaderTooBig { .. }
    );
    if broken { BodyError::Malformed } else { BodyError::Aborted }
}

/// Turns a stream away that came after the GOAWAY (RFC 9114 5.2): the client may ask elsewhere.
pub(super) fn reject(mut resolver: RequestResolver<Transport, Bytes>) {
    h3::quic::SendStream::<Bytes>::reset(
        &mut resolver.frame_stream,
        Code::H3_REQUEST_REJECTED.value(),
    );
}

//! A request as it goes inside: its body is whole, the very bytes that were checked, or passes as it comes. It knows
//! no connection.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, timeout_at};

/// Any error of a body.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A body that comes from elsewhere, piece by piece. Its trailers do not go inside: nobody has looked at them.
pub type Passing = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// A request on its way.
pub(crate) type Sent = Request<SentBody>;

/// Its body.
#[derive(Debug)]
pub(crate) enum SentBody {
    /// What was checked is what is sent.
    Whole(Full<Bytes>),
    /// It passes as it comes.
    Passing(Flow),
}

/// A body under way, and when it last moved.
pub(crate) struct Flow {
    body: Passing,
    progress: Arc<Progress>,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flow")
    }
}

/// When a request last moved: its service has time from then on.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    moved_ms: AtomicU64,
}

impl Progress {
    fn moves(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(since, Ordering::Relaxed);
    }

    fn deadline(&self, limit: Duration) -> Option<Instant> {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        self.began.checked_add(moved)?.checked_add(limit)
    }

    /// Waits for an answer, `limit` at most from the moment at which the request last moved.
    pub(crate) async fn patient<F: Future>(&self, limit: Duration, answer: F) -> Option<F::Output> {
        let mut answer = pin!(answer);
        let Some(mut deadline) = self.deadline(limit) else { return Some(answer.await) };
        loop {
            if let Ok(answered) = timeout_at(deadline, answer.as_mut()).await {
                return Some(answered);
            }
            deadline = self.deadline(limit).filter(|later| *later > deadline)?;
        }
    }
}

impl SentBody {
    /// A body that passes as it comes, and its progress.
    pub(crate) fn passing(body: Passing) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress { began: Instant::now(), moved_ms: AtomicU64::new(0) });
        (Self::Passing(Flow { body, progress: Arc::clone(&progress) }), progress)
    }
}

/// The same request once more, where its body can be sent twice.
pub(crate) fn copied(request: &Sent) -> Option<Sent> {
    let SentBody::Whole(body) = request.body() else { return None };
    let mut copy = Request::new(SentBody::Whole(body.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let flow = match self.get_mut() {
            Self::Whole(body) => {
                return Pin::new(body).poll_frame(cx).map_err(|never| match never {});
            }
            Self::Passing(flow) => flow,
        };
        loop {
            let frame = ready!(flow.body.as_mut().poll_frame(cx));
            flow.progress.moves();
            if !matches!(&frame, Some(Ok(frame)) if frame.is_trailers()) {
                return Poll::Ready(frame);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Passing(flow) => flow.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Passing(flow) => flow.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Channel};

    use super::*;

    fn passing(frames: Vec<Frame<Bytes>>) -> Passing {
        let (mut sender, body) = Channel::<Bytes, BoxError>::new(frames.len().max(1));
        for frame in frames {
            sender.try_send(frame).unwrap();
        }
        Box::pin(body)
    }

    #[tokio::test]
    async fn trailers_stay_outside_and_data_passes() {
        let trailers = Frame::trailers(http::HeaderMap::new());
        let frames = vec![Frame::data("a".into()), Frame::data("b".into()), trailers];
        let (body, _) = SentBody::passing(passing(frames));
        let collected = body.collect().await.unwrap();
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "ab");
    }

    #[tokio::test]
    async fn a_service_has_time_from_the_last_piece_on() {
        let limit = Duration::from_millis(300);
        let (mut body, progress) = SentBody::passing(passing(vec![
            Frame::data("a".into()),
            Frame::data("b".into()),
            Frame::data("c".into()),
        ]));
        let uploads = async {
            for _ in 0..3 {
                tokio::time::sleep(limit / 2).await;
                body.frame().await.unwrap().unwrap();
            }
        };
        assert_eq!(progress.patient(limit, uploads).await, Some(()));
        assert_eq!(progress.patient(limit, std::future::pending::<()>()).await, None);
    }

    #[test]
    fn only_a_whole_body_is_sent_twice() {
        let whole = Request::new(SentBody::Whole(Full::new("a".into())));
        assert!(copied(&whole).is_some());
        assert!(copied(&Request::new(SentBody::passing(passing(Vec::new())).0)).is_none());
    }
}

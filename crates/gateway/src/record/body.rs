//! The body of a reply, which carries the record of its request: the last byte goes out only when
//! the outcome is on record, and a body that is dropped early files the record as aborted.

use super::Record;
use crate::clock;
use crate::passage::Ended;
use audit::facts::Decision;
use audit::{Recorded, SpoolFault};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;
use upstream::UpstreamBody;

/// The error of a reply body: the stream is reset, never ended cleanly.
pub type BodyFault = Box<dyn std::error::Error + Send + Sync>;

/// A reply body with the record of its request.
#[derive(Debug)]
pub struct RecordedBody {
    inner: Inner,
    /// What was read of an upstream's body before.
    read: Option<Bytes>,
    stage: Stage,
    /// Bytes still to come, where the length is known.
    left: Option<u64>,
    /// The end of what passes unread.
    end: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Inner {
    Whole(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
}

/// How far the record is.
enum Stage {
    /// The outcome is not on record yet.
    Open(Box<Record>),
    /// The outcome is being written; `frame` waits for it (`None`: the end of the body does).
    Closing { recorded: Recorded, frame: Option<Frame<Bytes>>, record: Box<Record> },
    /// Nothing to record (any more).
    Filed,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Closing { .. } => "Closing",
            Self::Filed => "Filed",
        })
    }
}

impl RecordedBody {
    /// A body whose record is already filed.
    #[must_use]
    pub const fn whole(bytes: Bytes) -> Self {
        let inner = Inner::Whole(Some(bytes));
        Self { inner, read: None, stage: Stage::Filed, left: None, end: None }
    }

    /// The body of an upstream; its record is filed with its last byte. It may last for so long, where that is said.
    #[must_use]
    pub fn upstream(body: UpstreamBody, record: Record, lasts: Option<Duration>) -> Self {
        let left = body.size_hint().exact();
        let (inner, stage) = (Inner::Upstream(Box::new(body)), Stage::Open(Box::new(record)));
        Self { inner, read: None, stage, left, end: lasts.map(clock::alarm) }
    }

    /// The same behind what was read of it before.
    #[must_use]
    pub fn after(self, read: Bytes) -> Self {
        let left = self.left.map(|left| left.saturating_add(read.len() as u64));
        Self { read: Some(read).filter(|read| !read.is_empty()), left, ..self }
    }

    /// Files the record of a body that did not come to its end.
    fn broken(&mut self, fault: BodyFault) -> BodyFault {
        if let Stage::Open(record) = std::mem::replace(&mut self.stage, Stage::Filed) {
            record.breaks("body");
        }
        fault
    }

    /// Whether it may not last any longer.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Stage::Open(record) = &self.stage else { return false };
        let over = self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready());
        if over && let Some(passed) = &record.passed {
            passed.ends(Ended::Expired);
        }
        over
    }

    /// Files the outcome; `frame` (or the end) waits until it is on record.
    fn file(&mut self, frame: Option<Frame<Bytes>>) -> Result<Option<Frame<Bytes>>, SpoolFault> {
        let stage = std::mem::replace(&mut self.stage, Stage::Filed);
        let Stage::Open(mut record) = stage else { return Ok(frame) };
        match record.file(&Decision::Allowed)? {
            Some(recorded) => {
                self.stage = Stage::Closing { recorded, frame, record };
                Ok(None)
            }
            None => Ok(frame),
        }
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> bool {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        if let Stage::Open(record) = &mut self.stage {
            record.outcome.response_bytes = record.outcome.response_bytes.saturating_add(bytes);
            if let Some(data) = frame.data_ref() {
                let Record { digests, ledger, .. } = &mut **record;
                digests.answers(data, &ledger.trail);
            }
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes);
        }
        frame.is_trailers() || self.left == Some(0)
    }
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.is_over(cx) {
            return Poll::Ready(Some(Err(self.broken("the passage was ended".into()))));
        }
        loop {
            if let Stage::Closing { recorded, frame, record } = &mut self.stage {
                let filed = record.told(ready!(Pin::new(recorded).poll(cx)));
                let frame = frame.take();
                self.stage = Stage::Filed;
                return Poll::Ready(match filed {
                    Ok(()) => frame.map(Ok),
                    Err(fault) => Some(Err(fault.into())),
                });
            }
            let this = &mut *self;
            let inner = match &mut this.inner {
                Inner::Whole(bytes) => {
                    let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                    return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
                }
                Inner::Upstream(body) => match this.read.take() {
                    Some(read) => Some(Ok(Frame::data(read))),
                    None => ready!(Pin::new(&mut **body).poll_frame(cx)),
                },
            };
            match inner {
                Some(Ok(frame)) if !self.count(&frame) => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(frame)) => match self.file(Some(frame)) {
                    Ok(None) => {}
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Err(fault) => return Poll::Ready(Some(Err(fault.into()))),
                },
                Some(Err(fault)) => return Poll::Ready(Some(Err(self.broken(fault.into())))),
                None if matches!(self.stage, Stage::Filed) => return Poll::Ready(None),
                None => {
                    if let Err(fault) = self.file(None) {
                        return Poll::Ready(Some(Err(fault.into())));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.stage, &self.inner) {
            (Stage::Filed, Inner::Whole(bytes)) => bytes.as_ref().is_none_or(Bytes::is_empty),
            (Stage::Filed, Inner::Upstream(body)) => body.is_end_stream(),
            (Stage::Open(_) | Stage::Closing { .. }, _) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            // How long the rest is that comes behind what was read is not known here.
            Inner::Upstream(_) if self.read.is_some() => SizeHint::default(),
            Inner::Upstream(body) => body.size_hint(),
        }
    }
}

//! QUIC streams as the h3 library wants them, over quinn, with three differences to the usual adapter: frames are
//! followed (see `frames`), an answer that is dropped unfinished is reset instead of finished, and a client that stops
//! an answer can be seen. It knows no HTTP beyond frame heads.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::stream::{self, Stream};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::VarInt;
use tokio::time::Instant;

use super::frames::{FrameFault, Frames};
use super::opener::Opener;
use super::watch::Watch;
use crate::target::Malformed;

/// Bytes read from a stream at a time.
const READ_BYTES: usize = 4096;
/// H3_NO_ERROR (RFC 9114 8.1): the rest of a request is of no interest.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);
/// H3_REQUEST_CANCELLED (RFC 9114 8.1): the answer is not complete.
const REQUEST_CANCELLED: VarInt = VarInt::from_u32(0x10c);

/// Resolves when the client stopped an answer (`true`) or has all of it.
pub(super) type Stopped = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What the library does not tell about a request stream.
pub(super) struct Beside {
    pub(super) stopped: Stopped,
    pub(super) seen: Arc<Seen>,
}

/// What was seen on the stream of a request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Why a stand-in took the place of the request, where it did.
    verdict: OnceLock<Malformed>,
    was_reset: AtomicBool,
}

impl Seen {
    /// Why a stand-in took the place of the request, where it did.
    pub(super) fn verdict(&self) -> Option<Malformed> {
        self.verdict.get().copied()
    }

    /// Whether the client took the request back before it was read to its end.
    pub(super) fn was_reset(&self) -> bool {
        self.was_reset.load(Ordering::Acquire)
    }
}

/// Where the [`Beside`] of the stream accepted last is left for whoever serves it.
pub(super) type Last = Arc<Mutex<Option<Beside>>>;

pub(super) type Streams<T> =
    Pin<Box<dyn Stream<Item = Result<T, quinn::ConnectionError>> + Send + Sync>>;

/// A QUIC connection.
pub(super) struct Transport {
    opener: Opener,
    bidirectional: Streams<(quinn::SendStream, quinn::RecvStream)>,
    from_client: Streams<quinn::RecvStream>,
    frame_bytes_max: u64,
    last: Last,
    watch: Arc<Watch>,
}

impl Transport {
    pub(super) fn new(
        quic: quinn::Connection,
        frame_bytes_max: u64,
        last: Last,
        watch: Arc<Watch>,
    ) -> Self {
        let bidirectional =
            stream::unfold(quic.clone(), |quic| async { Some((quic.accept_bi().await, quic)) });
        let from_client =
            stream::unfold(quic.clone(), |quic| async { Some((quic.accept_uni().await, quic)) });
        Self {
            opener: Opener::new(quic),
            bidirectional: Box::pin(bidirectional),
            from_client: Box::pin(from_client),
            frame_bytes_max,
            last,
            watch,
        }
    }
}

impl<B: Buf> quic::Connection<B> for Transport {
    type RecvStream = RecvStream;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionErrorIncoming>> {
        let accepted = ready!(self.from_client.as_mut().poll_next(cx));
        let stream = accepted.ok_or_else(ended)?.map_err(connection_error)?;
        if !self.watch.control(1, Instant::now()) {
            // The connection's task is told, and ends it.
            return Poll::Pending;
        }
        let frames = Frames::of_client_stream(self.frame_bytes_max);
        Poll::Ready(RecvStream::new(stream, frames, Arc::default(), Arc::clone(&self.watch)))
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, ConnectionErrorIncoming>> {
        let accepted = ready!(self.bidirectional.as_mut().poll_next(cx));
        let (send, recv) = accepted.ok_or_else(ended)?.map_err(connection_error)?;
        let stopped = send.stopped();
        let seen = Arc::<Seen>::default();
        if let Ok(mut last) = self.last.lock() {
            let stopped = Box::pin(async move {
                // Stopped, acknowledged or lost: in each case the answer needs nothing more from us.
                matches!(stopped.await, Ok(Some(_)))
            });
            *last = Some(Beside { stopped, seen: Arc::clone(&seen) });
        }
        Poll::Ready(Ok(BidiStream {
            send: SendStream::new(send, true)?,
            recv: RecvStream::new(
                recv,
                Frames::of_request(self.frame_bytes_max),
                seen,
                Arc::clone(&self.watch),
            )?,
        }))
    }

    fn opener(&self) -> Opener {
        self.opener.clone()
    }
}

impl<B: Buf> quic::OpenStreams<B> for Transport {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream<B>, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<B>::close(&mut self.opener, code, reason);
    }
}

/// A request and its answer.
pub(super) struct BidiStream<B: Buf> {
    send: SendStream<B>,
    recv: RecvStream,
}

impl<B: Buf> quic::BidiStream<B> for BidiStream<B> {
    type SendStream = SendStream<B>;
    type RecvStream = RecvStream;

    fn split(self) -> (SendStream<B>, RecvStream) {
        (self.send, self.recv)
    }
}

impl<B: Buf> quic::RecvStream for BidiStream<B> {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.recv.poll_data(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.recv.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.recv.recv_id()
    }
}

impl<B: Buf> quic::SendStream<B> for BidiStream<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.send.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

/// The receiving half of a stream.
pub(super) struct RecvStream {
    id: StreamId,
    stream: quinn::RecvStream,
    frames: Frames,
    checked: VecDeque<Bytes>,
    has_ended: bool,
    seen: Arc<Seen>,
    watch: Arc<Watch>,
}

impl RecvStream {
    fn new(
        stream: quinn::RecvStream,
        frames: Frames,
        seen: Arc<Seen>,
        watch: Arc<Watch>,
    ) -> Result<Self, ConnectionErrorIncoming> {
        let id = number(stream.id())?;
        Ok(Self { id, stream, frames, checked: VecDeque::new(), has_ended: false, seen, watch })
    }
}

impl quic::RecvStream for RecvStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        loop {
            if let Some(bytes) = self.checked.pop_front() {
                return Poll::Ready(Ok(Some(bytes)));
            }
            if self.has_ended {
                return Poll::Ready(Ok(None));
            }
            let mut room = [0_u8; READ_BYTES];
            let read = ready!(self.stream.poll_read(cx, &mut room));
            if matches!(read, Err(quinn::ReadError::Reset(_))) {
                self.seen.was_reset.store(true, Ordering::Release);
            }
            let read = read.map_err(read_error)?;
            let bytes = Bytes::copy_from_slice(room.get(..read).unwrap_or_default());
            let followed = if bytes.is_empty() {
                self.has_ended = true;
                self.frames.end()
            } else {
                self.frames.push(bytes, &mut self.checked)
            };
            if let Some(why) = self.frames.verdict() {
                // Nothing more passes; the stand-in is a whole request.
                self.seen.verdict.get_or_init(|| why);
                self.has_ended = true;
                self.stream.stop(NO_ERROR).ok();
            }
            if followed == Err(FrameFault::PushId) {
                self.watch.push_id();
            }
            let counted = self.frames.take_control_frames();
            if counted > 0 && !self.watch.control(counted, Instant::now()) {
                // The library sees nothing more; the connection's task is told, and ends it.
                self.checked.clear();
                return Poll::Pending;
            }
            followed.map_err(|fault| StreamErrorIncoming::Unknown(Box::new(fault)))?;
        }
    }

    fn stop_sending(&mut self, code: u64) {
        // An error means that the stream is over already.
        self.stream.stop(VarInt::from_u64(code).unwrap_or(VarInt::MAX)).ok();
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        if !self.has_ended {
            self.stream.stop(NO_ERROR).ok();
        }
    }
}

/// The sending half of a stream.
pub(super) struct SendStream<B: Buf> {
    id: StreamId,
    stream: quinn::SendStream,
    writing: Option<WriteBuf<B>>,
    /// Cleared when the answer is complete. The server's own streams are never reset: they end with the connection.
    is_answer: bool,
}

impl<B: Buf> SendStream<B> {
    pub(super) fn new(
        stream: quinn::SendStream,
        is_answer: bool,
    ) -> Result<Self, ConnectionErrorIncoming> {
        Ok(Self { id: number(stream.id())?, stream, writing: None, is_answer })
    }
}

impl<B: Buf> quic::SendStream<B> for SendStream<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = self.writing.as_mut().filter(|data| data.has_remaining()) {
            let written = Pin::new(&mut self.stream).poll_write(cx, data.chunk());
            data.advance(ready!(written).map_err(write_error)?);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let finished = self.stream.finish();
        self.is_answer = false;
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        self.is_answer = false;
        self.stream.reset(VarInt::from_u64(code).unwrap_or(VarInt::MAX)).ok();
    }

    fn send_id(&self) -> StreamId {
        self.id
    }
}

impl<B: Buf> Drop for SendStream<B> {
    fn drop(&mut self) {
        if self.is_answer {
            // quinn would finish the stream, and the client would take half an answer for a whole one.
            self.stream.reset(REQUEST_CANCELLED).ok();
        }
    }
}

/// The number of a stream as the library writes it (RFC 9000 2.1).
fn number(id: quinn::StreamId) -> Result<StreamId, ConnectionErrorIncoming> {
    StreamId::try_from(VarInt::from(id).into_inner()).map_err(|_| ended())
}

pub(super) fn ended() -> ConnectionErrorIncoming {
    ConnectionErrorIncoming::InternalError("no such stream".to_owned())
}

pub(super) fn connection_error(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
    if let quinn::ConnectionError::ApplicationClosed(close) = &error {
        return ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into() };
    }
    if matches!(error, quinn::ConnectionError::TimedOut) {
        return ConnectionErrorIncoming::Timeout;
    }
    ConnectionErrorIncoming::Undefined(Arc::new(error))
}

fn read_error(error: quinn::ReadError) -> StreamErrorIncoming {
    match error {
        quinn::ReadError::Reset(code) => {
            StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
        }
        quinn::ReadError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: connection_error(error),
        },
        error @ (quinn::ReadError::ClosedStream
        | quinn::ReadError::IllegalOrderedRead
        | quinn::ReadError::ZeroRttRejected) => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn write_error(error: quinn::WriteError) -> StreamErrorIncoming {
    match error {
        quinn::WriteError::Stopped(code) => {
            StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
        }
        quinn::WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: connection_error(error),
        },
        error @ (quinn::WriteError::ClosedStream | quinn::WriteError::ZeroRttRejected) => {
            StreamErrorIncoming::Unknown(Box::new(error))
        }
    }
}

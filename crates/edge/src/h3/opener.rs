//! Opens the server's own streams of a QUIC connection for the h3 library. It knows nothing of what they carry.

use std::task::{Context, Poll, ready};

use bytes::Buf;
use futures_util::stream;
use h3::error::Code;
use h3::quic::{self, StreamErrorIncoming};
use quinn::VarInt;

use super::transport::{BidiStream, SendStream, Streams, connection_error, ended};

/// Opens the streams of the server: control and QPACK.
pub(super) struct Opener {
    quic: quinn::Connection,
    opening: Option<Streams<quinn::SendStream>>,
}

impl Opener {
    pub(super) fn new(quic: quinn::Connection) -> Self {
        Self { quic, opening: None }
    }
}

impl Clone for Opener {
    fn clone(&self) -> Self {
        Self::new(self.quic.clone())
    }
}

impl<B: Buf> quic::OpenStreams<B> for Opener {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    /// Servers do not open bidirectional streams (RFC 9114 6.1).
    fn poll_open_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, StreamErrorIncoming>> {
        Poll::Ready(Err(StreamErrorIncoming::ConnectionErrorIncoming { connection_error: ended() }))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream<B>, StreamErrorIncoming>> {
        let quic = &self.quic;
        let opening = self.opening.get_or_insert_with(|| {
            Box::pin(stream::unfold(quic.clone(), |quic| async {
                Some((quic.open_uni().await, quic))
            }))
        });
        let opened = ready!(opening.as_mut().poll_next(cx));
        let stream = opened
            .ok_or_else(ended)
            .and_then(|stream| SendStream::new(stream.map_err(connection_error)?, false))
            .map_err(|connection_error| StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error,
            })?;
        Poll::Ready(Ok(stream))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.quic.close(VarInt::from_u64(code.value()).unwrap_or(VarInt::MAX), reason);
    }
}

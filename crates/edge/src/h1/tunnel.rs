//! What follows a 101: bytes both ways, until the service has said all it has to say. It knows no frames of whatever is
//! spoken in the tunnel.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;
/// Pieces that the service has not taken yet; more wait in the socket.
const PIECES_MAX: usize = 4;

/// The client's side of a tunnel, as a request body reads it.
pub(crate) type Source = mpsc::Receiver<Bytes>;

/// Both ends of what the client says, made before it is known whether there will be a tunnel.
pub(super) fn channel() -> (mpsc::Sender<Bytes>, Source) {
    mpsc::channel(PIECES_MAX)
}

/// Carries bytes until the answer is over or one side breaks. `early` came before the answer did.
pub(super) async fn carry<B>(
    stream: impl AsyncRead + AsyncWrite,
    early: BytesMut,
    feed: mpsc::Sender<Bytes>,
    answer: B,
    write_timeout: Duration,
) where
    B: HttpBody<Data = Bytes>,
{
    let (mut read, mut write) = tokio::io::split(stream);
    let outward = async {
        let mut answer = pin!(answer);
        while let Some(Ok(frame)) = answer.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            let sent = async {
                write.write_all(&data).await?;
                write.flush().await
            };
            if !matches!(timeout(write_timeout, sent).await, Ok(Ok(()))) {
                return;
            }
        }
        timeout(write_timeout, write.shutdown()).await.ok();
    };
    let inward = async {
        let ended = listen(&mut read, early, &feed).await;
        // An end in form lets the service have the last word; a break is the end of both.
        drop(feed);
        if ended.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = outward => {}
        () = inward => {}
    }
}

async fn listen(
    read: &mut (impl AsyncRead + Unpin),
    early: BytesMut,
    feed: &mpsc::Sender<Bytes>,
) -> io::Result<()> {
    let mut piece = early;
    loop {
        if !piece.is_empty() && feed.send(piece.split().freeze()).await.is_err() {
            // Nobody listens any more; the answer goes on.
            return Ok(());
        }
        piece.reserve(READ_BYTES);
        if read.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
    }
}

//! The byte stream of an accepted TCP connection, with TLS around it or plain. It knows no HTTP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection on which HTTP may begin.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Its handshake is over. Boxed, since every future that it passes through would keep room for it.
    Tls(Box<Secured>),
    /// Of a listener without TLS.
    Plain(TcpStream),
}

/// A TLS stream, and whether its client broke TLS.
#[derive(Debug)]
pub(crate) struct Secured {
    stream: TlsStream<TcpStream>,
    breach: Breach,
}

/// Whether a client sent, behind its handshake, what is no record of this session or must not come there. It outlives the stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breach(Arc<AtomicBool>);

impl Breach {
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An alert is a client's way to say goodbye, and no breach.
    fn note(&self, error: &io::Error) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if inner.is_some_and(|error| !matches!(error, rustls::Error::AlertReceived(_))) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Stream {
    /// One whose handshake is over.
    pub(crate) fn secured(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(Secured { stream, breach: Breach::default() }))
    }

    /// What will tell whether the client broke TLS.
    pub(crate) fn breach(&self) -> Breach {
        match self {
            Self::Tls(secured) => secured.breach.clone(),
            Self::Plain(_) => Breach::default(),
        }
    }

    /// The socket below.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Tls(secured) => secured.stream.get_ref().0,
            Self::Plain(stream) => stream,
        }
    }

    /// The TLS session, where there is one.
    pub(crate) fn session(&self) -> Option<&ServerConnection> {
        match self {
            Self::Tls(secured) => Some(secured.stream.get_ref().1),
            Self::Plain(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(secured) => {
                let read = ready!(Pin::new(&mut secured.stream).poll_read(cx, buf));
                Poll::Ready(read.inspect_err(|error| secured.breach.note(error)))
            }
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write(cx, buf),
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write_vectored(cx, bufs),
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tls(secured) => secured.stream.is_write_vectored(),
            Self::Plain(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_flush(cx),
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_shutdown(cx),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

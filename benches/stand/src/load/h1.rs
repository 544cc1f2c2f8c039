//! HTTP/1.1 by hand: whole requests are bytes that were made before the window, and of an answer only what frames it is
//! read. A client library would cost the load's core more than the peer's.

use std::rc::Rc;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task;
use tokio_rustls::client::TlsStream;

use super::dial::Dialer;
use super::plan::Request;
use super::{Shared, Worker};
use crate::Failed;

/// Room for one read.
const READ_BYTES: usize = 64 * 1024;

/// One connection.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
}

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: usize,
    /// The server closes the connection after it.
    last: bool,
}

/// What frames the body of an answer.
enum Framing {
    Length(usize),
    Chunked,
}

/// Opens all connections, then starts one worker on each.
pub(super) async fn start(shared: &Rc<Shared>) -> Result<Vec<Worker>, Failed> {
    let dialer = Dialer::new(&shared.spec)?;
    let mut connections = Vec::new();
    for _ in 0..shared.spec.connections {
        connections.push(Connection::new(dialer.open().await?.0));
    }
    let start = |connection| {
        let (shared, dialer) = (Rc::clone(shared), dialer.clone());
        task::spawn_local(async move { work(&shared, &dialer, connection).await })
    };
    Ok(connections.into_iter().map(start).collect())
}

async fn work(shared: &Shared, dialer: &Dialer, mut connection: Connection) -> Result<(), Failed> {
    while let Some((request, began)) = shared.next().await {
        let mut outcome = connection.exchange(&request).await;
        if outcome.is_err() && !shared.stop.get() {
            // A server may close an idle connection at any time: once more on a new one, as browsers do.
            shared.tally.borrow_mut().retried += 1;
            match dialer.open().await {
                Ok((stream, resumed)) => {
                    shared.tally.borrow_mut().connected(resumed);
                    connection = Connection::new(stream);
                    outcome = connection.exchange(&request).await;
                }
                Err(error) => outcome = Err(error),
            }
        }
        match outcome {
            Ok(answer) => {
                shared.answered(answer.status, answer.bytes, began);
                if answer.last && !shared.stop.get() {
                    let (stream, resumed) = dialer.open().await?;
                    shared.tally.borrow_mut().connected(resumed);
                    connection = Connection::new(stream);
                }
            }
            Err(error) => shared.failed(&error),
        }
    }
    Ok(())
}

impl Connection {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(READ_BYTES) }
    }

    pub(super) async fn exchange(&mut self, request: &Request<'_>) -> Result<Answer, Failed> {
        let (head, body) = request.bytes();
        self.stream.write_all(head).await?;
        if !body.is_empty() {
            self.stream.write_all(body).await?;
        }
        self.stream.flush().await?;
        loop {
            let answer = self.answer().await?;
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    /// Gives up the room for reading: thousands of connections rest at once.
    pub(super) fn rest(&mut self) {
        self.buffer = BytesMut::new();
    }

    /// Says goodbye as TLS wants it, without waiting for the other side's.
    pub(super) async fn close(mut self) -> Result<(), Failed> {
        Ok(self.stream.shutdown().await?)
    }

    async fn answer(&mut self) -> Result<Answer, Failed> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = self.buffer.split_to(end.saturating_add(4));
        let (status, framing, last) = read_head(&head)?;
        let bytes = match framing {
            Framing::Length(length) => self.skip(length).await?,
            Framing::Chunked => self.skip_chunks().await?,
        };
        Ok(Answer { status, bytes, last })
    }

    async fn fill(&mut self) -> Result<(), Failed> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("closed".into()),
            _ => Ok(()),
        }
    }

    async fn skip(&mut self, length: usize) -> Result<usize, Failed> {
        let mut left = length;
        loop {
            let here = left.min(self.buffer.len());
            self.buffer.advance(here);
            left = left.saturating_sub(here);
            if left == 0 {
                return Ok(length);
            }
            self.fill().await?;
        }
    }

    async fn skip_chunks(&mut self) -> Result<usize, Failed> {
        let mut all = 0_usize;
        loop {
            let end = loop {
                if let Some(end) = find(&self.buffer, b"\r\n") {
                    break end;
                }
                self.fill().await?;
            };
            let line = self.buffer.split_to(end.saturating_add(2));
            let size = std::str::from_utf8(line.get(..end).unwrap_or_default())?;
            let size =
                usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
            self.skip(size.saturating_add(2)).await?;
            all = all.saturating_add(size);
            if size == 0 {
                return Ok(all);
            }
        }
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// Status, framing, and whether the connection ends.
fn read_head(head: &[u8]) -> Result<(u16, Framing, bool), Failed> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
    let status = status.parse()?;
    let (mut framing, mut last) = (Framing::Length(0), false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            last = value.eq_ignore_ascii_case("close");
        }
    }
    if status == 204 || status == 304 || status < 200 {
        framing = Framing::Length(0);
    }
    Ok((status, framing, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
        let (status, framing, last) = read_head(head).unwrap();
        assert!(status == 200 && last && matches!(framing, Framing::Length(12)));
        let head = b"HTTP/1.1 401 Unauthorized\r\ntransfer-encoding: chunked\r\n\r\n";
        let (status, framing, last) = read_head(head).unwrap();
        assert!(status == 401 && !last && matches!(framing, Framing::Chunked));
        assert!(read_head(b"nonsense\r\n\r\n").is_err());
    }
}

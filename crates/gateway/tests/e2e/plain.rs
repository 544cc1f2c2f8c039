//! One plain HTTP/1.1 exchange with an inner listener, over TCP or a Unix socket. It knows no TLS and no tokens.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::site::LIMIT;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) status: u16,
    /// Status line and fields, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks at a TCP address.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> Plain {
    let stream = TcpStream::connect(address).expect("an inner listener");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    exchange(stream, method, path)
}

/// Asks at a Unix socket.
pub(crate) fn ask_socket(socket: &Path, method: &str, path: &str) -> Plain {
    let stream = UnixStream::connect(socket).expect("a socket");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    exchange(stream, method, path)
}

fn exchange(mut stream: impl Read + Write, method: &str, path: &str) -> Plain {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: inside\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a sent request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a whole answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Plain { status, head: head.to_lowercase(), body: body.to_owned() }
}

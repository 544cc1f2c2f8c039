//! A stand-in for an OTLP/HTTP collector: it takes everything and hands over the bytes. It knows no protocol buffers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::site::LIMIT;

/// A collector: hands every request's bytes over, answers 200.
pub(crate) fn start() -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            socket.set_read_timeout(Some(LIMIT)).unwrap();
            let (mut all, mut piece) = (Vec::new(), [0; 4096]);
            while !whole(&all)
                && let Ok(count @ 1..) = socket.read(&mut piece)
            {
                all.extend_from_slice(&piece[..count]);
            }
            drop(
                socket.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                ),
            );
            if sender.send(all).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

/// Whether these bytes are a request with all of its body; packets come when they come.
pub(crate) fn whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let fields = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = fields.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.expect("a length").trim().parse().expect("a number");
    bytes.len() >= head + 4 + length
}

//! A service that writes down what arrived, byte by byte, and answers what it was told to. It reads heads and lengths the
//! simplest way there is, so that whatever was smuggled behind a request stands in its list as one more.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Bytes of the answer at `/api/open/large`.
pub(crate) const LARGE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of every other answer.
const ANSWER_BYTES: usize = 16;
/// Bytes of an answer that are written at once; large answers are so many whole pieces.
const PIECE_BYTES: usize = 16 * 1024;
/// Where an answer that the test gave is asked for: `/api/open/answer-0` and so on.
const ANSWER: &str = "/api/open/answer-";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Arrived {
    /// `METHOD /path` of the request line.
    pub(crate) fn line(&self) -> String {
        self.head.split(" HTTP/").next().unwrap_or_default().to_owned()
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| {
            line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        let line = self.head.lines().skip(1).find(named)?;
        Some(line.split_once(':')?.1.trim())
    }
}

/// A running service; it ends with its value.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    arrived: Mutex<Vec<Arrived>>,
    answers: Vec<&'static [u8]>,
    is_over: AtomicBool,
}

impl Recorder {
    /// Starts one that has these answers, whole with their heads.
    pub(crate) fn start(answers: Vec<&'static [u8]>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State { arrived: Mutex::default(), answers, is_over: false.into() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, state) = (stream.expect("a connection"), Arc::clone(&shared));
                // It ends with the connection.
                std::thread::spawn(move || state.serve(stream).ok());
            }
        });
        Self { address, state }
    }

    /// What has arrived since this was asked last.
    pub(crate) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.state.arrived.lock().unwrap())
    }

    /// Where the answer of a number is asked for.
    pub(crate) fn answer(number: usize) -> String {
        format!("{ANSWER}{number}")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut held = Vec::new();
        while let Some(end) = fill(&mut stream, &mut held, |held| {
            held.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4)
        })? {
            let head: Vec<u8> = held.drain(..end).collect();
            let arrived = Arrived { head: head.escape_line(), body: Vec::new() };
            let length = arrived.field("content-length").map_or(0, |n| n.parse().unwrap());
            if fill(&mut stream, &mut held, |held| (held.len() >= length).then_some(()))?.is_none()
            {
                return Ok(());
            }
            let arrived = Arrived { body: held.drain(..length).collect(), ..arrived };
            let line = arrived.line();
            self.arrived.lock().unwrap().push(arrived);
            self.answer(&mut stream, &line)?;
        }
        Ok(())
    }

    fn answer(&self, stream: &mut TcpStream, line: &str) -> std::io::Result<()> {
        let told = line.split_once(ANSWER).and_then(|(_, number)| number.parse::<usize>().ok());
        if let Some(answer) = told.and_then(|number| self.answers.get(number)) {
            return stream.write_all(answer);
        }
        let length = if line.ends_with("/large") { LARGE_BYTES } else { ANSWER_BYTES };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n"
        );
        // Head and body of a small answer in one piece: the system may hold a second one back for a while.
        let first = length.min(PIECE_BYTES);
        stream.write_all(&[head.as_bytes(), &[b'.'; PIECE_BYTES][..first]].concat())?;
        for _ in 0..(length - first) / PIECE_BYTES {
            stream.write_all(&[b'.'; PIECE_BYTES])?;
        }
        Ok(())
    }
}

/// Reads until something is found; `None` where the stream ends first.
fn fill<T>(
    stream: &mut TcpStream,
    held: &mut Vec<u8>,
    mut found: impl FnMut(&[u8]) -> Option<T>,
) -> std::io::Result<Option<T>> {
    loop {
        if let Some(found) = found(held) {
            return Ok(Some(found));
        }
        let mut room = [0; 16 * 1024];
        match stream.read(&mut room)? {
            0 => return Ok(None),
            read => held.extend(&room[..read]),
        }
    }
}

trait EscapeLine {
    /// As text, with what is no ASCII letter or line end made visible.
    fn escape_line(&self) -> String;
}

impl EscapeLine for [u8] {
    fn escape_line(&self) -> String {
        self.escape_ascii().to_string().replace("\\r\\n", "\n")
    }
}

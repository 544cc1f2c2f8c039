//! Which request comes next: tokens and paths are used in turn, everything that can be made before the window is.

use std::cell::Cell;
use std::fs;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::sync::Notify;

use super::{Protocol, Spec};
use crate::Failed;

/// Bodies up to this size are sent together with their head, in one write.
const TOGETHER_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Plan {
    method: Method,
    uris: Vec<Uri>,
    headers: HeaderMap,
    tokens: Vec<HeaderValue>,
    /// HTTP/1.1: whole heads, each with the body if that is small.
    heads: Vec<Bytes>,
    body: Bytes,
    apart: Bytes,
    next: Cell<usize>,
    left: Cell<Option<u64>>,
    gate: Notify,
    open: Cell<bool>,
}

/// One request, ready to be sent.
pub(super) struct Request<'p> {
    plan: &'p Plan,
    index: usize,
}

impl Plan {
    pub(super) fn new(spec: &Spec, body: Bytes) -> Result<Self, Failed> {
        let mut headers = HeaderMap::new();
        for (name, value) in &spec.headers {
            headers.append(name.parse::<HeaderName>()?, value.parse()?);
        }
        if !body.is_empty() {
            headers.insert(CONTENT_LENGTH, body.len().into());
            if !headers.contains_key(CONTENT_TYPE) {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        let authority = format!("{}:{}", spec.tls.name, spec.target.port());
        let tokens = match &spec.tokens {
            None => Vec::new(),
            Some(path) => fs::read_to_string(path)?
                .lines()
                .map(|token| format!("Bearer {token}").parse())
                .collect::<Result<_, _>>()?,
        };
        let uri = |path: &String| format!("https://{authority}{path}").parse();
        let mut plan = Self {
            method: spec.method.parse()?,
            uris: spec.paths.iter().map(uri).collect::<Result<_, _>>()?,
            headers,
            tokens,
            heads: Vec::new(),
            apart: Bytes::new(),
            body,
            next: Cell::new(0),
            left: Cell::new(spec.requests),
            gate: Notify::new(),
            open: Cell::new(spec.requests.is_none()),
        };
        if plan.uris.is_empty() {
            return Err("no path".into());
        }
        if spec.protocol == Protocol::H1 {
            plan.write_heads(&authority);
        }
        Ok(plan)
    }

    fn write_heads(&mut self, authority: &str) {
        let together = self.body.len() <= TOGETHER_BYTES_MAX;
        self.heads = (0..self.kinds()).map(|index| self.head(index, authority, together)).collect();
        if !together {
            self.apart = self.body.clone();
        }
    }

    /// Different requests there are.
    fn kinds(&self) -> usize {
        self.tokens.len().max(1).max(self.uris.len())
    }

    fn head(&self, index: usize, authority: &str, together: bool) -> Bytes {
        let request = Request { plan: self, index };
        let uri = request.uri();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut head =
            format!("{} {path} HTTP/1.1\r\n{HOST}: {authority}\r\n", self.method).into_bytes();
        for (name, value) in &request.headers() {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        if together {
            head.extend_from_slice(&self.body);
        }
        head.into()
    }

    /// Lets counted requests go.
    pub(super) fn release(&self) {
        self.open.set(true);
        self.gate.notify_waiters();
    }

    /// The next request; `None` where all have been given out.
    pub(super) async fn next(&self) -> Option<Request<'_>> {
        while !self.open.get() {
            self.gate.notified().await;
        }
        if let Some(left) = self.left.get() {
            self.left.set(Some(left.checked_sub(1)?));
        }
        let index = self.next.get();
        self.next.set(index.wrapping_add(1));
        Some(Request { plan: self, index })
    }
}

impl<'p> Request<'p> {
    /// Head and body of HTTP/1.1; the second is sent after the first.
    pub(super) fn bytes(&self) -> (&'p [u8], &'p [u8]) {
        (turn(&self.plan.heads, self.index).map_or(&[], |head| head), &self.plan.apart)
    }

    /// The request of HTTP/2 and HTTP/3, without its body.
    pub(super) fn head(&self) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = self.plan.method.clone();
        *head.uri_mut() = self.uri();
        *head.headers_mut() = self.headers();
        head
    }

    /// Its body.
    pub(super) fn body(&self) -> Bytes {
        self.plan.body.clone()
    }

    fn uri(&self) -> Uri {
        turn(&self.plan.uris, self.index).cloned().unwrap_or_default()
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = self.plan.headers.clone();
        if let Some(token) = turn(&self.plan.tokens, self.index) {
            headers.insert(AUTHORIZATION, token.clone());
        }
        headers
    }
}

fn turn<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(index.checked_rem(all.len())?)
}

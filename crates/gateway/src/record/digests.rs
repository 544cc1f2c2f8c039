//! The digests of one record, taken as its bytes pass; where there are no bytes there is none. It knows nothing of how they
//! are made.

use audit::{Digest, Digested, Digestion, Part, Trail};
use edge::Exchange;

/// What is known of them so far.
#[derive(Debug, Default)]
pub(super) struct Digests {
    target: Option<Digested>,
    received: Option<Digested>,
    forwarded: Option<Digested>,
    response: Option<Digest>,
}

impl Digests {
    /// Of a request whose body is still to come.
    pub(super) fn of(exchange: &Exchange, trail: &Trail) -> Self {
        // What stands in for a head that could not be read is not the client's.
        let is_sent = exchange.matrix_target().is_ok();
        let target = exchange.head.uri.path_and_query().filter(|_| is_sent).and_then(|target| {
            trail.digest(Part::Target).map(|digest| digest.of(target.as_str().as_bytes()))
        });
        Self { target, ..Self::default() }
    }

    /// The body was received whole.
    pub(super) fn receives(&mut self, body: &[u8], trail: &Trail) {
        if !body.is_empty() {
            self.received = trail.digest(Part::Received).map(|digest| digest.of(body));
        }
    }

    /// The body goes on like this.
    pub(super) fn forwards(&mut self, body: &[u8], trail: &Trail) {
        if !body.is_empty() {
            self.forwarded = trail.digest(Part::Forwarded).map(|digest| digest.of(body));
        }
    }

    /// Bytes of the answer go out.
    pub(super) fn answers(&mut self, bytes: &[u8], trail: &Trail) {
        if self.response.is_none() && !bytes.is_empty() {
            self.response = trail.digest(Part::Response);
        }
        if let Some(digest) = &mut self.response {
            digest.update(bytes);
        }
    }

    /// What is there before it goes inside.
    pub(super) fn so_far(&self) -> Digestion {
        Digestion {
            target: self.target.clone(),
            received: self.received.clone(),
            forwarded: self.forwarded.clone(),
            response: None,
        }
    }

    /// All of them, with those of a body that passes unread.
    pub(super) fn finish(&mut self, passed: Option<(Digested, Digested)>) -> Digestion {
        let (received, forwarded) = match passed {
            Some((received, forwarded)) => (Some(received), Some(forwarded)),
            None => (self.received.take(), self.forwarded.take()),
        };
        let response = self.response.take().map(Digest::finish);
        Digestion { target: self.target.take(), received, forwarded, response }
    }
}

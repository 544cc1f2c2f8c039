//! One request as it is handed to the service: connection, head, body, canonical target. It knows no answer.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

use crate::body::Body;
use crate::clock;
use crate::connection::{Connection, Origin};
use crate::forwarded::{self, Client};
use crate::presented::ClientCertificate;
use crate::settings::Limits;
use crate::target::{Malformed, Target};

/// One request.
#[derive(Debug)]
pub struct Exchange {
    /// The connection it came on.
    pub connection: Arc<Connection>,
    /// Method, target, version and fields as sent.
    pub head: Parts,
    /// The body, unread.
    pub body: Body,
    target: Result<Target, Malformed>,
    client: Result<Client, Malformed>,
    asks_websocket: bool,
    is_surplus: bool,
}

impl Exchange {
    /// A request on a connection; public so that a service can be tested without sockets.
    pub fn new(connection: Arc<Connection>, head: Parts, body: Body, limits: &Limits) -> Self {
        let client = match connection.origin() {
            Origin::Socket => Ok(Client::from(connection.peer())),
            Origin::Announced(client) => Ok(Client::from(*client)),
            Origin::Requests(rules) => forwarded::client(&head.headers, rules),
        };
        let target = client.and_then(|_| match connection.tls() {
            Some(tls) => Target::parse(&head, tls.sni.as_deref(), limits),
            None => Target::parse_plain(&head, limits),
        });
        Self { connection, head, body, target, client, asks_websocket: false, is_surplus: false }
    }

    /// The same request, which asks for a WebSocket: `body` is what the client says in it, and an answer 101 opens it
    /// (on HTTP/2 as 200). The method is GET, whatever the protocol has in its place.
    pub(crate) fn for_websocket(mut self) -> Self {
        self.asks_websocket = true;
        self
    }

    /// A request whose head could not be read: `head` stands in for it, and there is no body.
    pub fn malformed(connection: Arc<Connection>, head: Parts, why: Malformed) -> Self {
        let client = match connection.origin() {
            Origin::Socket => Ok(Client::from(connection.peer())),
            Origin::Announced(client) => Ok(Client::from(*client)),
            Origin::Requests(_) => Err(why),
        };
        Self {
            connection,
            head,
            body: Body::empty(),
            target: Err(why),
            client,
            asks_websocket: false,
            is_surplus: false,
        }
    }

    /// The same request, which its worker would rather not do.
    pub(crate) fn turned_away(mut self) -> Self {
        self.is_surplus = true;
        self
    }

    /// Whether the worker is behind with its work and this request is one of those to be turned away for it
    /// ([`Limits::queue_max`]).
    pub fn is_surplus(&self) -> bool {
        self.is_surplus
    }

    /// Whether it asks for a WebSocket. Any other answer than 101 is an ordinary one.
    pub fn asks_websocket(&self) -> bool {
        self.asks_websocket
    }

    /// The client certificate of the connection is no longer good: on another one its handshake would say so.
    pub(crate) fn misdirect(&mut self) {
        self.target = Err(Malformed::Distrusted);
    }

    /// The address of the client: of the socket, or as a trusted proxy said. Where the proxy said nothing that can be
    /// read, this is the proxy's own, good for a record and nothing else ([`Exchange::client`]).
    pub fn client_address(&self) -> IpAddr {
        self.client.map_or_else(|_| self.connection.peer().ip(), |client| client.address)
    }

    /// The port of the client, where that is known.
    pub fn client_port(&self) -> Option<u16> {
        self.client.ok().and_then(|client| client.port)
    }

    /// The address of the client, to be held against limits and rules.
    ///
    /// # Errors
    /// Where a trusted proxy did not say it, or the head that would say it could not be read; there is no target, then.
    pub fn client(&self) -> Result<IpAddr, Malformed> {
        self.client.map(|client| client.address)
    }

    /// The verified certificate of the client: of the handshake, or as a proxy passes it on that may. What is passed on
    /// is judged here and now, so ask when the address may.
    ///
    /// # Errors
    /// Where it is malformed or not good: answer with [`Malformed::status`].
    pub fn client_certificate(&self) -> Result<Option<Arc<ClientCertificate>>, Malformed> {
        let shown = self.connection.tls().and_then(|tls| tls.client_certificate.as_ref());
        match self.connection.vouching() {
            None => Ok(shown.cloned()),
            Some(vouching) => {
                vouching.certificate(shown.map(AsRef::as_ref), &self.head.headers, clock::now())
            }
        }
    }

    /// The canonical target, without `;` in its path.
    ///
    /// # Errors
    /// Where the head is malformed: answer with [`Malformed::status`].
    pub fn target(&self) -> Result<&Target, Malformed> {
        self.matrix_target().and_then(|target| match target.has_matrix() {
            true => Err(Malformed::PathCharacter),
            false => Ok(target),
        })
    }

    /// The same for a reader that knows which paths may hold `;` ([`Target::has_matrix`]), and refuses all others.
    ///
    /// # Errors
    /// Where the head is malformed: answer with [`Malformed::status`].
    pub fn matrix_target(&self) -> Result<&Target, Malformed> {
        self.target.as_ref().map_err(|malformed| *malformed)
    }
}

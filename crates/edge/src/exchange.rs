//! One request as it is handed to the service: connection, head, body, canonical target. It knows no answer.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

use crate::body::Body;
use crate::connection::Connection;
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
}

impl Exchange {
    /// A request on a connection; public so that a service can be tested without sockets.
    pub fn new(connection: Arc<Connection>, head: Parts, body: Body, limits: &Limits) -> Self {
        let target = Target::parse(&head, connection.tls().sni.as_deref(), limits);
        Self { connection, head, body, target }
    }

    /// A request whose head could not be read: `head` stands in for it, and there is no body.
    pub fn malformed(connection: Arc<Connection>, head: Parts, why: Malformed) -> Self {
        Self { connection, head, body: Body::empty(), target: Err(why) }
    }

    /// The address of the client.
    pub fn client_address(&self) -> IpAddr {
        self.connection.peer().ip()
    }

    /// The canonical target.
    ///
    /// # Errors
    /// Where the head is malformed: answer with [`Malformed::status`].
    pub fn target(&self) -> Result<&Target, Malformed> {
        self.target.as_ref().map_err(|malformed| *malformed)
    }
}

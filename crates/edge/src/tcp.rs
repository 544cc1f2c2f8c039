//! The TCP side of a listener: accept, PROXY header where one is due, TLS handshake unless the listener is plain, then
//! HTTP/1 or HTTP/2; failures filed once. It decides nothing about requests.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Version};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::admission::{Standing, announced};
use crate::connection::{Connection, Origin, canonical_ip};
use crate::engine::{Ends, Engine, Known, Presence, Stage};
use crate::proxy::Announced;
use crate::service::{FailureKind, Service};
use crate::session::Session;
use crate::settings::{AddressSource, ClientAddress, Plaintext, Versions};
use crate::stream::Stream;
use crate::tls;
use crate::warrant::{Guard, Offers, Warrant};
use crate::{h1, h2};

/// The pause after the system refused a connection (no file descriptors left): time for others to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// One TCP listener.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) offers: Offers,
    pub(crate) http: Versions,
    pub(crate) plaintext: Option<Plaintext>,
    pub(crate) alternative: Option<HeaderValue>,
    pub(crate) client_address: Arc<ClientAddress>,
}

/// Accepts until the server drains.
pub(crate) async fn accept<S: Service>(
    engine: Arc<Engine<S>>,
    listener: Listener,
    mut presence: Presence,
) {
    let tasks = presence.clone();
    let mut draining = pin!(presence.reached(Stage::Draining));
    let Listener { socket, offers, http, plaintext, alternative, client_address } = listener;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut draining => return,
            accepted = next(&socket) => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if !engine.service.admits(canonical_ip(peer.ip())) {
            continue;
        }
        let Ok(local) = stream.local_addr() else { continue };
        let ends = Ends { peer, client: peer, local };
        let standing = match engine.receive(&client_address, peer.ip()) {
            Ok(standing) => standing,
            Err(kind) => {
                engine.failed(ends, kind, Known::default()).await;
                continue;
            }
        };
        let Some(slot) = engine.slot() else {
            engine.failed(ends, FailureKind::ConnectionLimit, Known::default()).await;
            continue;
        };
        let arrival = Arrival {
            engine: Arc::clone(&engine),
            warrant: Warrant::new(&offers),
            http,
            plaintext,
            alternative: alternative.clone(),
            client_address: Arc::clone(&client_address),
            standing,
            ends,
            presence: tasks.clone(),
        };
        engine.workers.carry(arrival.run(stream, slot));
    }
}

/// The next connection, not yet watched by any worker: that is for the one who will carry it.
async fn next(socket: &TcpListener) -> io::Result<(StdTcpStream, SocketAddr)> {
    let (stream, peer) = socket.accept().await?;
    Ok((stream.into_std()?, peer))
}

/// One accepted connection.
struct Arrival<S> {
    engine: Arc<Engine<S>>,
    warrant: Warrant,
    http: Versions,
    plaintext: Option<Plaintext>,
    alternative: Option<HeaderValue>,
    client_address: Arc<ClientAddress>,
    standing: Standing,
    ends: Ends,
    presence: Presence,
}

impl<S: Service> Arrival<S> {
    async fn run(self, stream: StdTcpStream, slot: OwnedSemaphorePermit) {
        let mut presence = self.presence.clone();
        tokio::select! {
            biased;
            () = presence.reached(Stage::Cut) => {}
            () = self.serve(stream) => {}
        }
        drop(slot);
    }

    async fn serve(self, stream: StdTcpStream) {
        // Boxed apart: what a handshake needs is gone when the first request comes.
        if let Some(arrived) = Box::pin(self.arrive(stream)).await {
            arrived.serve().await;
        }
    }

    /// All that comes before the first byte of HTTP; `None` where nobody is to be served.
    async fn arrive(mut self, stream: StdTcpStream) -> Option<Arrived<S>> {
        let stream = TcpStream::from_std(stream).ok()?;
        // Best effort: without it answers are slower, not wrong.
        stream.set_nodelay(true).ok();
        let limit = self.engine.limits.handshake_timeout;
        let greeted = timeout(limit, self.greet(stream)).await;
        let (stream, origin) = match greeted.unwrap_or(Err(FailureKind::HandshakeTimedOut)) {
            Ok(greeted) => greeted?,
            // Without a handshake, all that can break before HTTP is the proxy's header.
            Err(FailureKind::HandshakeTimedOut | FailureKind::HandshakeAborted)
                if self.plaintext.is_some() =>
            {
                return self.failed(FailureKind::ProxyHeader, Known::default()).await;
            }
            Err(kind) => return self.failed(kind, Known::default()).await,
        };
        let shaken = stream.session();
        let chain = shaken.and_then(|shaken| shaken.peer_certificates());
        let certificate = match self.warrant.seat(chain) {
            Ok(certificate) => certificate,
            Err(kind) => return self.failed(kind, Known::default()).await,
        };
        let facts = shaken.map(|shaken| tls::facts(shaken, certificate));
        let is_h2 = facts.as_ref().is_some_and(|facts| facts.alpn == Some(tls::HTTP_2));
        if !is_h2 && !self.http.h1 {
            // A client without ALPN can only mean HTTP/1.
            let known = Known { tls: facts.as_ref(), http: None };
            return self.failed(FailureKind::TlsProtocol, known).await;
        }
        let Ends { peer, local, .. } = self.ends;
        let mut connection = Connection::new(self.engine.next_id(), peer, local, facts)
            .of(origin)
            .vouched_by(self.warrant.vouching());
        if let Some(Plaintext::Redirect(port)) = self.plaintext {
            connection = connection.redirecting_to(port);
        }
        let guard = Guard {
            engine: self.engine,
            connection: Arc::new(connection),
            pulse: Arc::default(),
            ends: self.ends,
            http: if is_h2 { Version::HTTP_2 } else { Version::HTTP_11 },
            warrant: self.warrant,
        };
        let (standing, alternative, presence) = (self.standing, self.alternative, self.presence);
        Some(Arrived { guard, stream, alternative, presence, _standing: standing })
    }

    async fn failed<T>(&self, kind: FailureKind, known: Known<'_>) -> Option<T> {
        self.engine.failed(self.ends, kind, known).await;
        None
    }

    /// What comes before HTTP: the proxy's header, where one is due, and TLS where it is spoken. `None` where nobody is to be served.
    async fn greet(
        &mut self,
        mut stream: TcpStream,
    ) -> Result<Option<(Stream, Origin)>, FailureKind> {
        let mut origin = self.standing.origin(&self.client_address);
        let is_proxied = matches!(self.standing, Standing::Proxy)
            && self.client_address.from == AddressSource::ProxyProtocol;
        if is_proxied {
            match announced(&mut stream).await? {
                None => return Ok(None),
                Some(Announced::Proxy) => {}
                Some(Announced::Client(client)) => {
                    self.ends.client = client;
                    if !self.engine.service.admits(client.ip()) {
                        return Ok(None);
                    }
                    self.standing = self.engine.count(client.ip())?;
                    origin = Origin::Announced(client);
                }
            }
        }
        if self.plaintext.is_some() {
            return Ok(Some((Stream::Plain(stream), origin)));
        }
        let config = self.warrant.offer().and_then(|offer| offer.tcp.clone());
        let Some(config) = config else { return Ok(None) };
        let shaken = shake(&config.into(), stream).await?;
        Ok(shaken.map(|stream| (stream, origin)))
    }
}

/// A connection on which HTTP may begin.
struct Arrived<S> {
    guard: Guard<S>,
    stream: Stream,
    alternative: Option<HeaderValue>,
    presence: Presence,
    /// Counts as long as it lives.
    _standing: Standing,
}

impl<S: Service> Arrived<S> {
    async fn serve(self) {
        let Self { guard, stream, alternative, presence, _standing } = self;
        let Guard { engine, connection, pulse, ends, http, .. } = &guard;
        let (engine, connection) = (Arc::clone(engine), Arc::clone(connection));
        let (pulse, ends, http) = (Arc::clone(pulse), *ends, *http);
        let is_h2 = http == Version::HTTP_2;
        let (witness, served, breach) =
            (Arc::clone(&engine), Arc::clone(&connection), stream.breach());
        let serve = move |presence| -> Serving {
            let session = Session { engine, connection, pulse, alternative, presence, ends };
            // Boxed, so that an idle connection holds the state of its own protocol alone.
            if is_h2 {
                Box::pin(h2::serve(session, stream))
            } else {
                Box::pin(h1::serve(session, stream))
            }
        };
        guard.over(presence, serve).await;
        if breach.is_there() {
            let known = Known { tls: served.tls(), http: Some(http) };
            Box::pin(witness.failed(ends, FailureKind::TlsBroken, known)).await;
        }
    }
}

/// HTTP, spoken to its end.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The TLS handshake; `None` for a client that left without a byte, as probes of load balancers do.
async fn shake(acceptor: &TlsAcceptor, stream: TcpStream) -> Result<Option<Stream>, FailureKind> {
    match stream.peek(&mut [0_u8; 1]).await {
        Ok(0) | Err(_) => return Ok(None),
        Ok(_) => {}
    }
    let shaken = acceptor.accept(stream).await.map_err(|error| tls::broken(&error))?;
    Ok(Some(Stream::secured(shaken)))
}

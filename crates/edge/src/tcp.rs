//! The TCP side of a listener: accept, PROXY header where one is due, TLS handshake, then HTTP/1 or HTTP/2; failures filed
//! once. It decides nothing about requests.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Version};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::admission::{Standing, announced};
use crate::connection::{Connection, Origin, canonical_ip};
use crate::engine::{Ends, Engine, Known, Presence, Stage};
use crate::proxy::Announced;
use crate::service::{FailureKind, Service};
use crate::session::{Pulse, Session};
use crate::settings::{AddressSource, ClientAddress, Versions};
use crate::warrant::{Guard, Offers, Warrant};
use crate::{h1, h2, tls};

/// The pause after the system refused a connection (no file descriptors left): time for others to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// One TCP listener.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) offers: Offers,
    pub(crate) http: Versions,
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
    let Listener { socket, offers, http, alternative, client_address } = listener;
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

    async fn serve(mut self, stream: StdTcpStream) {
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        // Best effort: without it answers are slower, not wrong.
        stream.set_nodelay(true).ok();
        let limit = self.engine.limits.handshake_timeout;
        let (stream, origin) = match timeout(limit, Box::pin(self.greet(stream))).await {
            Ok(Ok(Some(greeted))) => greeted,
            Ok(Ok(None)) => return,
            Ok(Err(kind)) => return self.engine.failed(self.ends, kind, Known::default()).await,
            Err(_) => {
                let kind = FailureKind::HandshakeTimedOut;
                return self.engine.failed(self.ends, kind, Known::default()).await;
            }
        };
        let shaken = stream.get_ref().1;
        let certificate = match self.warrant.seat(shaken.peer_certificates()) {
            Ok(certificate) => certificate,
            Err(kind) => return self.engine.failed(self.ends, kind, Known::default()).await,
        };
        let facts = tls::facts(shaken, certificate);
        let is_h2 = facts.alpn == Some(tls::HTTP_2);
        if !is_h2 && !self.http.h1 {
            // A client without ALPN can only mean HTTP/1.
            let known = Known { tls: Some(&facts), http: None };
            return self.engine.failed(self.ends, FailureKind::TlsProtocol, known).await;
        }
        let Ends { peer, local, .. } = self.ends;
        let connection = Connection::new(self.engine.next_id(), peer, local, facts).of(origin);
        let connection = Arc::new(connection);
        let pulse = Arc::<Pulse>::default();
        let guard = Guard {
            engine: Arc::clone(&self.engine),
            connection: Arc::clone(&connection),
            pulse: Arc::clone(&pulse),
            ends: self.ends,
            http: if is_h2 { Version::HTTP_2 } else { Version::HTTP_11 },
            warrant: self.warrant,
        };
        let (engine, alternative, ends) = (self.engine, self.alternative, self.ends);
        let serve = async |presence| {
            let session = Session { engine, connection, pulse, alternative, presence, ends };
            // Boxed, so that an idle connection holds the state of its own protocol alone.
            if is_h2 {
                Box::pin(h2::serve(session, stream)).await;
            } else {
                Box::pin(h1::serve(session, stream)).await;
            }
        };
        guard.over(self.presence, serve).await;
    }

    /// What comes before HTTP: the proxy's header, where one is due, and TLS. `None` where nobody is to be served.
    async fn greet(
        &mut self,
        mut stream: TcpStream,
    ) -> Result<Option<(TlsStream<TcpStream>, Origin)>, FailureKind> {
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
        let config = self.warrant.offer().and_then(|offer| offer.tcp.clone());
        let Some(config) = config else { return Ok(None) };
        let shaken = shake(&config.into(), stream).await?;
        Ok(shaken.map(|stream| (stream, origin)))
    }
}

/// The TLS handshake; `None` for a client that left without a byte, as probes of load balancers do.
async fn shake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Result<Option<TlsStream<TcpStream>>, FailureKind> {
    match stream.peek(&mut [0_u8; 1]).await {
        Ok(0) | Err(_) => return Ok(None),
        Ok(_) => {}
    }
    acceptor.accept(stream).await.map(Some).map_err(|error| tls::broken(&error))
}

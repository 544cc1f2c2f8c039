//! The QUIC side of a listener: endpoint, admission before any handshake work, HTTP/3 connections with their request
//! streams as tasks, drain with GOAWAY. It decides nothing about requests.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h3::error::ConnectionError;
use http::Version;
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Endpoint, Incoming, ServerConfig, VarInt};
use rustls_pki_types::CertificateDer;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::admission::Standing;
use crate::connection::{Connection, Origin, TlsFacts, canonical_ip};
use crate::engine::{Ends, Engine, Known, Presence, Stage};
use crate::service::{FailureKind, Service};
use crate::session::Pulse;
use crate::settings::{ClientAddress, Limits, TlsVersion};
use crate::term::{Next, Term};
use crate::tls;
use crate::warrant::{Guard, Offers, Warrant};

mod frames;
mod huffman;
mod opener;
mod port;
mod qpack;
mod request;
mod tables;
mod transport;
mod watch;

#[cfg(feature = "fuzzing")]
pub(crate) use frames::Frames;
pub(crate) use port::listen;
pub(crate) use request::RequestBody;
use transport::{Last, Transport};
use watch::Watch;

/// Streams from the client only: control, two of QPACK, and room for unknown ones (RFC 9114 6.2).
const CLIENT_STREAMS_MAX: u32 = 8;
/// Bytes of a stream's window, the bound on what one unread request body holds.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes of a connection's window, the bound for all its unread bodies.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of answers not yet acknowledged, per connection.
const SEND_WINDOW_BYTES: u64 = 1024 * 1024;
/// Handshakes waiting to be accepted.
const INCOMING_MAX: usize = 1024;
/// Bytes kept for handshakes that wait to be accepted.
const INCOMING_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// From this many handshakes under way on, addresses must prove themselves with a Retry (RFC 9000 8.1.2).
const UNPROVEN_HANDSHAKES_MAX: usize = 64;
/// How much later than ours the library's idle clock goes off.
const IDLE_SLACK: Duration = Duration::from_secs(5);
/// H3_NO_ERROR (RFC 9114 8.1).
const NO_ERROR: VarInt = VarInt::from_u32(0x100);
/// How long a connection stays at least after its GOAWAY, unless the client ends it.
const FAREWELL: Duration = Duration::from_secs(1);
/// H3_EXCESSIVE_LOAD.
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);

/// What is known before a handshake is over.
const OVER_QUIC: Known<'_> = Known { tls: None, http: Some(Version::HTTP_3) };

/// What a QUIC endpoint offers. `before` is what it offered until now: its keys for address tokens stay.
pub(crate) fn offer(
    config: rustls::ServerConfig,
    limits: &Limits,
    before: Option<&ServerConfig>,
) -> Result<ServerConfig, rustls::Error> {
    let crypto = Arc::new(QuicServerConfig::try_from(config).map_err(general)?);
    if let Some(before) = before {
        let mut server = before.clone();
        server.crypto = crypto;
        return Ok(server);
    }
    let mut server = ServerConfig::with_crypto(crypto);
    let mut transport = quinn::TransportConfig::default();
    // The library's clock is for clients that are gone. Its end is silent, so it comes after ours.
    let idle = limits.idle_timeout.saturating_add(IDLE_SLACK).try_into().map_err(general)?;
    transport
        .max_idle_timeout(Some(idle))
        .max_concurrent_bidi_streams(limits.streams_max.into())
        .max_concurrent_uni_streams(CLIENT_STREAMS_MAX.into())
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None);
    server
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX)
        // The address that was admitted stays the address of the connection.
        .migration(false);
    Ok(server)
}

fn general(error: impl std::fmt::Display) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

/// Accepts until the server drains, then waits for the connections to be gone.
async fn accept<S: Service>(
    engine: Arc<Engine<S>>,
    endpoint: Endpoint,
    (offers, rules): (Offers, Arc<ClientAddress>),
    mut presence: Presence,
) {
    let shaking = Arc::new(AtomicUsize::new(0));
    loop {
        let incoming = tokio::select! {
            biased;
            () = presence.reached(Stage::Draining) => break,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        let arriving = (incoming, Warrant::new(&offers));
        admit(&engine, (&endpoint, &rules), arriving, (&shaking, &presence)).await;
    }
    endpoint.set_server_config(None);
    tokio::select! {
        () = endpoint.wait_idle() => {}
        () = presence.reached(Stage::Cut) => endpoint.close(NO_ERROR, b""),
    }
}

/// Decides on an Initial: refuse, ask for proof of the address, or shake hands in a task. Nobody is counted or put on
/// record by an address that another may have written into a datagram.
async fn admit<S: Service>(
    engine: &Arc<Engine<S>>,
    (endpoint, rules): (&Endpoint, &Arc<ClientAddress>),
    (incoming, warrant): (Incoming, Warrant),
    (shaking, presence): (&Arc<AtomicUsize>, &Presence),
) {
    let peer = incoming.remote_address();
    if !engine.service.admits(canonical_ip(peer.ip())) {
        return incoming.refuse();
    }
    let Ok(mut local) = endpoint.local_addr() else { return incoming.refuse() };
    if let Some(ip) = incoming.local_ip() {
        local.set_ip(ip);
    }
    let slot = engine.slot();
    let is_proved = incoming.remote_address_validated();
    let is_crowded = slot.is_none() || shaking.load(Ordering::Acquire) >= UNPROVEN_HANDSHAKES_MAX;
    if !is_proved && (is_crowded || !engine.would_receive(rules, peer.ip())) {
        // An error says that the client has a token already, which the line above rules out.
        incoming.retry().ok();
        return;
    }
    let ends = Ends { peer, client: peer, local };
    let standing = match is_proved.then(|| engine.receive(rules, peer.ip())).transpose() {
        Ok(standing) => standing,
        Err(kind) => {
            incoming.refuse();
            return engine.failed(ends, kind, OVER_QUIC).await;
        }
    };
    let Some(slot) = slot else {
        incoming.refuse();
        return engine.failed(ends, FailureKind::ConnectionLimit, OVER_QUIC).await;
    };
    let arrival = Arrival {
        engine: Arc::clone(engine),
        rules: Arc::clone(rules),
        standing,
        warrant,
        ends,
        shaking: Arc::clone(shaking),
        presence: presence.clone(),
    };
    engine.workers.carry(until_cut(arrival.run(incoming), presence.clone(), slot));
}

async fn until_cut(
    connection: impl Future<Output = ()>,
    mut presence: Presence,
    slot: OwnedSemaphorePermit,
) {
    tokio::select! {
        biased;
        () = presence.reached(Stage::Cut) => {}
        () = connection => {}
    }
    drop(slot);
}

/// One connection that may shake hands.
struct Arrival<S> {
    engine: Arc<Engine<S>>,
    rules: Arc<ClientAddress>,
    /// `None` where the address is not proved yet: the handshake does that.
    standing: Option<Standing>,
    warrant: Warrant,
    ends: Ends,
    shaking: Arc<AtomicUsize>,
    presence: Presence,
}

impl<S: Service> Arrival<S> {
    async fn run(self, incoming: Incoming) {
        let Self { engine, rules, standing, mut warrant, ends, shaking, presence } = self;
        shaking.fetch_add(1, Ordering::AcqRel);
        let shaken = timeout(engine.limits.handshake_timeout, shake(incoming, &warrant)).await;
        shaking.fetch_sub(1, Ordering::AcqRel);
        let quic = match shaken {
            Ok(Ok(quic)) => quic,
            Ok(Err(error)) => return engine.failed(ends, broken(&error), OVER_QUIC).await,
            Err(_) => {
                return engine.failed(ends, FailureKind::HandshakeTimedOut, OVER_QUIC).await;
            }
        };
        let mut facts = facts(&quic);
        let standing = match standing.map_or_else(|| engine.receive(&rules, ends.peer.ip()), Ok) {
            Ok(standing) => standing,
            Err(kind) => {
                let known = Known { tls: Some(&facts), http: Some(Version::HTTP_3) };
                engine.failed(ends, kind, known).await;
                return quic.close(EXCESSIVE_LOAD, b"");
            }
        };
        facts.client_certificate = match warrant.seat(chain(&quic).as_deref()) {
            Ok(certificate) => certificate,
            Err(kind) => return engine.failed(ends, kind, OVER_QUIC).await,
        };
        let origin: Origin = standing.origin(&rules);
        let connection = Connection::new(engine.next_id(), ends.peer, ends.local, facts)
            .of(origin)
            .vouched_by(warrant.vouching());
        let (connection, pulse) = (Arc::new(connection), Arc::<Pulse>::default());
        let guard = Guard {
            engine: Arc::clone(&engine),
            connection: Arc::clone(&connection),
            pulse: Arc::clone(&pulse),
            ends,
            http: Version::HTTP_3,
            warrant,
        };
        let serve = |presence| {
            let watch = Arc::new(Watch::new(&engine.limits.floods, Instant::now()));
            let session = Session { engine, connection, pulse, watch, presence, ends };
            Arc::new(session).run(quic)
        };
        guard.over(presence, serve).await;
    }
}

async fn shake(
    incoming: Incoming,
    warrant: &Warrant,
) -> Result<quinn::Connection, quinn::ConnectionError> {
    match warrant.offer().and_then(|offer| offer.quic.clone()) {
        Some(config) => incoming.accept_with(config)?.await,
        None => incoming.accept()?.await,
    }
}

/// What the client presented; quinn hands it on without its type.
fn chain(quic: &quinn::Connection) -> Option<Vec<CertificateDer<'static>>> {
    let identity: Box<dyn Any> = quic.peer_identity()?;
    identity.downcast().ok().map(|chain| *chain)
}

/// One HTTP/3 connection.
struct Session<S> {
    engine: Arc<Engine<S>>,
    connection: Arc<Connection>,
    pulse: Arc<Pulse>,
    watch: Arc<Watch>,
    presence: Presence,
    ends: Ends,
}

impl<S: Service> Session<S> {
    async fn run(self: Arc<Self>, quic: quinn::Connection) {
        let limits = self.engine.limits;
        let last = Last::default();
        let head_bytes = u64::from(limits.engine_head_bytes_u32());
        let watch = Arc::clone(&self.watch);
        let transport = Transport::new(quic.clone(), head_bytes, Arc::clone(&last), watch);
        let Some(mut h3) = self.greet(transport, head_bytes).await else { return };
        let mut presence = self.presence.clone();
        let mut requests = JoinSet::new();
        let mut draining = false;
        let mut farewell = Instant::now();
        let mut term = Term::new(&limits);
        let mut aged = pin!(term.age());
        while !(draining && requests.is_empty()) {
            // A client may reset streams faster than tasks end: tasks are what is bounded (CVE-2023-44487).
            let has_room = requests.len() < limits.streams();
            // `Some` ends what new requests there are, with the reason where that goes on record.
            let mut ends = None;
            tokio::select! {
                accepted = h3.accept(), if has_room => match accepted {
                    Ok(Some(resolver)) if draining => request::reject(resolver),
                    Ok(Some(resolver)) => {
                        self.spawn(&mut requests, resolver, &last);
                        if term.next() == Next::ServeLast {
                            ends = Some(Some(FailureKind::RequestLimit));
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return self.report(&error).await,
                },
                Some(_) = requests.join_next(), if !requests.is_empty() => {}
                _ = quic.closed(), if !has_room => return,
                (kind, code) = self.watch.ended() => {
                    self.failed(kind).await;
                    return quic.close(code, b"");
                }
                () = presence.reached(Stage::Draining), if !draining => ends = Some(None),
                () = &mut aged, if !draining => ends = Some(Some(FailureKind::ConnectionAge)),
                () = sleep(limits.idle_timeout), if requests.is_empty() => {
                    self.failed(FailureKind::ConnectionIdle).await;
                    break;
                }
            }
            let Some(reason) = ends else { continue };
            draining = true;
            farewell = Instant::now() + FAREWELL;
            if let Some(kind) = reason {
                self.failed(kind).await;
            }
            // 1, not 0: the id sent is the first one not served (RFC 9114 5.2).
            if h3.shutdown(1).await.is_err() {
                return;
            }
        }
        while requests.join_next().await.is_some() {}
        // What is not sent yet is lost when a connection ends. A client that hears the GOAWAY knows which of its requests
        // nobody has seen, and sends them again (RFC 9114 5.2).
        if draining {
            timeout_at(farewell, quic.closed()).await.ok();
        }
    }

    /// Opens the control streams.
    async fn greet(
        &self,
        transport: Transport,
        head_bytes: u64,
    ) -> Option<h3::server::Connection<Transport, Bytes>> {
        let mut builder = h3::server::builder();
        builder.max_field_section_size(head_bytes).send_grease(false);
        match timeout(self.engine.limits.handshake_timeout, builder.build(transport)).await {
            Ok(Ok(h3)) => return Some(h3),
            Ok(Err(error)) => self.report(&error).await,
            Err(_) => self.failed(FailureKind::HandshakeTimedOut).await,
        }
        None
    }

    fn spawn(
        self: &Arc<Self>,
        requests: &mut JoinSet<()>,
        resolver: h3::server::RequestResolver<Transport, Bytes>,
        last: &Last,
    ) {
        let beside = last.lock().ok().and_then(|mut last| last.take());
        let Some(beside) = beside else { return request::reject(resolver) };
        requests.spawn(request::serve(Arc::clone(self), resolver, beside));
    }

    /// Files what the client did wrong; that it left, in whatever way, is none of it.
    async fn report(&self, error: &ConnectionError) {
        if matches!(error, ConnectionError::Local { .. }) && !error.is_h3_no_error() {
            self.failed(FailureKind::Http3Protocol).await;
        }
    }

    async fn failed(&self, kind: FailureKind) {
        let known = Known { tls: self.connection.tls(), http: Some(Version::HTTP_3) };
        self.engine.failed(self.ends, kind, known).await;
    }
}

/// quinn tells protocol and server name, no cipher suite.
fn facts(quic: &quinn::Connection) -> TlsFacts {
    let data = quic.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let (sni, alpn) = data.map_or((None, None), |data| (data.server_name, data.protocol));
    TlsFacts {
        version: TlsVersion::V1_3,
        cipher_suite: None,
        sni: sni.map(|name| name.to_ascii_lowercase().into()),
        alpn: alpn.and_then(|name| tls::protocol(&name)),
        client_certificate: None,
    }
}

/// Why a QUIC handshake broke. Codes from 0x100 on are TLS alerts (RFC 9001 4.8).
fn broken(error: &quinn::ConnectionError) -> FailureKind {
    const ALERTS: u64 = 0x100;
    match error {
        quinn::ConnectionError::TransportError(error) => {
            match u64::from(error.code).checked_sub(ALERTS) {
                Some(44) => FailureKind::ClientCertificateRevoked,
                Some(45) => FailureKind::ClientCertificateExpired,
                Some(46) => FailureKind::ClientCertificateUnchecked,
                Some(48) => FailureKind::ClientCertificateUntrusted,
                Some(116) => FailureKind::ClientCertificateMissing,
                Some(49 | 112) => FailureKind::TlsServerName,
                Some(120) => FailureKind::TlsProtocol,
                Some(40 | 70 | 71) => FailureKind::TlsIncompatible,
                Some(_) | None => FailureKind::TlsHandshake,
            }
        }
        quinn::ConnectionError::ConnectionClosed(_)
        | quinn::ConnectionError::ApplicationClosed(_) => FailureKind::TlsAlert,
        quinn::ConnectionError::TimedOut => FailureKind::HandshakeTimedOut,
        quinn::ConnectionError::VersionMismatch
        | quinn::ConnectionError::Reset
        | quinn::ConnectionError::LocallyClosed
        | quinn::ConnectionError::CidsExhausted => FailureKind::HandshakeAborted,
    }
}

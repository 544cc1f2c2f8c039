//! The server: binds what the settings name, accepts, swaps certificates, drains. It knows no request.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::certificate::Certificate;
use crate::engine::{Engine, Presence, Stage, alternative};
use crate::service::Service;
use crate::settings::{
    AddressSource, ClientAddress, Limits, ListenerSettings, Plaintext, Settings, TlsVersion,
    Versions,
};
use crate::sockets::{Passed, Sockets, sockets};
use crate::tcp;
use crate::tls::{self, Certificates};
use crate::trust::ClientCertificates;
use crate::vouched::{ForwardedCertificates, Vouching};
use crate::warrant::Offer;
use crate::workers::{self, Threads};

/// How long dropped connections may take to be gone.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// A running server. Dropped without [`Server::drain`], it cuts everything.
pub struct Server<S> {
    engine: Arc<Engine<S>>,
    listeners: Vec<Bound>,
    stage: watch::Sender<Stage>,
    presence: Presence,
    at_rest: mpsc::Receiver<()>,
    threads: Threads,
}

struct Bound {
    address: SocketAddr,
    /// A second handle of what is accepted from: for a process that takes over.
    socket: TcpListener,
    terms: Terms,
    offers: watch::Sender<Arc<Offer>>,
}

/// A listener that could accept.
struct Ready {
    bound: Bound,
    pair: Sockets,
    client_address: Arc<ClientAddress>,
}

/// What of a listener is settled when it binds; the certificates are swapped within.
struct Terms {
    http: Versions,
    plaintext: Option<Plaintext>,
    min_version: TlsVersion,
    certificates: Arc<Certificates>,
    vouching: Option<Arc<Vouching>>,
}

impl Terms {
    /// What is offered to whom. `before` is what was offered until now.
    fn offer(
        &self,
        clients: Option<ClientCertificates>,
        #[cfg_attr(not(feature = "http3"), expect(unused_variables, reason = "QUIC only"))]
        limits: &Limits,
        #[cfg_attr(not(feature = "http3"), expect(unused_variables, reason = "QUIC only"))]
        before: Option<&Offer>,
    ) -> Result<Offer, rustls::Error> {
        let mut offer = Offer {
            tcp: None,
            #[cfg(feature = "http3")]
            quic: None,
            clients,
            vouching: self.vouching.clone(),
        };
        if self.plaintext.is_some() {
            return Ok(offer);
        }
        let (certificates, clients) = (&self.certificates, offer.clients.as_ref());
        if self.http.h1 || self.http.h2 {
            let certificates = Arc::clone(certificates);
            let config = tls::over_tcp(self.http, self.min_version, certificates, clients)?;
            offer.tcp = Some(Arc::new(config));
        }
        #[cfg(feature = "http3")]
        if self.http.h3 {
            let config = tls::over_quic(Arc::clone(certificates), clients)?;
            let before = before.and_then(|before| before.quic.as_deref());
            offer.quic = Some(Arc::new(crate::h3::offer(config, limits, before)?));
        }
        Ok(offer)
    }
}

/// What became of the requests that were under way when a drain began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Answered to the end.
    pub finished: usize,
    /// Cut at the limit.
    pub cut: usize,
}

/// Why a server cannot start.
#[derive(Debug, Error)]
pub enum BindError {
    /// A listener has no certificate.
    #[error("listener {0} has no certificate")]
    NoCertificate(SocketAddr),
    /// A listener offers no HTTP version.
    #[error("listener {0} offers no HTTP version")]
    NoVersion(SocketAddr),
    /// HTTP/3 was asked for in a build without it.
    #[error("listener {0} asks for HTTP/3, which this build does not have")]
    NoHttp3(SocketAddr),
    /// A listener without TLS that has certificates, or speaks anything but HTTP/1.
    #[error("listener {0} has no TLS: HTTP/1 only, and no certificates")]
    Plaintext(SocketAddr),
    /// HTTP/3 behind the PROXY protocol, which comes before TLS over TCP only.
    #[error("listener {0} asks for HTTP/3 behind the PROXY protocol, which QUIC does not have")]
    ProxyProtocolOverQuic(SocketAddr),
    /// The address is taken or not ours.
    #[error("address {address} cannot be bound")]
    Socket {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread that serves cannot be started.
    #[error("a worker cannot be started")]
    Worker(#[source] io::Error),
    /// The TLS library refused the configuration.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// Why certificates cannot be swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplaceError {
    /// There is no listener of that number.
    #[error("no such listener")]
    NoListener,
    /// The new list is empty.
    #[error("no certificate")]
    NoCertificate,
    /// Whether there is TLS, and whether clients are asked for certificates, is settled when the server binds.
    #[error("TLS and client certificates cannot be turned on or off")]
    OnOrOff,
    /// The TLS library refused the configuration.
    #[error("TLS cannot be set up")]
    Tls,
}

impl<S: Service> Server<S> {
    /// Binds every listener and starts to accept, on threads of its own.
    ///
    /// # Errors
    /// Where a listener cannot be bound or makes no sense; then nothing is left running.
    pub fn bind(settings: Settings, service: Arc<S>) -> Result<Self, BindError> {
        Self::bind_passed(settings, service, &mut Passed::default())
    }

    /// The same, with sockets that listen already: a listener takes the one that has its address. Where it speaks HTTP/3 and
    /// another process still has the UDP port, it takes that port as soon as it is free: two processes cannot share QUIC.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub fn bind_passed(
        settings: Settings,
        service: Arc<S>,
        passed: &mut Passed,
    ) -> Result<Self, BindError> {
        let count = settings.workers.or_else(|| thread::available_parallelism().ok());
        let count = count.unwrap_or(NonZeroUsize::MIN);
        let queue_max = settings.limits.queue_max;
        let (workers, threads) = workers::start(count, queue_max).map_err(BindError::Worker)?;
        let engine = Engine::new(service, settings.limits, workers);
        let (stage, watched) = watch::channel(Stage::Running);
        let (alive, at_rest) = mpsc::channel(1);
        let presence = Presence::new(watched, alive);
        let mut server = Self { engine, listeners: Vec::new(), stage, presence, at_rest, threads };
        // All that can fail comes first: where a later listener does not come to be, nobody was accepted who is then cut.
        let listeners = settings.listeners.into_iter();
        let ready: Vec<_> =
            listeners.map(|one| server.prepare(one, passed)).collect::<Result<_, _>>()?;
        for listener in ready {
            server.listen(listener)?;
        }
        Ok(server)
    }

    /// The share of new requests that the most crowded worker turns away, in millionths ([`Limits::queue_max`]).
    pub fn shed_share(&self) -> u32 {
        self.engine.workers.shed_share()
    }

    /// The bound addresses, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }

    /// Second handles of the listening TCP sockets, for a process that takes over.
    ///
    /// # Errors
    /// Where the system has no descriptor left.
    pub fn listening(&self) -> io::Result<Vec<OwnedFd>> {
        self.listeners.iter().map(|one| Ok(one.socket.try_clone()?.into())).collect()
    }

    /// Uses other certificates on one listener, from the next handshake on.
    ///
    /// # Errors
    /// Where there is no such listener, or no certificate (or one without TLS); then the old ones stay.
    pub fn replace_certificates(
        &self,
        listener: usize,
        certificates: Vec<Certificate>,
    ) -> Result<(), ReplaceError> {
        let listener = self.listeners.get(listener).ok_or(ReplaceError::NoListener)?;
        match (listener.terms.plaintext, certificates.is_empty()) {
            (None, true) => return Err(ReplaceError::NoCertificate),
            (None, false) => {}
            (Some(_), true) => return Ok(()),
            (Some(_), false) => return Err(ReplaceError::OnOrOff),
        }
        listener.terms.certificates.replace(certificates);
        Ok(())
    }

    /// Believes other client certificates on one listener, from the next handshake on. No session of before is resumed,
    /// and connections whose certificate is no longer good are told to go, then cut. What is equal changes nothing.
    ///
    /// # Errors
    /// Where there is no such listener, or where this would turn client certificates on or off; then all stays as it was.
    pub fn replace_client_certificates(
        &self,
        listener: usize,
        clients: Option<ClientCertificates>,
    ) -> Result<(), ReplaceError> {
        let listener = self.listeners.get(listener).ok_or(ReplaceError::NoListener)?;
        let before = Arc::clone(&listener.offers.borrow());
        if before.clients == clients {
            return Ok(());
        }
        if before.clients.is_some() != clients.is_some() {
            return Err(ReplaceError::OnOrOff);
        }
        let offer = listener.terms.offer(clients, &self.engine.limits, Some(&before));
        let offer = offer.map_err(|_| ReplaceError::Tls)?;
        listener.offers.send_replace(Arc::new(offer));
        Ok(())
    }

    /// Believes other certificates that proxies pass on to one listener, from the next request on.
    ///
    /// # Errors
    /// Where there is no such listener, or where this would turn such certificates on or off; then all stays as it was.
    pub fn replace_forwarded_certificates(
        &self,
        listener: usize,
        settings: Option<ForwardedCertificates>,
    ) -> Result<(), ReplaceError> {
        let listener = self.listeners.get(listener).ok_or(ReplaceError::NoListener)?;
        match (&listener.terms.vouching, settings) {
            (Some(vouching), Some(settings)) => vouching.replace(settings),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return Err(ReplaceError::OnOrOff),
        }
        Ok(())
    }

    /// Stops accepting, tells clients to go elsewhere, waits for the requests under way, at most `limit`, then cuts
    /// what is left.
    pub async fn drain(self, limit: Duration) -> Drained {
        let Self { engine, stage, presence, mut at_rest, threads, listeners } = self;
        drop(presence);
        // A socket that nobody accepts from must not stay open: clients would wait in it.
        drop(listeners);
        let before = engine.tally.done();
        stage.send_replace(Stage::Draining);
        let rested = timeout(limit, at_rest.recv()).await.is_ok();
        // Counted before the cut, which ends exchanges, too.
        let finished = engine.tally.done().saturating_sub(before);
        let cut = if rested { 0 } else { engine.tally.open() };
        stage.send_replace(Stage::Cut);
        if !rested && timeout(CUT_GRACE, at_rest.recv()).await.is_err() {
            tracing::warn!("connections are still open after the cut");
        }
        threads.end().await;
        Drained { finished, cut }
    }

    /// Checks and binds, and accepts nobody yet.
    fn prepare(&self, settings: ListenerSettings, passed: &mut Passed) -> Result<Ready, BindError> {
        makes_sense(&settings)?;
        let ListenerSettings {
            address,
            http,
            plaintext,
            certificates,
            min_version,
            client_certificates,
            client_address,
            forwarded_certificates,
        } = settings;
        let vouching = forwarded_certificates.map(Vouching::new);
        let failed = |source| BindError::Socket { address, source };
        let pair = sockets(address, http.h3, passed.take(address)).map_err(failed)?;
        let address = pair.tcp.local_addr().map_err(failed)?;
        let socket = pair.tcp.try_clone().map_err(failed)?;
        let certificates = Certificates::new(certificates);
        let terms = Terms { http, plaintext, min_version, certificates, vouching };
        let offer = terms.offer(client_certificates, &self.engine.limits, None)?;
        let bound = Bound { address, socket, terms, offers: watch::Sender::new(Arc::new(offer)) };
        Ok(Ready { bound, pair, client_address: Arc::new(client_address) })
    }

    /// Accepts from now on.
    fn listen(&mut self, ready: Ready) -> Result<(), BindError> {
        let Ready { bound, pair, client_address } = ready;
        let Bound { address, terms: Terms { http, plaintext, .. }, .. } = bound;
        let failed = |source| BindError::Socket { address, source };
        let offered = bound.offers.subscribe();
        #[cfg(feature = "http3")]
        if let Some(udp) = pair.udp {
            let (offered, presence) = (offered.clone(), self.presence.clone());
            let accept = || {
                let terms = (offered, Arc::clone(&client_address));
                crate::h3::listen(Arc::clone(&self.engine), udp, terms, presence)
            };
            self.engine.workers.tend(accept).map_err(failed)?;
        }
        if http.h1 || http.h2 {
            let presence = self.presence.clone();
            let listener = |socket| tcp::Listener {
                socket,
                offers: offered,
                http,
                plaintext,
                alternative: if http.h3 { alternative(address.port()) } else { None },
                client_address,
            };
            let accept = || {
                let socket = tokio::net::TcpListener::from_std(pair.tcp)?;
                Ok(tcp::accept(Arc::clone(&self.engine), listener(socket), presence))
            };
            self.engine.workers.tend(accept).map_err(failed)?;
        }
        self.listeners.push(bound);
        Ok(())
    }
}

/// What of a listener contradicts itself.
fn makes_sense(settings: &ListenerSettings) -> Result<(), BindError> {
    let (address, http) = (settings.address, settings.http);
    let has_none = settings.certificates.is_empty();
    if settings.plaintext.is_some() {
        let is_bare = has_none && settings.client_certificates.is_none();
        let only_h1 = Versions { h1: true, h2: false, h3: false };
        return if is_bare && http == only_h1 {
            Ok(())
        } else {
            Err(BindError::Plaintext(address))
        };
    }
    if has_none {
        return Err(BindError::NoCertificate(address));
    }
    if !(http.h1 || http.h2 || http.h3) {
        return Err(BindError::NoVersion(address));
    }
    if http.h3 && !cfg!(feature = "http3") {
        return Err(BindError::NoHttp3(address));
    }
    if http.h3 && settings.client_address.from == AddressSource::ProxyProtocol {
        return Err(BindError::ProxyProtocolOverQuic(address));
    }
    Ok(())
}

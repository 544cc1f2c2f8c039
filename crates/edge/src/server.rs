//! The server: binds what the settings name, accepts, changes its listeners, drains. It knows no request.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::engine::{Engine, Stage, advance, alternative};
use crate::listener::{Bound, Place, Ready, Renewal, Terms, makes_sense, plan};
use crate::service::Service;
use crate::settings::{ListenerSettings, Settings};
use crate::sockets::Passed;
use crate::tcp;
use crate::workers::{self, Threads};

/// How long dropped connections may take to be gone.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// A running server. Dropped without [`Server::drain`], it cuts everything.
pub struct Server<S> {
    engine: Arc<Engine<S>>,
    listeners: Vec<Bound>,
    /// The stages of listeners that are gone, as long as they have connections.
    leaving: Vec<Arc<watch::Sender<Stage>>>,
    alive: mpsc::Sender<()>,
    at_rest: mpsc::Receiver<()>,
    threads: Threads,
}

/// What became of the requests that were under way when a drain began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Answered to the end.
    pub finished: usize,
    /// Cut at the limit.
    pub cut: usize,
}

/// What came of other listeners: the addresses of those that began and of those that ended; the others stayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Accept from now on.
    pub begun: Vec<SocketAddr>,
    /// Accept no more; their connections drain.
    pub ended: Vec<SocketAddr>,
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

impl BindError {
    /// The listener that it is about, by the address that was asked for.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::NoCertificate(address)
            | Self::NoVersion(address)
            | Self::NoHttp3(address)
            | Self::Plaintext(address)
            | Self::ProxyProtocolOverQuic(address)
            | Self::Socket { address, .. } => Some(*address),
            Self::Worker(_) | Self::Tls(_) => None,
        }
    }
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
        let (alive, at_rest) = mpsc::channel(1);
        let (listeners, leaving) = (Vec::new(), Vec::new());
        let mut server = Self { engine, listeners, leaving, alive, at_rest, threads };
        // All that can fail comes first: where a later listener does not come to be, nobody was accepted who is then cut.
        let listeners = settings.listeners.into_iter();
        let ready: Vec<_> = listeners
            .map(|one| {
                let socket = passed.take(one.address);
                server.prepare(one, socket)
            })
            .collect::<Result<_, _>>()?;
        for listener in ready {
            let bound = server.listen(listener)?;
            server.listeners.push(bound);
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

    /// Makes these the listeners, and serves on meanwhile. One of the same address and the same terms (versions, plain
    /// HTTP, oldest TLS version, whom it believes, whether it asks for client certificates) stays and takes the new
    /// certificates from the next handshake on: where its client certificates change, no session of before is resumed, and
    /// connections whose certificate is no longer good are told to go, then cut. Where the terms are others, new connections
    /// meet the new ones (over HTTP/3 as soon as the old connections are gone), and the old connections drain for at most
    /// `limit`, as do those of a listener that is gone.
    ///
    /// # Errors
    /// As [`Server::bind`]; then all stays as it was.
    pub fn replace_listeners(
        &mut self,
        settings: Vec<ListenerSettings>,
        limit: Duration,
    ) -> Result<Replaced, BindError> {
        settings.iter().try_for_each(makes_sense)?;
        // All that can fail comes first.
        let plan = plan(&self.listeners, &settings);
        let mut next = Vec::with_capacity(settings.len());
        for (settings, place) in settings.into_iter().zip(plan) {
            let before = place.and_then(|place| self.listeners.get(place.index()));
            next.push(match (place, before) {
                (Some(Place::Kept(index)), Some(bound)) => {
                    Next::Kept(index, bound.renewal(settings, &self.engine.limits)?)
                }
                (_, before) => Next::Begun(self.begin(settings, before)?),
            });
        }
        let mut before: Vec<_> = self.listeners.drain(..).map(Some).collect();
        let mut replaced = Replaced::default();
        for next in next {
            match next {
                Next::Kept(index, renewal) => {
                    let Some(bound) = before.get_mut(index).and_then(Option::take) else {
                        continue;
                    };
                    bound.renew(renewal);
                    self.listeners.push(bound);
                }
                Next::Begun(bound) => {
                    replaced.begun.push(bound.address);
                    self.listeners.push(bound);
                }
            }
        }
        for bound in before.into_iter().flatten() {
            replaced.ended.push(bound.address);
            self.retire(bound, limit);
        }
        Ok(replaced)
    }

    /// Stops accepting, tells clients to go elsewhere, waits for the requests under way, at most `limit`, then cuts
    /// what is left.
    pub async fn drain(self, limit: Duration) -> Drained {
        let Self { engine, alive, mut at_rest, threads, listeners, leaving } = self;
        drop(alive);
        // A socket that nobody accepts from must not stay open: clients would wait in it.
        let stages = listeners.into_iter().map(|bound| Arc::new(bound.stage));
        let stages: Vec<_> = stages.chain(leaving).collect();
        let before = engine.tally.done();
        stages.iter().for_each(|stage| advance(stage, Stage::Draining));
        let rested = timeout(limit, at_rest.recv()).await.is_ok();
        // Counted before the cut, which ends exchanges, too.
        let finished = engine.tally.done().saturating_sub(before);
        let cut = if rested { 0 } else { engine.tally.open() };
        stages.iter().for_each(|stage| advance(stage, Stage::Cut));
        if !rested && timeout(CUT_GRACE, at_rest.recv()).await.is_err() {
            tracing::warn!("connections are still open after the cut");
        }
        threads.end().await;
        Drained { finished, cut }
    }

    /// Checks and binds, and accepts nobody yet.
    fn prepare(
        &self,
        settings: ListenerSettings,
        passed: Option<TcpListener>,
    ) -> Result<Ready, BindError> {
        makes_sense(&settings)?;
        Ready::new(settings, passed, &self.engine.limits, &self.alive)
    }

    /// A listener that accepts, on the socket of the one that has this address.
    fn begin(
        &self,
        mut settings: ListenerSettings,
        before: Option<&Bound>,
    ) -> Result<Bound, BindError> {
        let asked = settings.address;
        let failed = |source| BindError::Socket { address: asked, source };
        let passed = match before {
            None => None,
            Some(before) => {
                settings.address = before.address;
                Some(before.socket.try_clone().map_err(failed)?)
            }
        };
        let mut ready = self.prepare(settings, passed)?;
        ready.bound.asked = asked;
        self.listen(ready)
    }

    /// Accepts from now on.
    fn listen(&self, ready: Ready) -> Result<Bound, BindError> {
        let Ready { bound, pair, presence } = ready;
        let Bound { address, terms: Terms { http, plaintext, .. }, .. } = bound;
        let failed = |source| BindError::Socket { address, source };
        let offered = bound.offers.subscribe();
        let client_address = Arc::clone(&bound.terms.client_address);
        #[cfg(feature = "http3")]
        if let Some(udp) = pair.udp {
            let (offered, presence) = (offered.clone(), presence.clone());
            let accept = || {
                let terms = (offered, Arc::clone(&client_address));
                crate::h3::listen(Arc::clone(&self.engine), udp, terms, presence)
            };
            self.engine.workers.tend(accept).map_err(failed)?;
        }
        if http.h1 || http.h2 {
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
        Ok(bound)
    }

    /// Accepts nobody there any more; the connections finish what is under way, and are cut at the limit.
    fn retire(&mut self, bound: Bound, limit: Duration) {
        let stage = Arc::new(bound.stage);
        advance(&stage, Stage::Draining);
        let late = Arc::clone(&stage);
        let cut = async move {
            tokio::select! {
                () = late.closed() => {}
                () = sleep(limit) => advance(&late, Stage::Cut),
            }
        };
        // A future that is there already fails nowhere.
        self.engine.workers.tend(|| Ok(cut)).ok();
        self.leaving.retain(|stage| stage.receiver_count() > 0);
        self.leaving.push(stage);
    }
}

/// What becomes of a listener's settings.
enum Next {
    /// The listener of that number stays, with something new.
    Kept(usize, Renewal),
    Begun(Bound),
}

//! A running gateway: started from a file, reloaded by SIGHUP, followed by another process at SIGUSR2, stopped by SIGTERM.

use crate::clock;
use crate::config::{self, Settings};
use crate::inside::{Admin, Identity, Inside, Status};
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::policy::{self, Engines};
use crate::record::Ledger;
use crate::reply::Reply;
use crate::telemetry::{self, Telemetry, TelemetryError};
use audit::facts::Lifecycle;
use config::settings::AdminAddress;
use edge::{Exchange, Failure, Passed, Server};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;

mod outages;
mod spools;
mod succession;
mod watch;

use outages::Outages;
pub use succession::Inheritance;
use watch::Files;

/// How long the sinks may take to empty the spool at the end; what is left stays in the spool.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);

/// How often is looked whether files of the listeners have changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error("the configuration is refused")]
    Config(Vec<config::Mistake>),
    /// The audit trail cannot be opened: nothing runs without it.
    #[error("open the audit trail: {0}")]
    Audit(#[from] audit::TrailError),
    /// A listener cannot be bound.
    #[error("listen: {0}")]
    Edge(#[from] edge::BindError),
    /// A status, identity or admin listener cannot be bound.
    #[error("listen on {0}: {1}")]
    Inside(String, io::Error),
    /// Traces cannot be exported.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The operating system refuses a signal handler.
    #[error("wait for signals: {0}")]
    Signal(io::Error),
}

/// A gateway that serves.
pub struct Gateway {
    path: PathBuf,
    settings: Settings,
    files: Files,
    pipeline: Arc<Pipeline>,
    server: Server<Door>,
    status: (Arc<Status>, Inside),
    identity: (Arc<Identity>, Inside),
    admin: Option<Inside>,
    reloads: mpsc::Receiver<String>,
    outages: Outages,
    signals: Signals,
    /// Others may accept from its sockets, too: they were passed to it.
    shares: bool,
    successor: Option<Child>,
    adoption: (channel::Sender<()>, JoinHandle<()>),
}

/// Caught from before the first listener is bound: whoever sees the gateway serve may send one.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    take_over: Signal,
}

impl Signals {
    fn catch() -> Result<Self, StartError> {
        let on = |kind| signal(kind).map_err(StartError::Signal);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
            take_over: on(SignalKind::user_defined2())?,
        })
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

/// What the edge asks and hands over to.
#[derive(Debug)]
struct Door {
    pipeline: Arc<Pipeline>,
}

impl edge::Service for Door {
    type Body = crate::record::RecordedBody;

    /// Every address may connect until bans exist; the hook is asked before any TLS work.
    fn admits(&self, _address: IpAddr) -> bool {
        true
    }

    async fn serve(&self, exchange: Exchange) -> Reply {
        self.pipeline.serve(exchange).await
    }

    async fn failed(&self, failure: Failure) {
        self.pipeline.ledger().broken(&failure);
    }
}

impl Gateway {
    /// Starts what a configuration file describes.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    pub async fn start(path: &Path, inheritance: Inheritance) -> Result<Self, StartError> {
        let signals = Signals::catch()?;
        let follows = inheritance.is_any();
        let Inheritance { sockets: mut passed, replaces } = inheritance;
        let (settings, policy) =
            policy::load(path, &Engines::default()).map_err(StartError::Config)?;
        telemetry::mask_logs_by(&settings.audit.masker);
        let telemetry = Arc::new(Telemetry::open(settings.telemetry.otlp.as_deref())?);
        let trail_settings = policy::trail(&settings).map_err(|m| StartError::Config(vec![m]))?;
        let (trail, spool) = spools::open(&trail_settings, follows).await?;
        trail.lifecycle(Lifecycle::Started {
            time: clock::now(),
            policy: policy.hash.clone(),
            secrets: policy::secrets(&settings),
        });
        let jwks = policy.engines.jwks();
        policy.engines.start();
        let files = Files::of(&settings.listeners);
        let edge_settings = policy::edge(&settings).map_err(StartError::Config)?;
        edge_settings.listeners.iter().for_each(warn_of_old_lists);
        let metrics = Arc::new(Metrics::new());
        let pipeline = Arc::new(Pipeline::new(policy, Ledger { trail, metrics, telemetry }));

        let status = Status::new(pipeline.clone());
        let identity = Identity::new(jwks);
        let status_listener = inside(settings.status, status.clone(), &mut passed).await?;
        let identity_listener = inside(settings.identity, identity.clone(), &mut passed).await?;
        let (ask, reloads) = mpsc::channel(1);
        let admin = match &settings.admin {
            None => None,
            Some(address) => {
                Some(admin(address, Admin::new(pipeline.clone(), ask), &mut passed).await?)
            }
        };
        let door = Arc::new(Door { pipeline: pipeline.clone() });
        let server = Server::bind_passed(edge_settings, door, &mut passed)?;
        tracing::info!(addresses = ?server.addresses(), "serving");
        succession::tell_left(&passed.left());
        succession::serves(replaces);
        let (ends, ended) = channel::channel(());
        let adoption = spools::adopt(trail_settings, spool, FLUSH_LIMIT, ended);
        Ok(Self {
            path: path.to_owned(),
            settings,
            files,
            pipeline,
            server,
            status: (status, status_listener),
            identity: (identity, identity_listener),
            admin,
            reloads,
            outages: Outages::default(),
            signals,
            shares: follows,
            successor: None,
            adoption: (ends, tokio::spawn(adoption)),
        })
    }

    /// The public addresses, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.server.addresses()
    }

    /// Where the key set for services is.
    #[must_use]
    pub fn identity_address(&self) -> Option<SocketAddr> {
        self.identity.1.address()
    }

    /// Where health and metrics are.
    #[must_use]
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status.1.address()
    }

    /// Serves until SIGTERM or SIGINT, reloads at SIGHUP, lets another process take over at SIGUSR2, reads files of the listeners anew when they change.
    pub async fn until_stopped(mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = self.signals.terminate.recv() => break,
                _ = self.signals.interrupt.recv() => break,
                _ = self.signals.hangup.recv() => self.reload(None),
                Some(cause) = self.reloads.recv() => self.reload(Some(cause)),
                _ = self.signals.take_over.recv() => self.hand_over(),
                _ = look.tick() => self.look(),
            }
        }
        self.stop().await;
    }

    /// Looks for changed files, and for what is away.
    fn look(&mut self) {
        self.pipeline.ledger().metrics.shed(self.server.shed_share());
        if self.files.have_changed(&self.settings.listeners) {
            self.renew();
        }
        let states = self.status.0.measure();
        for event in self.outages.look(&states, clock::now()) {
            self.pipeline.ledger().trail.lifecycle(event);
        }
    }

    /// Puts the file's present content in force; a bad one is refused and the old goes on. `cause` is the uid of the event of
    /// who asked for it.
    pub fn reload(&mut self, cause: Option<String>) {
        let done = self.try_reload();
        self.reloaded(done, cause);
    }

    /// Puts the present content of the listeners' files in force, and nothing else; the configuration stays.
    fn renew(&mut self) {
        self.files = Files::of(&self.settings.listeners);
        let settings = self.settings.clone();
        let done = policy::edge(&settings).and_then(|edge| self.listen(&settings, edge.listeners));
        self.reloaded(done, None);
    }

    /// Puts on record what came of a reload.
    fn reloaded(&self, done: Result<(), Vec<config::Mistake>>, cause: Option<String>) {
        let accepted = match done {
            Ok(()) => true,
            Err(mistakes) => {
                for mistake in &mistakes {
                    tracing::error!(%mistake, "reload refused");
                }
                false
            }
        };
        let ledger = self.pipeline.ledger();
        ledger.metrics.reloaded(accepted);
        let policy = self.pipeline.policy();
        let (time, hash) = (clock::now(), policy.hash.clone());
        ledger.trail.lifecycle(if accepted {
            let secrets = policy::secrets(&self.settings);
            Lifecycle::Reloaded { time, policy: hash, secrets, cause }
        } else {
            Lifecycle::ReloadRefused { time, policy: hash, reason: "mistakes", cause }
        });
        tracing::info!(accepted, operations = policy.routes.len(), "reload");
    }

    fn try_reload(&mut self) -> Result<(), Vec<config::Mistake>> {
        let (settings, policy) = policy::load(&self.path, &self.pipeline.policy().engines)?;
        let fixed = watch::restart_needed(&self.settings, &settings);
        if !fixed.is_empty() {
            return Err(fixed);
        }
        let files = Files::of(&settings.listeners);
        let listeners = policy::edge(&settings)?.listeners;
        self.listen(&settings, listeners)?;
        policy.engines.start();
        self.identity.0.replace(policy.engines.jwks());
        self.pipeline.replace(policy);
        (self.settings, self.files) = (settings, files);
        Ok(())
    }

    /// Makes these the listeners; where one cannot be bound, all stays.
    fn listen(
        &mut self,
        settings: &Settings,
        listeners: Vec<edge::ListenerSettings>,
    ) -> Result<(), Vec<config::Mistake>> {
        listeners.iter().for_each(warn_of_old_lists);
        let limit = settings.shutdown.limit;
        let edge::Replaced { begun, ended } =
            self.server.replace_listeners(listeners, limit).map_err(|error| {
                let place = listener_of(settings, &error);
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                vec![settings.mistake(&place, format!("{error}{cause}"))]
            })?;
        if !(begun.is_empty() && ended.is_empty()) {
            tracing::info!(?begun, ?ended, "listeners");
        }
        Ok(())
    }

    /// Starts the process that takes over. It tells this one to go when it serves; where it does not come so far, this one
    /// goes on.
    fn hand_over(&mut self) {
        if self.has_successor() {
            tracing::warn!("another process is already about to take over");
            return;
        }
        match self.sockets().and_then(succession::start) {
            Ok(child) => {
                tracing::info!(process = child.id(), "another process is to take over");
                self.successor = Some(child);
            }
            Err(error) => tracing::error!(%error, "no process to take over could be started"),
        }
    }

    /// Whether a process that is to take over was started and lives.
    fn has_successor(&mut self) -> bool {
        self.successor.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Second handles of every TCP socket that listens.
    fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let mut sockets = self.server.listening()?;
        for inner in [Some(&self.status.1), Some(&self.identity.1), self.admin.as_ref()] {
            sockets.extend(inner.map_or(Ok(None), Inside::listening)?);
        }
        Ok(sockets)
    }

    /// Finishes requests under way within the configured limit, flushes the records, ends.
    pub async fn stop(mut self) {
        let shares = self.shares || self.has_successor();
        self.status.0.drains();
        // Who asks a shared socket is to hear the process that goes on.
        let inner = (self.status.1, self.identity.1, self.admin);
        let inner = if shares { None } else { Some(inner) };
        let drained = self.server.drain(self.settings.shutdown.limit).await;
        tracing::info!(finished = drained.finished, cut = drained.cut, "drained");
        drop(inner);
        drop(self.adoption.0);
        let ledger = self.pipeline.ledger();
        ledger.trail.lifecycle(Lifecycle::Stopped { time: clock::now() });
        ledger.trail.close(FLUSH_LIMIT).await;
        if self.adoption.1.await.is_err() {
            tracing::error!("the delivery for former processes broke");
        }
        let telemetry = ledger.telemetry.clone();
        if tokio::task::spawn_blocking(move || telemetry.flush()).await.is_err() {
            tracing::warn!("traces were not flushed");
        }
    }
}

/// Where the listener is written that an error is about.
fn listener_of(settings: &Settings, error: &edge::BindError) -> config::Place {
    let about = error.address();
    let found = settings.listeners.iter().find(|one| Some(one.address) == about);
    found.map_or_else(config::Place::whole_file, |one| one.place.clone())
}

/// A revocation list whose time is over lets nobody in whom it is about: that must not go unseen.
fn warn_of_old_lists(listener: &edge::ListenerSettings) {
    let forwarded = listener.forwarded_certificates.as_ref().map(|passed_on| &passed_on.clients);
    let clients = listener.client_certificates.iter().chain(forwarded);
    let mut ends = clients.filter_map(edge::ClientCertificates::revocation_ends);
    if ends.any(|ends| ends <= clock::now()) {
        let listener = listener.address;
        tracing::warn!(%listener, "the time of a revocation list is over: its clients are refused");
    }
}

async fn inside(
    address: SocketAddr,
    surface: Arc<dyn crate::inside::Surface>,
    passed: &mut Passed,
) -> Result<Inside, StartError> {
    let bound = Inside::tcp(address, surface, passed).await;
    bound.map_err(|error| StartError::Inside(address.to_string(), error))
}

async fn admin(
    address: &AdminAddress,
    surface: Arc<Admin>,
    passed: &mut Passed,
) -> Result<Inside, StartError> {
    match address {
        AdminAddress::Loopback(address) => inside(*address, surface, passed).await,
        AdminAddress::Unix(path) => Inside::unix(path, surface)
            .map_err(|error| StartError::Inside(path.display().to_string(), error)),
    }
}

//! `gateway demo`: a throw-away certificate authority, an OpenID issuer, an orders service and a
//! gateway in front of it, all on loopback. The gateway is started from files, on the same path as
//! `gateway run`; this module knows how the parts are put together and nothing of their insides.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock;
use crate::run::{Gateway, Inheritance, StartError};

mod assertion;
mod authority;
mod client;
mod directory;
mod documents;
mod events;
mod instructions;
mod issuer;
mod jose;
mod listener;
mod orders;
mod tour;

use assertion::Verifier;
use authority::Authority;
use client::Clients;
use directory::Directory;
use documents::{AUDIENCE, Documents, HOST, Places};
use instructions::Addresses;
use issuer::Issuer;
use orders::Orders;
use tour::{Tokens, Tour};

/// Reads the time; the parts of the demonstration take it as an argument.
type Clock = fn() -> SystemTime;

/// Who the gateway says it is in its assertions (`iss`).
const GATEWAY: &str = "sallyport";
/// The orders service's own name in assertions (`aud`).
const ORDERS: &str = "orders";
/// How long the gateway may take to fetch the issuer's keys.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at the readiness.
const READY_PAUSE: Duration = Duration::from_millis(50);

/// Why the demonstration did not run.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The temporary directory, a signal handler or standard output failed.
    #[error("run the demo: {0}")]
    Io(#[from] io::Error),
    /// A part of the demonstration could not be made, or the tour broke off.
    #[error("run the demo: {0}")]
    Part(#[source] Box<dyn Error + Send + Sync>),
    /// The gateway did not start from the demo's configuration.
    #[error("start the gateway of the demo: {0}")]
    Start(#[from] StartError),
    /// A listener of the gateway has no address.
    #[error("find the gateway of the demo")]
    NoAddress,
    /// The gateway did not fetch the issuer's keys in time.
    #[error("wait until the gateway is ready")]
    NotReady,
}

fn part(fault: impl Error + Send + Sync + 'static) -> DemoError {
    DemoError::Part(Box::new(fault))
}

/// Runs the demonstration: with `tour`, sends the requests itself and exits 1 where one goes other
/// than expected; else prints how to send them and waits for Ctrl-C.
///
/// # Errors
/// [`DemoError`] where a part does not start.
pub async fn run(tour: bool) -> Result<ExitCode, DemoError> {
    let mut stop = Stop::new()?;
    // Dropping what is half set up removes its directory, too.
    let stage = tokio::select! {
        stage = Box::pin(Stage::set()) => stage?,
        () = stop.asked() => return Ok(ExitCode::FAILURE),
    };
    let outcome = if tour {
        tokio::select! {
            outcome = Box::pin(stage.tour()) => outcome,
            () = stop.asked() => Ok(ExitCode::FAILURE),
        }
    } else {
        stage.wait(&mut stop).await
    };
    stage.clear().await;
    outcome
}

/// Ctrl-C or SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Everything that runs. The directory comes last: it is removed after all who use it are gone.
struct Stage {
    gateway: Gateway,
    addresses: Addresses,
    issuer: Issuer,
    authority: Authority,
    documents: Documents,
    _orders: Orders,
    _directory: Directory,
}

impl Stage {
    async fn set() -> Result<Self, DemoError> {
        let directory = Directory::create()?;
        let authority = Authority::new(clock::now()).map_err(part)?;
        let issuer = Issuer::start(&authority, AUDIENCE, clock::now).await.map_err(part)?;
        let verifier = Verifier { issuer: GATEWAY.to_owned(), audience: ORDERS.to_owned() };
        let orders = Orders::start(&authority, verifier, clock::now).await.map_err(part)?;
        let places = Places {
            issuer: issuer.url().to_owned(),
            orders: format!("https://{}", orders.address()),
        };
        let documents = documents::write(&directory, &authority, &places).map_err(part)?;
        let gateway = Gateway::start(&documents.configuration, Inheritance::default()).await?;
        let addresses = addresses(&gateway).ok_or(DemoError::NoAddress)?;
        orders.trust(addresses.identity);
        ready(addresses.status).await?;
        Ok(Self {
            gateway,
            addresses,
            issuer,
            authority,
            documents,
            _orders: orders,
            _directory: directory,
        })
    }

    async fn tour(&self) -> Result<ExitCode, DemoError> {
        let roots = self.authority.roots().map_err(part)?;
        let clients = Clients::new(&roots, HOST, self.addresses.public).map_err(part)?;
        let tokens = Tokens::fetch(&self.issuer, roots).await.map_err(part)?;
        let tour = Tour { clients, tokens, events: self.documents.events.clone() };
        let mut table = Vec::new();
        let good = tour.run(&mut table).await.map_err(part)?;
        let mut out = io::stdout().lock();
        out.write_all(&table)?;
        out.flush()?;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn wait(&self, stop: &mut Stop) -> Result<ExitCode, DemoError> {
        instructions::print(&mut io::stdout(), &self.issuer, &self.documents, &self.addresses)?;
        stop.asked().await;
        Ok(ExitCode::SUCCESS)
    }

    /// Ends the gateway first, so that requests under way still find issuer and service.
    async fn clear(self) {
        self.gateway.stop().await;
    }
}

fn addresses(gateway: &Gateway) -> Option<Addresses> {
    Some(Addresses {
        public: gateway.addresses().first().copied()?,
        status: gateway.status_address()?,
        identity: gateway.identity_address()?,
    })
}

/// Waits until the gateway says that it has the issuer's keys.
async fn ready(status: SocketAddr) -> Result<(), DemoError> {
    let looking = async {
        while !client::text(status, "/readyz").await.is_some_and(|text| is_ready(&text)) {
            tokio::time::sleep(READY_PAUSE).await;
        }
    };
    tokio::time::timeout(READY_TIMEOUT, looking).await.map_err(|_| DemoError::NotReady)
}

/// Ready, and no dependency that is named is down.
fn is_ready(text: &str) -> bool {
    let mut lines = text.lines();
    lines.clone().any(|line| line == "ready true") && lines.all(|line| !line.ends_with(" down"))
}

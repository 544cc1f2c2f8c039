//! Whether the client certificate of an open connection is still good: judged when its handshake ends, at each change of
//! what the listener believes, when it ends, and from time to time. A connection that lost it is told to go, then cut. It
//! knows no protocol.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock;
use crate::connection::Connection;
use crate::engine::{Ends, Engine, Known, Presence, Stage};
use crate::presented::ClientCertificate;
use crate::service::{FailureKind, Service};
use crate::session::Pulse;
use crate::trust::ClientCertificates;
use crate::vouched::Vouching;

/// How long requests under way may go on after the client certificate of their connection turned bad.
const FAREWELL: Duration = Duration::from_secs(5);
/// Between two judgements without a cause: a revocation list or an authority between may have ended.
const REVIEW: Duration = Duration::from_secs(3600);

/// What a listener offers to a handshake, swapped as a whole.
pub(crate) struct Offer {
    /// The TCP side, where there is one.
    pub(crate) tcp: Option<Arc<rustls::ServerConfig>>,
    /// The QUIC side, where there is one.
    #[cfg(feature = "http3")]
    pub(crate) quic: Option<Arc<quinn::ServerConfig>>,
    /// Whose client certificates are taken; `None`: nobody is asked for one.
    pub(crate) clients: Option<ClientCertificates>,
    /// What is believed of the certificates that proxies pass on; swapped within.
    pub(crate) vouching: Option<Arc<Vouching>>,
}

/// How connections see what their listener offers.
pub(crate) type Offers = watch::Receiver<Arc<Offer>>;

/// One connection's view of what its listener offers.
pub(crate) struct Warrant {
    offers: Offers,
    /// What the handshake began with; not kept beyond it, since it may hold large revocation lists.
    offer: Option<Arc<Offer>>,
    /// Whether the listener asks for client certificates.
    asks: bool,
    vouching: Option<Arc<Vouching>>,
    presented: Option<Arc<ClientCertificate>>,
}

impl Warrant {
    /// Before the handshake; a change from here on is seen.
    pub(crate) fn new(offers: &Offers) -> Self {
        let mut offers = offers.clone();
        let offer = Arc::clone(&offers.borrow_and_update());
        let (asks, vouching) = (offer.clients.is_some(), offer.vouching.clone());
        Self { offers, asks, vouching, offer: Some(offer), presented: None }
    }

    /// What is believed of the certificates that the peer passes on, should it be a proxy.
    pub(crate) fn vouching(&self) -> Option<&Arc<Vouching>> {
        self.vouching.as_ref()
    }

    /// What the handshake begins with.
    pub(crate) fn offer(&self) -> Option<&Offer> {
        self.offer.as_deref()
    }

    /// The handshake is over: reads what the client presented, which the TLS library has verified, unless the session was
    /// resumed or the offer has changed meanwhile. Then it is judged here.
    pub(crate) fn seat(
        &mut self,
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Result<Option<Arc<ClientCertificate>>, FailureKind> {
        if let Some(chain) = chain {
            let chain = chain.iter().map(|der| der.clone().into_owned()).collect();
            let read = ClientCertificate::read(chain);
            let read = read.ok_or(FailureKind::ClientCertificateUntrusted)?;
            self.presented = Some(Arc::new(read));
        }
        let offer = self.offer.take();
        let clients = offer.as_ref().and_then(|offer| offer.clients.as_ref());
        let may_resume = clients.is_some_and(ClientCertificates::resumes);
        if may_resume || self.offers.has_changed().unwrap_or_default() {
            self.judge()?;
        }
        Ok(self.presented.clone())
    }

    fn judge(&mut self) -> Result<(), FailureKind> {
        let offer = Arc::clone(&self.offers.borrow_and_update());
        let Some(clients) = &offer.clients else { return Ok(()) };
        let chain = self.presented.as_ref().map_or(&[][..], |presented| presented.chain());
        clients.judge(chain, clock::now())
    }

    /// Resolves when the certificate, or its absence, is no longer good.
    async fn lost(&mut self) -> FailureKind {
        loop {
            let rest = self.presented.as_ref().map_or(REVIEW, |presented| {
                let rest = presented.not_after().duration_since(clock::now());
                // One second more: it is good until the end of that second.
                rest.unwrap_or_default().saturating_add(Duration::from_secs(1)).min(REVIEW)
            });
            tokio::select! {
                // An error says that the listener is gone, and the stage of the server ends the connection.
                changed = self.offers.changed() => if changed.is_err() { pending().await },
                () = sleep(rest) => {}
            }
            if let Err(kind) = self.judge() {
                return kind;
            }
        }
    }
}

/// What watches over a connection while it is served.
pub(crate) struct Guard<S> {
    pub(crate) engine: Arc<Engine<S>>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) ends: Ends,
    pub(crate) http: Version,
    pub(crate) warrant: Warrant,
}

impl<S: Service> Guard<S> {
    /// Runs what serves the connection, with a presence of its own where its listener asks for client certificates.
    pub(crate) async fn over<F: Future<Output = ()>>(
        self,
        presence: Presence,
        serve: impl FnOnce(Presence) -> F,
    ) {
        if !self.warrant.asks {
            return serve(presence).await;
        }
        let (stage, own) = presence.apart();
        tokio::select! {
            biased;
            () = serve(own) => {}
            () = self.watch(presence, stage) => {}
        }
    }

    /// Ends where the connection has to be cut.
    async fn watch(mut self, mut server: Presence, stage: watch::Sender<Stage>) {
        let kind = tokio::select! {
            kind = self.warrant.lost() => kind,
            () = async {
                server.reached(Stage::Draining).await;
                stage.send_replace(Stage::Draining);
                pending().await
            } => return,
        };
        self.pulse.distrust();
        let known = Known { tls: self.connection.tls(), http: Some(self.http) };
        Box::pin(self.engine.failed(self.ends, kind, known)).await;
        stage.send_replace(Stage::Draining);
        sleep(FAREWELL).await;
    }
}

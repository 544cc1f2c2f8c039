//! One listener: what of it is settled while it lives, what is swapped within, and which one stays when the settings change.
//! It serves nobody.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::certificate::Certificate;
use crate::engine::{Presence, Stage};
use crate::server::BindError;
use crate::settings::{
    AddressSource, ClientAddress, Limits, ListenerSettings, Plaintext, TlsVersion, Versions,
};
use crate::sockets::{Sockets, sockets};
use crate::tls::{self, Certificates};
use crate::trust::ClientCertificates;
use crate::vouched::{ForwardedCertificates, Vouching};
use crate::warrant::Offer;

/// A listener.
pub(crate) struct Bound {
    /// The address in the settings, whose port may be 0.
    pub(crate) asked: SocketAddr,
    pub(crate) address: SocketAddr,
    /// A second handle of what is accepted from: for who takes over.
    pub(crate) socket: TcpListener,
    pub(crate) terms: Terms,
    pub(crate) offers: watch::Sender<Arc<Offer>>,
    pub(crate) stage: watch::Sender<Stage>,
}

/// A listener that could accept.
pub(crate) struct Ready {
    pub(crate) bound: Bound,
    pub(crate) pair: Sockets,
    pub(crate) presence: Presence,
}

/// What of a listener is settled when it binds; the certificates are swapped within.
pub(crate) struct Terms {
    pub(crate) http: Versions,
    pub(crate) plaintext: Option<Plaintext>,
    min_version: TlsVersion,
    pub(crate) client_address: Arc<ClientAddress>,
    certificates: Arc<Certificates>,
    vouching: Option<Arc<Vouching>>,
}

/// What a listener takes from new settings while it goes on.
pub(crate) struct Renewal {
    certificates: Vec<Certificate>,
    /// `None` where the same client certificates are taken as before.
    offer: Option<Offer>,
    forwarded: Option<ForwardedCertificates>,
}

impl Ready {
    /// Binds, unless a socket is passed.
    pub(crate) fn new(
        settings: ListenerSettings,
        passed: Option<TcpListener>,
        limits: &Limits,
        alive: &mpsc::Sender<()>,
    ) -> Result<Self, BindError> {
        let ListenerSettings {
            address: asked,
            http,
            plaintext,
            certificates,
            min_version,
            client_certificates,
            client_address,
            forwarded_certificates,
        } = settings;
        let failed = |source| BindError::Socket { address: asked, source };
        let pair = sockets(asked, http.h3, passed).map_err(failed)?;
        let address = pair.tcp.local_addr().map_err(failed)?;
        let socket = pair.tcp.try_clone().map_err(failed)?;
        let terms = Terms {
            http,
            plaintext,
            min_version,
            client_address: Arc::new(client_address),
            certificates: Certificates::new(certificates),
            vouching: forwarded_certificates.map(Vouching::new),
        };
        let offer = terms.offer(client_certificates, limits, None)?;
        let offers = watch::Sender::new(Arc::new(offer));
        let (stage, presence) = Presence::begin(alive.clone());
        let bound = Bound { asked, address, socket, terms, offers, stage };
        Ok(Self { bound, pair, presence })
    }
}

impl Bound {
    /// Whether this is the listener of these settings, with other certificates at the most.
    fn is_kept_by(&self, settings: &ListenerSettings) -> bool {
        let terms = &self.terms;
        self.asked == settings.address
            && terms.http == settings.http
            && terms.plaintext == settings.plaintext
            && terms.min_version == settings.min_version
            && *terms.client_address == settings.client_address
            && terms.vouching.is_some() == settings.forwarded_certificates.is_some()
            && self.offers.borrow().clients.is_some() == settings.client_certificates.is_some()
    }

    /// What changes with these settings.
    pub(crate) fn renewal(
        &self,
        settings: ListenerSettings,
        limits: &Limits,
    ) -> Result<Renewal, BindError> {
        let before = Arc::clone(&self.offers.borrow());
        let clients = settings.client_certificates;
        let same = before.clients == clients;
        let offer =
            (!same).then(|| self.terms.offer(clients, limits, Some(&before))).transpose()?;
        let (certificates, forwarded) = (settings.certificates, settings.forwarded_certificates);
        Ok(Renewal { certificates, offer, forwarded })
    }

    pub(crate) fn renew(&self, renewal: Renewal) {
        let Renewal { certificates, offer, forwarded } = renewal;
        self.terms.certificates.replace(certificates);
        if let Some(offer) = offer {
            self.offers.send_replace(Arc::new(offer));
        }
        if let (Some(vouching), Some(forwarded)) = (&self.terms.vouching, forwarded) {
            vouching.replace(forwarded);
        }
    }
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

/// Where a listener of the settings finds what was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This one stays.
    Kept(usize),
    /// The socket of this one, on other terms.
    Taken(usize),
}

impl Place {
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Kept(index) | Self::Taken(index) => index,
        }
    }
}

/// The places of these settings; `None` for an address that is new. No two have the same.
pub(crate) fn plan(before: &[Bound], settings: &[ListenerSettings]) -> Vec<Option<Place>> {
    let mut free: Vec<(usize, &Bound)> = before.iter().enumerate().collect();
    let mut take = |fits: &dyn Fn(&Bound) -> bool| {
        let found = free.iter().position(|(_, bound)| fits(bound))?;
        Some(free.remove(found).0)
    };
    // Who stays comes first: with port 0 several may have the same address in the settings.
    let mut places: Vec<_> =
        settings.iter().map(|one| take(&|bound| bound.is_kept_by(one)).map(Place::Kept)).collect();
    for (place, one) in places.iter_mut().zip(settings) {
        if place.is_none() {
            *place = take(&|bound| bound.asked == one.address).map(Place::Taken);
        }
    }
    places
}

/// What of a listener contradicts itself.
pub(crate) fn makes_sense(settings: &ListenerSettings) -> Result<(), BindError> {
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

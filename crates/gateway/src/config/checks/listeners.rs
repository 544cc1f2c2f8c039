//! Listeners: the public ones and the inner ones. No two of them may want the same port.

use std::net::SocketAddr;

use super::{Checker, word};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{AdminText, LISTENERS_MAX, Raw, RawListener, RawSurface};
use crate::config::reader::{Given, List};
use crate::config::settings::{AdminAddress, HttpVersions, Listener};

/// Where health and metrics are, unless said otherwise.
const STATUS: SocketAddr = loopback(9901);
/// Where the key set for services is, unless said otherwise.
const IDENTITY: SocketAddr = loopback(9902);

/// The inner listeners.
pub(super) struct Surfaces {
    pub(super) status: SocketAddr,
    pub(super) identity: SocketAddr,
    pub(super) admin: Option<AdminAddress>,
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

impl Checker<'_> {
    /// The public listeners.
    pub(super) fn listeners(
        &mut self,
        raw: &Placed<List<RawListener, LISTENERS_MAX>>,
    ) -> Vec<Listener> {
        self.not_empty(raw, "listener");
        raw.value.items.iter().map(|listener| self.listener(listener)).collect()
    }

    fn listener(&mut self, raw: &Placed<RawListener>) -> Listener {
        let tls = &raw.value.tls.value;
        self.not_empty(&tls.certificates, "certificate");
        Listener {
            place: raw.place.clone(),
            address: raw.value.address.value.0,
            http: self.versions(&raw.value),
            certificates: tls
                .certificates
                .value
                .items
                .iter()
                .map(|certificate| self.certificate(certificate))
                .collect(),
            min_version: word(&tls.min_version),
        }
    }

    fn versions(&mut self, raw: &RawListener) -> HttpVersions {
        let Some(list) = raw.http.get() else {
            return HttpVersions { h1: true, h2: true, h3: false };
        };
        self.not_empty(list, "HTTP version");
        self.unique(&list.value.items, |version| version.0);
        let speaks = |version| list.value.items.iter().find(|item| item.value.0 == version);
        if let Some(item) = speaks(3) {
            self.feature(&item.place, cfg!(feature = "http3"), "http3");
        }
        HttpVersions { h1: speaks(1).is_some(), h2: speaks(2).is_some(), h3: speaks(3).is_some() }
    }

    /// The inner listeners; notes every address that is wanted twice, the public ones included.
    pub(super) fn surfaces(&mut self, raw: &Raw) -> Surfaces {
        let mut taken: Vec<(SocketAddr, Place)> = Vec::new();
        for listener in &raw.listeners.value.items {
            let address = &listener.value.address;
            self.take(&mut taken, address.value.0, address.place.clone());
        }
        let mut inner = |raw: &Given<RawSurface>, name: &str, default| {
            let address = raw.value().map(|surface| &surface.address);
            let place = address
                .map_or_else(|| Place::whole_file().part(name), |address| address.place.clone());
            let address = address.map_or(default, |address| address.value.0);
            if !matches!(raw, Given::Broken) {
                self.take(&mut taken, address, place);
            }
            address
        };
        let status = inner(&raw.status, "status", STATUS);
        let identity = inner(&raw.identity, "identity", IDENTITY);
        let admin = raw.admin.value().map(|admin| {
            let address = &admin.address;
            match &address.value.0 {
                AdminText::Loopback(loopback) => {
                    self.take(&mut taken, *loopback, address.place.clone());
                    AdminAddress::Loopback(*loopback)
                }
                AdminText::Unix(path) => AdminAddress::Unix(self.absolute(path)),
            }
        });
        Surfaces { status, identity, admin }
    }

    fn take(&mut self, taken: &mut Vec<(SocketAddr, Place)>, address: SocketAddr, place: Place) {
        if let Some((_, other)) = taken.iter().find(|(other, _)| collide(*other, address)) {
            let what = format!("the same address and port as `{}`", other.path);
            self.wrong(&place, what);
        }
        taken.push((address, place));
    }
}

/// Whether two listeners cannot both be bound. Port 0 is a different free port each time.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip()
        || (a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified()));
    a.port() != 0 && a.port() == b.port() && overlap
}

//! Listeners: the public ones and the inner ones. No two of them may want the same port.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Checker, items, on, where_on, word, written};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{
    AdminText, LISTENERS_MAX, Raw, RawClientAddress, RawClientCertificates, RawListener,
    RawServerCertificate, RawSurface,
};
use crate::config::reader::{Given, List};
use crate::config::settings::{
    AddressSource, AdminAddress, Certificate, ClientAddress, ClientCertificateMode,
    ClientCertificates, HttpVersions, Listener, TlsVersion,
};

mod forwarded;
mod plaintext;

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

impl Checker<'_, '_> {
    /// The public listeners.
    pub(super) fn listeners(
        &mut self,
        raw: &Given<List<RawListener, LISTENERS_MAX>>,
    ) -> Vec<Listener> {
        let Some(list) = raw.get() else { return Vec::new() };
        self.not_empty(list, "listener");
        let https = plaintext::https_ports(&list.value.items);
        list.value.items.iter().filter_map(|listener| self.listener(listener, &https)).collect()
    }

    /// A listener. The certificates of one that is wrong in another part are kept: they can be
    /// opened.
    fn listener(
        &mut self,
        raw: &Placed<RawListener>,
        https_ports: &BTreeSet<u16>,
    ) -> Option<Listener> {
        let plaintext = self.plaintext(raw, https_ports);
        let http = match plaintext {
            None => self.versions(&raw.value),
            Some(_) => self.plain_versions(&raw.value),
        };
        let tls = raw.value.tls.value();
        let certificates = tls.map(|tls| self.certificates(&tls.certificates)).unwrap_or_default();
        let min_version = tls.and_then(|tls| tls.min_version.get());
        if let Some(version) = min_version
            && version.value.0 == TlsVersion::V1_2
            && !http.h1
            && !http.h2
        {
            let what = "without effect: HTTP/3 alone is always TLS 1.3; remove it";
            self.wrong(&version.place, what);
        }
        let client_address = self.client_address(&raw.value.client_address, http);
        let clients = tls.and_then(|tls| tls.client_certificates.get());
        let client_certificates = clients.and_then(|clients| self.client_certificates(clients));
        let forwarded_certificates = self.forwarded_certificates(&raw.value);
        let Some(address) = raw.value.address.value() else {
            self.parts.certificates.extend(certificates);
            self.parts.client_certificates.extend(client_certificates);
            return None;
        };
        Some(Listener {
            place: raw.place.clone(),
            address: address.0,
            http,
            plaintext,
            certificates,
            min_version: min_version.map_or_else(TlsVersion::default, |version| version.value.0),
            client_address,
            client_certificates,
            forwarded_certificates,
        })
    }

    /// Whom a listener believes; by default nobody.
    fn client_address(
        &mut self,
        raw: &Given<RawClientAddress>,
        http: HttpVersions,
    ) -> ClientAddress {
        let Some(raw) = raw.value() else { return ClientAddress::default() };
        let from = word(&raw.from);
        let proxies = &raw.trusted_proxies;
        // A list that is wrong is a mistake of its own.
        let nobody = proxies.is_absent() || proxies.value().is_some_and(|list| list.written == 0);
        self.unique(written(proxies), |network| network.0);
        if let Some(written) = raw.from.get().filter(|_| from == AddressSource::ProxyProtocol) {
            if http.h3 {
                let what = "HTTP/3 has no PROXY protocol: take 3 out of `http`, or give it a \
                            listener of its own";
                self.wrong(&written.place, what);
            }
            if nobody {
                let what = "without effect: nobody may say it; name `trusted_proxies`";
                self.wrong(&written.place, what);
            }
        }
        if let Some(place) = where_on(&raw.insecure_direct).filter(|_| nobody) {
            let what = "without effect: without `trusted_proxies` every client comes directly";
            self.wrong(place, what);
        }
        ClientAddress {
            trusted_proxies: items(proxies, |network| network.0),
            from,
            insecure_direct: on(&raw.insecure_direct),
        }
    }

    fn certificates<const MAX: usize>(
        &mut self,
        raw: &Given<List<RawServerCertificate, MAX>>,
    ) -> Vec<Certificate> {
        let Some(list) = raw.get() else { return Vec::new() };
        self.not_empty(list, "certificate");
        list.value
            .items
            .iter()
            .filter_map(|certificate| self.server_certificate(certificate))
            .collect()
    }

    /// Whose client certificates are taken; `None` where nobody's are, too.
    fn client_certificates(
        &mut self,
        raw: &Placed<RawClientCertificates>,
    ) -> Option<ClientCertificates> {
        let RawClientCertificates { mode, ca, crl, resumption } = &raw.value;
        let mode = mode.value()?.0;
        if mode == ClientCertificateMode::Off {
            let files = [ca, crl].map(|file| file.get().map(|file| &file.place));
            for place in files.into_iter().chain([where_on(resumption)]).flatten() {
                self.wrong(place, "without effect: `mode` is `off`; remove it");
            }
            return None;
        }
        if ca.is_absent() {
            self.wrong(&raw.place, "needs `ca`: the CA certificates that issue to clients");
        }
        let (ca, crl) = (self.file(ca), self.optional_file(crl));
        let (place, resumption) = (raw.place.clone(), on(resumption));
        Some(ClientCertificates { place, mode, ca: ca?, crl: crl?, resumption })
    }

    fn versions(&mut self, raw: &RawListener) -> HttpVersions {
        let Some(list) = raw.http.get() else {
            let rules = raw.client_address.value();
            let is_proxied =
                rules.is_some_and(|rules| word(&rules.from) == AddressSource::ProxyProtocol);
            // QUIC has no PROXY protocol.
            let h3 = cfg!(feature = "http3") && !is_proxied;
            return HttpVersions { h1: true, h2: true, h3 };
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
        for listener in written(&raw.listeners) {
            if let Some(address) = listener.value.address.get() {
                self.take(&mut taken, address.value.0, address.place.clone());
            }
        }
        let mut inner = |raw: &Given<RawSurface>, name: &str, default| {
            let written = raw.value().and_then(|surface| surface.address.get());
            let (address, place) = match written {
                Some(address) => (address.value.0, address.place.clone()),
                None => (default, Place::whole_file().part(name)),
            };
            if raw.is_absent() || written.is_some() {
                self.take(&mut taken, address, place);
            }
            address
        };
        let status = inner(&raw.status, "status", STATUS);
        let identity = inner(&raw.identity, "identity", IDENTITY);
        let admin = raw.admin.value().and_then(|admin| admin.address.get());
        let admin = admin.map(|address| match &address.value.0 {
            AdminText::Loopback(loopback) => {
                self.take(&mut taken, *loopback, address.place.clone());
                AdminAddress::Loopback(*loopback)
            }
            AdminText::Unix(path) => AdminAddress::Unix(self.absolute(path)),
        });
        Surfaces { status, identity, admin }
    }

    fn take(&mut self, taken: &mut Vec<(SocketAddr, Place)>, address: SocketAddr, place: Place) {
        if let Some((_, other)) = taken.iter().find(|(other, _)| collide(*other, address)) {
            // A default stands nowhere in the file: what collides with it does.
            let (here, there) = if place.line == 0 { (other, &place) } else { (&place, other) };
            let what = format!("the same address and port as `{}`", there.path);
            self.wrong(here, what);
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

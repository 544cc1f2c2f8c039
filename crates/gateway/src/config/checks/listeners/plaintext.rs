//! Listeners without TLS: that they were asked for, that nothing of them makes sense with TLS only, and where they send
//! clients.

use std::collections::BTreeSet;

use super::super::{Checker, where_on, written};
use crate::config::mistake::Placed;
use crate::config::raw::RawListener;
use crate::config::settings::{HttpVersions, Plaintext};

/// The ports of the listeners that speak https over TCP; those that the kernel chooses are not known.
pub(super) fn https_ports(listeners: &[Placed<RawListener>]) -> BTreeSet<u16> {
    let over_tcp = |raw: &&Placed<RawListener>| {
        let http = &raw.value.http;
        !raw.value.tls.is_absent()
            && (http.is_absent() || written(http).iter().any(|version| version.value.0 < 3))
    };
    let addresses = listeners.iter().filter(over_tcp).filter_map(|raw| raw.value.address.value());
    addresses.map(|address| address.0.port()).filter(|port| *port != 0).collect()
}

impl Checker<'_, '_> {
    /// What a listener without TLS does; `None` with TLS, or where it is wrong.
    pub(super) fn plaintext(
        &mut self,
        raw: &Placed<RawListener>,
        https_ports: &BTreeSet<u16>,
    ) -> Option<Plaintext> {
        let RawListener { address, tls, insecure_plaintext, redirect, redirect_port, .. } =
            &raw.value;
        let asked = where_on(insecure_plaintext);
        let redirected = redirect.get().map(|redirect| &redirect.place);
        if !tls.is_absent() {
            for place in asked.into_iter().chain(redirected) {
                self.wrong(place, "contradicts `tls`: it is for a listener without");
            }
        }
        if let Some(port) = redirect_port.get().filter(|_| redirect.is_absent()) {
            self.wrong(&port.place, "without effect: say `redirect: https`, or remove it");
        }
        if !tls.is_absent() {
            return None;
        }
        if redirect.is_absent() {
            let is_loopback =
                address.value().is_none_or(|address| address.0.ip().to_canonical().is_loopback());
            // A flag that is wrong is a mistake of its own.
            let is_silent = insecure_plaintext.is_absent() || insecure_plaintext.value().is_some();
            if !is_loopback && asked.is_none() && is_silent {
                let what = "needs `tls`: plain HTTP is for loopback addresses, elsewhere it must \
                            be asked for by `insecure_plaintext: true`";
                self.wrong(&raw.place, what);
                return None;
            }
            return Some(Plaintext::Serve);
        }
        if let Some(place) = asked {
            self.wrong(place, "without effect: a listener that redirects serves nothing");
        }
        let place = redirected?;
        if !redirect_port.is_absent() {
            let port = redirect_port.value().and_then(|port| u16::try_from(port.0).ok());
            return port.map(Plaintext::Redirect);
        }
        let mut ports = https_ports.iter();
        if let (Some(port), None) = (ports.next(), ports.next()) {
            return Some(Plaintext::Redirect(*port));
        }
        let what = "needs `redirect_port`: there is no one port of listeners with TLS over TCP";
        self.wrong(place, what);
        None
    }

    /// The HTTP versions of a listener without TLS: what comes after 1 needs it here (RFC 9113 3.3, RFC 9114 3.1).
    pub(super) fn plain_versions(&mut self, raw: &RawListener) -> HttpVersions {
        if let Some(list) = raw.http.get() {
            self.not_empty(list, "HTTP version");
            self.unique(&list.value.items, |version| version.0);
            for version in list.value.items.iter().filter(|version| version.value.0 > 1) {
                let what = "without `tls` only HTTP/1.1 is spoken: remove it";
                self.wrong(&version.place, what);
            }
        }
        HttpVersions { h1: true, h2: false, h3: false }
    }
}

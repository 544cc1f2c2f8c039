//! Certificates that proxies pass on: only where there are proxies that can be known by certificates of their own.

use super::super::{Checker, items, word, written};
use crate::config::raw::RawListener;
use crate::config::settings::{AddressSource, ClientCertificateMode, ForwardedCertificates};

impl Checker<'_, '_> {
    /// Whom a listener believes about the certificates of clients; by default nobody.
    pub(super) fn forwarded_certificates(
        &mut self,
        raw: &RawListener,
    ) -> Option<ForwardedCertificates> {
        let section = raw.forwarded_certificates.get()?;
        let place = &section.place;
        let address = raw.client_address.value();
        // A list that is wrong is a mistake of its own.
        let has_proxies = address.is_some_and(|address| {
            !address.trusted_proxies.is_absent()
                && address.trusted_proxies.value().is_none_or(|list| list.written > 0)
        });
        let clients = raw.tls.value().and_then(|tls| tls.client_certificates.value());
        let mode = clients.and_then(|clients| clients.mode.value()).map(|mode| mode.0);
        if raw.tls.is_absent() {
            self.wrong(place, "needs `tls`: a proxy shows who it is by a certificate of its own");
        } else if mode.is_none_or(|mode| mode == ClientCertificateMode::Off) {
            let what = "needs `tls.client_certificates`: a proxy shows who it is by a certificate";
            self.wrong(place, what);
        }
        if !has_proxies {
            let what =
                "without effect: nobody may pass one on; name `client_address.trusted_proxies`";
            self.wrong(place, what);
        } else if address.is_some_and(|address| word(&address.from) == AddressSource::ProxyProtocol)
        {
            let what =
                "contradicts `client_address.from`: behind the PROXY protocol TLS is the client's";
            self.wrong(place, what);
        }
        let value = &section.value;
        if let Some(list) = value.proxies.get() {
            self.not_empty(list, "name");
        }
        self.unique(written(&value.proxies), |name| name.0.clone());
        let (ca, crl) = (self.file(&value.ca), self.optional_file(&value.crl));
        let proxies = items(&value.proxies, |name| name.0.clone());
        Some(ForwardedCertificates { place: place.clone(), proxies, ca: ca?, crl: crl? })
    }
}

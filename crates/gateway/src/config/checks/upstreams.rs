//! Upstreams: TLS unless plain text is asked for, and an identity always.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Uri;

use super::{Checker, on};
use crate::config::mistake::Placed;
use crate::config::raw::{RawRetry, RawUpstream, RawUpstreamTls, UPSTREAMS_MAX, WebUrl};
use crate::config::reader::{Named, NamedEntry};
use crate::config::settings::{Upstream, UpstreamTls};

/// How long a connection may take, where nothing is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the response head may take, where nothing is said.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// Connection attempts in all, where nothing is said.
const ATTEMPTS: u32 = 2;

impl Checker<'_> {
    /// All upstreams; at least one.
    pub(super) fn upstreams(
        &mut self,
        raw: &Placed<Named<RawUpstream, UPSTREAMS_MAX>>,
    ) -> BTreeMap<String, Upstream> {
        if raw.value.entries.is_empty() {
            self.wrong(&raw.place, "is empty: write at least one upstream");
        }
        let mut upstreams = BTreeMap::new();
        for entry in &raw.value.entries {
            if let Some(written) = &entry.value {
                upstreams.insert(entry.name.clone(), self.upstream(entry, written));
            }
        }
        upstreams
    }

    fn upstream(&mut self, entry: &NamedEntry<RawUpstream>, raw: &RawUpstream) -> Upstream {
        self.not_empty(&raw.endpoints, "endpoint");
        let endpoints: Vec<Uri> = raw
            .endpoints
            .value
            .items
            .iter()
            .filter_map(|endpoint| self.endpoint(endpoint, raw))
            .collect();
        let identity = &raw.identity.value;
        tracing::debug!(assertion = ?identity.assertion, "identity of an upstream");
        let timeout = raw.timeout.value();
        let connect = timeout.and_then(|timeout| timeout.connect.value());
        let response = timeout.and_then(|timeout| timeout.response.value());
        Upstream {
            place: entry.place.clone(),
            endpoints,
            tls: raw.tls.value().map(|tls| self.upstream_tls(tls)),
            insecure_plaintext: on(&raw.insecure_plaintext),
            assertion_audience: identity
                .audience
                .value()
                .map_or_else(|| entry.name.clone(), |audience| audience.0.clone()),
            assertion_key: self.secret(&identity.key),
            connect_timeout: connect.map_or(CONNECT_TIMEOUT, |length| length.0),
            response_timeout: response.map_or(RESPONSE_TIMEOUT, |length| length.0),
            connect_attempts: raw.retry.value().map_or(ATTEMPTS, attempts),
        }
    }

    fn endpoint(&mut self, endpoint: &Placed<WebUrl>, raw: &RawUpstream) -> Option<Uri> {
        let uri: Uri = endpoint.value.0.parse().ok()?;
        if uri.path() != "/" {
            let what = "an endpoint has no path: requests keep the path that they came with";
            self.wrong(&endpoint.place, what);
        }
        if uri.scheme_str() == Some("https") {
            if raw.tls.is_absent() {
                let what = "`https:` needs `tls: { ca: FILE }`: the CAs of the platform are \
                            never used for services";
                self.wrong(&endpoint.place, what);
            }
        } else if !on(&raw.insecure_plaintext) {
            let what = "plain HTTP lets whoever is on the network read and change requests: use \
                        https, or say `insecure_plaintext: true`";
            self.wrong(&endpoint.place, what);
        }
        Some(uri)
    }

    fn upstream_tls(&mut self, raw: &RawUpstreamTls) -> UpstreamTls {
        UpstreamTls {
            ca: self.readable(&raw.ca),
            certificate: raw.certificate.get().map(|certificate| self.certificate(certificate)),
            name: raw.name.value().map(|name| name.0.clone()),
        }
    }
}

/// Nothing to try again on means one attempt.
fn attempts(raw: &RawRetry) -> u32 {
    let nothing = raw.on.value().is_some_and(|on| on.written == 0);
    if nothing { 1 } else { raw.attempts.value().map_or(ATTEMPTS, |attempts| attempts.0) }
}

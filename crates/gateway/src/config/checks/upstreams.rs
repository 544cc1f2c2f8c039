//! Upstreams: TLS unless plain text is asked for, and an identity always.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Uri;

use super::{Checker, on, where_on};
use crate::config::mistake::Placed;
use crate::config::raw::{
    RawIdentity, RawTimeout, RawUpstream, RawUpstreamTls, UPSTREAMS_MAX, WebUrl,
};
use crate::config::reader::{Given, Named, NamedEntry};
use crate::config::settings::{SecretFile, Upstream, UpstreamTls};

/// How long a connection may take, where nothing is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the response head may take, where nothing is said.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// Connection attempts in all, where nothing is said.
const ATTEMPTS: u32 = 2;

impl Checker<'_, '_> {
    /// All upstreams; at least one.
    pub(super) fn upstreams(
        &mut self,
        raw: &Given<Named<RawUpstream, UPSTREAMS_MAX>>,
    ) -> BTreeMap<String, Upstream> {
        let mut upstreams = BTreeMap::new();
        let Some(named) = raw.get() else { return upstreams };
        if named.value.entries.is_empty() {
            self.wrong(&named.place, "is empty: write at least one upstream");
        }
        for entry in &named.value.entries {
            let Some(written) = &entry.value else { continue };
            let upstream = self.upstream(entry, written);
            upstreams.extend(upstream.map(|upstream| (entry.name.clone(), upstream)));
        }
        upstreams
    }

    /// An upstream. The key of one that is wrong in another part is kept: it can be opened.
    fn upstream(&mut self, entry: &NamedEntry<RawUpstream>, raw: &RawUpstream) -> Option<Upstream> {
        let (audience, key) = self.assertion(&entry.name, &raw.identity);
        let whole = self.flawless(|checker| {
            let endpoints = checker.endpoints(raw);
            let tls = checker.upstream_tls(&raw.tls);
            let (connect_timeout, response_timeout) = checker.timeouts(&raw.timeout);
            let connect_attempts = checker.attempts(raw);
            Some(Upstream {
                place: entry.place.clone(),
                endpoints: endpoints?,
                tls: tls?,
                insecure_plaintext: on(&raw.insecure_plaintext),
                assertion_audience: audience,
                assertion_key: key.clone()?,
                connect_timeout,
                response_timeout,
                connect_attempts,
            })
        });
        if whole.is_none() {
            self.parts.assertion_keys.extend(key);
        }
        whole
    }

    fn endpoints(&mut self, raw: &RawUpstream) -> Option<Vec<Uri>> {
        let list = raw.endpoints.get()?;
        self.not_empty(list, "endpoint");
        self.unique(&list.value.items, |endpoint| endpoint.0.clone());
        let endpoints: Vec<Uri> =
            list.value.items.iter().filter_map(|endpoint| self.endpoint(endpoint, raw)).collect();
        let all = |scheme| endpoints.iter().all(|uri| uri.scheme_str() == Some(scheme));
        // A broken endpoint may be of either kind.
        let complete = !endpoints.is_empty() && endpoints.len() == list.value.written;
        if let Some(place) = where_on(&raw.insecure_plaintext)
            && complete
            && all("https")
        {
            self.wrong(place, "without effect: every endpoint is `https:`; remove it");
        }
        if let Some(tls) = raw.tls.get()
            && complete
            && all("http")
        {
            self.wrong(&tls.place, "without effect: no endpoint is `https:`; remove it");
        }
        complete.then_some(endpoints)
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

    fn upstream_tls(&mut self, raw: &Given<RawUpstreamTls>) -> Option<Option<UpstreamTls>> {
        if raw.is_absent() {
            return Some(None);
        }
        let tls = raw.value()?;
        let ca = self.file(&tls.ca);
        let certificate = self.optional_certificate(&tls.certificate)?;
        let name = tls.name.value().map(|name| name.0.clone());
        Some(Some(UpstreamTls { ca: ca?, certificate, name }))
    }

    /// The audience of the assertion, and the key that signs it.
    fn assertion(&mut self, name: &str, raw: &Given<RawIdentity>) -> (String, Option<SecretFile>) {
        let Some(identity) = raw.value() else { return (name.to_owned(), None) };
        tracing::debug!(assertion = ?identity.assertion, "identity of an upstream");
        let audience = identity.audience.value();
        let audience = audience.map_or_else(|| name.to_owned(), |audience| audience.0.clone());
        (audience, self.secret(&identity.key))
    }

    fn timeouts(&mut self, raw: &Given<RawTimeout>) -> (Duration, Duration) {
        let raw = raw.get();
        let connect = raw.and_then(|raw| raw.value.connect.value());
        let connect = connect.map_or(CONNECT_TIMEOUT, |length| length.0);
        let response = raw.and_then(|raw| raw.value.response.value());
        let response = response.map_or(RESPONSE_TIMEOUT, |length| length.0);
        if let Some(raw) = raw
            && connect > response
        {
            let what = "`connect` is longer than `response`, which holds for both: it would never \
                        be reached";
            self.wrong(&raw.place, what);
        }
        (connect, response)
    }

    /// Nothing to try again on means one attempt.
    fn attempts(&mut self, raw: &RawUpstream) -> u32 {
        let Some(retry) = raw.retry.value() else { return ATTEMPTS };
        let attempts = retry.attempts.get();
        let nothing = retry.on.value().is_some_and(|on| on.written == 0);
        if let Some(attempts) = attempts
            && nothing
            && attempts.value.0 > 1
        {
            let what = "without effect: `on` names nothing that is tried again";
            self.wrong(&attempts.place, what);
        }
        if let (Some(attempts), Some(on)) = (attempts, retry.on.get())
            && attempts.value.0 == 1
            && !nothing
        {
            self.wrong(&on.place, "without effect: `attempts: 1` tries nothing again");
        }
        if nothing { 1 } else { attempts.map_or(ATTEMPTS, |attempts| attempts.value.0) }
    }
}

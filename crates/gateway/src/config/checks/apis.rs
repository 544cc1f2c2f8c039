//! APIs: a document or a prefix, never both, and only names that exist.

use super::{Checker, item_as, items, placed_items, word};
use crate::config::mistake::Placed;
use crate::config::raw::{Raw, RawAccess, RawApi};
use crate::config::settings::{Access, Api, Enforcement, Routes};

impl Checker<'_> {
    /// All APIs; at least one.
    pub(super) fn apis(&mut self, raw: &Raw) -> Vec<Api> {
        self.not_empty(&raw.apis, "API");
        raw.apis.value.items.iter().filter_map(|api| self.api(raw, api)).collect()
    }

    fn api(&mut self, raw: &Raw, api: &Placed<RawApi>) -> Option<Api> {
        let written = &api.value;
        let upstream = item_as(&written.upstream, |text| text.0.clone());
        self.known(&upstream, raw.upstreams.value.names(), "upstream under `upstreams`");
        let hosts = placed_items(&written.hosts, |host| host.0.clone());
        self.unique(&hosts, String::clone);
        if let Some(list) = written.hosts.get() {
            self.not_empty(list, "host, or leave `hosts` out");
        }
        let issuers = self.issuers_of(raw, api);
        let routes = self.routes(api);
        let access = written.access.value().map(|rules| rules.items.as_slice()).unwrap_or_default();
        let access = access.iter().map(|rule| self.rule(rule, written)).collect();
        Some(Api {
            place: api.place.clone(),
            routes: routes?,
            hosts,
            upstream: upstream.value,
            audience: written.audience.value.0.clone(),
            issuers,
            validate_request: written
                .validate
                .value()
                .map_or_else(Enforcement::default, |validate| word(&validate.request)),
            filter: word(&written.filter),
            audit: word(&written.audit),
            pass_headers: placed_items(&written.pass_headers, |header| header.0.clone()),
            anonymous: placed_items(&written.anonymous, |operation| operation.0.clone()),
            access,
        })
    }

    /// The issuers of an API: those it names, or the only one there is.
    fn issuers_of(&mut self, raw: &Raw, api: &Placed<RawApi>) -> Vec<String> {
        let names: Vec<&str> =
            raw.issuers.value().map(|named| named.names().collect()).unwrap_or_default();
        if api.value.issuers.is_absent() {
            if names.len() > 1 {
                let what = "there are several issuers: `issuers` must say whose tokens this API \
                            accepts";
                self.wrong(&api.place, what);
            }
            return names.into_iter().map(str::to_owned).collect();
        }
        let Some(list) = api.value.issuers.get() else {
            return Vec::new();
        };
        self.not_empty(list, "issuer");
        let issuers = placed_items(&api.value.issuers, |issuer| issuer.0.clone());
        self.unique(&issuers, String::clone);
        if raw.issuers.get().is_some() {
            for issuer in &issuers {
                self.known(issuer, names.iter().copied(), "issuer under `issuers`");
            }
        }
        issuers.into_iter().map(|issuer| issuer.value).collect()
    }

    fn routes(&mut self, api: &Placed<RawApi>) -> Option<Routes> {
        let raw = &api.value;
        if raw.openapi.is_absent() == raw.prefix.is_absent() {
            self.wrong(&api.place, "exactly one of `openapi` and `prefix` is needed");
            return None;
        }
        if let Some(document) = raw.openapi.get() {
            if let Some(methods) = raw.methods.get() {
                self.wrong(&methods.place, "only with `prefix`: the document says the methods");
            }
            let path = self.readable(document);
            return Some(Routes::Document(item_as(document, |_| path.clone())));
        }
        let prefix = raw.prefix.value()?;
        if let Some(anonymous) = raw.anonymous.get() {
            let what = "not with `prefix`: only an operation of a document may be anonymous";
            self.wrong(&anonymous.place, what);
        }
        if raw.methods.is_absent() {
            self.wrong(&api.place, "`methods` is missing: needed with `prefix`");
        }
        if let Some(methods) = raw.methods.get() {
            self.not_empty(methods, "method");
            self.unique(&methods.value.items, |method| method.0.clone());
        }
        let methods = items(&raw.methods, |method| method.0.clone());
        Some(Routes::Prefix { prefix: prefix.0.clone(), methods })
    }

    fn rule(&mut self, rule: &Placed<RawAccess>, api: &RawApi) -> Access {
        let raw = &rule.value;
        let demands = [
            raw.scopes.get().map(|list| list.value.written),
            raw.clients.get().map(|list| list.value.written),
            raw.networks.get().map(|list| list.value.written),
        ];
        let absent = raw.scopes.is_absent() && raw.clients.is_absent() && raw.networks.is_absent();
        if absent || demands.contains(&Some(0)) {
            let what = "the rule asks for nothing: name `scopes`, `clients` or `networks`, and \
                        no empty list";
            self.wrong(&rule.place, what);
        }
        if let Some(operations) = raw.operations.get() {
            self.not_empty(operations, "operation, or leave `operations` out");
            if !api.prefix.is_absent() {
                self.wrong(&operations.place, "not with `prefix`: it has no operations");
            }
        }
        Access {
            place: rule.place.clone(),
            operations: placed_items(&raw.operations, |operation| operation.0.clone()),
            scopes: items(&raw.scopes, |scope| scope.0.clone()),
            clients: items(&raw.clients, |client| client.0.clone()),
            networks: items(&raw.networks, |network| network.0),
        }
    }
}

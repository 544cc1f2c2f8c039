//! APIs: a document or a prefix, never both, and only names that exist.

use super::bounds::bounds;
use super::filter::excepted_operations;
use super::{Checker, Names, complete, item_as, items, names, on, placed_items, word, written};
use crate::config::mistake::Placed;
use crate::config::raw::{Raw, RawAccess, RawApi};
use crate::config::settings::{
    Access, Answers, Api, Enforcement, JsonBodies, Offer, Routes, Stream, Undeclared,
    UndeclaredMembers,
};
use std::time::Duration;

/// Bytes of a request body that passes unread, where nothing is said: 1 GiB.
const STREAM_BYTES: u64 = 1 << 30;
/// How long either side of one may say nothing, where nothing is said.
const STREAM_IDLE: Duration = Duration::from_secs(60);
/// How long one may last, where nothing is said.
const STREAM_AGE: Duration = Duration::from_secs(3600);

/// The names that an API may refer to.
struct Known<'a> {
    upstreams: Names<'a>,
    issuers: Names<'a>,
}

impl Checker<'_, '_> {
    /// All APIs; at least one.
    pub(super) fn apis(&mut self, raw: &Raw) -> Vec<Api> {
        let Some(list) = raw.apis.get() else { return Vec::new() };
        self.not_empty(list, "API");
        let known = Known { upstreams: names(&raw.upstreams), issuers: names(&raw.issuers) };
        list.value.items.iter().filter_map(|api| self.api(api, &known)).collect()
    }

    /// An API. The offer of one that is wrong in another part is kept: its document can be read.
    fn api(&mut self, api: &Placed<RawApi>, known: &Known<'_>) -> Option<Api> {
        let offer = self.offer(api);
        let whole = self.flawless(|checker| checker.api_with(api, offer.as_ref(), known));
        if whole.is_none() {
            self.parts.offers.extend(offer);
        }
        whole
    }

    /// All of an API but its offer.
    fn api_with(
        &mut self,
        api: &Placed<RawApi>,
        offer: Option<&Offer>,
        known: &Known<'_>,
    ) -> Option<Api> {
        let raw = &api.value;
        let upstream = raw.upstream.get().map(|name| item_as(name, |text| text.0.clone()));
        let what = "upstream under `upstreams`";
        let upstream = upstream.filter(|name| self.known(name, &known.upstreams, what));
        let hosts = placed_items(&raw.hosts, |host| host.0.clone());
        self.unique(&hosts, String::clone);
        if let Some(list) = raw.hosts.get() {
            self.not_empty(list, "host, or leave `hosts` out");
        }
        let issuers = self.issuers_of(api, &known.issuers);
        let pass_headers = placed_items(&raw.pass_headers, |header| header.0.clone());
        self.unique(&pass_headers, String::clone);
        if !complete(&raw.hosts) || !complete(&raw.issuers) {
            return None;
        }
        let validate = raw.validate.value();
        Some(Api {
            place: api.place.clone(),
            offer: offer?.clone(),
            hosts,
            upstream: upstream?.value,
            audience: raw.audience.value()?.0.clone(),
            issuers,
            validate_request: validate
                .map_or_else(Enforcement::default, |validate| word(&validate.request)),
            filter: self.filter(raw),
            audit: word(&raw.audit),
            pass_headers,
        })
    }

    /// The issuers of an API: those it names, or the only one there is.
    fn issuers_of(&mut self, api: &Placed<RawApi>, known: &Names<'_>) -> Vec<String> {
        let raw = &api.value.issuers;
        if raw.is_absent() {
            let all = known.as_deref().unwrap_or_default();
            if all.len() > 1 {
                let what = "there are several issuers: `issuers` must say whose tokens this API \
                            accepts";
                self.wrong(&api.place, what);
            }
            return all.iter().map(|name| (*name).to_owned()).collect();
        }
        if let Some(list) = raw.get() {
            self.not_empty(list, "issuer");
        }
        let mut issuers = placed_items(raw, |issuer| issuer.0.clone());
        self.unique(&issuers, String::clone);
        issuers.retain(|issuer| self.known(issuer, known, "issuer under `issuers`"));
        issuers.into_iter().map(|issuer| issuer.value).collect()
    }

    /// What an API offers, and the rules for who may use it.
    fn offer(&mut self, api: &Placed<RawApi>) -> Option<Offer> {
        let raw = &api.value;
        let routes = match (raw.openapi.is_absent(), raw.prefix.is_absent()) {
            (false, true) => self.document(raw),
            (true, false) => self.prefix(api),
            (absent, _) => {
                self.wrong(&api.place, "exactly one of `openapi` and `prefix` is needed");
                if absent { None } else { self.document(raw) }
            }
        };
        let anonymous = placed_items(&raw.anonymous, |operation| operation.0.clone());
        self.unique(&anonymous, String::clone);
        let access = written(&raw.access).iter().map(|rule| self.rule(rule, raw)).collect();
        let stream = self.stream(raw);
        let validate = raw.validate.value();
        let offer = Offer {
            routes: routes?,
            anonymous,
            access,
            excepted: excepted_operations(raw),
            stream,
            bounds: bounds(&raw.bounds),
            validate_response: validate
                .map_or_else(Answers::default, |validate| word(&validate.response)),
            undeclared_members: validate.map_or_else(UndeclaredMembers::default, |validate| {
                word(&validate.undeclared_members)
            }),
            undeclared_cookies: validate
                .map_or_else(Undeclared::default, |validate| word(&validate.undeclared_cookies)),
            undeclared_headers: validate
                .map_or_else(Undeclared::default, |validate| word(&validate.undeclared_headers)),
            json: validate.map_or_else(JsonBodies::default, |validate| word(&validate.json)),
            decode: validate
                .map_or_else(Vec::new, |validate| items(&validate.decode, |coding| coding.0)),
            pass_headers: items(&raw.pass_headers, |header| header.0.clone()),
        };
        self.cookies_agree(raw, &offer);
        self.members_agree(raw, &offer);
        self.nobody_is_named(&offer);
        Some(offer)
    }

    /// Notes members that would be dropped from answers at which nobody looks.
    fn members_agree(&mut self, raw: &RawApi, offer: &Offer) {
        let validate = raw.validate.value();
        if let Some(word) = validate.and_then(|validate| validate.undeclared_members.get())
            && offer.undeclared_members == UndeclaredMembers::Drop
            && offer.validate_response == Answers::Off
        {
            let what = "`drop` needs `response: enforce` or `observe`: nobody looks at answers";
            self.wrong(&word.place, what);
        }
    }

    /// Notes cookies that would be refused and passed at once.
    fn cookies_agree(&mut self, raw: &RawApi, offer: &Offer) {
        let passes = offer.pass_headers.iter().any(|name| name == "cookie");
        let validate = raw.validate.value();
        if let Some(word) = validate.and_then(|validate| validate.undeclared_cookies.get())
            && offer.undeclared_cookies == Undeclared::Refuse
            && passes
        {
            let what = "`pass_headers` lets all cookies pass: take `cookie` out there";
            self.wrong(&word.place, what);
        }
    }

    fn stream(&mut self, api: &RawApi) -> Option<Stream> {
        let stream = api.stream.get()?;
        let raw = &stream.value;
        match raw.operations.get() {
            Some(operations) if api.openapi.is_absent() && !api.prefix.is_absent() => {
                let what = "not with `prefix`: it has no operations, `stream` is about all of it";
                self.wrong(&operations.place, what);
            }
            Some(operations) => self.not_empty(operations, "operation, or leave `stream` out"),
            None if raw.operations.is_absent() && !api.openapi.is_absent() => {
                let what = "`operations` is missing: the others are read and checked";
                self.wrong(&stream.place, what);
            }
            None => {}
        }
        let operations = placed_items(&raw.operations, |operation| operation.0.clone());
        self.unique(&operations, String::clone);
        Some(Stream {
            place: stream.place.clone(),
            operations,
            size_bytes_max: raw.size.value().map_or(STREAM_BYTES, |size| size.0),
            idle_max: raw.idle.value().map_or(STREAM_IDLE, |idle| idle.0),
            age_max: raw.age.value().map_or(STREAM_AGE, |age| age.0),
            websocket: on(&raw.websocket),
        })
    }

    fn document(&mut self, raw: &RawApi) -> Option<Routes> {
        if let Some(methods) = raw.methods.get()
            && raw.prefix.is_absent()
        {
            self.wrong(&methods.place, "only with `prefix`: the document says the methods");
        }
        let document = raw.openapi.get()?;
        let path = self.readable(document)?;
        Some(Routes::Document(item_as(document, |_| path.clone())))
    }

    fn prefix(&mut self, api: &Placed<RawApi>) -> Option<Routes> {
        let raw = &api.value;
        if let Some(anonymous) = raw.anonymous.get() {
            let what = "not with `prefix`: only an operation of a document may be anonymous";
            self.wrong(&anonymous.place, what);
        }
        if let Some(validate) = raw.validate.get() {
            let what = "not with `prefix`: there is no document that a request could be held \
                        against; describe the API under `openapi`, or leave `validate` out";
            self.wrong(&validate.place, what);
        }
        if raw.methods.is_absent() {
            self.wrong(&api.place, "`methods` is missing: needed with `prefix`");
        }
        if let Some(methods) = raw.methods.get() {
            self.not_empty(methods, "method");
            self.unique(&methods.value.items, |method| method.0.clone());
        }
        let methods = items(&raw.methods, |method| method.0.clone());
        Some(Routes::Prefix { prefix: raw.prefix.value()?.0.clone(), methods })
    }

    fn rule(&mut self, rule: &Placed<RawAccess>, api: &RawApi) -> Access {
        let raw = &rule.value;
        let empty = |written: Option<usize>| written == Some(0);
        let asks_nothing =
            (raw.scopes.is_absent() && raw.clients.is_absent() && raw.networks.is_absent())
                || empty(raw.scopes.value().map(|list| list.written))
                || empty(raw.clients.value().map(|list| list.written))
                || empty(raw.networks.value().map(|list| list.written));
        if asks_nothing {
            let what = "the rule asks for nothing: name `scopes`, `clients` or `networks`, and \
                        no empty list";
            self.wrong(&rule.place, what);
        }
        if let Some(operations) = raw.operations.get() {
            self.not_empty(operations, "operation, or leave `operations` out");
            if api.openapi.is_absent() && !api.prefix.is_absent() {
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

    /// Notes every operation that may be called without a token, but only by clients or with
    /// scopes that nobody has without one.
    fn nobody_is_named(&mut self, offer: &Offer) {
        for operation in &offer.anonymous {
            let asks_who = |rule: &&Access| {
                rule.concerns(&operation.value)
                    && !(rule.scopes.is_empty() && rule.clients.is_empty())
            };
            if let Some(rule) = offer.access.iter().find(asks_who) {
                let what = format!(
                    "may be called without a token, but `{}` asks for scopes or clients: let that \
                     rule name other operations, or remove this one",
                    rule.place.path
                );
                self.wrong(&operation.place, what);
            }
        }
    }
}

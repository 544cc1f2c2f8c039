//! Issuers: where their keys come from and what they may say.

use std::collections::BTreeMap;
use std::path::Path;

use super::{
    Checker, Names, complete, item_as, items, on, optional_items, where_on, word, written,
};
use crate::config::mistake::Placed;
use crate::config::raw::{Raw, RawIssuer, Text, WebUrl, web_url};
use crate::config::reader::NamedEntry;
use crate::config::settings::{Algorithm, Claims, Issuer, KeySource, MayGrant, Tokens};

impl Checker<'_, '_> {
    /// All issuers; at least one, because every API names one.
    pub(super) fn issuers(&mut self, raw: &Raw) -> BTreeMap<String, Issuer> {
        let mut issuers = BTreeMap::new();
        let Some(named) = raw.issuers.get() else { return issuers };
        if named.value.entries.is_empty() {
            self.wrong(&named.place, "is empty: write at least one issuer");
        }
        let tiers = super::limits::tier_names(&raw.limits);
        let mut urls: Vec<&str> = Vec::new();
        for entry in &named.value.entries {
            let Some(written) = &entry.value else { continue };
            if let Some(url) = written.issuer.get() {
                if urls.contains(&url.value.0.as_str()) {
                    self.wrong(&url.place, "another issuer has the same URL");
                }
                urls.push(&url.value.0);
            }
            let issuer = self.flawless(|checker| checker.issuer(entry, written, &tiers));
            issuers.extend(issuer.map(|issuer| (entry.name.clone(), issuer)));
        }
        issuers
    }

    fn issuer(
        &mut self,
        entry: &NamedEntry<RawIssuer>,
        raw: &RawIssuer,
        tiers: &Names<'_>,
    ) -> Option<Issuer> {
        let insecure_http = on(&raw.insecure_http);
        let issuer = raw.issuer.get();
        if let Some(issuer) = issuer {
            self.secure(issuer, insecure_http);
        }
        let algorithms = self.algorithms(raw);
        let keys = self.keys(raw, insecure_http);
        let ca = self.optional_file(&raw.ca);
        let tokens = self.tokens(raw);
        let may_grant = self.may_grant(raw, tiers);
        let (issuer, keys) = (issuer?, keys?);
        self.used(raw, &issuer.value.0, &keys);
        let types = raw.tokens.value().is_none_or(|tokens| complete(&tokens.typ));
        if !types || !complete(&raw.algorithms) {
            return None;
        }
        Some(Issuer {
            place: entry.place.clone(),
            issuer: issuer.value.0.clone(),
            algorithms,
            keys,
            ca: ca?,
            insecure_http,
            profile: word(&raw.profile),
            tokens,
            claims: claims(raw),
            may_grant,
        })
    }

    /// Notes what is said about fetching keys that are not fetched that way.
    fn used(&mut self, raw: &RawIssuer, issuer: &str, keys: &KeySource) {
        let (over_tls, over_http) = match keys {
            // What discovery names may be either.
            KeySource::Discovery => (true, true),
            KeySource::Url(url) => (url.starts_with("https:"), url.starts_with("http:")),
            KeySource::File(_) => (false, false),
        };
        if let Some(ca) = raw.ca.get()
            && !over_tls
        {
            self.wrong(&ca.place, "without effect: no keys are fetched over TLS; remove it");
        }
        if let Some(place) = where_on(&raw.insecure_http)
            && !over_http
            && issuer.starts_with("https:")
        {
            self.wrong(place, "without effect: no keys are fetched over plain HTTP; remove it");
        }
    }

    fn algorithms(&mut self, raw: &RawIssuer) -> Vec<Algorithm> {
        let Some(list) = raw.algorithms.get() else {
            return vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
        };
        self.not_empty(list, "algorithm");
        self.unique(&list.value.items, |algorithm| algorithm.0);
        items(&raw.algorithms, |algorithm| algorithm.0)
    }

    fn keys(&mut self, raw: &RawIssuer, insecure_http: bool) -> Option<KeySource> {
        if raw.jwks.is_absent() {
            return Some(KeySource::Discovery);
        }
        let jwks = raw.jwks.get()?;
        if !jwks.value.0.contains("://") {
            let path = self.readable_path(&jwks.place, Path::new(&jwks.value.0));
            return path.map(KeySource::File);
        }
        match web_url(&jwks.value.0) {
            Ok(url) => {
                self.secure(&item_as(jwks, |_| WebUrl(url.clone())), insecure_http);
                Some(KeySource::Url(url))
            }
            Err(what) => {
                self.wrong(&jwks.place, what);
                None
            }
        }
    }

    /// Notes a plain URL that was not asked for.
    fn secure(&mut self, url: &Placed<WebUrl>, insecure_http: bool) {
        if !url.value.0.starts_with("https:") && !insecure_http {
            self.wrong(
                &url.place,
                "plain HTTP lets whoever is on the way forge keys: use https, or say \
                 `insecure_http: true`",
            );
        }
    }

    fn tokens(&mut self, raw: &RawIssuer) -> Tokens {
        let Some(tokens) = raw.tokens.value() else {
            return Tokens::default();
        };
        if let Some(typ) = tokens.typ.get() {
            self.not_empty(typ, "value of `typ`");
        }
        Tokens {
            typ: optional_items(&tokens.typ, |text| text.0.clone()),
            required: optional_items(&tokens.required, |text| text.0.clone()),
            leeway: tokens.leeway.value().map(|length| length.0),
            max_lifetime: tokens.max_lifetime.value().map(|length| length.0),
        }
    }

    fn may_grant(&mut self, raw: &RawIssuer, tiers: &Names<'_>) -> MayGrant {
        let Some(may_grant) = raw.may_grant.value() else {
            return MayGrant::default();
        };
        for tier in written(&may_grant.tiers) {
            let tier = item_as(tier, |text| text.0.clone());
            self.known(&tier, tiers, "tier under `limits.tiers`");
        }
        MayGrant {
            scopes: optional_items(&may_grant.scopes, |scope| scope.0.clone()),
            tiers: optional_items(&may_grant.tiers, |tier| tier.0.clone()),
        }
    }
}

fn claims(raw: &RawIssuer) -> Claims {
    let Some(claims) = raw.claims.value() else {
        return Claims::default();
    };
    let text = |name: Option<&Text>| name.map(|text| text.0.clone());
    Claims {
        client: text(claims.client.value()),
        tenant: text(claims.tenant.value()),
        tier: text(claims.tier.value()),
        scopes: text(claims.scopes.value()),
    }
}

//! Issuers: where their keys come from and what they may say.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Checker, item_as, items, on, optional_items, word};
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{Raw, RawIssuer, RawMayGrant, Text, WebUrl, web_url};
use crate::config::settings::{Algorithm, Claims, Issuer, KeySource, Limits, MayGrant, Tokens};

impl Checker<'_> {
    /// All issuers; at least one, because every API names one.
    pub(super) fn issuers(
        &mut self,
        raw: &Raw,
        limits: &Option<Limits>,
    ) -> BTreeMap<String, Issuer> {
        if raw.issuers.is_absent() {
            self.wrong(&raw.apis.place, "tokens need an issuer: add the section `issuers`");
        }
        let mut issuers: BTreeMap<String, Issuer> = BTreeMap::new();
        let Some(named) = raw.issuers.get() else {
            return issuers;
        };
        if named.value.entries.is_empty() {
            self.wrong(&named.place, "is empty: write at least one issuer");
        }
        for entry in &named.value.entries {
            let Some(written) = &entry.value else { continue };
            let issuer = self.issuer(&entry.place, written, limits.as_ref());
            if issuers.values().any(|other| other.issuer == issuer.issuer) {
                self.wrong(&written.issuer.place, "another issuer has the same URL");
            }
            issuers.insert(entry.name.clone(), issuer);
        }
        issuers
    }

    fn issuer(&mut self, place: &Place, raw: &RawIssuer, limits: Option<&Limits>) -> Issuer {
        let insecure_http = on(&raw.insecure_http);
        self.secure(&raw.issuer, insecure_http);
        Issuer {
            place: place.clone(),
            issuer: raw.issuer.value.0.clone(),
            algorithms: self.algorithms(raw),
            keys: self.keys(raw, insecure_http),
            ca: self.optional_file(&raw.ca),
            insecure_http,
            profile: word(&raw.profile),
            tokens: self.tokens(raw),
            claims: claims(raw),
            may_grant: raw
                .may_grant
                .value()
                .map(|may_grant| self.may_grant(may_grant, limits))
                .unwrap_or_default(),
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

    fn keys(&mut self, raw: &RawIssuer, insecure_http: bool) -> KeySource {
        let Some(jwks) = raw.jwks.get() else {
            return KeySource::Discovery;
        };
        if !jwks.value.0.contains("://") {
            return KeySource::File(self.readable_path(&jwks.place, Path::new(&jwks.value.0)));
        }
        match web_url(&jwks.value.0) {
            Ok(url) => {
                self.secure(&item_as(jwks, |_| WebUrl(url.clone())), insecure_http);
                KeySource::Url(url)
            }
            Err(what) => {
                self.wrong(&jwks.place, what);
                KeySource::Discovery
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

    fn may_grant(&mut self, raw: &RawMayGrant, limits: Option<&Limits>) -> MayGrant {
        let tiers = raw.tiers.value().map(|list| list.items.as_slice()).unwrap_or_default();
        // Broken limits are already a mistake; what they would have named is not known.
        if let Some(limits) = limits {
            for tier in tiers {
                let names = limits.tiers.keys().map(String::as_str);
                self.known(
                    &item_as(tier, |text| text.0.clone()),
                    names,
                    "tier under `limits.tiers`",
                );
            }
        }
        MayGrant {
            scopes: optional_items(&raw.scopes, |scope| scope.0.clone()),
            tiers: optional_items(&raw.tiers, |tier| tier.0.clone()),
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

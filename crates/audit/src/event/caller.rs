//! Who called, masked and encoded once for all records of one credential.

use std::sync::Arc;

use super::Encoder;
use crate::facts::{Binding, PrincipalFacts};
use crate::json::Object;
use crate::pseudonym::Kind;

/// Characters of SHA-256 in base64url.
const THUMBPRINT_CHARACTERS: usize = 43;

/// Who called: JSON, already masked.
pub(crate) struct Caller {
    actor: Box<[u8]>,
    unmapped: Box<[u8]>,
}

/// The JSON of a caller, borrowed from it or from an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallerJson<'a> {
    /// Members of `actor`.
    pub(crate) actor: &'a [u8],
    /// Members of `unmapped`.
    pub(crate) unmapped: &'a [u8],
}

impl Caller {
    pub(super) fn json(&self) -> CallerJson<'_> {
        CallerJson { actor: &self.actor, unmapped: &self.unmapped }
    }
}

impl Encoder {
    /// The principal with its ids in clear or as pseudonyms.
    pub(crate) fn caller(&self, facts: &PrincipalFacts<'_>) -> Arc<Caller> {
        self.recall.caller(facts.fingerprint, || self.masked_caller(facts))
    }

    fn masked_caller(&self, facts: &PrincipalFacts<'_>) -> Caller {
        let issuer = facts.issuer;
        let id = |kind, value: Option<&str>| value.map(|value| self.id(kind, issuer, value));
        let client = id(Kind::Client, facts.client);
        let tenant = id(Kind::Tenant, facts.tenant);
        let subject = facts.subject.map(|subject| {
            if facts.client == Some(subject) {
                self.id(Kind::Client, issuer, subject)
            } else {
                self.hidden(Kind::Subject, issuer, subject)
            }
        });
        let key_id = id(Kind::Key, facts.key_id);
        let token_id = facts.token_id.map(|id| self.hidden(Kind::Token, issuer, id));
        let (issuer, tier) = (self.free(issuer), self.free(facts.tier));
        let actor = Object::members(|actor| {
            if client.is_none() && subject.is_none() {
                // An API may allow callers nobody proved: the method says so.
                actor.text("app_uid", facts.method);
                return;
            }
            actor.some_text("app_uid", client.as_deref());
            if let Some(subject) = &subject {
                actor.object("user", |user| {
                    user.text("uid", subject);
                    if let Some(tenant) = &tenant {
                        user.object("org", |org| org.text("uid", tenant));
                    }
                });
            }
            actor.object("session", |session| {
                session.text("issuer", &issuer);
                session.some_text("uid", token_id.as_deref());
                session.some_text("credential_uid", key_id.as_deref());
            });
        });
        let unmapped = Object::members(|unmapped| {
            unmapped.text("proof", facts.method);
            unmapped.text("tier", &tier);
            unmapped.some_text("tenant", tenant.as_deref());
            let (name, thumbprint) = match facts.bound_to {
                None => return,
                Some(Binding::Certificate(thumbprint)) => ("bound_certificate", thumbprint),
                Some(Binding::Key(thumbprint)) => ("bound_key", thumbprint),
            };
            unmapped.some_text(name, Some(thumbprint).filter(|text| is_thumbprint(text)));
        });
        Caller { actor, unmapped }
    }
}

fn is_thumbprint(text: &str) -> bool {
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    text.len() == THUMBPRINT_CHARACTERS && text.bytes().all(is_digit)
}

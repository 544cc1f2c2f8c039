//! Who may call an operation: the scopes of the document, then the access list of the API.
//!
//! It knows principals and addresses, no requests. Everything here is pure.

use crate::refusal::Refusal;
use authn::Principal;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// Proof that scopes and access list let the caller in. Only this module can make one.
#[derive(Debug)]
pub struct Authorized(());

/// One row of the access list. An empty list does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Scopes that must all be held.
    pub scopes: Vec<String>,
    /// Client ids, one of which it must be.
    pub clients: Vec<String>,
    /// Networks, one of which the client's address must be in.
    pub networks: Vec<IpNet>,
}

/// What one operation demands of its caller.
#[derive(Clone, Debug)]
pub struct Access {
    /// Sets of scopes: one of them must be held whole. Empty: the document asks for none.
    alternatives: Vec<Vec<String>>,
    /// The operation may be called without a credential (the document and the config say so).
    anonymous: bool,
    /// Rows that all must let the caller in.
    rules: Vec<Rule>,
    /// What a refused client is told to ask for (RFC 6750 3: `scope`).
    wanted: Arc<str>,
}

impl Access {
    /// Compiles the demands of one operation.
    #[must_use]
    pub fn new(alternatives: Vec<Vec<String>>, anonymous: bool, rules: Vec<Rule>) -> Self {
        let first = alternatives.first().map(Vec::as_slice).unwrap_or_default();
        let mut wanted: Vec<&str> = first.iter().map(String::as_str).collect();
        for scope in rules.iter().flat_map(|rule| &rule.scopes) {
            if !wanted.contains(&scope.as_str()) {
                wanted.push(scope);
            }
        }
        let wanted = wanted.join(" ").into();
        Self { alternatives, anonymous, rules, wanted }
    }

    /// Holds the caller against the document's scopes, then against the access list.
    ///
    /// # Errors
    /// [`Refusal::ScopeMissing`] or [`Refusal::AccessDenied`].
    pub fn authorize(&self, principal: &Principal, address: IpAddr) -> Result<Authorized, Refusal> {
        let holds = |scopes: &[String]| scopes.iter().all(|scope| principal.has_scope(scope));
        let exempt = self.anonymous && principal.is_anonymous();
        let declared =
            exempt || self.alternatives.is_empty() || self.alternatives.iter().any(|a| holds(a));
        if !declared || !self.rules.iter().all(|rule| holds(&rule.scopes)) {
            return Err(Refusal::ScopeMissing(self.wanted.clone()));
        }
        if !self.rules.iter().all(|rule| rule.admits(principal.client(), address)) {
            return Err(Refusal::AccessDenied);
        }
        Ok(Authorized(()))
    }
}

impl Rule {
    fn admits(&self, client: Option<&str>, address: IpAddr) -> bool {
        let client_listed = self.clients.is_empty()
            || client.is_some_and(|client| self.clients.iter().any(|listed| listed == client));
        let network_listed =
            self.networks.is_empty() || self.networks.iter().any(|net| net.contains(&address));
        client_listed && network_listed
    }
}

#[cfg(test)]
mod tests;

//! The whole path of one request, in order. Read this file first.
//!
//! Every stage returns a proof that only its own module can make, and [`Permit`] is made of all of
//! them: a stage that is left out does not compile. What types do not hold, the order, is held by
//! the table test beside this file.

use crate::access::Authorized;
use crate::clock;
use crate::policy::Policy;
use crate::record::{Ledger, Record};
use crate::refusal::Refusal;
use crate::reply::{self, Reply};
use crate::routes::Found;
use crate::stage::{self, Answer};
use arc_swap::ArcSwap;
use authn::Principal;
use edge::Exchange;
use ratelimit::{Admitted, Granted};
use std::sync::Arc;
use validate::Clean;

/// What every request walks through. Shared by all connections.
#[derive(Debug)]
pub struct Pipeline {
    policy: ArcSwap<Policy>,
    ledger: Ledger,
}

/// All proofs at once; the only key to [`stage::forward`].
#[derive(Debug)]
pub struct Permit {
    /// The operation that was found.
    pub found: Found,
    /// The address may ask now.
    pub admitted: Admitted,
    /// Who asks.
    pub principal: Principal,
    /// The client may ask now.
    pub granted: Granted,
    /// Scopes and access list let the caller in.
    pub authorized: Authorized,
    /// The parameters and the body as they were checked and inspected.
    pub clean: Clean,
}

impl Pipeline {
    /// A pipeline that starts with `policy` and records through `ledger`.
    #[must_use]
    pub fn new(policy: Policy, ledger: Ledger) -> Self {
        Self { policy: ArcSwap::from_pointee(policy), ledger }
    }

    /// Serves one request. `record` files itself when it drops, cancelled or not.
    pub async fn serve(&self, mut exchange: Exchange) -> Reply {
        let policy = self.policy.load_full(); // one policy from here to the end
        let mut record = self.ledger.open(&exchange); // room for its record is reserved, or nothing runs
        match self.carry(&policy, &mut exchange, &mut record).await {
            Ok(answer) => stage::release(answer, record).await, // outcome on record before the last byte goes out
            Err(refusal) => reply::led(record.refuse(&refusal).await, &refusal, &exchange),
        }
    }

    async fn carry(
        &self,
        policy: &Policy,
        exchange: &mut Exchange,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let permit = self.decide(policy, exchange, record).await?;
        let intent = record.intends(&permit).await?; // on record before the first byte goes inside
        let answered = stage::forward(exchange, permit, intent, record).await?;
        stage::judge(answered, record).await // status, media type and schema, where that is asked for
    }

    async fn decide(
        &self,
        policy: &Policy,
        exchange: &mut Exchange,
        record: &mut Record,
    ) -> Result<Permit, Refusal> {
        let now = clock::now();
        let admitted = stage::admit_address(policy, exchange, now)?; // before any token cryptography
        stage::shed(exchange)?; // a worker that is behind turns some away, so that the others keep their latency
        stage::redirect(policy, exchange)?; // a listener that redirects serves nothing
        let found = policy.routes.find(exchange, record)?; // what no contract declares does not exist
        let shown = stage::certificate(policy, exchange, record, now)?; // of the handshake, or as a proxy passes it on
        let principal = stage::identify(policy, &found, exchange, shown, now).await?; // a failure is charged to the address
        record.knows(&principal);
        let granted = stage::admit_client(policy, &principal, exchange, now).await?; // scope probing costs, too
        let authorized = found.access.authorize(&principal, exchange.client_address())?; // scopes, then the access list
        let payload = stage::check(&found, exchange, record).await?; // parameters, headers, body
        let clean = stage::inspect(&found, exchange, payload, record)?; // block, strip or observe
        Ok(Permit { found, admitted, principal, granted, authorized, clean })
    }

    /// Swaps the policy: requests under way keep the one they started with.
    pub fn replace(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// The ledger that every record goes to.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

#[cfg(test)]
mod tests;

//! The guard of one transaction: it files exactly one event, when it is closed or, as aborted, when it is
//! dropped. It decides nothing.

use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use crate::clock;
use crate::digest::Digestion;
use crate::event::companion::Beside;
use crate::event::{API_ACTIVITY, Masked, NETWORK_ACTIVITY, Operation, Transaction};
use crate::facts::{ANONYMOUS, Decision, Finding, Outcome, PrincipalFacts, StreamKind};
use crate::roll_ups::Reason;
use crate::spool::frame::Kind;
use crate::spool::{Account, Job, Recorded, SpoolFault};
use crate::trail::Trail;

/// Most findings an event lists.
const OBSERVED_MAX: usize = 16;

/// The record of one transaction under way. Room for it is reserved when its caller is proved, or with its intent, until it is
/// filed.
#[must_use = "an entry that is dropped is recorded as aborted"]
pub struct Entry {
    trail: Arc<Trail>,
    uid: Uuid,
    transaction: Transaction,
    account: Account,
    /// Room is reserved there.
    reserved: bool,
    opened: bool,
    closed: bool,
}

impl Entry {
    pub(crate) fn new(trail: Arc<Trail>, uid: Uuid, transaction: Transaction) -> Self {
        let (account, reserved) = (Account::Others, false);
        Self { trail, uid, transaction, account, reserved, opened: false, closed: false }
    }

    /// The transaction id: a version 7 UUID of ours.
    #[must_use]
    pub fn transaction(&self) -> &str {
        &self.transaction.uid
    }

    /// The operation is known.
    pub fn knows_route(&mut self, route: impl Into<Operation>) {
        self.transaction.route = Some(route.into());
    }

    /// The certificate of the client (`x5t#S256`), where it did not come with the handshake.
    pub fn knows_certificate(&mut self, thumbprint: Arc<str>) {
        if let Some(tls) = &mut self.transaction.opening.tls {
            tls.client_certificate = Some(thumbprint);
        }
    }

    /// The caller is proved.
    pub fn knows_principal(&mut self, principal: &PrincipalFacts<'_>) {
        self.transaction.caller = Some(self.trail.encoder().caller(principal));
        if principal.method != ANONYMOUS && self.account == Account::Others && !self.reserved {
            self.account = Account::Proved;
            self.reserved = self.trail.reserve(Account::Proved);
        }
    }

    /// Whether there is room for its record. There always is for that of a caller whom nobody proved: it may be counted
    /// together with others like it, unless it is let in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.reserved || self.account == Account::Others
    }

    /// Digests of what is there before it goes inside: should the process die, they are all that is known of it.
    pub fn knows_digests(&mut self, digests: Digestion) {
        self.transaction.digests = digests;
    }

    /// A finding that the configuration lets pass.
    pub fn observed(&mut self, stage: &'static str, reason: &'static str) {
        if self.transaction.observed.len() < OBSERVED_MAX {
            self.transaction.observed.push(format!("{stage}.{reason}"));
        }
    }

    /// A rule was hit: that is an event of its own, beside this one, should the request be refused.
    pub fn finds(&mut self, finding: Finding) {
        self.transaction.finding = Some(finding);
    }

    /// Puts the intent on record: should the process die now, the next start files the transaction as
    /// Unknown. To be awaited before the first byte goes inside.
    ///
    /// # Errors
    /// A [`SpoolFault`]; nothing may go inside then.
    pub async fn intends(&mut self) -> Result<(), SpoolFault> {
        if self.transaction.intended {
            return Ok(());
        }
        self.reserved = self.reserved || self.trail.reserve(self.account);
        if !self.reserved {
            return Err(SpoolFault::NoRoom);
        }
        self.transaction.intended = true;
        let intent = self.trail.encoder().intent(&self.transaction);
        self.trail.file(self.job(Kind::Intent, intent))?.await
    }

    /// Puts on record that a stream of this transaction begins: an event of its own that names this one, whose outcome ends
    /// it. Once; what is returned resolves as that of [`Self::close_now`].
    ///
    /// # Errors
    /// A [`SpoolFault`].
    pub fn opens(&mut self, kind: StreamKind, now: SystemTime) -> Result<Recorded, SpoolFault> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(Recorded::settled(Ok(())));
        }
        let uid = clock::identifier(now);
        let event = self.trail.encoder().stream(&self.transaction, (kind, now), &uid.to_string());
        // Its room is the entry's: the largest intent and the largest event are never both there.
        let filed = self.trail.file(Job {
            kind: Kind::Event,
            uid,
            body: event.into_bytes(),
            last: false,
            reserved: self.reserved,
            account: self.account,
        })?;
        self.trail.encoder().counts().add(NETWORK_ACTIVITY);
        self.observed("stream", "opened");
        Ok(filed)
    }

    /// Puts the outcome on record and waits until it is.
    ///
    /// # Errors
    /// A [`SpoolFault`]; the answer must not be completed then.
    pub async fn close(&mut self, outcome: Outcome) -> Result<(), SpoolFault> {
        self.close_now(outcome)?.await
    }

    /// Puts the outcome on record. What is returned borrows nothing and resolves when it is there: at once where no other
    /// entry is open, else behind what else runs in this turn of the event loop, or when the disk has confirmed (`Synced`).
    /// A body's last frame waits for it.
    ///
    /// # Errors
    /// A [`SpoolFault`]; [`SpoolFault::Closed`] the second time.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is used up: there is only one")]
    pub fn close_now(&mut self, outcome: Outcome) -> Result<Recorded, SpoolFault> {
        if std::mem::replace(&mut self.closed, true) {
            return Err(SpoolFault::Closed);
        }
        let event = self.trail.encoder().event(&self.transaction, &outcome);
        // Before the event itself, so that it shares its write and is never waited for.
        let beside = self.beside(&outcome);
        let filed = self.file_event(event, &outcome);
        match &filed {
            Some(Ok(_)) => self.trail.encoder().counts().add(API_ACTIVITY),
            Some(Err(_)) => self.trail.missed(),
            // It is counted with others like it.
            None => {}
        }
        if let (Some(beside), None | Some(Ok(_))) = (beside, &filed) {
            beside.leave();
        }
        filed.unwrap_or_else(|| Ok(Recorded::settled(Ok(()))))
    }

    /// Files the event of this transaction, or counts it: `None`.
    fn file_event(&self, event: Masked, outcome: &Outcome) -> Option<Result<Recorded, SpoolFault>> {
        let job = self.job(Kind::Event, event.into_bytes());
        if self.account != Account::Others || self.reserved {
            return Some(self.trail.file(job));
        }
        let opening = &self.transaction.opening;
        let reason = reason(&outcome.decision);
        let ended = opening.time.checked_add(outcome.duration).unwrap_or(opening.time);
        self.trail.file_or_count(job, || self.trail.roll_up(reason, opening.client_address, ended))
    }

    /// Files the event beside a 401 or a finding.
    fn beside(&self, outcome: &Outcome) -> Option<Recorded> {
        let Decision::Refused { stage, reason, .. } = &outcome.decision else { return None };
        let finding = self.transaction.finding.as_ref();
        if finding.is_none() && outcome.status != 401 {
            return None;
        }
        let encoder = self.trail.encoder();
        let known = self.transaction.known(encoder.log());
        let ended = known.start.saturating_add(clock::duration_millis(outcome.duration));
        let detail = format!("{stage}.{reason}");
        self.trail.beside(Beside::of(&known, ended, outcome.status, detail), finding, self.account)
    }

    fn job(&self, kind: Kind, body: Vec<u8>) -> Job {
        let (uid, last) = (self.uid, kind == Kind::Event);
        Job { kind, uid, body, last, reserved: self.reserved, account: self.account }
    }
}

/// What a record would have said of how it went.
const fn reason(decision: &Decision) -> Reason {
    let (stage, reason) = match decision {
        Decision::Refused { stage, reason, .. } | Decision::Failed { stage, reason } => {
            (*stage, *reason)
        }
        Decision::Allowed => ("access", "allowed"),
        Decision::Aborted => ("client", "aborted"),
        Decision::Unknown => ("audit", "outcome_unknown"),
    };
    Reason { class: API_ACTIVITY, stage, reason }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let since = clock::now().duration_since(self.transaction.opening.time);
        let aborted = Outcome {
            status: 0,
            decision: Decision::Aborted,
            request_bytes: 0,
            response_bytes: 0,
            upstream_ms: None,
            duration: since.unwrap_or_default(),
            digests: Digestion::default(),
        };
        if let Err(fault) = self.close_now(aborted).and_then(Recorded::now) {
            tracing::error!(%fault, transaction = self.transaction(), "no record of an aborted request");
        }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("transaction", &self.transaction.uid)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

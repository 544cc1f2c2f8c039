//! Files events beside others: a 401's, a finding's; as many as their source may cause.

use super::{Trail, unreserved};
use crate::clock;
use crate::event::companion::Beside;
use crate::event::{AUTHENTICATION, DETECTION_FINDING, network};
use crate::facts::{ConnectionFailure, Finding, FindingKind};
use crate::restraint::Kind;
use crate::spool::{Account, Recorded, SpoolFault};

impl Trail {
    /// The finding in a connection that failed, where it is one.
    pub(super) fn beside_failure(&self, failure: &ConnectionFailure, uid: &str) {
        let Some(finding) = &failure.finding else { return };
        let (_, _, prefix) = network::placed(failure.kind);
        let beside = Beside {
            correlation: uid,
            time: clock::millis(failure.time),
            client: (failure.client.ip(), Some(failure.client.port())),
            local: failure.local,
            api: None,
            detail: format!("{prefix}.{}", failure.reason),
            status: 0,
            left_out: 0,
        };
        if let Some(recorded) = self.beside(beside, Some(finding), Account::Others) {
            told(recorded.now());
        }
    }

    /// Files the event beside another one, a finding or else an authentication, where its source may cause one more.
    pub(crate) fn beside(
        &self,
        beside: Beside<'_>,
        finding: Option<&Finding>,
        account: Account,
    ) -> Option<Recorded> {
        let kind = match finding {
            None => Kind::Authentication,
            Some(Finding { kind: FindingKind::Block, .. }) => Kind::Block,
            Some(finding) => Kind::Flood(finding.rule),
        };
        let left_out = self.restraint.allows(beside.client.0, kind, beside.time)?;
        let beside = Beside { left_out, ..beside };
        let uid = clock::identifier(clock::now());
        let name = uid.to_string();
        let (class, event) = match finding {
            Some(finding) => (DETECTION_FINDING, self.encoder.finding(&beside, finding, &name)),
            None => (AUTHENTICATION, self.encoder.authentication(&beside, &name)),
        };
        let job = unreserved(uid, event, account);
        let filed = match account {
            Account::Proved => Some(self.writer.file(job)),
            // What it belongs to is counted; this is left out, as one too many of its source is.
            Account::Others | Account::RolledUp => {
                self.file_or_count(job, || self.restraint.leave_out())
            }
        };
        self.counted(filed, class)
    }
}

/// Says where an event that nobody waits for is missing.
pub(super) fn told(filed: Result<(), SpoolFault>) {
    if let Err(fault) = filed {
        tracing::warn!(%fault, "an audit event is missing");
    }
}

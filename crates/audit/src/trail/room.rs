//! What finds room and what does not: records of the rest are counted where their account is full, records that should exist
//! and do not are told as soon as there is room to.

use std::net::IpAddr;
use std::time::SystemTime;

use super::{Trail, beside, unreserved};
use crate::clock;
use crate::event::{APPLICATION_LIFECYCLE, Class, EVENT_BYTES_MAX, SystemEvent};
use crate::roll_ups::Reason;
use crate::spool::{Account, Job, Recorded, SpoolFault};

impl Trail {
    /// Files an event of those whom nobody proved; where their account has no room for it, it is counted instead: `None`.
    pub(crate) fn file_or_count(
        &self,
        job: Job,
        count: impl FnOnce(),
    ) -> Option<Result<Recorded, SpoolFault>> {
        if !self.spool.has_room(Account::Others, job.body.len()) {
            if job.last {
                self.spool.leave(None);
            }
            count();
            return None;
        }
        match self.writer.file(job) {
            // Somebody else has taken it meanwhile.
            Err(SpoolFault::NoRoom) => {
                count();
                None
            }
            filed => Some(filed),
        }
    }

    /// Counts an event that was filed, or that is missing; what it waits for.
    pub(super) fn counted(
        &self,
        filed: Option<Result<Recorded, SpoolFault>>,
        class: Class,
    ) -> Option<Recorded> {
        match filed? {
            Ok(recorded) => {
                self.encoder.counts().add(class);
                Some(recorded)
            }
            Err(fault) => {
                beside::told(Err(fault));
                self.missed();
                None
            }
        }
    }

    /// The room of an entry, in that account.
    pub(crate) fn reserve(&self, account: Account) -> bool {
        self.spool.reserve(account).is_ok()
    }

    /// Counts a record of somebody whom nobody proved.
    pub(crate) fn roll_up(&self, reason: Reason, client: IpAddr, time: SystemTime) {
        self.roll_ups.add(reason, client, clock::millis(time));
    }

    /// Tells of records that are missing, once there is room to.
    pub(super) fn tell_gaps(&self, time: SystemTime) {
        // As long as there is no room it would be tried for each request.
        if !self.spool.untold() || !self.spool.has_room(Account::Proved, EVENT_BYTES_MAX) {
            return;
        }
        let missing = self.spool.take_untold();
        if missing == 0 {
            return;
        }
        let uid = clock::identifier(time);
        let event = self.encoder.system(&SystemEvent::Gap { time, missing }, &uid.to_string());
        let job = unreserved(uid, event, Account::Proved);
        let told = match self.writer.file(job).map(Recorded::now) {
            Ok(Ok(())) => {
                self.encoder.counts().add(APPLICATION_LIFECYCLE);
                true
            }
            Ok(Err(_)) => {
                // Counted where it was not written; but what it told is all that is missing.
                self.spool.found(1);
                false
            }
            Err(_) => false,
        };
        if !told {
            self.spool.put_back_untold(missing);
        }
    }
}

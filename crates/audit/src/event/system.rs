//! Class 6002, Application Lifecycle: what happened to the gateway itself and to its own records.

use std::time::SystemTime;

use super::{APPLICATION_LIFECYCLE, EVENT_BYTES, Encoder, Masked, Stamp};
use super::{TEXT_BYTES_MAX, classify, clipped, product};
use crate::clock;
use crate::facts::Lifecycle;
use crate::json::Object;

/// What the trail itself reports, beside the caller's lifecycle.
pub(crate) enum SystemEvent {
    /// From the caller.
    Lifecycle(Lifecycle),
    /// So many records are missing.
    Gap {
        /// When there was room again.
        time: SystemTime,
        /// How many.
        missing: u64,
    },
    /// The spool was opened and repaired.
    Repaired {
        /// When.
        time: SystemTime,
        /// Bytes of a torn tail cut off.
        torn_bytes: u64,
        /// Frames that could not be read.
        damaged: u64,
    },
}

/// One event in the terms of the class.
struct Told<'a> {
    time: SystemTime,
    activity: (u64, &'static str),
    failed: bool,
    detail: String,
    policy: Option<&'a str>,
    count: Option<u64>,
    torn_bytes: Option<u64>,
}

impl<'a> Told<'a> {
    fn ok(time: SystemTime, activity: (u64, &'static str), detail: &str) -> Self {
        let detail = detail.to_owned();
        let (failed, policy, count, torn_bytes) = (false, None, None, None);
        Self { time, activity, failed, detail, policy, count, torn_bytes }
    }

    fn of(event: &'a SystemEvent) -> Self {
        match event {
            SystemEvent::Lifecycle(Lifecycle::Started { time, policy }) => {
                Self { policy: Some(policy), ..Self::ok(*time, (3, "Start"), "gateway.started") }
            }
            SystemEvent::Lifecycle(Lifecycle::Stopped { time }) => {
                Self::ok(*time, (4, "Stop"), "gateway.stopped")
            }
            SystemEvent::Lifecycle(Lifecycle::Reloaded { time, policy }) => {
                Self { policy: Some(policy), ..Self::ok(*time, (8, "Update"), "policy.reloaded") }
            }
            SystemEvent::Lifecycle(Lifecycle::ReloadRefused { time, policy, reason }) => Self {
                failed: true,
                policy: Some(policy),
                ..Self::ok(*time, (8, "Update"), &format!("policy.refused:{reason}"))
            },
            SystemEvent::Gap { time, missing } => Self {
                failed: true,
                count: Some(*missing),
                ..Self::ok(*time, (99, "Audit Gap"), "audit.gap")
            },
            SystemEvent::Repaired { time, torn_bytes, damaged } => Self {
                failed: *damaged > 0,
                count: Some(*damaged).filter(|damaged| *damaged > 0),
                torn_bytes: Some(*torn_bytes),
                ..Self::ok(*time, (99, "Audit Repair"), "audit.spool_repaired")
            },
        }
    }
}

impl Encoder {
    /// The event of something that happened to the gateway itself.
    pub(crate) fn system(&self, event: &SystemEvent, uid: &str) -> Masked {
        let told = Told::of(event);
        let time = clock::millis(told.time);
        let stamp = Stamp { uid, logged: time, controlled: false };
        Masked(Object::build(EVENT_BYTES, |event| {
            classify(event, APPLICATION_LIFECYCLE, told.activity);
            event.number("time", time);
            let severity = if told.failed { (4, "High") } else { (1, "Informational") };
            event.pair(("severity_id", "severity"), severity);
            let status = if told.failed { (2, "Failure") } else { (1, "Success") };
            event.pair(("status_id", "status"), status);
            event.text("status_detail", &told.detail);
            event.some_number("count", told.count.map(|count| count.min(super::INTEGER_MAX)));
            self.metadata(event, stamp);
            event.object("app", product);
            if told.policy.is_some() || told.torn_bytes.is_some() {
                event.object("unmapped", |unmapped| unmapped_facts(unmapped, &told));
            }
        }))
    }
}

fn unmapped_facts(unmapped: &mut Object<'_>, told: &Told<'_>) {
    unmapped.some_text("policy", told.policy.map(|hash| clipped(hash, TEXT_BYTES_MAX)));
    unmapped.some_number("torn_bytes", told.torn_bytes);
}

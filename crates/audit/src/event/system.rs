//! Class 6002, Application Lifecycle: what happened to the gateway itself and to its own records.

use std::time::SystemTime;

use super::{APPLICATION_LIFECYCLE, EVENT_BYTES, Encoder, Masked, Stamp};
use super::{TEXT_BYTES_MAX, classify, clipped, product};
use crate::clock;
use crate::facts::Lifecycle;
use crate::json::Object;
use crate::sealing::Former;

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
    /// The first event of a log.
    LogBegun {
        /// When.
        time: SystemTime,
        /// The log of the boot before, where there was one.
        former: Option<Former>,
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
    former: Option<Option<&'a Former>>,
}

impl<'a> Told<'a> {
    fn ok(time: SystemTime, activity: (u64, &'static str), detail: &str) -> Self {
        let detail = detail.to_owned();
        let (failed, policy, count, torn_bytes, former) = (false, None, None, None, None);
        Self { time, activity, failed, detail, policy, count, torn_bytes, former }
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
            SystemEvent::LogBegun { time, former } => {
                let unclean = former.as_ref().is_some_and(|former| !former.clean);
                let detail = if unclean { "audit.log_begun:unclean" } else { "audit.log_begun" };
                Self {
                    failed: unclean,
                    former: Some(former.as_ref()),
                    ..Self::ok(*time, (99, "Audit Log"), detail)
                }
            }
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
            Self::metadata(event, stamp);
            classify(event, APPLICATION_LIFECYCLE, told.activity);
            event.number("time", time);
            let severity = if told.failed { (4, "High") } else { (1, "Informational") };
            event.pair(("severity_id", "severity"), severity);
            let status = if told.failed { (2, "Failure") } else { (1, "Success") };
            event.pair(("status_id", "status"), status);
            event.text("status_detail", &told.detail);
            event.some_number("count", told.count.map(|count| count.min(super::INTEGER_MAX)));
            event.object("app", product);
            if told.policy.is_some() || told.torn_bytes.is_some() || told.former.is_some() {
                event.object("unmapped", |unmapped| unmapped_facts(unmapped, &told));
            }
        }))
    }
}

fn unmapped_facts(unmapped: &mut Object<'_>, told: &Told<'_>) {
    unmapped.some_text("policy", told.policy.map(|hash| clipped(hash, TEXT_BYTES_MAX)));
    unmapped.some_number("torn_bytes", told.torn_bytes);
    let Some(former) = told.former else { return };
    let Some(former) = former else { return unmapped.text("former_end", "none") };
    unmapped.text("former_end", if former.clean { "clean" } else { "unclean" });
    unmapped.text("former_log", clipped(&former.origin, super::LOG_BYTES_MAX));
    unmapped.number("former_size", former.size);
    unmapped.text("former_root", &former.root.to_string());
}

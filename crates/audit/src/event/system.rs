//! Class 6002, Application Lifecycle: what happened to the gateway itself, to what it needs and to its own records; and
//! class 3004, Entity Management: what an operator asked of it.

use std::time::SystemTime;

use super::operation::own;
use super::{APPLICATION_LIFECYCLE, Class, ENTITY_MANAGEMENT, EVENT_BYTES, Stamp};
use super::{classify, clipped, metadata, product};
use crate::clock;
use crate::facts::{Lifecycle, SecretInForce};
use crate::json::Object;
use crate::sealing::Former;

/// Most secrets an event lists.
const SECRETS_MAX: usize = 64;

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
    detail: String,
    failed: bool,
    facts: Facts<'a>,
}

/// What only some of them have.
#[derive(Default)]
struct Facts<'a> {
    policy: Option<&'a str>,
    cause: Option<&'a str>,
    count: Option<u64>,
    torn_bytes: Option<u64>,
    dependency: Option<&'a str>,
    away_ms: Option<u64>,
    former: Option<Option<&'a Former>>,
}

impl SystemEvent {
    pub(crate) const fn class(&self) -> Class {
        if matches!(self, Self::Lifecycle(Lifecycle::ReloadAsked { .. })) {
            ENTITY_MANAGEMENT
        } else {
            APPLICATION_LIFECYCLE
        }
    }
}

impl SystemEvent {
    /// The secrets in force that it tells of.
    pub(super) fn secrets(&self) -> &[SecretInForce] {
        let all = match self {
            Self::Lifecycle(
                Lifecycle::Started { secrets, .. } | Lifecycle::Reloaded { secrets, .. },
            ) => secrets.as_slice(),
            Self::Lifecycle(_)
            | Self::Gap { .. }
            | Self::LogBegun { .. }
            | Self::Repaired { .. } => &[],
        };
        all.get(..all.len().min(SECRETS_MAX)).unwrap_or_default()
    }
}

impl<'a> Told<'a> {
    fn ok(time: SystemTime, activity: (u64, &'static str), detail: &str, facts: Facts<'a>) -> Self {
        Self { time, activity, detail: detail.to_owned(), failed: false, facts }
    }

    fn failed(self, failed: bool) -> Self {
        Self { failed, ..self }
    }

    fn of(event: &'a SystemEvent) -> Self {
        match event {
            SystemEvent::Lifecycle(lifecycle) => Self::lifecycle(lifecycle),
            SystemEvent::Gap { time, missing } => {
                let facts = Facts { count: Some(*missing), ..Facts::default() };
                Self::ok(*time, (99, "Audit Gap"), "audit.gap", facts).failed(true)
            }
            SystemEvent::LogBegun { time, former } => {
                let unclean = former.as_ref().is_some_and(|former| !former.clean);
                let detail = if unclean { "audit.log_begun:unclean" } else { "audit.log_begun" };
                let facts = Facts { former: Some(former.as_ref()), ..Facts::default() };
                Self::ok(*time, (99, "Audit Log"), detail, facts).failed(unclean)
            }
            SystemEvent::Repaired { time, torn_bytes, damaged } => {
                let count = Some(*damaged).filter(|damaged| *damaged > 0);
                let facts = Facts { count, torn_bytes: Some(*torn_bytes), ..Facts::default() };
                Self::ok(*time, (99, "Audit Repair"), "audit.spool_repaired", facts)
                    .failed(*damaged > 0)
            }
        }
    }

    fn lifecycle(lifecycle: &'a Lifecycle) -> Self {
        let time = lifecycle.time();
        let of_policy = |policy: &'a String| Facts { policy: Some(policy), ..Facts::default() };
        let of = |name: &'a String| Facts { dependency: Some(name), ..Facts::default() };
        match lifecycle {
            Lifecycle::Started { policy, .. } => {
                Self::ok(time, (3, "Start"), "gateway.started", of_policy(policy))
            }
            Lifecycle::Stopped { .. } => {
                Self::ok(time, (4, "Stop"), "gateway.stopped", Facts::default())
            }
            Lifecycle::Reloaded { policy, cause, .. } => {
                let facts = Facts { cause: cause.as_deref(), ..of_policy(policy) };
                Self::ok(time, (8, "Update"), "policy.reloaded", facts)
            }
            Lifecycle::ReloadRefused { policy, reason, cause, .. } => {
                let facts = Facts { cause: cause.as_deref(), ..of_policy(policy) };
                let detail = format!("policy.refused:{reason}");
                Self::ok(time, (8, "Update"), &detail, facts).failed(true)
            }
            Lifecycle::DependencyDown { name, .. } => {
                let activity = (99, "Dependency Down");
                Self::ok(time, activity, "dependency.down", of(name)).failed(true)
            }
            Lifecycle::DependencyUp { name, away, .. } => {
                let facts = Facts { away_ms: Some(clock::duration_millis(*away)), ..of(name) };
                Self::ok(time, (99, "Dependency Up"), "dependency.up", facts)
            }
            Lifecycle::ReloadAsked { policy, .. } => {
                Self::ok(time, (3, "Update"), "admin.reload_asked", of_policy(policy))
            }
        }
    }
}

/// The event of something that happened to the gateway itself.
pub(super) fn encode(event: &SystemEvent, secrets: &[String], uid: &str) -> Vec<u8> {
    let (class, told) = (event.class(), Told::of(event));
    let (time, facts) = (clock::millis(told.time), &told.facts);
    let stamp = Stamp { uid, correlation: facts.cause, logged: time, profiles: &[] };
    Object::build(EVENT_BYTES, |event| {
        metadata(event, stamp);
        classify(event, class, told.activity);
        event.number("time", time);
        let severity = if told.failed { (4, "High") } else { (1, "Informational") };
        event.pair(("severity_id", "severity"), severity);
        let status = if told.failed { (2, "Failure") } else { (1, "Success") };
        event.pair(("status_id", "status"), status);
        event.text("status_detail", &told.detail);
        event.some_number("count", facts.count.map(|count| count.min(super::INTEGER_MAX)));
        if class.0 == ENTITY_MANAGEMENT.0 {
            // The listener is bound to this machine or to a socket file: who may reach it is an operator.
            event.object("actor", |actor| actor.text("app_uid", "admin"));
            event.object("entity", |entity| {
                entity.text("name", "policy");
                entity.text("type", "policy");
                entity.some_text("version", facts.policy.map(own));
            });
            return;
        }
        event.object("app", product);
        unmapped_facts(event, facts, secrets);
    })
}

fn unmapped_facts(event: &mut Object<'_>, facts: &Facts<'_>, secrets: &[String]) {
    let nothing = facts.policy.is_none()
        && facts.torn_bytes.is_none()
        && facts.dependency.is_none()
        && facts.former.is_none();
    if nothing && secrets.is_empty() {
        return;
    }
    event.object("unmapped", |unmapped| {
        unmapped.some_text("policy", facts.policy.map(own));
        unmapped.some_number("torn_bytes", facts.torn_bytes);
        unmapped.some_text("dependency", facts.dependency.map(own));
        unmapped.some_number("away_ms", facts.away_ms);
        if !secrets.is_empty() {
            unmapped.texts("secrets", secrets.iter().map(String::as_str));
        }
        if let Some(former) = facts.former {
            former_facts(unmapped, former);
        }
    });
}

/// How the log before ended.
fn former_facts(unmapped: &mut Object<'_>, former: Option<&Former>) {
    let Some(former) = former else { return unmapped.text("former_end", "none") };
    unmapped.text("former_end", if former.clean { "clean" } else { "unclean" });
    unmapped.text("former_log", clipped(&former.origin, super::LOG_BYTES_MAX));
    unmapped.number("former_size", former.size);
    unmapped.text("former_root", &former.root.to_string());
}

//! How an event is written: of facts that are masked already, the bytes of one. OCSF is the one format there is; another one is
//! another implementation of this trait, and nothing that masks, files, seals or delivers would change.

use super::companion::Beside;
use super::known::Known;
use super::stream::Opened;
use super::system::SystemEvent;
use super::{api_activity, companion, network, rolled_up, stream, system};
use crate::facts::{ConnectionFailure, Finding, Outcome};
use crate::roll_ups::RolledUp;

/// The written form of every kind of event. Each begins with its metadata, and that with its uid.
pub(crate) trait Format: Send + Sync {
    /// A transaction that ended so; appended.
    fn transaction(&self, known: &Known<'_>, outcome: &Outcome, out: &mut Vec<u8>);
    /// A stream that begins.
    fn stream(&self, opened: &Opened<'_>, uid: &str) -> Vec<u8>;
    /// Somebody was not let in as who they said they are.
    fn authentication(&self, beside: &Beside<'_>, uid: &str) -> Vec<u8>;
    /// A rule was hit.
    fn finding(&self, beside: &Beside<'_>, finding: &Finding, uid: &str) -> Vec<u8>;
    /// A connection that never became a request.
    fn connection(&self, failure: &ConnectionFailure, uid: &str) -> Vec<u8>;
    /// Records that were counted together.
    fn rolled_up(&self, rolled: &RolledUp, uid: &str) -> Vec<u8>;
    /// Something that happened to the gateway itself, with the versions of its secrets.
    fn system(&self, event: &SystemEvent, secrets: &[String], uid: &str) -> Vec<u8>;
}

/// OCSF 1.8.0 in JSON.
pub(crate) struct Ocsf;

impl Format for Ocsf {
    fn transaction(&self, known: &Known<'_>, outcome: &Outcome, out: &mut Vec<u8>) {
        api_activity::encode(known, outcome, out);
    }

    fn stream(&self, opened: &Opened<'_>, uid: &str) -> Vec<u8> {
        stream::encode(opened, uid)
    }

    fn authentication(&self, beside: &Beside<'_>, uid: &str) -> Vec<u8> {
        companion::authentication(beside, uid)
    }

    fn finding(&self, beside: &Beside<'_>, finding: &Finding, uid: &str) -> Vec<u8> {
        companion::finding(beside, finding, uid)
    }

    fn connection(&self, failure: &ConnectionFailure, uid: &str) -> Vec<u8> {
        network::encode(failure, uid)
    }

    fn rolled_up(&self, rolled: &RolledUp, uid: &str) -> Vec<u8> {
        rolled_up::encode(rolled, uid)
    }

    fn system(&self, event: &SystemEvent, secrets: &[String], uid: &str) -> Vec<u8> {
        system::encode(event, secrets, uid)
    }
}

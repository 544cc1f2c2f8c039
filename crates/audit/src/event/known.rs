//! A transaction under way, and what is known of it in the form that both an event and an intent are made of.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::caller::{Caller, CallerJson};
use super::operation::{Operation, OperationJson};
use crate::clock;
use crate::digest::Digestion;
use crate::facts::{Finding, Method, Opening};

/// A transaction as far as it is known; every text in it is masked.
pub(crate) struct Transaction {
    /// Transaction id: the event's uid and correlation uid.
    pub(crate) uid: String,
    pub(crate) opening: Opening,
    pub(crate) route: Option<Operation>,
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) observed: Vec<String>,
    /// A rule that was hit.
    pub(crate) finding: Option<Finding>,
    /// Of what is there before it goes inside.
    pub(crate) digests: Digestion,
    /// An intent is on record: the request was let in.
    pub(crate) intended: bool,
}

/// All that an event says of a transaction beside its outcome: borrowed from a [`Transaction`] or from the intent that it
/// left in a spool.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    pub(crate) uid: &'a str,
    /// The log it belongs to: that of the boot in which it began.
    pub(crate) log: &'a str,
    /// Milliseconds since 1970.
    pub(crate) start: u64,
    pub(crate) client: (IpAddr, Option<u16>),
    pub(crate) local: SocketAddr,
    pub(crate) method: Method,
    pub(crate) http_version: &'a str,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) trace: Option<&'a str>,
    pub(crate) tls: Option<KnownTls<'a>>,
    pub(crate) operation: Option<OperationJson<'a>>,
    pub(crate) caller: Option<CallerJson<'a>>,
    pub(crate) observed: Vec<&'a str>,
    pub(crate) intended: bool,
}

/// What the handshake gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownTls<'a> {
    pub(crate) version: &'a str,
    pub(crate) cipher: Option<&'a str>,
    pub(crate) sni: Option<&'a str>,
    pub(crate) client_certificate: Option<&'a str>,
}

impl Transaction {
    /// What is known of it, in that log.
    pub(crate) fn known<'a>(&'a self, log: &'a str) -> Known<'a> {
        let opening = &self.opening;
        Known {
            uid: &self.uid,
            log,
            start: clock::millis(opening.time),
            client: (opening.client_address, opening.client_port),
            local: opening.local,
            method: opening.method,
            http_version: opening.http_version,
            user_agent: opening.user_agent.as_deref(),
            trace: opening.trace_id.as_deref(),
            tls: opening.tls.as_ref().map(|tls| KnownTls {
                version: tls.version,
                cipher: tls.cipher,
                sni: tls.sni.as_deref(),
                client_certificate: tls.client_certificate.as_deref(),
            }),
            operation: self.route.as_ref().map(Operation::json),
            caller: self.caller.as_deref().map(Caller::json),
            observed: self.observed.iter().map(String::as_str).collect(),
            intended: self.intended,
        }
    }
}

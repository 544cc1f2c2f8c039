//! One TCP connection on which HTTP is spoken: what its protocol engine, its requests and its clocks share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;
use http::{HeaderValue, Version};

use crate::connection::Connection;
use crate::engine::{Ends, Engine, Known, Presence};
use crate::service::{FailureKind, Service};

/// One connection on which HTTP is spoken.
pub(crate) struct Session<S> {
    pub(crate) engine: Arc<Engine<S>>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) pulse: Arc<Pulse>,
    /// What is announced with each answer (RFC 7838).
    pub(crate) alternative: Option<HeaderValue>,
    pub(crate) presence: Presence,
    pub(crate) ends: Ends,
}

impl<S: Service> Session<S> {
    /// Files what broke outside of any exchange; resolves when it is on record.
    pub(crate) async fn failed(&self, kind: FailureKind, http: Version) {
        let known = Known { tls: self.connection.tls(), http: Some(http) };
        self.engine.failed(self.ends, kind, known).await;
    }
}

/// The requests of one connection, as its clocks see them.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    open: AtomicUsize,
    started: AtomicU64,
    waiting: AtomicWaker,
    is_distrusted: AtomicBool,
}

impl Pulse {
    /// A request has reached the service.
    pub(crate) fn begin(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// Its answer is over.
    pub(crate) fn end(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.waiting.wake();
    }

    /// Requests that have reached the service.
    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Requests that begin from here on are not served.
    pub(crate) fn distrust(&self) {
        self.is_distrusted.store(true, Ordering::Release);
    }

    /// Whether the client certificate is no longer good.
    pub(crate) fn is_distrusted(&self) -> bool {
        self.is_distrusted.load(Ordering::Acquire)
    }

    /// Wakes the task when the next answer is over.
    pub(crate) fn wakes(&self, cx: &Context<'_>) {
        self.waiting.register(cx.waker());
    }

    /// Whether the answers of exactly so many requests are over, and no other is under way.
    pub(crate) fn has_answered(&self, requests: u64) -> bool {
        self.started.load(Ordering::Relaxed) == requests && self.open.load(Ordering::Acquire) == 0
    }
}

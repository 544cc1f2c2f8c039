//! Counters in Redis: one script call per request, and a state that says whether the server is there. It knows no
//! fallback: the store above decides what an outage means.

mod dial;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use deadpool::managed::{Pool, PoolError};
use deadpool_redis::redis::{self, ErrorKind, RedisError, ServerErrorKind};
use secrecy::SecretString;
use tokio::time::{Instant, sleep_until, timeout};

use self::dial::{DialError, Dialer, Line};
use super::{Backend, Bill, Debts, Outage, StoreError, Verdict};
use crate::key::ClientKey;

/// The script. Redis keeps it under its SHA-1; a connection loads it when it is made.
const SCRIPT: &str = include_str!("redis/spend.lua");

/// Connections per store. One: commands of all requests share it, and Redis works through them one by one anyway.
const CONNECTIONS: usize = 1;

/// At most one probe in this time while the server is away.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long a probe may take: longer than a request waits, since it includes a TLS handshake.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest and longest time that a request may be told to wait for the server.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// The longest prefix of keys, bytes.
const PREFIX_BYTES_MAX: usize = 64;

/// A Redis server.
#[derive(Debug)]
pub(super) struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool<Dialer>,
    timeout: Duration,
    prefix: String,
    degraded: AtomicBool,
    /// Held by the one task that probes; the time of the last probe.
    probe: tokio::sync::Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Why a call failed; only ever logged.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("an answer that is not a pair of debts")]
    Answer,
}

impl Remote {
    pub(super) fn new(
        url: &SecretString,
        ca: Option<&Path>,
        timeout: Duration,
        prefix: &str,
    ) -> Result<Self, StoreError> {
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
            return Err(StoreError::Timeout);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if prefix.is_empty() || prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(plain) {
            return Err(StoreError::Prefix);
        }
        let dialer = Dialer::new(url, ca)?;
        // Building fails only where timeouts are set without a runtime, and none are.
        let pool =
            Pool::builder(dialer).max_size(CONNECTIONS).build().map_err(|_| StoreError::Url)?;
        let shared = Shared {
            pool,
            timeout,
            prefix: prefix.to_owned(),
            degraded: AtomicBool::new(false),
            probe: tokio::sync::Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn is_degraded(&self) -> bool {
        self.shared.degraded.load(Ordering::Acquire)
    }

    /// Opens the connection, with the patience of a probe.
    pub(super) async fn connect(&self) -> bool {
        match self.shared.dial().await {
            Ok(()) => self.shared.recover(),
            Err(error) => self.shared.degrade(&error),
        }
        !self.is_degraded()
    }
}

impl Backend for Remote {
    async fn spend(
        &self,
        key: &ClientKey,
        bill: &Bill,
        _now: SystemTime,
    ) -> Result<Verdict, Outage> {
        if self.is_degraded() {
            self.shared.probe_in_background();
            return Err(Outage);
        }
        let call = timeout(self.shared.timeout, self.shared.call(key, bill));
        let error = match call.await {
            Ok(Ok(verdict)) => return Ok(verdict),
            Ok(Err(error)) => error,
            Err(_) => CallError::TimedOut(self.shared.timeout),
        };
        self.shared.degrade(&error);
        self.shared.probe_in_background();
        Err(Outage)
    }
}

impl Shared {
    /// One step on the server. A connection that turns out to be closed is replaced once: a server may close an idle
    /// one. If the first attempt was counted after all, the client has paid twice, which harms nobody else.
    async fn call(&self, key: &ClientKey, bill: &Bill) -> Result<Verdict, CallError> {
        match self.attempt(key, bill).await {
            Err(CallError::Redis(error)) if error.is_unrecoverable_error() => {
                self.hang_up();
                self.attempt(key, bill).await
            }
            other => other,
        }
    }

    async fn attempt(&self, key: &ClientKey, bill: &Bill) -> Result<Verdict, CallError> {
        let mut line = self.line().await?;
        let digest = line.script().to_owned();
        let outcome =
            self.command("EVALSHA", &digest, key, bill).query_async(line.connection()).await;
        let reply: Result<(u8, u64, u64), RedisError> = match outcome {
            // A script cache that was flushed; EVAL fills it again.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command("EVAL", SCRIPT, key, bill).query_async(line.connection()).await
            }
            other => other,
        };
        let (passed, rate_ns, quota_ns) = reply?;
        let debts = Debts { rate_ns, quota_ns };
        match passed {
            1 => Ok(Verdict::Spent(debts)),
            0 => Ok(Verdict::Denied(debts)),
            _ => Err(CallError::Answer),
        }
    }

    fn command(&self, verb: &str, script: &str, key: &ClientKey, bill: &Bill) -> redis::Cmd {
        let (interval, window) = bill.quota.map_or((0, 0), |q| (q.interval_ns(), q.window_ns()));
        let mut command = redis::cmd(verb);
        command
            .arg(script)
            .arg(1)
            // One hash tag: whatever else is ever kept for this client lives in the same slot of a cluster.
            .arg(format!("{{{}:{}}}", self.prefix, key.hex()))
            .arg(bill.cost)
            .arg(bill.rate.interval_ns())
            .arg(bill.rate.window_ns())
            .arg(interval)
            .arg(window);
        command
    }

    /// The shared connection, made where there is none. It goes back to the pool at once: clones of it are used.
    async fn line(&self) -> Result<Line, CallError> {
        match self.pool.get().await {
            Ok(line) => Ok(Line::clone(&line)),
            Err(PoolError::Backend(error)) => Err(error.into()),
            // The pool has no timeouts, hooks or end of its own.
            Err(
                PoolError::Timeout(_)
                | PoolError::Closed
                | PoolError::NoRuntimeSpecified
                | PoolError::PostCreateHook(_),
            ) => Err(DialError::Pool.into()),
        }
    }

    async fn dial(&self) -> Result<(), CallError> {
        match timeout(PROBE_TIMEOUT, self.line()).await {
            Ok(line) => line.map(drop),
            Err(_) => Err(CallError::TimedOut(PROBE_TIMEOUT)),
        }
    }

    fn hang_up(&self) {
        drop(self.pool.retain(|_, _| false));
    }

    fn degrade(&self, error: &CallError) {
        self.hang_up();
        if !self.degraded.swap(true, Ordering::AcqRel) {
            tracing::warn!(%error, "shared limits are away");
        }
    }

    fn recover(&self) {
        if self.degraded.swap(false, Ordering::AcqRel) {
            tracing::info!("shared limits are back");
        }
    }

    /// Makes sure that one task probes until the server is back or the store is gone. Called per request while
    /// degraded, so it is cheap where a task is at work already, and replaces one whose runtime has ended.
    fn probe_in_background(self: &Arc<Self>) {
        if self.probe.try_lock().is_err() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(probe(Arc::downgrade(self))));
        }
    }
}

async fn probe(shared: Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let Ok(mut last) = shared.probe.try_lock() else { return };
        if !shared.degraded.load(Ordering::Acquire) {
            return;
        }
        if let Some(last) = *last {
            sleep_until(last + PROBE_EVERY).await;
        }
        *last = Some(Instant::now());
        if shared.dial().await.is_ok() {
            shared.recover();
            return;
        }
        shared.hang_up();
    }
}

#[cfg(test)]
mod tests;

//! One issuer: its settings, its current keys, and the loop that keeps them fresh. It knows no
//! requests and no claims.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{Instant, timeout_at},
};

use self::{
    fetch::Fetcher,
    gate::{Ask, Gate},
};
use crate::{
    Denied, IssuerSettings, SettingsError, TokenFault, clock,
    jwks::KeySet,
    keys::Key,
    memory::Memory,
    settings::{self, Source},
};

mod fetch;
mod gate;

pub use fetch::FetchError;

/// Longest wait of one request for the shared fetch that an unknown `kid` asks for.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Requests that may wait for it at once, per issuer; the rest are decided with the keys at hand.
const WAITERS_MAX: usize = 1024;
/// First pause after a failed fetch; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Longest pause after a failed fetch.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// An issuer of tokens and its current keys. Share it: counters and keys are per value.
pub struct Issuer {
    settings: IssuerSettings,
    fetcher: Fetcher,
    memory: Memory,
    held: ArcSwapOption<Held>,
    last_error: Mutex<Option<FetchError>>,
    gate: Mutex<Gate>,
    wanted: Notify,
    finished: watch::Sender<u64>,
    waiters: Semaphore,
}

/// A key set and when it came.
struct Held {
    keys: KeySet,
    fetched_at: SystemTime,
}

/// What the current set says about a `kid`.
enum Lookup {
    Found(Arc<Key>),
    UnknownKid,
    NoKeys,
}

impl Issuer {
    /// Checks the settings and prepares the client. Never touches the network; a key set in a file
    /// is read here, so that such an issuer is ready at once.
    ///
    /// # Errors
    /// The first thing that is wrong with the settings.
    pub fn open(settings: IssuerSettings) -> Result<Arc<Self>, SettingsError> {
        let source = settings::check(&settings)?;
        let fetcher = Fetcher::new(&settings, source)?;
        let memory = Memory::new().ok_or(SettingsError::Randomness)?;
        let issuer = Self {
            settings,
            fetcher,
            memory,
            held: ArcSwapOption::empty(),
            last_error: Mutex::new(None),
            gate: Mutex::new(Gate::default()),
            wanted: Notify::new(),
            finished: watch::Sender::new(0),
            waiters: Semaphore::new(WAITERS_MAX),
        };
        if let Source::File(path) = issuer.fetcher.source() {
            let unusable = || SettingsError::KeysFile(path.clone());
            let text = fetch::read_file(path).map_err(|_| unusable())?;
            issuer.take(&text).map_err(|_| unusable())?;
        }
        Ok(Arc::new(issuer))
    }

    /// Goes on with the keys that another value holds, at the age they have, until its own first fetch. For
    /// the caller to know that both have the same source and the same algorithms.
    pub fn inherit(&self, former: &Self) {
        if self.held.load().is_none() {
            self.held.store(former.held.load_full());
        }
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The exact `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether there are keys. They may be older than `keys_age_max`; requests then get
    /// [`Denied::Unavailable`] all the same.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.held.load().as_ref().is_some_and(|held| held.keys.len() > 0)
    }

    /// Why the last fetch failed; `None` where it did not.
    #[must_use]
    pub fn last_error(&self) -> Option<FetchError> {
        *lock(&self.last_error)
    }

    /// Fetches the keys now, at every `refresh`, after failures with a growing pause of 1 s to 60 s,
    /// and when a request asks for an unknown key. Never returns; the caller spawns and aborts it.
    /// Call it once per issuer. A set that cannot be fetched again stays in use up to `keys_age_max`.
    pub async fn keep_fresh(self: Arc<Self>) {
        let _tended = Tended::begin(&self);
        let mut failures = 0_u32;
        loop {
            let pause = if self.refresh().await.is_ok() {
                failures = 0;
                self.settings.refresh
            } else {
                failures = failures.saturating_add(1);
                backoff(failures).min(self.settings.refresh)
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    pub(crate) fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// The tokens it was found to have signed.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether this key is still published under this `kid`, in a set that is not too old.
    pub(crate) fn still_has(&self, kid: &str, key: &Key, now: SystemTime) -> bool {
        matches!(self.look_up(kid, now), Lookup::Found(held) if held.is_same(key))
    }

    /// The key that `kid` names, after at most one shared fetch. Known keys never wait.
    pub(crate) async fn key(&self, kid: &str, now: SystemTime) -> Result<Arc<Key>, Denied> {
        let deadline = Instant::now() + WAIT_MAX;
        // Twice: the first wait may have joined a fetch that began before the key was published.
        for _ in 0..2 {
            if let Lookup::UnknownKid = self.look_up(kid, now) {
                self.await_fetch(deadline).await;
            }
        }
        match self.look_up(kid, now) {
            Lookup::Found(key) => Ok(key),
            Lookup::UnknownKid => Err(TokenFault::KidUnknown.into()),
            Lookup::NoKeys => Err(Denied::Unavailable { issuer: self.settings.name.clone() }),
        }
    }

    fn look_up(&self, kid: &str, now: SystemTime) -> Lookup {
        let held = self.held.load();
        let Some(held) = held.as_ref().filter(|held| held.keys.len() > 0) else {
            return Lookup::NoKeys;
        };
        // A clock that went back makes no keys old.
        let age = now.duration_since(held.fetched_at).unwrap_or_default();
        if age > self.settings.keys_age_max {
            return Lookup::NoKeys;
        }
        held.keys.get(kid).map_or(Lookup::UnknownKid, Lookup::Found)
    }

    async fn await_fetch(&self, deadline: Instant) {
        let Ok(_slot) = self.waiters.try_acquire() else { return };
        // Subscribed before asking, so that an end between the two is not missed.
        let mut finished = self.finished.subscribe();
        let ask = lock(&self.gate).ask(Instant::now());
        match ask {
            Ask::Refused => return,
            Ask::Start => self.wanted.notify_one(),
            Ask::Join => {}
        }
        if timeout_at(deadline, finished.changed()).await.is_err() {
            tracing::debug!(issuer = self.name(), "gave up waiting for keys");
        }
    }

    /// One fetch. Its end, also when it is cancelled, is told to those who wait.
    async fn refresh(&self) -> Result<(), FetchError> {
        let _run = Run::begin(self);
        let outcome = match self.fetcher.fetch().await {
            Ok(text) => self.take(&text),
            Err(error) => Err(error),
        };
        *lock(&self.last_error) = outcome.err();
        if let Err(error) = outcome {
            tracing::warn!(issuer = self.name(), %error, "failed to fetch keys");
        }
        outcome
    }

    /// Puts a fetched set in place of the old one. A set that the issuer published without a usable
    /// key replaces it too: that is how keys are withdrawn.
    pub(crate) fn take(&self, text: &[u8]) -> Result<(), FetchError> {
        let (keys, dropped) =
            KeySet::parse(text, &self.settings.algorithms).map_err(|_| FetchError::NotKeySet)?;
        for (index, reason) in dropped {
            tracing::debug!(issuer = self.name(), index, ?reason, "key not used");
        }
        let usable = keys.len();
        self.held.store(Some(Arc::new(Held { keys, fetched_at: clock::now() })));
        if usable == 0 { Err(FetchError::NoUsableKey) } else { Ok(()) }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Marks a fetch as running; its drop marks the end and wakes those who wait.
struct Run<'i>(&'i Issuer);

impl<'i> Run<'i> {
    fn begin(issuer: &'i Issuer) -> Self {
        lock(&issuer.gate).begin();
        Self(issuer)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        lock(&self.0.gate).end();
        self.0.finished.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Marks that [`Issuer::keep_fresh`] runs; without it nobody would answer a waiting request.
struct Tended<'i>(&'i Issuer);

impl<'i> Tended<'i> {
    fn begin(issuer: &'i Issuer) -> Self {
        lock(&issuer.gate).set_tended(true);
        Self(issuer)
    }
}

impl Drop for Tended<'_> {
    fn drop(&mut self) {
        lock(&self.0.gate).set_tended(false);
    }
}

/// 1 s, 2 s, 4 s, … 60 s.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(6);
    BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain values: nothing in them can be left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

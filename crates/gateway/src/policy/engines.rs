//! What outlives a policy: counters, keys of issuers, connections to services. Each is kept over
//! a reload while its own settings and files stay the same, and opened anew where they changed.

use super::leaf;
use crate::config::settings::SecretFile;
use crate::config::{Mistake, Settings};
use authn::Issuer;
use aws_lc_rs::digest::{Context, SHA256};
use ratelimit::Store;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::task::AbortHandle;
use upstream::{Signer, Upstream};

/// A digest of the settings and files that something was made of.
type Fingerprint = [u8; 32];

/// Something with the digest of what it was made of.
#[derive(Debug, Clone)]
struct Made<T> {
    from: Fingerprint,
    thing: T,
}

/// What outlives a policy.
#[derive(Debug, Clone, Default)]
pub struct Engines {
    store: Option<Made<Arc<Store>>>,
    issuers: BTreeMap<String, Made<Arc<Refreshed>>>,
    upstreams: BTreeMap<String, Made<Service>>,
}

/// A service, and the key that signs for it.
type Service = (Arc<Upstream>, Arc<Signer>);

/// An issuer, and the task that keeps its keys fresh for as long as anything uses it.
#[derive(Debug)]
struct Refreshed {
    issuer: Arc<Issuer>,
    /// A digest of where the keys come from and what they may be.
    source: Fingerprint,
    task: OnceLock<AbortHandle>,
}

impl Drop for Refreshed {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Engines {
    /// Opens what is new, takes over what did not change. What cannot be opened is noted and left
    /// out.
    pub(super) fn compile(
        settings: &Settings,
        before: &Self,
        mistakes: &mut Vec<Mistake>,
    ) -> (Self, Option<Arc<Store>>) {
        let mut engines = Self::default();
        let store = store(settings, before).map_err(|mistake| mistakes.push(mistake)).ok();
        engines.store.clone_from(&store);
        for name in settings.issuers.keys() {
            match issuer(settings, before, name) {
                Ok(made) => {
                    engines.issuers.insert(name.clone(), made);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        for name in settings.upstreams.keys() {
            match service(settings, before, name) {
                Ok(made) => {
                    engines.upstreams.insert(name.clone(), made);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        (engines, store.map(|store| store.thing))
    }

    /// Starts the tasks that keep keys fresh, once each, and connects the shared store.
    pub fn start(&self) {
        for made in self.issuers.values() {
            let refreshed = &made.thing;
            refreshed
                .task
                .get_or_init(|| tokio::spawn(refreshed.issuer.clone().keep_fresh()).abort_handle());
        }
        if let Some(store) = self.store() {
            tokio::spawn(async move {
                if !store.connect().await {
                    tracing::warn!("the shared limits are away: `on_outage` is in force");
                }
            });
        }
    }

    /// The counters; none before the first compilation.
    #[must_use]
    pub fn store(&self) -> Option<Arc<Store>> {
        self.store.as_ref().map(|made| made.thing.clone())
    }

    /// Whether the shared counters are away.
    #[must_use]
    pub fn limits_degraded(&self) -> bool {
        self.store.as_ref().is_some_and(|made| made.thing.is_degraded())
    }

    /// All issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.issuers.values().map(|made| &made.thing.issuer)
    }

    /// The issuer of this name.
    #[must_use]
    pub fn issuer(&self, name: &str) -> Option<Arc<Issuer>> {
        self.issuers.get(name).map(|made| made.thing.issuer.clone())
    }

    /// The service of this name.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Option<Arc<Upstream>> {
        self.upstreams.get(name).map(|made| made.thing.0.clone())
    }

    /// The public keys of all assertions, for services.
    #[must_use]
    pub fn jwks(&self) -> String {
        let signers: Vec<_> = self.upstreams.values().map(|made| made.thing.1.clone()).collect();
        upstream::jwks(&signers)
    }
}

fn store(settings: &Settings, before: &Engines) -> Result<Made<Arc<Store>>, Mistake> {
    let (wanted, from) = leaf::store(settings);
    if let Some(made) = before.store.as_ref().filter(|made| made.from == from) {
        return Ok(made.clone());
    }
    let opened = Store::open(&wanted);
    let thing = opened.map_err(|error| {
        settings.mistake(&crate::config::Place::whole_file(), format!("limits.store: {error}"))
    })?;
    Ok(Made { from, thing })
}

fn issuer(
    settings: &Settings,
    before: &Engines,
    name: &str,
) -> Result<Made<Arc<Refreshed>>, Mistake> {
    let Some(wanted) = settings.issuers.get(name) else {
        return Err(settings.mistake(&crate::config::Place::whole_file(), "no such issuer"));
    };
    let files: Vec<&Path> = match &wanted.keys {
        crate::config::settings::KeySource::File(file) => vec![file],
        crate::config::settings::KeySource::Discovery
        | crate::config::settings::KeySource::Url(_) => Vec::new(),
    };
    let from = fingerprint(&format!("{wanted:?}"), wanted.ca.as_deref().into_iter().chain(files));
    if let Some(made) = before.issuers.get(name).filter(|made| made.from == from) {
        return Ok(made.clone());
    }
    let opened = Issuer::open(leaf::issuer(name, wanted));
    let issuer = opened.map_err(|error| settings.mistake(&wanted.place, error.to_string()))?;
    let source = fingerprint(
        &format!(
            "{} {:?} {:?} {}",
            wanted.issuer, wanted.keys, wanted.algorithms, wanted.insecure_http
        ),
        wanted.ca.as_deref().into_iter(),
    );
    // The same keys under other rules: no request is refused because they are fetched again.
    if let Some(made) = before.issuers.get(name).filter(|made| made.thing.source == source) {
        issuer.inherit(&made.thing.issuer);
    }
    Ok(Made { from, thing: Arc::new(Refreshed { issuer, source, task: OnceLock::new() }) })
}

fn service(settings: &Settings, before: &Engines, name: &str) -> Result<Made<Service>, Mistake> {
    let Some(wanted) = settings.upstreams.get(name) else {
        return Err(settings.mistake(&crate::config::Place::whole_file(), "no such upstream"));
    };
    let tls = wanted.tls.as_ref();
    let pair = tls.and_then(|tls| tls.certificate.as_ref());
    let files = [
        Some(&wanted.assertion_key.path),
        tls.map(|t| &t.ca),
        pair.map(|p| &p.chain),
        pair.map(|p| &p.key),
    ];
    let from = fingerprint(&format!("{wanted:?}"), files.into_iter().flatten().map(AsRef::as_ref));
    if let Some(made) = before.upstreams.get(name).filter(|made| made.from == from) {
        return Ok(made.clone());
    }
    let mistake = |error: String| settings.mistake(&wanted.place, error);
    let signer = signer(settings, &wanted.assertion_key)?;
    let opened = Upstream::new(leaf::upstream(name, wanted, signer.clone()));
    let upstream = opened.map_err(|error| mistake(error.to_string()))?;
    Ok(Made { from, thing: (upstream, signer) })
}

/// The key of an assertion, out of its file.
pub(super) fn signer(settings: &Settings, key: &SecretFile) -> Result<Arc<Signer>, Mistake> {
    let mistake = |error: String| settings.mistake(&key.place, error);
    let pem = std::fs::read(&key.path).map_err(|error| mistake(error.to_string()))?;
    let pem = zeroize::Zeroizing::new(pem);
    Signer::from_pem(&pem).map(Arc::new).map_err(|error| mistake(error.to_string()))
}

/// A digest over settings as text and the present content of files. The place of the settings in
/// the file is part of the text: moving a section opens its engine anew, which only costs time.
fn fingerprint<'a>(text: &str, files: impl Iterator<Item = &'a Path>) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    context.update(text.as_bytes());
    for file in files {
        let content = zeroize::Zeroizing::new(std::fs::read(file).unwrap_or_default());
        context.update(&(content.len() as u64).to_le_bytes());
        context.update(&content);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// The same for a plain text; used by [`leaf::store`].
pub(super) fn fingerprint_of(text: &str) -> [u8; 32] {
    fingerprint(text, std::iter::empty())
}

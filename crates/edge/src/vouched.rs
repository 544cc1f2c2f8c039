//! Certificates of clients that a proxy passes on (RFC 9440): which proxies may, and the judgement on what they pass on,
//! which is the same as on a chain that was shown to us. That the proxy has its own key is the word of the handshake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderMap;
use rustls_pki_types::CertificateDer;

use crate::presented::ClientCertificate;
use crate::service::FailureKind;
use crate::target::Malformed;
use crate::trust::ClientCertificates;

mod fields;
#[cfg(test)]
mod tests;

pub(crate) use fields::chain;

/// How long a good judgement is not made anew: a revocation list or an authority between may end meanwhile. A list that is
/// replaced forgets all.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// Chains that are remembered as good.
const REMEMBERED_MAX: usize = 4096;

/// Which proxies may pass on the certificates of their clients, and whose certificates are taken from them.
#[derive(Clone, Debug)]
pub struct ForwardedCertificates {
    /// Names in the certificates of those proxies, each with its kind in front, as [`ClientCertificate::names`] has them:
    /// one of them is enough.
    pub proxies: Vec<String>,
    /// The authorities of the clients, and what they have revoked.
    pub clients: ClientCertificates,
}

/// What a listener believes of certificates that are passed on; swapped as a whole.
#[derive(Debug)]
pub(crate) struct Vouching(ArcSwap<Rules>);

#[derive(Debug)]
struct Rules {
    settings: ForwardedCertificates,
    /// Chains that were good, by their digest, and when they have to be judged again. Lives as long as the rules.
    remembered: Mutex<HashMap<Digest, Remembered>>,
}

type Digest = [u8; 32];

#[derive(Clone, Debug)]
struct Remembered {
    certificate: Arc<ClientCertificate>,
    until: SystemTime,
}

impl Vouching {
    pub(crate) fn new(settings: ForwardedCertificates) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(Rules::new(settings))))
    }

    /// Counts from the next request on.
    pub(crate) fn replace(&self, settings: ForwardedCertificates) {
        self.0.store(Arc::new(Rules::new(settings)));
    }

    /// The certificate of the client that a proxy speaks for. `proxy` is what it has shown itself: where that is not the
    /// certificate of one that may, its word counts for nothing.
    pub(crate) fn certificate(
        &self,
        proxy: Option<&ClientCertificate>,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Arc<ClientCertificate>>, Malformed> {
        let rules = self.0.load();
        if !proxy.is_some_and(|proxy| rules.proves(proxy)) {
            return Ok(None);
        }
        chain(headers)?.map(|chain| rules.judge(chain, now)).transpose()
    }
}

impl Rules {
    fn new(settings: ForwardedCertificates) -> Self {
        Self { settings, remembered: Mutex::default() }
    }

    /// Whether this is the certificate of a proxy that may pass on others.
    fn proves(&self, proxy: &ClientCertificate) -> bool {
        let is_one = |name: &str| {
            self.settings.proxies.iter().any(|proxy| match proxy.strip_prefix("dns:") {
                // RFC 4343; every other kind has one spelling.
                Some(_) => proxy.eq_ignore_ascii_case(name),
                None => proxy == name,
            })
        };
        proxy.names().iter().any(|name| is_one(name))
    }

    /// The leaf, where the chain is good now.
    fn judge(
        &self,
        chain: Vec<CertificateDer<'static>>,
        now: SystemTime,
    ) -> Result<Arc<ClientCertificate>, Malformed> {
        let digest = digest_of(&chain);
        if let Some(known) = self.recall(&digest, now) {
            return Ok(known);
        }
        self.settings.clients.judge(&chain, now).map_err(refusal)?;
        let read = ClientCertificate::read(chain).ok_or(Malformed::ClientCertSyntax)?;
        let certificate = Arc::new(read);
        self.remember(digest, &certificate, now);
        Ok(certificate)
    }

    fn recall(&self, digest: &Digest, now: SystemTime) -> Option<Arc<ClientCertificate>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(digest).filter(|known| now < known.until)?;
        Some(Arc::clone(&known.certificate))
    }

    fn remember(&self, digest: Digest, certificate: &Arc<ClientCertificate>, now: SystemTime) {
        let until = now.checked_add(REMEMBERED_FOR).unwrap_or(now).min(certificate.not_after());
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, known| now < known.until);
        }
        if remembered.len() < REMEMBERED_MAX {
            let certificate = Arc::clone(certificate);
            remembered.insert(digest, Remembered { certificate, until });
        }
    }
}

/// One digest of all certificates, each with its length, so that none runs into the next.
fn digest_of(chain: &[CertificateDer<'_>]) -> Digest {
    let mut whole = Context::new(&SHA256);
    for certificate in chain {
        whole.update(&certificate.len().to_be_bytes());
        whole.update(certificate);
    }
    whole.finish().as_ref().try_into().unwrap_or_default()
}

/// What is wrong with a certificate, as an answer to the request that carries it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds that are not about certificates; what is new is not trusted"
)]
fn refusal(kind: FailureKind) -> Malformed {
    match kind {
        FailureKind::ClientCertificateRevoked => Malformed::ClientCertRevoked,
        FailureKind::ClientCertificateExpired => Malformed::ClientCertExpired,
        FailureKind::ClientCertificateUnchecked => Malformed::ClientCertUnchecked,
        _ => Malformed::ClientCertUntrusted,
    }
}

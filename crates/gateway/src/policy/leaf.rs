//! The configuration in the words of the leaf crates. Nothing is decided here.

use super::engines::fingerprint_of;
use crate::config::settings::{self as c, Settings};
use crate::config::{Mistake, Place};
use aws_lc_rs::digest::{SHA256, digest};
use ratelimit::{KEYS_MAX, Limit, StoreSettings};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use upstream::{AssertionSettings, Signer, TlsSettings, UpstreamSettings};

/// Who the gateway says it is in its assertions (`iss`).
pub(super) const ASSERTION_ISSUER: &str = "sallyport";
/// How long an assertion is good for; the contract says 30 s at most.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(30);
/// What every key in Redis begins with.
const REDIS_PREFIX: &str = "sallyport";

/// The listeners, with their certificates loaded.
///
/// # Errors
/// Every certificate that cannot be used.
pub fn edge(settings: &Settings) -> Result<edge::Settings, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut listeners = Vec::new();
    for listener in &settings.listeners {
        let certificates = certificates(settings, &listener.certificates, &mut mistakes);
        let clients = listener.client_certificates.as_ref();
        let clients = clients.map(|clients| client_certificates(settings, clients)).transpose();
        let forwarded = listener.forwarded_certificates.as_ref();
        let forwarded = forwarded.map(|wanted| forwarded_certificates(settings, wanted));
        listeners.push(edge::ListenerSettings {
            address: listener.address,
            http: edge::Versions {
                h1: listener.http.h1,
                h2: listener.http.h2,
                h3: listener.http.h3,
            },
            plaintext: listener.plaintext.map(|plaintext| match plaintext {
                c::Plaintext::Serve => edge::Plaintext::Serve,
                c::Plaintext::Redirect(port) => edge::Plaintext::Redirect(port),
            }),
            certificates,
            min_version: match listener.min_version {
                c::TlsVersion::V1_2 => edge::TlsVersion::V1_2,
                c::TlsVersion::V1_3 => edge::TlsVersion::V1_3,
            },
            client_certificates: clients.unwrap_or_else(|mistake| {
                mistakes.push(mistake);
                None
            }),
            client_address: edge::ClientAddress {
                trusted_proxies: listener.client_address.trusted_proxies.clone(),
                from: match listener.client_address.from {
                    c::AddressSource::XForwardedFor => edge::AddressSource::XForwardedFor,
                    c::AddressSource::Forwarded => edge::AddressSource::Forwarded,
                    c::AddressSource::ProxyProtocol => edge::AddressSource::ProxyProtocol,
                },
                insecure_direct: listener.client_address.insecure_direct,
            },
            forwarded_certificates: forwarded.transpose().unwrap_or_else(|mistake| {
                mistakes.push(mistake);
                None
            }),
        });
    }
    if mistakes.is_empty() {
        let limits = door(settings);
        Ok(edge::Settings { listeners, limits, workers: settings.workers })
    } else {
        Err(mistakes)
    }
}

/// The limits at the door. Every count is at least 1: the configuration saw to that.
pub fn door(settings: &Settings) -> edge::Limits {
    let c::Limits { connections, body, head, wait, floods, .. } = &settings.limits;
    let count = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    let allowance = |(burst, per_second)| edge::Allowance { burst, per_second };
    edge::Limits {
        connections_max: usize::try_from(connections.max).unwrap_or(usize::MAX),
        address_connections_max: connections.max_per_address,
        address_connections_rate: edge::ConnectionRate {
            count: count(connections.new_per_address.count),
            per: connections.new_per_address.per,
            burst: count(connections.new_per_address.burst),
        },
        connection_requests_max: NonZeroU64::from(count(connections.max_requests)),
        connection_age_max: connections.max_age,
        body_pace_min: edge::BodyPace { bytes_per_second: count(body.min_rate), grace: body.grace },
        linger: settings.shutdown.linger,
        streams_max: connections.max_streams,
        handshake_timeout: wait.handshake,
        header_timeout: wait.head,
        idle_timeout: wait.idle,
        body_timeout: wait.body,
        write_timeout: wait.write,
        queue_max: wait.queue,
        header_bytes_max: size(head.bytes),
        header_count_max: size(head.fields.into()),
        target_bytes_max: size(head.target_bytes),
        field_bytes_max: size(head.field_bytes),
        floods: edge::Floods {
            resets: allowance(floods.resets),
            control: allowance(floods.control),
            window_updates: allowance(floods.window_updates),
            continuations_max: floods.continuations,
        },
    }
}

/// Certificates with their keys; notes those that cannot be used.
pub(super) fn certificates(
    settings: &Settings,
    named: &[c::Certificate],
    mistakes: &mut Vec<Mistake>,
) -> Vec<edge::Certificate> {
    let mut loaded = Vec::new();
    for certificate in named {
        let pair = edge::Certificate::load(&certificate.chain, &certificate.key);
        let stapled = pair.and_then(|pair| match &certificate.ocsp {
            Some(response) => pair.with_ocsp(response),
            None => Ok(pair),
        });
        match stapled {
            Ok(certificate) => loaded.push(certificate),
            Err(error) => mistakes.push(settings.mistake(&certificate.place, error.to_string())),
        }
    }
    loaded
}

/// Whose client certificates a listener takes.
pub(super) fn client_certificates(
    settings: &Settings,
    wanted: &c::ClientCertificates,
) -> Result<edge::ClientCertificates, Mistake> {
    let mode = match wanted.mode {
        c::ClientCertificateMode::Required => edge::ClientCertificateMode::Required,
        c::ClientCertificateMode::Off | c::ClientCertificateMode::Optional => {
            edge::ClientCertificateMode::Optional
        }
    };
    edge::ClientCertificates::load(mode, &wanted.ca, wanted.crl.as_deref())
        .map(|clients| clients.with_resumption(wanted.resumption))
        .map_err(|error| settings.mistake(&wanted.place, error.to_string()))
}

/// Whose certificates proxies pass on to a listener.
fn forwarded_certificates(
    settings: &Settings,
    wanted: &c::ForwardedCertificates,
) -> Result<edge::ForwardedCertificates, Mistake> {
    let mode = edge::ClientCertificateMode::Required;
    let clients = edge::ClientCertificates::load(mode, &wanted.ca, wanted.crl.as_deref());
    let clients = clients.map_err(|error| settings.mistake(&wanted.place, error.to_string()))?;
    Ok(edge::ForwardedCertificates { proxies: wanted.proxies.clone(), clients })
}

/// The host names in all certificates, without wildcards; `None` where a mistake leaves them open.
pub(super) fn certificate_names(
    settings: &Settings,
    mistakes: &mut Vec<Mistake>,
) -> Option<Vec<String>> {
    let listeners = match edge(settings) {
        Ok(edge) => edge.listeners,
        Err(found) => {
            mistakes.extend(found);
            return None;
        }
    };
    let names: BTreeSet<String> = listeners
        .iter()
        .flat_map(|listener| &listener.certificates)
        .flat_map(|certificate| certificate.names().iter().cloned())
        .filter(|name| !name.starts_with('*'))
        .collect();
    (!listeners.is_empty()).then(|| names.into_iter().collect())
}

/// An issuer: what is spelled out goes before its profile.
pub(super) fn issuer(name: &str, wanted: &c::Issuer) -> authn::IssuerSettings {
    let profile = match wanted.profile {
        c::Profile::Rfc9068 => authn::Profile::Rfc9068,
        c::Profile::Keycloak => authn::Profile::Keycloak,
        c::Profile::Entra => authn::Profile::Entra,
        c::Profile::Auth0 => authn::Profile::Auth0,
    };
    let (mut tokens, mut claims) = (profile.rules(), profile.claims());
    let said = &wanted.tokens;
    tokens.typ = said.typ.clone().unwrap_or(tokens.typ);
    tokens.required = said.required.clone().unwrap_or(tokens.required);
    tokens.leeway = said.leeway.unwrap_or(tokens.leeway);
    tokens.lifetime_max = said.max_lifetime.unwrap_or(tokens.lifetime_max);
    let said = &wanted.claims;
    claims.client = said.client.clone().unwrap_or(claims.client);
    claims.tenant = said.tenant.clone().unwrap_or(claims.tenant);
    claims.tier = said.tier.clone().unwrap_or(claims.tier);
    claims.scopes = said.scopes.clone().unwrap_or(claims.scopes);
    let set = |list: &Option<Vec<String>>| list.clone().map(BTreeSet::from_iter);
    let (scopes, tiers) = (set(&wanted.may_grant.scopes), set(&wanted.may_grant.tiers));
    authn::IssuerSettings {
        algorithms: wanted.algorithms.iter().copied().map(algorithm).collect(),
        keys: match &wanted.keys {
            c::KeySource::Discovery => authn::KeySource::Discovery,
            c::KeySource::Url(url) => authn::KeySource::Url(url.clone()),
            c::KeySource::File(path) => authn::KeySource::File(path.clone()),
        },
        ca: wanted.ca.clone(),
        insecure_http: wanted.insecure_http,
        tokens,
        claims,
        may_grant: (scopes.is_some() || tiers.is_some())
            .then_some(authn::Grantable { scopes, tiers }),
        ..authn::IssuerSettings::new(name, wanted.issuer.clone())
    }
}

const fn algorithm(algorithm: c::Algorithm) -> authn::Algorithm {
    match algorithm {
        c::Algorithm::Rs256 => authn::Algorithm::Rs256,
        c::Algorithm::Ps256 => authn::Algorithm::Ps256,
        c::Algorithm::Es256 => authn::Algorithm::Es256,
        c::Algorithm::Es384 => authn::Algorithm::Es384,
        c::Algorithm::EdDsa => authn::Algorithm::EdDsa,
    }
}

/// A service and the key that signs for it.
pub(super) fn upstream(name: &str, wanted: &c::Upstream, signer: Arc<Signer>) -> UpstreamSettings {
    UpstreamSettings {
        name: name.to_owned(),
        endpoints: wanted.endpoints.clone(),
        tls: wanted.tls.as_ref().map(|tls| TlsSettings {
            ca: tls.ca.clone(),
            certificate: tls.certificate.as_ref().map(|c| (c.chain.clone(), c.key.clone())),
            name: tls.name.clone(),
        }),
        insecure_plaintext: wanted.insecure_plaintext,
        connect_timeout: wanted.connect_timeout,
        response_timeout: wanted.response_timeout,
        connect_attempts: wanted.connect_attempts,
        assertion: AssertionSettings {
            issuer: ASSERTION_ISSUER.to_owned(),
            audience: wanted.assertion_audience.clone(),
            signer,
            lifetime: ASSERTION_LIFETIME,
        },
    }
}

/// The rates of addresses and tiers.
pub(super) fn limits(settings: &Settings) -> Result<ratelimit::Limits, Mistake> {
    let limits = &settings.limits;
    let refuse = |what: &str| {
        let what = format!("{what}: the rate, its period or its burst is out of bounds");
        settings.mistake(&Place::whole_file(), what)
    };
    let rate = |rate: &c::Rate| Limit::new(rate.count, rate.per, rate.burst);
    let mut tiers = std::collections::BTreeMap::new();
    for (name, tier) in &limits.tiers {
        let place = format!("limits.tiers.{name}");
        let quota = match &tier.quota {
            None => None,
            Some(q) => Some(Limit::new(q.count, q.per, q.count).ok_or_else(|| refuse(&place))?),
        };
        let rate = rate(&tier.rate).ok_or_else(|| refuse(&place))?;
        tiers.insert(name.clone(), ratelimit::Tier { rate, quota });
    }
    Ok(ratelimit::Limits {
        address: Some(rate(&limits.address).ok_or_else(|| refuse("limits.address"))?),
        tiers,
        default_tier: Some(limits.default_tier.clone()),
    })
}

/// Where clients are counted, and a digest of that.
pub(super) fn store(settings: &Settings) -> (StoreSettings, [u8; 32]) {
    match &settings.limits.store {
        c::Store::Memory => {
            (StoreSettings::Memory { keys_max: KEYS_MAX }, fingerprint_of("memory"))
        }
        c::Store::Redis(redis) => {
            let text = format!("{redis:?}{}", redis.url.expose_secret());
            let wanted = StoreSettings::Redis {
                url: redis.url.clone(),
                ca: redis.ca.clone(),
                on_outage: match redis.on_outage {
                    c::OnOutage::Local => ratelimit::OnOutage::Local,
                    c::OnOutage::Refuse => ratelimit::OnOutage::Refuse,
                    c::OnOutage::Allow => ratelimit::OnOutage::Allow,
                },
                timeout: redis.timeout,
                prefix: REDIS_PREFIX.to_owned(),
            };
            (wanted, fingerprint_of(&text))
        }
    }
}

/// SHA-256 over the configuration file and the documents it names, as hex.
pub(super) fn hash(settings: &Settings, documents: &[PathBuf]) -> Result<String, Mistake> {
    let mut all = Vec::new();
    for file in std::iter::once(&settings.file).chain(documents) {
        let content = std::fs::read(file).map_err(|error| {
            let what = format!("{}: {error}", file.display());
            settings.mistake(&Place::whole_file(), what)
        })?;
        all.extend_from_slice(digest(&SHA256, &content).as_ref());
    }
    Ok(hex(digest(&SHA256, &all).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

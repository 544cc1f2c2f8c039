//! The record of a request: begun, told what is known, closed. Into a spool in a temporary folder, without a receiver.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit::facts::{Decision, Method, Opening, Outcome, PrincipalFacts, RouteFacts, TlsFacts};
use audit::{Digesting, Digestion, SealSettings, Settings, SpoolSettings, Trail};
use seal::SigningKey;
use tempfile::TempDir;

use crate::{Work, ready};

/// Records before the spool begins anew: nobody takes them away.
const RECORDS_MAX: u32 = 20_000;

/// A spool and its folder.
struct Place {
    trail: Arc<Trail>,
    _folder: TempDir,
    left: u32,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (key, _) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        let seal = SealSettings::new("shop/audit/edge-1".to_owned(), Arc::new(key));
        let settings = settings(folder.path(), seal);
        let trail = Trail::open(settings, time()).expect("a trail");
        Self { trail, _folder: folder, left: RECORDS_MAX }
    }

    fn trail(&mut self) -> &Arc<Trail> {
        if self.left == 0 {
            *self = Self::new();
        }
        self.left -= 1;
        &self.trail
    }
}

/// A spool in that folder, without a receiver.
pub(crate) fn settings(folder: &Path, seal: SealSettings) -> Settings {
    Settings {
        spool: SpoolSettings::new(folder.join("spool")),
        instance: "edge-1".to_owned(),
        pseudonym_key: vec![7; 32].into(),
        key_number: 1,
        digesting: Digesting::Bodies,
        seal,
        masker: audit::Masker::default(),
        sinks: vec![],
    }
}

/// Let in: an intent, then an outcome.
pub(crate) fn admitted() -> Work {
    let mut place = Place::new();
    let route = route();
    Box::new(move || let_in(place.trail(), &route))
}

/// Records one request that was let in.
pub(crate) fn recorded(trail: &Arc<Trail>) {
    let_in(trail, &route());
}

fn let_in(trail: &Arc<Trail>, route: &RouteFacts) {
    let mut entry = trail.begin(opening()).expect("room");
    entry.knows_route(route.clone());
    entry.knows_principal(&principal());
    ready(entry.intends()).expect("on record");
    ready(entry.close(outcome(200, Decision::Allowed))).expect("on record");
    drop(black_box(entry));
}

/// Refused before anything is known of the caller.
pub(crate) fn refused() -> Work {
    let mut place = Place::new();
    let route = route();
    Box::new(move || {
        let mut entry = place.trail().begin(opening()).expect("room");
        entry.knows_route(route.clone());
        let decision = Decision::Refused { stage: "token", reason: "absent", detail: None };
        ready(entry.close(outcome(401, decision))).expect("on record");
        drop(black_box(entry));
    })
}

pub(crate) fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn opening() -> Opening {
    let tls = TlsFacts {
        version: "TLSv1.3",
        cipher: Some("TLS13_AES_128_GCM_SHA256"),
        sni: Some("api.example.com".into()),
        client_certificate: None,
    };
    Opening {
        time: time(),
        client_address: [203, 0, 113, 7].into(),
        client_port: Some(40_000),
        local: ([192, 0, 2, 1], 8443).into(),
        http_version: "HTTP/2",
        method: Method::Post,
        tls: Some(tls),
        user_agent: Some(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        ),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
    }
}

fn route() -> RouteFacts {
    RouteFacts {
        api: "orders".into(),
        operation: "createOrder".into(),
        template: "/orders/{id}".into(),
        upstream: "orders".into(),
        audit_required: true,
    }
}

fn principal() -> PrincipalFacts<'static> {
    PrincipalFacts {
        fingerprint: Some(&[3; 32]),
        issuer: "https://idp.example.com/realms/shop",
        client: Some("orders-web"),
        tenant: Some("acme"),
        subject: Some("alice"),
        tier: "gold",
        method: "bearer",
        key_id: Some("key-1"),
        bound_to: None,
        token_id: Some("jti-1"),
    }
}

fn outcome(status: u16, decision: Decision) -> Outcome {
    Outcome {
        status,
        decision,
        request_bytes: 12,
        response_bytes: 1_024,
        upstream_ms: Some(7),
        duration: Duration::from_millis(9),
        digests: Digestion::default(),
    }
}

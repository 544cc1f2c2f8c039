//! Health and metrics, read-only.

use super::{Answer, Surface, only, text, typed};
use crate::pipeline::Pipeline;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// `/livez`, `/readyz`, `/metrics`.
#[derive(Debug)]
pub struct Status {
    pipeline: Arc<Pipeline>,
    draining: AtomicBool,
}

impl Status {
    /// The state of this pipeline.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>) -> Arc<Self> {
        Arc::new(Self { pipeline, draining: AtomicBool::new(false) })
    }

    /// From now on `/readyz` says no: the load balancer takes this instance out.
    pub fn drains(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// One line per named state. Ready is whoever can serve: an issuer or Redis that is away has
    /// its own declared answer, so only draining and a spool that takes no record say no.
    fn readiness(&self) -> Answer {
        let states = self.measure();
        let draining = self.draining.load(Ordering::Acquire);
        let audit = self.pipeline.ledger().trail.health().spool_ok;
        let ready = audit && !draining;
        let mut lines = format!("ready {ready}\ndraining {draining}\n");
        for (name, up) in states {
            lines.push_str(&format!("{name} {}\n", if up { "up" } else { "down" }));
        }
        text(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, lines)
    }

    /// Reads every dependency's state and notes it in the metrics.
    pub fn measure(&self) -> Vec<(String, bool)> {
        let ledger = self.pipeline.ledger();
        let health = ledger.trail.health();
        let mut states = vec![("audit".to_owned(), health.spool_ok)];
        let policy = self.pipeline.policy();
        states.push(("limits".to_owned(), !policy.engines.limits_degraded()));
        for issuer in policy.engines.issuers() {
            states.push((format!("issuer:{}", issuer.name()), issuer.is_ready()));
        }
        for sink in &health.sinks {
            states.push((format!("sink:{}", sink.name), sink.fault.is_none()));
            ledger.metrics.backlog(&sink.name, sink.backlog_events);
        }
        states.push(("seal".to_owned(), health.seal.ok));
        for (place, fault) in &health.seal.places {
            states.push((format!("seal:{place}"), fault.is_none()));
        }
        ledger.metrics.sealed(health.seal.time_s);
        ledger.metrics.spool_bytes(health.spool_bytes);
        ledger.metrics.audited(&health);
        for (name, up) in &states {
            ledger.metrics.dependency(name, *up);
        }
        states
    }
}

impl Surface for Status {
    fn answer(&self, method: &Method, path: &str) -> Option<Answer> {
        let answer = match path {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" => self.readiness(),
            "/metrics" => {
                self.measure();
                let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                typed(StatusCode::OK, media_type, self.pipeline.ledger().metrics.text())
            }
            _ => return None,
        };
        Some(if method == Method::GET { answer } else { only("GET") })
    }
}

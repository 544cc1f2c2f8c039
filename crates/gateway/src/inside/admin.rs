//! What an operator on this machine may ask: the policy in force, its weakenings, a reload.

use super::{Answer, Surface, only, typed};
use crate::clock;
use crate::pipeline::Pipeline;
use audit::facts::Lifecycle;
use http::{Method, StatusCode};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

/// `GET /policy`, `POST /reload`.
#[derive(Debug)]
pub struct Admin {
    pipeline: Arc<Pipeline>,
    reload: mpsc::Sender<String>,
}

impl Admin {
    /// Tells of this pipeline, and asks for reloads through `reload`, with the uid of the event that says so.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, reload: mpsc::Sender<String>) -> Arc<Self> {
        Arc::new(Self { pipeline, reload })
    }

    fn policy(&self) -> Answer {
        let policy = self.pipeline.policy();
        let weakenings: Vec<_> =
            policy.weakenings.iter().map(|w| json!({ "place": w.place, "what": w.what })).collect();
        let body = json!({
            "hash": policy.hash,
            "operations": policy.routes.len(),
            "weakenings": weakenings,
        });
        typed(StatusCode::OK, "application/json", body.to_string())
    }

    fn reload(&self) -> Answer {
        // A full queue means that a reload is already asked for.
        let asked = self.reload.try_reserve().map(|place| {
            let policy = self.pipeline.policy().hash.clone();
            let change = Lifecycle::ReloadAsked { time: clock::now(), policy };
            place.send(self.pipeline.ledger().trail.lifecycle(change));
        });
        let asked = asked.is_ok();
        let body = json!({ "reload": if asked { "asked" } else { "already asked" } });
        typed(StatusCode::ACCEPTED, "application/json", body.to_string())
    }
}

impl Surface for Admin {
    fn answer(&self, method: &Method, path: &str) -> Option<Answer> {
        match path {
            "/policy" if method == Method::GET => Some(self.policy()),
            "/policy" => Some(only("GET")),
            "/reload" if method == Method::POST => Some(self.reload()),
            "/reload" => Some(only("POST")),
            _ => None,
        }
    }
}

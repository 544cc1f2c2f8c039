//! What an operator on this machine may ask: the policy in force, its weakenings, a reload.

use super::{Answer, Surface, only, typed};
use crate::pipeline::Pipeline;
use http::{Method, StatusCode};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

/// `GET /policy`, `POST /reload`.
#[derive(Debug)]
pub struct Admin {
    pipeline: Arc<Pipeline>,
    reload: mpsc::Sender<()>,
}

impl Admin {
    /// Tells of this pipeline, and asks for reloads through `reload`.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, reload: mpsc::Sender<()>) -> Arc<Self> {
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
        let asked = self.reload.try_send(()).is_ok();
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

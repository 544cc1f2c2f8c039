//! The keys that services verify assertions with (RFC 7517), on the private side only.

use super::{Answer, Surface, only, typed};
use arc_swap::ArcSwap;
use http::{Method, StatusCode};
use std::sync::Arc;

/// Where services fetch the key set.
const JWKS_PATH: &str = "/.well-known/jwks.json";

/// The key set of the policy in force.
#[derive(Debug)]
pub struct Identity {
    jwks: ArcSwap<String>,
}

impl Identity {
    /// A surface that serves this key set.
    #[must_use]
    pub fn new(jwks: String) -> Arc<Self> {
        Arc::new(Self { jwks: ArcSwap::from_pointee(jwks) })
    }

    /// Serves another key set from now on.
    pub fn replace(&self, jwks: String) {
        self.jwks.store(Arc::new(jwks));
    }
}

impl Surface for Identity {
    fn answer(&self, method: &Method, path: &str) -> Option<Answer> {
        if path != JWKS_PATH {
            return None;
        }
        if method != Method::GET {
            return Some(only("GET"));
        }
        let jwks = self.jwks.load_full();
        let mut answer =
            typed(StatusCode::OK, "application/jwk-set+json", jwks.as_bytes().to_vec());
        let cache = http::HeaderValue::from_static("max-age=60");
        answer.headers_mut().insert(http::header::CACHE_CONTROL, cache);
        Some(answer)
    }
}

//! The seal as a whole: see `trail/tests/sealed.rs`. Here: the settings that other tests use.

use std::sync::LazyLock;

use super::*;

/// One key for all tests: an instance keeps its own over all its boots.
static KEY: LazyLock<Arc<SigningKey>> =
    LazyLock::new(|| Arc::new(SigningKey::generate("shop/audit/edge-1").expect("a key").0));

pub(crate) fn settings() -> SealSettings {
    SealSettings::new("shop/audit/edge-1".to_owned(), Arc::clone(&KEY))
}

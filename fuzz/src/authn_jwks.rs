//! Key set documents, read as an issuer's file: taken or refused, and never ready without a key.
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use authn::{Issuer, IssuerSettings, KeySource};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// The bytes are the key set.
pub fn authn_jwks(data: &[u8]) {
    let file: PathBuf = FOLDER.path().join("jwks.json");
    fs::write(&file, data).expect("a written file");
    let mut settings = IssuerSettings::new("fuzz", "https://idp.example.com");
    settings.keys = KeySource::File(file);
    if let Ok(issuer) = Issuer::open(settings) {
        let text: serde_json::Value = serde_json::from_slice(data).expect("a key set is JSON");
        assert!(text["keys"].is_array());
        assert!(!issuer.is_ready() || text["keys"].as_array().is_some_and(|keys| !keys.is_empty()));
    }
}

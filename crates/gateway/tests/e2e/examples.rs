//! The shipped configuration: it checks, with its own document, and the README shows the very same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::parts::authority::{Authority, Usage, write_secret};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn minimal_configuration_checks_and_stands_in_the_readme() {
    let minimal = fs::read_to_string(repository().join("config/minimal.yaml")).unwrap();
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.contains(minimal.trim_end()), "README.md shows config/minimal.yaml");
    let settings = minimal.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with('#'));
    assert!(settings.count() <= 15, "the shortest useful configuration stays short");

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for inner in ["tls", "secrets"] {
        fs::create_dir(at.join(inner)).unwrap();
    }
    let authority = Authority::new("example authority");
    authority
        .issue("edge", &["api.example.com"], &[], Usage::Server)
        .write(&at.join("tls"), "edge");
    authority.issue("gateway", &[], &[], Usage::Client).write(&at.join("tls"), "gateway");
    fs::write(at.join("tls/internal-ca.pem"), authority.ca_pem()).unwrap();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    write_secret(&at.join("secrets/identity.pem"), &key.serialize_pem());
    for name in ["minimal.yaml", "orders.openapi.yaml"] {
        fs::copy(repository().join("config").join(name), at.join(name)).unwrap();
    }
    let check = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .arg("check")
        .arg(at.join("minimal.yaml"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{told}{}", String::from_utf8_lossy(&check.stderr));
    assert!(told.contains("no mistakes") && !told.contains(" 0 operations"), "{told}");
}

#[test]
fn schema_is_the_shipped_one() {
    let printed = Command::new(env!("CARGO_BIN_EXE_gateway")).arg("schema").output().unwrap();
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    let shipped = fs::read_to_string(repository().join("config/gateway.schema.json")).unwrap();
    assert_eq!(printed, serde_json::from_str::<serde_json::Value>(&shipped).unwrap());
}

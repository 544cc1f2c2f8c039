//! `gateway check` tells every mistake at once: of the file, and of the files that it names.
#![expect(clippy::unwrap_used, reason = "test code: a failure is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A configuration without mistakes, in all sections.
const GOOD: &str = include_str!("check/good.yaml");
/// The same with mistakes in all sections.
const BAD: &str = include_str!("check/bad.yaml");
/// What is told about it, without the folder.
const TOLD: &str = include_str!("check/told.txt");
/// A good document, and one with mistakes.
const DOCUMENTS: [(&str, &str); 2] = [
    ("orders.openapi.yaml", include_str!("check/orders.openapi.yaml")),
    ("stock.openapi.yaml", include_str!("check/stock.openapi.yaml")),
];

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// A folder with everything that the configurations name.
fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let edge = rcgen::generate_simple_self_signed(["api.example.com".to_owned()]).unwrap();
    write(at, "edge.pem", &edge.cert.pem());
    write(at, "edge.key", &edge.signing_key.serialize_pem());
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    write(at, "identity.pem", &key.serialize_pem());
    write(at, "garbage.pem", "no key and no certificate");
    write(at, "pseudonym", "a key of a test, long enough to be taken: 0123456789");
    write(at, "short", "too short");
    for (name, text) in DOCUMENTS {
        write(at, name, text);
    }
    folder
}

/// Runs `gateway check`: whether it passed, and what it said, without the folder.
fn check(folder: &Path, text: &str) -> (Option<i32>, String) {
    let config = write(folder, "gateway.yaml", text);
    let output =
        Command::new(env!("CARGO_BIN_EXE_gateway")).arg("check").arg(config).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let folder = format!("{}/", folder.display());
    (output.status.code(), String::from_utf8(said).unwrap().replace(&folder, ""))
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = site();
    let (code, said) = check(folder.path(), BAD);
    assert_eq!(code, Some(2), "{said}");
    let (said, told): (Vec<&str>, Vec<&str>) = (said.lines().collect(), TOLD.lines().collect());
    for (index, line) in told.iter().enumerate() {
        assert_eq!(said.get(index), Some(line), "in all:\n{}", said.join("\n"));
    }
    assert_eq!(said.len(), told.len(), "{}", said.join("\n"));
    assert!(told.len() > 30, "many independent mistakes");
}

#[test]
fn parts_of_broken_items_are_looked_at_too() {
    let folder = site();
    // No address, no audience and no identity: certificate, document and key are still opened.
    let text = GOOD
        .replace("  - address: 127.0.0.1:8443\n    tls", "  - tls")
        .replace("edge.key", "garbage.pem")
        .replacen("    audience: https://api.example.com\n", "", 1)
        .replace("orders.openapi.yaml", "stock.openapi.yaml")
        .replace("    tls: { ca: edge.pem }\n", "")
        .replace("identity.pem", "garbage.pem");
    let (code, said) = check(folder.path(), &text);
    assert_eq!(code, Some(2), "{said}");
    for expected in [
        "listeners[0]: `address` is missing",
        "listeners[0].tls.certificates[0]: ",
        "apis[0]: `audience` is missing",
        "stock.openapi.yaml:7:16: ",
        "upstreams.orders.endpoints[0]: `https:` needs",
        "upstreams.orders.identity.key.file: read the signing key",
    ] {
        assert!(said.contains(expected), "{expected} in\n{said}");
    }
}

#[test]
fn each_mistake_alone_is_told_alone_and_without_it_all_is_well() {
    let folder = site();
    let (code, said) = check(folder.path(), GOOD);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no mistakes"), "{said}");
    // What is missing or wrong hides nothing behind it, and is told only once: not a second time
    // by whatever needs it.
    for (good, bad, expected) in [
        ("version: 1\n", "", "`version` is missing"),
        ("    audience: https://api.example.com\n", "", "apis[0]: `audience` is missing"),
        ("  shop: { issuer: https:", "  shop: { issuer: http:", "issuers.shop.issuer: plain HTTP"),
        ("com, may", "com, algorithms: [HS256], may", "issuers.shop.algorithms[0]: expected"),
        ("com, may", "com, tokens: { typ: [1] }, may", "issuers.shop.tokens.typ[0]: expected"),
        ("internal:8443]", "internal:8443/v1]", "endpoints[0]: an endpoint has no path"),
        ("    tls: { ca: edge.pem }\n", "", "endpoints[0]: `https:` needs"),
        ("    tls: { ca", "    timeout: { connect: 20s }\n    tls: { ca", "`connect` is longer"),
        ("methods: [GET],", "methods: [GET], hosts: [a, a],", "hosts[1]: is written twice"),
        ("methods: [GET],", "methods: [GET], hosts: ['*'],", "hosts[0]: a host has no wildcard"),
        ("methods: [GET], upstream: o", "methods: [GET], upstream: O", "did you mean `orders`"),
        ("identity.pem", "garbage.pem", "upstreams.orders.identity.key.file: read the signing key"),
        ("edge.key", "garbage.pem", "listeners[0].tls.certificates[0]: "),
        ("address: 127.0.0.1:8443", "address: here", "listeners[0].address: expected"),
        ("file: pseudonym }", "file: short }", "audit.pseudonym.key.file: "),
        ("orders.openapi.yaml", "absent.openapi.yaml", "apis[0].openapi: absent.openapi.yaml"),
    ] {
        let text = GOOD.replacen(good, bad, 1);
        assert_ne!(text, GOOD, "{good} is in the good file");
        let (code, said) = check(folder.path(), &text);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.lines().count(), 2, "one mistake and the sum:\n{said}");
        assert!(said.contains(expected), "{said}");
    }
}

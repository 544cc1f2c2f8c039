//! Every body over its seeds, without an engine.

use std::path::Path;

fn run(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let seeds: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{} has seeds", folder.display());
    for seed in seeds {
        body(&std::fs::read(seed).unwrap());
    }
}

#[test]
fn edge_target() {
    run("edge_target", crate::edge_target);
}

#[test]
fn edge_h1() {
    run("edge_h1", crate::edge_h1);
}

#[test]
fn edge_h2() {
    run("edge_h2", crate::edge_h2);
}

#[test]
fn edge_h3() {
    run("edge_h3", crate::edge_h3);
}

#[test]
fn edge_proxy() {
    run("edge_proxy", crate::edge_proxy);
}

#[test]
fn edge_forwarded() {
    run("edge_forwarded", crate::edge_forwarded);
}

#[test]
fn edge_client_cert() {
    run("edge_client_cert", crate::edge_client_cert);
}

#[test]
fn authn_token() {
    run("authn_token", crate::authn_token);
}

#[test]
fn validate_json() {
    run("validate_json", crate::validate_json);
}

#[test]
fn validate_openapi() {
    run("validate_openapi", crate::validate_openapi);
}

#[test]
fn validate_filter() {
    run("validate_filter", crate::validate_filter);
}

#[test]
fn audit_mask() {
    run("audit_mask", crate::audit_mask);
}

#[test]
fn authn_jwks() {
    run("authn_jwks", crate::authn_jwks);
}

#[test]
fn validate_parameters() {
    run("validate_parameters", crate::validate_parameters);
}

#[test]
fn validate_form() {
    run("validate_form", crate::validate_form);
}

#[test]
fn validate_multipart() {
    run("validate_multipart", crate::validate_multipart);
}

#[test]
fn validate_xml() {
    run("validate_xml", crate::validate_xml);
}

#[test]
fn validate_coding() {
    run("validate_coding", crate::validate_coding);
}

#[test]
fn validate_differs() {
    run("validate_differs", crate::validate_differs);
}

#[test]
fn audit_place() {
    run("audit_place", crate::audit_place);
}

#[test]
fn audit_spool() {
    run("audit_spool", crate::audit_spool);
}

#[test]
fn seal_note() {
    run("seal_note", crate::seal_note);
}

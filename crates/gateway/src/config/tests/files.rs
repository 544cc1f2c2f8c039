//! Files the configuration names: absent, no file, open to others.

use super::{Place, minimal, shipped};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn mode(place: &Place, file: &str, mode: u32) {
    let path = place.directory.path().join(file);
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_secret_that_others_may_read_is_refused_with_the_command_that_helps() {
    let place = Place::new();
    for open in [0o640, 0o604, 0o660, 0o644] {
        mode(&place, "secrets/identity.pem", open);
        let told = place.refused(&shipped("minimal.yaml"));
        assert!(
            told[0].contains("chmod 600") && told[0].contains("secrets/identity.pem"),
            "{told:?}"
        );
        assert!(told[0].contains("upstreams.orders.identity.key.file"), "{told:?}");
    }
    for closed in [0o600, 0o400, 0o700] {
        mode(&place, "secrets/identity.pem", closed);
        assert!(place.parse(&shipped("minimal.yaml")).is_ok(), "{closed:o}");
    }
}

#[test]
fn a_directory_is_no_file_and_a_file_is_no_directory() {
    let place = Place::new();
    let told = place.refused(&minimal("chain: tls/edge.pem", "chain: tls"));
    assert!(told[0].contains("file"), "{told:?}");
    let spool = "audit: { spool: { directory: tls/edge.pem } }\nversion: 1";
    let told = place.refused(&minimal("version: 1", spool));
    assert!(told[0].contains("not a directory"), "{told:?}");
    let spool = "audit: { spool: { directory: new/spool } }\nversion: 1";
    assert!(place.parse(&minimal("version: 1", spool)).is_ok());
    assert!(!place.directory.path().join("new").exists(), "checking makes no directory");
}

#[test]
fn each_absent_file_of_client_certificates_is_told() {
    let place = Place::new();
    let with = |what: &str| {
        let to = format!("key: tls/edge.key{what} }}");
        minimal("key: tls/edge.key }] }", &to)
    };
    for (what, path) in [
        (", ocsp: absent }]", "listeners[0].tls.certificates[0].ocsp"),
        (
            " }], client_certificates: { mode: required, ca: absent }",
            "listeners[0].tls.client_certificates.ca",
        ),
        (
            " }], client_certificates: { mode: required, ca: tls/edge.pem, crl: absent }",
            "listeners[0].tls.client_certificates.crl",
        ),
    ] {
        let told = place.refused(&with(what));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(path) && told[0].contains("absent"), "{told:?}");
        assert!(place.parse(&with(&what.replace("absent", "tls/edge.pem"))).is_ok(), "{what}");
    }
}

#[test]
fn each_absent_file_is_told() {
    let place = Place::new();
    for file in ["tls/edge.pem", "tls/edge.key", "tls/internal-ca.pem", "secrets/identity.pem"] {
        let told = place.refused(&minimal(file, "absent"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("absent"), "{told:?}");
    }
}

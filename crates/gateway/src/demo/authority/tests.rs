//! Certificates are accepted for their names and purposes, and for nothing else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{ServerName, UnixTime};

use super::{Authority, identity_key_pem};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn accepts(
    authority: &Authority,
    chain: &[rustls_pki_types::CertificateDer<'_>],
    name: &str,
) -> bool {
    let verifier = WebPkiServerVerifier::builder_with_provider(
        Arc::new(authority.roots().expect("roots")),
        Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
    )
    .build()
    .expect("a verifier");
    let at = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let (end, rest) = chain.split_first().expect("a chain");
    verifier.verify_server_cert(end, rest, &name, &[], at).is_ok()
}

#[test]
fn a_server_certificate_holds_for_its_names_only() {
    let authority = Authority::new(now()).expect("an authority");
    let server = authority.server(&["localhost", "127.0.0.1"]).expect("a certificate");
    assert!(accepts(&authority, &server.chain(), "localhost"));
    assert!(accepts(&authority, &server.chain(), "127.0.0.1"));
    assert!(!accepts(&authority, &server.chain(), "orders.internal"));
    let other = Authority::new(now()).expect("another authority");
    assert!(!accepts(&other, &server.chain(), "localhost"));
}

#[test]
fn a_client_certificate_is_no_server_certificate() {
    let authority = Authority::new(now()).expect("an authority");
    let client = authority.client("gateway.internal").expect("a certificate");
    assert!(!accepts(&authority, &client.chain(), "gateway.internal"));
}

#[test]
fn the_identity_key_is_pkcs8_pem() {
    let pem = identity_key_pem().expect("a key");
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
}

//! Loading: what belongs together passes, everything else is refused before a listener sees it.

use super::*;

fn pair(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn a_pair_from_files_shows_its_names_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = pair(&["Api.Example.com", "*.example.org"]);
    std::fs::write(folder.path().join("chain.pem"), chain).unwrap();
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let loaded =
        Certificate::load(&folder.path().join("chain.pem"), &folder.path().join("key.pem"))
            .unwrap();
    assert_eq!(loaded.names(), ["api.example.com", "*.example.org"]);
    assert!(loaded.not_after() > SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    assert!(!format!("{loaded:?}").contains("PRIVATE"));
}

#[test]
fn names_match_exactly_or_by_one_label() {
    let (chain, key) = pair(&["api.example.com", "*.example.org"]);
    let loaded = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    assert!(loaded.names_exactly("api.example.com"));
    assert!(!loaded.names_exactly("example.com"));
    assert!(loaded.names_by_wildcard("a.example.org"));
    assert!(!loaded.names_by_wildcard("a.b.example.org"));
    assert!(!loaded.names_by_wildcard("example.org"));
    assert!(!loaded.names_by_wildcard(".example.org"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (chain, key) = pair(&["a.example"]);
    let (_, other_key) = pair(&["a.example"]);
    let load = |chain: &str, key: &str| Certificate::from_pem(chain.as_bytes(), key.as_bytes());
    assert!(load(&chain, &key).is_ok());
    assert!(matches!(load(&chain, &other_key), Err(CertificateError::Mismatch)));
    assert!(matches!(load("", &key), Err(CertificateError::Empty)));
    assert!(matches!(load(&chain, ""), Err(CertificateError::Key(_))));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(load(garbage, &key), Err(CertificateError::Leaf)));
    let absent = Certificate::load(Path::new("/nonexistent/a"), Path::new("/nonexistent/b"));
    assert!(matches!(absent, Err(CertificateError::Chain(_))));
}

/// `OCSPResponse`: a status and, where it is 0, a body of one byte.
fn response(status: u8) -> Vec<u8> {
    vec![0x30, 0x06, 0x0a, 0x01, status, 0xa0, 0x01, 0x00]
}

#[test]
fn an_ocsp_response_is_taken_whole_and_only_where_it_says_successful() {
    let (chain, key) = pair(&["a.example"]);
    let loaded = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let with = |response: Vec<u8>| loaded.clone().with_ocsp_response(response);
    let stapled = with(response(0)).unwrap();
    assert_eq!(stapled.key().ocsp, Some(response(0)));
    assert_eq!(loaded.key().ocsp, None);
    assert_eq!(stapled.names(), loaded.names());
    let mut trailing = response(0);
    trailing.push(0);
    let large = [response(0), vec![0; OCSP_BYTES_MAX]].concat();
    // Try later, without a body (RFC 6960 4.2.1).
    let later = vec![0x30, 0x03, 0x0a, 0x01, 0x03];
    for refused in [response(3), later, trailing, large, Vec::new(), chain.into_bytes()] {
        assert!(matches!(with(refused), Err(CertificateError::OcspUnusable)));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("response.der");
    assert!(matches!(loaded.clone().with_ocsp(&path), Err(CertificateError::Ocsp(_))));
    std::fs::write(&path, response(0)).unwrap();
    assert!(loaded.with_ocsp(&path).is_ok());
}

//! What a file of authorities or revocation lists may hold, and what is refused before a listener sees it.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use super::*;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn list(by: &CertifiedIssuer<'static, KeyPair>, until: i32) -> rcgen::CertificateRevocationList {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(by).unwrap()
}

fn read(ca: &str, crl: Option<&[u8]>) -> Result<ClientCertificates, ClientCertificatesError> {
    ClientCertificates::from_bytes(ClientCertificateMode::Required, ca.as_bytes(), crl)
}

#[test]
fn a_file_of_authorities_holds_authorities_and_nothing_else() {
    use ClientCertificatesError as Error;
    let ca = authority();
    let leaf = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    assert!(read(&ca.pem(), None).is_ok());
    assert!(read(&format!("a comment\n{}{}", ca.pem(), authority().pem()), None).is_ok());
    assert!(matches!(read("", None), Err(Error::CaEmpty)));
    assert!(matches!(read(&leaf.signing_key.serialize_pem(), None), Err(Error::CaEmpty)));
    assert!(matches!(read("-----BEGIN CERTIFICATE-----\nAA", None), Err(Error::CaPem(_))));
    let strayed = ca.pem() + &leaf.cert.pem();
    assert!(matches!(read(&strayed, None), Err(Error::CaUnusable(2))));
    assert!(read(&ca.pem().repeat(CAS_MAX), None).is_ok());
    assert!(matches!(read(&ca.pem().repeat(CAS_MAX + 1), None), Err(Error::CaCount)));
}

#[test]
fn a_file_of_revocation_lists_is_pem_or_one_in_der() {
    use ClientCertificatesError as Error;
    let ca = authority();
    let (late, early) = (list(&ca, 2100), list(&ca, 2040));
    let with = |crl: &[u8]| read(&ca.pem(), Some(crl));
    let both = late.pem().unwrap() + &early.pem().unwrap();
    for (crl, until) in [
        (late.pem().unwrap().into_bytes(), 2100),
        (late.der().to_vec(), 2100),
        (both.into_bytes(), 2040),
    ] {
        let ends = with(&crl).unwrap().revocation_ends().unwrap();
        let until = date_time_ymd(until, 1, 1).unix_timestamp().try_into().unwrap();
        assert_eq!(ends, UNIX_EPOCH + Duration::from_secs(until));
    }
    assert!(matches!(with(b""), Err(Error::CrlEmpty)));
    assert!(matches!(with(ca.pem().as_bytes()), Err(Error::CrlEmpty)));
    assert!(matches!(with(b"-----BEGIN X509 CRL-----\nAA"), Err(Error::CrlPem(_))));
    let trailing = [late.der().as_ref(), b"x"].concat();
    assert!(matches!(with(&trailing), Err(Error::CrlMalformed(1))));
    let garbage = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let second = late.pem().unwrap() + garbage;
    assert!(matches!(with(second.as_bytes()), Err(Error::CrlMalformed(2))));
}

#[test]
fn equal_is_what_no_client_can_tell_apart() {
    let (ca, other) = (authority(), authority());
    let (first, second) = (list(&ca, 2100), list(&ca, 2099));
    let of = |ca: &str, crl: &[u8]| read(ca, Some(crl)).unwrap();
    let one = of(&ca.pem(), first.pem().unwrap().as_bytes());
    assert_eq!(one, of(&format!("# the same\n{}", ca.pem()), first.der()));
    assert_ne!(one, of(&ca.pem(), second.der()));
    assert_ne!(one, of(&(ca.pem() + &other.pem()), first.der()));
    assert_ne!(one, read(&ca.pem(), None).unwrap());
    assert_ne!(one, one.clone().with_resumption(true));
    let optional = ClientCertificateMode::Optional;
    let optional = ClientCertificates::from_bytes(optional, ca.pem().as_bytes(), None).unwrap();
    assert_ne!(optional, read(&ca.pem(), None).unwrap());
}

#[test]
fn files_are_bounded_and_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, absent) = (folder.path().join("ca.pem"), folder.path().join("absent"));
    let load =
        |crl: Option<&Path>| ClientCertificates::load(ClientCertificateMode::Required, &ca, crl);
    assert!(matches!(load(None), Err(ClientCertificatesError::Ca(_))));
    std::fs::write(&ca, authority().pem()).unwrap();
    assert!(load(None).is_ok());
    assert!(matches!(load(Some(&absent)), Err(ClientCertificatesError::Crl(_))));
    let bytes = usize::try_from(CA_BYTES_MAX).unwrap();
    let mut padded = authority().pem().into_bytes();
    padded.resize(bytes, b'\n');
    std::fs::write(&ca, &padded).unwrap();
    assert!(load(None).is_ok());
    padded.push(b'\n');
    std::fs::write(&ca, &padded).unwrap();
    assert!(matches!(load(None), Err(ClientCertificatesError::Ca(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let ca = authority().pem();
        prop_assert!(read(&ca, Some(&bytes)).is_err());
        let mode = ClientCertificateMode::Required;
        prop_assert!(ClientCertificates::from_bytes(mode, &bytes, None).is_err());
    }

    #[test]
    fn a_list_with_one_byte_changed_is_read_or_refused(at in 0_usize..1000, to: u8) {
        let ca = authority();
        let mut der = list(&ca, 2100).der().to_vec();
        let at = at % der.len();
        der[at] = to;
        // Whether its signature holds is asked when it is used.
        read(&ca.pem(), Some(&der)).ok();
    }
}

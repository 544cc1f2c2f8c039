//! What is kept of a certificate, and how much at most.

use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber, date_time_ymd};

use super::*;

fn certificate(common_name: &str, names: Vec<SanType>) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from(0x1f2e));
    params.not_after = date_time_ymd(2040, 1, 1);
    params.subject_alt_names = names;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

#[test]
fn the_facts_of_a_certificate_are_read() {
    let names = vec![
        SanType::DnsName("a.example".try_into().unwrap()),
        SanType::URI("spiffe://example/a".try_into().unwrap()),
        SanType::Rfc822Name("a@example.com".try_into().unwrap()),
        SanType::IpAddress("192.0.2.1".parse().unwrap()),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
    ];
    let der = certificate("a client", names);
    let read = ClientCertificate::read(vec![der.clone()]).unwrap();
    let expected = URL_SAFE_NO_PAD.encode(digest(&SHA256, &der));
    assert_eq!(&**read.thumbprint(), expected);
    assert_eq!(expected.len(), 43);
    assert_eq!(read.subject(), "CN=a client");
    assert_eq!(read.serial(), "1f:2e");
    let until = date_time_ymd(2040, 1, 1).unix_timestamp().try_into().unwrap();
    assert_eq!(read.not_after(), UNIX_EPOCH + Duration::from_secs(until));
    let names: Vec<&str> = read.names().iter().map(|name| &**name).collect();
    let expected = [
        "dns:a.example",
        "uri:spiffe://example/a",
        "email:a@example.com",
        "ip:192.0.2.1",
        "ip:2001:db8::1",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        format!("{read:?}"),
        format!("ClientCertificate {{ thumbprint: {:?}, .. }}", read.thumbprint())
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let names = (0..40).map(|n| SanType::DnsName(format!("{n}.example").try_into().unwrap()));
    // 2 bytes a letter: a cut in the middle of one takes the whole letter.
    let der = certificate(&"\u{e9}".repeat(300), names.collect());
    let read = ClientCertificate::read(vec![der]).unwrap();
    assert_eq!(read.names().len(), NAMES_MAX);
    assert_eq!(read.subject().len(), TEXT_BYTES_MAX - 1);
    assert!(ClientCertificate::read(Vec::new()).is_none());
    assert!(ClientCertificate::read(vec![CertificateDer::from(vec![0x30, 0x00])]).is_none());
}

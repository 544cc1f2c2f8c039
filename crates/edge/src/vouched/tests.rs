//! What a proxy may pass on and in which form; what is refused is refused by name.

use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};

use super::*;
use crate::trust::ClientCertificateMode;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params_of_authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn authority() -> Authority {
    CertifiedIssuer::self_signed(params_of_authority(), KeyPair::generate().unwrap()).unwrap()
}

fn issue(by: &Authority, serial: u64, until: i32, names: &[&str]) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let dns = |name: &&str| SanType::DnsName((*name).try_into().unwrap());
    params.subject_alt_names = names.iter().map(dns).collect();
    params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
}

fn revoking(by: &Authority, serials: &[u64], until: i32) -> String {
    let revoked = serials.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2021, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(by).unwrap().pem().unwrap()
}

fn settings(by: &Authority, crl: &str) -> ForwardedCertificates {
    let crl = Some(crl.as_bytes());
    let mode = ClientCertificateMode::Required;
    let clients = ClientCertificates::from_bytes(mode, by.pem().as_bytes(), crl).unwrap();
    ForwardedCertificates {
        proxies: vec!["dns:lb.example".to_owned(), "uri:spiffe://example/lb".to_owned()],
        clients,
    }
}

fn at(year: i32) -> SystemTime {
    let seconds = date_time_ymd(year, 1, 2).unix_timestamp().try_into().unwrap();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn item(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn proxy(names: &[&str]) -> ClientCertificate {
    ClientCertificate::read(vec![issue(&authority(), 1, 2040, names)]).unwrap()
}

#[test]
fn a_chain_is_read_in_one_form_only() {
    let ca = authority();
    let leaf = issue(&ca, 1, 2040, &[]);
    let (good, root) = (item(&leaf), item(ca.der()));
    let chain =
        |lines: &[(&'static str, &str)]| chain(&fields(lines)).map(|read| read.map(|c| c.len()));
    let (name, beside) = ("client-cert", "client-cert-chain");
    assert_eq!(chain(&[]), Ok(None));
    for (lines, count) in [
        (vec![(name, good.clone())], 1),
        (vec![(name, format!("  {good} "))], 1),
        (vec![(name, good.clone()), (beside, root.clone())], 2),
        (vec![(name, good.clone()), (beside, format!("{root},\t{root}  , {root}"))], 4),
        (vec![(beside, root.clone()), (name, good.clone()), (beside, root.clone())], 3),
        (vec![(name, good.clone()), (beside, vec![root.clone(); 6].join(", "))], 7),
    ] {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(chain(&lines), Ok(Some(count)), "{lines:?}");
    }
    let inner = good.trim_matches(':');
    let pem = format!("-----BEGIN CERTIFICATE-----%0A{inner}");
    for broken in [
        "",
        ":",
        "::",
        inner,
        &format!(":{inner}"),
        &format!("{inner}:"),
        &format!("\t{good}"),
        &format!("{good};a=1"),
        &format!("{good}, {good}"),
        &format!("\"{inner}\""),
        &format!(": {inner}:"),
        &format!(":{}:", inner.replace(['+', '/', '='], "_")),
        &format!(":{}:", inner.get(..inner.len() - 4).unwrap()),
        &pem,
        &item(b""),
        &item(b"\x30\x03abc"),
        &item(&[&leaf, b"x".as_slice()].concat()),
        &item(&[&leaf[..], &leaf[..]].concat()),
    ] {
        assert_eq!(chain(&[(name, broken)]), Err(Malformed::ClientCertSyntax), "{broken}");
        let lines = [(name, good.as_str()), (beside, broken)];
        // A list of two is a list; nothing else of these is one.
        let is_list = broken == format!("{good}, {good}") || broken == format!("\t{good}");
        assert_eq!(chain(&lines).is_ok(), is_list, "{broken}");
    }
    let twice = [(name, good.as_str()), (name, good.as_str())];
    assert_eq!(chain(&twice), Err(Malformed::ClientCertRepeated));
    assert_eq!(chain(&[(beside, &root)]), Err(Malformed::ClientCertSyntax));
    let many = vec![root.clone(); 7].join(",");
    assert_eq!(chain(&[(name, &good), (beside, &many)]), Err(Malformed::ClientCertSyntax));
    assert_eq!(
        chain(&[(name, &good), (beside, &format!("{root},"))]),
        Err(Malformed::ClientCertSyntax)
    );
}

#[test]
fn what_is_passed_on_is_judged_like_what_is_shown() {
    let (ca, other) = (authority(), authority());
    let (good, revoked) = (issue(&ca, 1, 2040, &[]), issue(&ca, 2, 2040, &[]));
    let (short, foreign) = (issue(&ca, 3, 2030, &[]), issue(&other, 1, 2040, &[]));
    let vouching = Vouching::new(settings(&ca, &revoking(&ca, &[2], 2035)));
    let lb = proxy(&["lb.example"]);
    let told = |der: &CertificateDer<'_>, year| {
        let headers = fields(&[("client-cert", &item(der))]);
        let told = vouching.certificate(Some(&lb), &headers, at(year));
        told.map(|certificate| certificate.unwrap().chain()[0] == *der)
    };
    for _ in 0..2 {
        // The second time it is remembered.
        assert_eq!(told(&good, 2025), Ok(true));
        assert_eq!(told(&short, 2025), Ok(true));
        assert_eq!(told(&revoked, 2025), Err(Malformed::ClientCertRevoked));
        assert_eq!(told(&foreign, 2025), Err(Malformed::ClientCertUntrusted));
    }
    assert_eq!(told(&short, 2031), Err(Malformed::ClientCertExpired));
    assert_eq!(told(&good, 2036), Err(Malformed::ClientCertUnchecked));
    // A list that is replaced counts at once, whatever is remembered.
    assert_eq!(told(&good, 2025), Ok(true));
    vouching.replace(settings(&ca, &revoking(&ca, &[1, 2], 2035)));
    assert_eq!(told(&good, 2025), Err(Malformed::ClientCertRevoked));
    assert_eq!(told(&short, 2025), Ok(true));
}

#[test]
fn a_chain_through_an_authority_between_needs_it() {
    let ca = authority();
    let mut params = params_of_authority();
    params.distinguished_name.push(rcgen::DnType::CommonName, "between");
    let between = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &ca).unwrap();
    let leaf = issue(&between, 7, 2040, &[]);
    let lists = revoking(&ca, &[], 2035) + &revoking(&between, &[], 2035);
    let vouching = Vouching::new(settings(&ca, &lists));
    let lb = proxy(&["lb.example"]);
    let leaf = item(&leaf);
    let bare = fields(&[("client-cert", &leaf)]);
    let whole = fields(&[("client-cert", &leaf), ("client-cert-chain", &item(between.der()))]);
    let judged = |headers| vouching.certificate(Some(&lb), headers, at(2025)).map(|c| c.is_some());
    assert_eq!(judged(&bare), Err(Malformed::ClientCertUntrusted));
    assert_eq!(judged(&whole), Ok(true));
    assert_eq!(judged(&bare), Err(Malformed::ClientCertUntrusted));
}

#[test]
fn only_a_proxy_of_the_list_is_believed() {
    let ca = authority();
    let vouching = Vouching::new(settings(&ca, &revoking(&ca, &[], 2035)));
    let good = fields(&[("client-cert", &item(&issue(&ca, 1, 2040, &[])))]);
    let broken = fields(&[("client-cert", "no certificate")]);
    for (names, is_believed) in [
        (vec!["lb.example"], true),
        (vec!["other.example", "LB.example"], true),
        (vec!["lb.example.evil"], false),
        (vec!["a.lb.example"], false),
        (vec!["*.example"], false),
        (vec![], false),
    ] {
        let proxy = proxy(&names);
        let told = vouching.certificate(Some(&proxy), &good, at(2025));
        assert_eq!(told.map(|told| told.is_some()), Ok(is_believed), "{names:?}");
        // Whose word counts for nothing cannot break a request by it either.
        let told = vouching.certificate(Some(&proxy), &broken, at(2025));
        assert_eq!(told.is_err(), is_believed, "{names:?}");
    }
    assert_eq!(vouching.certificate(None, &good, at(2025)), Ok(None));
    assert_eq!(
        vouching.certificate(Some(&proxy(&["lb.example"])), &fields(&[]), at(2025)),
        Ok(None)
    );
}

proptest! {
    /// Whatever comes: no panic, and what is read is what was sent.
    #[test]
    fn any_bytes_are_read_or_refused(leaf in "[ :A-Za-z0-9+/=;,]{0,80}", beside in ".{0,80}") {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&leaf) {
            headers.append("client-cert", value);
        }
        if let Ok(value) = HeaderValue::from_bytes(beside.as_bytes()) {
            headers.append("client-cert-chain", value);
        }
        if let Ok(Some(chain)) = chain(&headers) {
            prop_assert_eq!(item(&chain[0]), leaf.trim_matches(' '));
        }
    }
}

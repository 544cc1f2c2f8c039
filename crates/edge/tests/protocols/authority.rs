//! A throw-away authority: client certificates, revocation lists, and clients that show them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use edge::{ClientCertificateMode, ClientCertificates};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A year that is not over, and one that is.
pub(crate) const AHEAD: i32 = 2100;
pub(crate) const OVER: i32 = 2021;

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A client certificate with its key.
pub(crate) struct Issued {
    pub(crate) der: CertificateDer<'static>,
    key: KeyPair,
    serial: u64,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a client, good until that year.
    pub(crate) fn issue(&self, serial: u64, until: i32, usage: ExtendedKeyUsagePurpose) -> Issued {
        let mut params = named("a client");
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.subject_alt_names =
            vec![SanType::URI("spiffe://test.example/client".try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.0).unwrap().der().clone();
        Issued { der, key, serial }
    }

    pub(crate) fn client(&self, serial: u64) -> Issued {
        self.issue(serial, AHEAD, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A list in PEM that revokes these, issued and good until those years.
    pub(crate) fn list(&self, revoked: &[&Issued], issued: i32, until: i32) -> String {
        let revoked_certs = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: SerialNumber::from(issued.serial),
            revocation_time: date_time_ymd(2020, 6, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(issued, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }

    /// The listener's side: this authority, and a list that revokes these.
    pub(crate) fn takes(
        &self,
        mode: ClientCertificateMode,
        revoked: &[&Issued],
    ) -> ClientCertificates {
        let list = self.list(revoked, 2020, AHEAD);
        ClientCertificates::from_bytes(mode, self.pem().as_bytes(), Some(list.as_bytes())).unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// What a client answers when it is asked for a certificate, and how often it was asked: a resumed session does not ask.
#[derive(Debug)]
pub(crate) struct Holder {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicUsize,
}

impl Holder {
    /// A configuration that shows this certificate, or none, and remembers its sessions.
    pub(crate) fn of(
        issued: Option<&Issued>,
        mut config: ClientConfig,
    ) -> (Arc<Self>, ClientConfig) {
        let key = issued.map(|issued| {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let key = PrivateKeyDer::try_from(issued.key.serialize_der()).unwrap();
            Arc::new(CertifiedKey::from_der(vec![issued.der.clone()], key, &provider).unwrap())
        });
        let holder = Arc::new(Self { key, asked: AtomicUsize::new(0) });
        config.client_auth_cert_resolver = Arc::clone(&holder) as Arc<dyn ResolvesClientCert>;
        (holder, config)
    }

    /// How many handshakes asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl ResolvesClientCert for Holder {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

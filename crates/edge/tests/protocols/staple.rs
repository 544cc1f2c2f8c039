//! An OCSP response beside a certificate: it reaches whoever asks for it, on all protocols, and is swapped with it.

use std::sync::{Arc, Mutex};

use edge::Limits;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::client::{ALL, Peer, send, tls};
use super::service::{certificate, house};
use super::{get, rest};

/// A verifier that keeps what was stapled.
#[derive(Debug)]
struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    stapled: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.stapled.lock().unwrap() = ocsp_response.to_vec();
        self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn witness(root: &CertificateDer<'static>) -> Arc<Witness> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
    Arc::new(Witness { verifier: verifier.unwrap(), stapled: Mutex::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_stapled_and_swapped_with_its_certificate() {
    let mut house = house(Limits::default());
    let (bare, root) = certificate(&["localhost"]);
    let response = |byte| vec![0x30, 0x06, 0x0a, 0x01, 0x00, 0xa0, 0x01, byte];
    for expected in [Vec::new(), response(1), response(2)] {
        let mut fresh = bare.clone();
        if !expected.is_empty() {
            fresh = fresh.with_ocsp_response(expected.clone()).unwrap();
        }
        house.swap(|listener| listener.certificates = vec![fresh]);
        for &protocol in ALL {
            let witness = witness(&root);
            let mut config = tls(&root, &[protocol.alpn()]);
            config.dangerous().set_certificate_verifier(Arc::clone(&witness) as Arc<_>);
            let peer = Peer { root: root.clone(), config: Some(config), ..super::peer(&house) };
            let answer = send(protocol, &peer, get("https://localhost/a")).await.unwrap();
            assert_eq!(answer.status, 200, "{protocol:?}");
            assert_eq!(*witness.stapled.lock().unwrap(), expected, "{protocol:?}");
        }
    }
    rest(house).await;
}

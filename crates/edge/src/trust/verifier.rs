//! The judgement of the TLS library on client certificates, in a few words: so that a refusal is told apart by its alert
//! alone, which is all that QUIC hands on. It knows no file.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::service::FailureKind;

/// Asks webpki; its errors are reduced to what [`refusal`] knows.
#[derive(Debug)]
pub(super) struct Verifier(pub(super) Arc<dyn ClientCertVerifier>);

/// Whether a certificate is revoked cannot be said: alert 46, `certificate_unknown`.
#[derive(Debug, thiserror::Error)]
#[error("no current revocation list tells of the certificate")]
struct Unchecked;

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        verified.map_err(|error| Error::InvalidCertificate(reduced(error)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// One error for each refusal, each with an alert of its own (RFC 8446 6.2).
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum may grow: what is new is not trusted"
)]
fn reduced(error: Error) -> CertificateError {
    let unchecked = || CertificateError::Other(OtherError(Arc::new(Unchecked)));
    match error {
        Error::InvalidCertificate(CertificateError::Revoked) => CertificateError::Revoked,
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => CertificateError::Expired,
        Error::InvalidCertificate(
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. },
        )
        | Error::InvalidCertRevocationList(_) => unchecked(),
        _ => CertificateError::UnknownIssuer,
    }
}

/// What an error of a handshake says of the client's certificate; `None` where it is about something else.
#[expect(clippy::wildcard_enum_match_arm, reason = "errors that are not about certificates")]
pub(crate) fn refusal(error: &Error) -> Option<FailureKind> {
    match error {
        Error::NoCertificatesPresented => Some(FailureKind::ClientCertificateMissing),
        Error::InvalidCertificate(CertificateError::Revoked) => {
            Some(FailureKind::ClientCertificateRevoked)
        }
        Error::InvalidCertificate(CertificateError::Expired) => {
            Some(FailureKind::ClientCertificateExpired)
        }
        Error::InvalidCertificate(CertificateError::Other(_)) => {
            Some(FailureKind::ClientCertificateUnchecked)
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Some(FailureKind::ClientCertificateUntrusted)
        }
        _ => None,
    }
}

//! Every reason to say no. It knows no status codes' bodies and holds no text from the request.

/// Why a request has no [`Principal`](crate::Principal). The caller turns it into an answer (RFC 6750 3.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No bearer token was sent where one is needed: 401 with a challenge and no error code.
    #[error("no credential")]
    Absent,
    /// The way the credential was sent is malformed: 400 `invalid_request`.
    #[error("malformed credential: {}", .0.reason())]
    Malformed(TokenFault),
    /// The token is not accepted: 401 `invalid_token`. The fault belongs in the audit event only.
    #[error("token refused: {}", .0.reason())]
    Refused(TokenFault),
    /// The issuer's keys are not there (yet, or any more): 503.
    #[error("keys of issuer {issuer} are not available")]
    Unavailable {
        /// The configured name of the issuer.
        issuer: String,
    },
    /// A credential was sent that nothing asked for.
    #[error("credential not asked for")]
    Unasked,
}

impl From<TokenFault> for Denied {
    fn from(fault: TokenFault) -> Self {
        Self::Refused(fault)
    }
}

/// What is wrong with a token. Closed, `Copy`, and free of anything the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// More than one `Authorization` header.
    SeveralCredentials,
    /// `Bearer` without a token, or with text after it (RFC 6750 2.1).
    CredentialSyntax,
    /// Token above 16 KiB, or its header above 4 KiB.
    TooLarge,
    /// Not three non-empty segments (RFC 7515 7.1).
    NotThreeSegments,
    /// Five segments: an encrypted token (RFC 7516), for which no decryption is configured.
    Encrypted,
    /// A segment is not strict unpadded base64url (RFC 4648 5, 3.5).
    Base64,
    /// The header is not one JSON object, or a member has the wrong type.
    HeaderJson,
    /// The payload is not one JSON object.
    ClaimsJson,
    /// A name occurs twice in one JSON object.
    DuplicateName,
    /// `alg` is unknown, or not configured for this issuer.
    AlgorithmForbidden,
    /// `alg` is not the algorithm of the key that `kid` names.
    AlgorithmMismatch,
    /// `kid` is absent or not a string.
    KidMissing,
    /// The issuer has no such key.
    KidUnknown,
    /// A `crit` header: no extension is implemented, so each is refused (RFC 7515 4.1.11).
    Crit,
    /// A header member that changes how the token is read and is not implemented (`b64`, `zip`, `enc`).
    HeaderUnsupported,
    /// `typ` is absent or not one of those configured.
    Typ,
    /// The signature does not verify.
    Signature,
    /// `iss` is none of the demanded issuers.
    IssuerUnknown,
    /// `aud` does not hold this API's identifier.
    AudienceMismatch,
    /// At or after `exp` plus leeway.
    Expired,
    /// Before `nbf` or `iat` minus leeway.
    NotYetValid,
    /// The token lives longer than the issuer's tokens may.
    LifetimeTooLong,
    /// A required claim is absent; the name where it is a registered one, else `other`.
    ClaimMissing(&'static str),
    /// A claim has the wrong type, is empty, too long, or holds control characters.
    ClaimType(&'static str),
    /// A claim shows that this is another kind of token (an ID token, a refresh token).
    WrongKind,
    /// `cnf` binds the token to something else than a client certificate (RFC 7800 3.1), which is not implemented.
    ConfirmationUnsupported,
    /// The token is bound to a client certificate, and the connection shows another or none (RFC 8705 3).
    CertificateMismatch,
}

impl TokenFault {
    /// A stable snake_case word for the audit event. Never send it to the client.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::SeveralCredentials => "several_credentials",
            Self::CredentialSyntax => "credential_syntax",
            Self::TooLarge => "too_large",
            Self::NotThreeSegments => "not_three_segments",
            Self::Encrypted => "encrypted",
            Self::Base64 => "base64",
            Self::HeaderJson => "header_json",
            Self::ClaimsJson => "claims_json",
            Self::DuplicateName => "duplicate_name",
            Self::AlgorithmForbidden => "algorithm_forbidden",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::KidMissing => "kid_missing",
            Self::KidUnknown => "kid_unknown",
            Self::Crit => "crit",
            Self::HeaderUnsupported => "header_unsupported",
            Self::Typ => "typ",
            Self::Signature => "signature",
            Self::IssuerUnknown => "issuer_unknown",
            Self::AudienceMismatch => "audience_mismatch",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::ClaimMissing(_) => "claim_missing",
            Self::ClaimType(_) => "claim_type",
            Self::WrongKind => "wrong_kind",
            Self::ConfirmationUnsupported => "confirmation_unsupported",
            Self::CertificateMismatch => "certificate_mismatch",
        }
    }

    /// The claim a fault is about, where it is about one.
    #[must_use]
    pub fn claim(self) -> Option<&'static str> {
        if let Self::ClaimMissing(name) | Self::ClaimType(name) = self { Some(name) } else { None }
    }
}

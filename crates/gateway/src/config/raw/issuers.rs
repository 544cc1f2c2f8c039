//! The section `issuers` as it is written.

use super::scalars::{FilePath, Length, Scope, Text, WebUrl};
use super::{ITEMS_MAX, TIERS_MAX, section};
use crate::config::reader::{Flag, List, OneOf, Word};
use crate::config::settings::{Algorithm, Profile};

/// The most algorithms, `typ` values or required claims.
const SHORT_LIST_MAX: usize = 16;

section! {
    /// Somebody who may issue tokens.
    RawIssuer {
        required {
            /// The exact `iss` of its tokens, and the base URL of discovery (OIDC, RFC 8414).
            issuer: WebUrl,
        }
        optional {
            /// The signature algorithms it may use. Default: `[RS256, ES256, EdDSA]`.
            algorithms: List<OneOf<Algorithm>, SHORT_LIST_MAX>,
            /// Its keys instead of discovery: path of a JWKS file, or URL. Default: discovery.
            jwks: Text,
            /// PEM file with the CA certificates of a provider whose CA is private. Default: the
            /// CAs of the platform.
            ca: FilePath,
            /// Lets keys be fetched over plain HTTP: whoever can change that traffic can issue
            /// tokens. Default: false.
            insecure_http: Flag,
            /// The shape of its tokens: strict `at+jwt` (rfc9068) or the defaults of a product.
            /// Default: rfc9068.
            profile: OneOf<Profile>,
            /// What is different from the profile.
            tokens: RawTokens,
            /// Claim names that are different from the profile.
            claims: RawClaims,
            /// What this issuer may say. Default: everything.
            may_grant: RawMayGrant,
        }
    }
}

section! {
    /// Rules for tokens; what is absent comes from the profile.
    RawTokens {
        required {}
        optional {
            /// Accepted values of the header `typ`.
            typ: List<Text, SHORT_LIST_MAX>,
            /// Claims that must be there.
            required: List<Text, SHORT_LIST_MAX>,
            /// Clock difference that is tolerated: 0s to 60s.
            leeway: Length<0, 60_000>,
            /// The longest time from `iat` to `exp`: 1m to 24h.
            max_lifetime: Length<60_000, 86_400_000>,
        }
    }
}

section! {
    /// Names of claims; what is absent comes from the profile.
    RawClaims {
        required {}
        optional {
            /// The client.
            client: Text,
            /// The tenant.
            tenant: Text,
            /// The tier of the limits.
            tier: Text,
            /// The scopes.
            scopes: Text,
        }
    }
}

section! {
    /// What an issuer may say.
    RawMayGrant {
        required {}
        optional {
            /// The scopes it may grant; others in its tokens do not count. Default: all.
            scopes: List<Scope, ITEMS_MAX>,
            /// The tiers it may grant; others in its tokens do not count. Default: all.
            tiers: List<Text, TIERS_MAX>,
        }
    }
}

impl Word for Algorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("RS256", Self::Rs256),
        ("PS256", Self::Ps256),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];
}

impl Word for Profile {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("rfc9068", Self::Rfc9068),
        ("keycloak", Self::Keycloak),
        ("entra", Self::Entra),
        ("auth0", Self::Auth0),
    ];
}

//! What the access tokens of one kind of provider look like. It knows no provider's address and no keys.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use crate::UnknownName;

/// Largest leeway for differing clocks.
pub(crate) const LEEWAY_MAX: Duration = Duration::from_secs(60);
/// Default leeway for differing clocks.
const LEEWAY: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

/// A preset of [`TokenRules`] and [`ClaimNames`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// RFC 9068 to the letter: `at+jwt`, `sub`, `client_id`, `iat`, `jti`.
    #[default]
    Rfc9068,
    /// Keycloak's default access token: `typ: JWT`, client in `azp`, claim `typ` must be `Bearer`.
    Keycloak,
    /// Microsoft Entra ID version 2 access tokens: `typ: JWT`, client in `azp`, tenant in `tid`, scopes in `scp`.
    Entra,
    /// Auth0's default token profile: `typ: JWT`, client in `azp`, lives up to a day.
    Auth0,
}

impl FromStr for Profile {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "rfc9068" => Ok(Self::Rfc9068),
            "keycloak" => Ok(Self::Keycloak),
            "entra" => Ok(Self::Entra),
            "auth0" => Ok(Self::Auth0),
            _ => Err(UnknownName),
        }
    }
}

/// Which tokens of an issuer are access tokens at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// Accepted header `typ` values; compared without case and without a leading `application/`
    /// (RFC 7515 4.1.9). A token without `typ` is always refused. Must not be empty.
    pub typ: Vec<String>,
    /// Claims that must be present, besides `iss`, `aud` and `exp`, which always must.
    pub required: Vec<String>,
    /// Allowance for differing clocks, at most 60 s; default 30 s.
    pub leeway: Duration,
    /// Longest time between `iat` (or now, without one) and `exp`; default 1 h.
    pub lifetime_max: Duration,
    /// A string claim that must have exactly this value, where the provider tells token kinds apart so.
    pub kind: Option<(String, String)>,
    /// Claims that only other kinds of tokens have (ID tokens), so that their presence refuses.
    pub foreign: Vec<String>,
}

/// Where a provider puts what the gateway needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The OAuth client.
    pub client: String,
    /// The tenant (organisation) of the subject.
    pub tenant: String,
    /// The service level tier.
    pub tier: String,
    /// The granted scopes: a space separated string (RFC 9068 2.2.3) or an array of strings.
    pub scopes: String,
}

/// What an issuer is trusted to say. What is beyond it is not counted; the token stays good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grantable {
    /// Scopes it may grant; `None`: all. Any other scope in its tokens is dropped.
    pub scopes: Option<BTreeSet<String>>,
    /// Tiers it may grant; `None`: all. Any other tier is read as no tier.
    pub tiers: Option<BTreeSet<String>>,
}

impl Profile {
    /// The preset's rules.
    #[must_use]
    pub fn rules(self) -> TokenRules {
        let strict = TokenRules {
            typ: owned(["at+jwt"]),
            required: owned(["sub", "client_id", "iat", "jti"]),
            leeway: LEEWAY,
            lifetime_max: HOUR,
            kind: None,
            foreign: Vec::new(),
        };
        let id_token_claims = owned(["nonce", "at_hash", "c_hash"]);
        match self {
            Self::Rfc9068 => strict,
            Self::Keycloak => TokenRules {
                typ: owned(["JWT", "at+jwt"]),
                required: owned(["sub", "azp", "iat", "jti"]),
                kind: Some(("typ".to_owned(), "Bearer".to_owned())),
                ..strict
            },
            Self::Entra => TokenRules {
                typ: owned(["JWT"]),
                required: owned(["sub", "azp", "iat"]),
                lifetime_max: HOUR.saturating_mul(2),
                foreign: id_token_claims,
                ..strict
            },
            Self::Auth0 => TokenRules {
                typ: owned(["JWT"]),
                required: owned(["sub", "azp", "iat"]),
                lifetime_max: HOUR.saturating_mul(24),
                foreign: id_token_claims,
                ..strict
            },
        }
    }

    /// The preset's claim names.
    #[must_use]
    pub fn claims(self) -> ClaimNames {
        let strict = ClaimNames {
            client: "client_id".to_owned(),
            tenant: "tenant".to_owned(),
            tier: "sla_tier".to_owned(),
            scopes: "scope".to_owned(),
        };
        match self {
            Self::Rfc9068 => strict,
            Self::Keycloak | Self::Auth0 => ClaimNames { client: "azp".to_owned(), ..strict },
            Self::Entra => ClaimNames {
                client: "azp".to_owned(),
                tenant: "tid".to_owned(),
                scopes: "scp".to_owned(),
                ..strict
            },
        }
    }
}

impl Default for TokenRules {
    fn default() -> Self {
        Profile::default().rules()
    }
}

impl Default for ClaimNames {
    fn default() -> Self {
        Profile::default().claims()
    }
}

impl TokenRules {
    /// Whether a header's `typ` is one of those configured.
    pub(crate) fn accepts_typ(&self, typ: Option<&str>) -> bool {
        typ.is_some_and(|typ| {
            self.typ.iter().any(|known| short_type(known).eq_ignore_ascii_case(short_type(typ)))
        })
    }
}

impl Grantable {
    /// Whether the issuer may grant this scope.
    pub(crate) fn scope(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|known| known.contains(scope))
    }

    /// Whether the issuer may grant this tier.
    pub(crate) fn tier(&self, tier: &str) -> bool {
        self.tiers.as_ref().is_none_or(|known| known.contains(tier))
    }
}

/// RFC 7515 4.1.9: `application/` is left out where no other slash follows.
fn short_type(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => typ,
    }
}

fn owned<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

//! The configuration after all checks: plain types, absolute paths, every name resolved, every
//! number inside its bounds. It does not know YAML, and it opens no file.
//!
//! Every item that the policy compiler may still find fault with carries its [`Place`], so that
//! a mistake found later points at the same line as one found here ([`Settings::mistake`]).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use ipnet::IpNet;

use super::mistake::{Mistake, Place, Placed};

mod filter;
mod limits;
mod listeners;
mod trail;
mod validate;

pub use self::validate::{Coding, JsonBodies, Undeclared, UndeclaredMembers};
pub use filter::{Filter, FilterException};
pub use limits::{
    BodyPace, Connections, Floods, HeadSize, Limits, OnOutage, Quota, Rate, RedisStore, Store,
    Tier, Waits,
};
pub use listeners::{
    AddressSource, Certificate, ClientAddress, ClientCertificateMode, ClientCertificates,
    ForwardedCertificates, HttpVersions, Listener, Plaintext, RedirectTarget, TlsVersion,
};
pub use trail::{
    Audit, Digests, Durability, KafkaSink, KafkaTls, Pin, PinPlace, Pseudonym, Seal, Sink, Spool,
};

/// A whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file, as it was named.
    pub file: PathBuf,
    /// The public listeners; at least one.
    pub listeners: Vec<Listener>,
    /// Health and metrics, read-only. Default 127.0.0.1:9901.
    pub status: SocketAddr,
    /// The key set for services. Default 127.0.0.1:9902.
    pub identity: SocketAddr,
    /// The admin surface; none unless asked for.
    pub admin: Option<AdminAddress>,
    /// Who may issue tokens, by name.
    pub issuers: BTreeMap<String, Issuer>,
    /// The APIs in the order of the file; at least one.
    pub apis: Vec<Api>,
    /// The services behind the gateway, by name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// How much anyone may spend.
    pub limits: Limits,
    /// What is recorded, where, and where it is delivered.
    pub audit: Audit,
    /// Where traces go.
    pub telemetry: Telemetry,
    /// How the gateway stops.
    pub shutdown: Shutdown,
    /// Threads that serve; none said: one for each core.
    pub workers: Option<NonZeroUsize>,
}

impl Settings {
    /// A mistake found after the configuration was read, at a place of this configuration.
    #[must_use]
    pub fn mistake(&self, place: &Place, what: impl Into<String>) -> Mistake {
        Mistake::new(&self.file, place, what)
    }
}

/// Where the admin surface listens: only where the machine itself reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// A loopback address.
    Loopback(SocketAddr),
    /// A Unix socket; absolute path.
    Unix(PathBuf),
}

/// A file that holds a secret. Its mode was checked; its content is read by whoever needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it is written.
    pub place: Place,
    /// Absolute path.
    pub path: PathBuf,
}

/// Somebody who may issue tokens.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Where it is written.
    pub place: Place,
    /// The exact `iss` value (RFC 7519 4.1.1), and the base of discovery.
    pub issuer: String,
    /// The signature algorithms it may use; at least one.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// CA certificates (PEM) of a provider with a private CA; absolute path.
    pub ca: Option<PathBuf>,
    /// Whether keys may be fetched over plain HTTP.
    pub insecure_http: bool,
    /// Which token profile it follows where nothing is spelled out.
    pub profile: Profile,
    /// What is spelled out about its tokens.
    pub tokens: Tokens,
    /// What is spelled out about its claim names.
    pub claims: Claims,
    /// What it may say.
    pub may_grant: MayGrant,
}

/// A JWS signature algorithm (RFC 7518 3.1, RFC 8037). No symmetric one exists here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// OIDC discovery or RFC 8414 under the issuer's own URL.
    Discovery,
    /// A JWKS document (RFC 7517 5) at this URL.
    Url(String),
    /// A JWKS document in this file; absolute path.
    File(PathBuf),
}

/// The shape of tokens by provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// RFC 9068: strict `at+jwt`.
    #[default]
    Rfc9068,
    /// Keycloak's defaults.
    Keycloak,
    /// Microsoft Entra ID's defaults.
    Entra,
    /// Auth0's defaults.
    Auth0,
}

/// What is spelled out about an issuer's tokens; `None` leaves it to the profile.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Accepted `typ` header values.
    pub typ: Option<Vec<String>>,
    /// Claims that must be there.
    pub required: Option<Vec<String>>,
    /// Clock difference that is tolerated; at most 60 s.
    pub leeway: Option<Duration>,
    /// The longest `exp - iat` that is accepted.
    pub max_lifetime: Option<Duration>,
}

/// Claim names that are spelled out; `None` leaves it to the profile.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The claim that names the client.
    pub client: Option<String>,
    /// The claim that names the tenant.
    pub tenant: Option<String>,
    /// The claim that names the tier.
    pub tier: Option<String>,
    /// The claim that lists the scopes.
    pub scopes: Option<String>,
}

/// What an issuer may say; `None` where it may say everything.
#[derive(Debug, Clone, Default)]
pub struct MayGrant {
    /// The scopes it may grant.
    pub scopes: Option<Vec<String>>,
    /// The tiers it may grant; each exists in [`Limits::tiers`].
    pub tiers: Option<Vec<String>>,
}

/// One API: some routes with one set of rules.
#[derive(Debug, Clone)]
pub struct Api {
    /// Where it is written.
    pub place: Place,
    /// What it offers, and the rules for who may use it.
    pub offer: Offer,
    /// Hosts it answers on: lower case, no port. Empty: the names in the certificates of the
    /// listeners, without wildcards.
    pub hosts: Vec<Placed<String>>,
    /// Name of its upstream; exists in [`Settings::upstreams`].
    pub upstream: String,
    /// The `aud` value its tokens must carry.
    pub audience: String,
    /// Names of its issuers; at least one, each in [`Settings::issuers`].
    pub issuers: Vec<String>,
    /// What happens to a request that does not fit the contract.
    pub validate_request: Enforcement,
    /// What happens to a request that looks like an attack.
    pub filter: Filter,
    /// What happens when a record cannot be kept.
    pub audit: AuditMode,
    /// Request headers that go inside beyond the declared ones and the standard set, lower case.
    pub pass_headers: Vec<Placed<String>>,
}

/// What an API offers, and the rules for who may use it: all that its document is held against.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Its routes.
    pub routes: Routes,
    /// Operations (by operationId) that may be called without a credential.
    pub anonymous: Vec<Placed<String>>,
    /// Who may call what, beyond the scopes of the document. All matching rules must agree.
    pub access: Vec<Access>,
    /// Operations that exceptions of the filter name.
    pub excepted: Vec<Placed<String>>,
    /// Whose bodies pass unread.
    pub stream: Option<Stream>,
    /// How large a request may be where the document says nothing smaller.
    pub bounds: ::validate::Limits,
    /// What happens to an answer that does not fit the document.
    pub validate_response: Answers,
    /// Members of JSON answers that no schema names.
    pub undeclared_members: UndeclaredMembers,
    /// How bodies of JSON go inside.
    pub json: JsonBodies,
    /// Cookies that no operation declares.
    pub undeclared_cookies: Undeclared,
    /// Request headers that no operation declares.
    pub undeclared_headers: Undeclared,
    /// Content codings of request bodies that are decoded.
    pub decode: Vec<Coding>,
    /// Request headers that go inside whatever the document says ([`Api::pass_headers`]), lower case.
    pub pass_headers: Vec<String>,
}

/// Whether answers are held against the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answers {
    /// They pass as they come.
    #[default]
    Off,
    /// What does not fit is recorded.
    Observe,
    /// What does not fit answers 502.
    Enforce,
}

/// Operations whose bodies pass as they come: uploads, server-sent events, gRPC.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Where it is written.
    pub place: Place,
    /// The operations (by operationId); all of them under a prefix, where it is empty.
    pub operations: Vec<Placed<String>>,
    /// Bytes of a request body at most.
    pub size_bytes_max: u64,
    /// How long either side may say nothing.
    pub idle_max: Duration,
    /// How long an exchange may last.
    pub age_max: Duration,
    /// Whether a GET among them may open a WebSocket.
    pub websocket: bool,
}

impl Stream {
    /// Whether it is about an operation.
    #[must_use]
    pub fn concerns(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|named| named.value == operation)
    }
}

/// Where the routes of an API come from.
#[derive(Debug, Clone)]
pub enum Routes {
    /// An OpenAPI document; absolute path of a file that can be read.
    Document(Placed<PathBuf>),
    /// Everything under a prefix, without a contract.
    Prefix {
        /// Begins and ends with `/`.
        prefix: String,
        /// The methods that are allowed; at least one.
        methods: Vec<Method>,
    },
}

/// Whether a violated rule refuses the request or is only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// Refused.
    #[default]
    Enforce,
    /// Let through and recorded.
    Observe,
}

/// What happens when a record cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditMode {
    /// No record, no service.
    #[default]
    Required,
    /// Pass, count, report the gap.
    BestEffort,
}

/// One access rule.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where it is written.
    pub place: Place,
    /// The operations (by operationId) it is about; empty means all.
    pub operations: Vec<Placed<String>>,
    /// Scopes a caller needs, all of them.
    pub scopes: Vec<String>,
    /// Clients that may call; empty means any.
    pub clients: Vec<String>,
    /// Networks callers may come from; empty means any.
    pub networks: Vec<IpNet>,
}

impl Access {
    /// Whether the rule is about an operation.
    #[must_use]
    pub fn concerns(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|named| named.value == operation)
    }

    /// Whether a caller at this address passes the network part of the rule.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address))
    }
}

/// A service behind the gateway.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where it is written.
    pub place: Place,
    /// Its endpoints: scheme and authority only; at least one.
    pub endpoints: Vec<http::Uri>,
    /// How TLS to it is done; `None` only when every endpoint is plain HTTP.
    pub tls: Option<UpstreamTls>,
    /// Whether endpoints may be plain HTTP.
    pub insecure_plaintext: bool,
    /// The `aud` value of the assertion signed for it.
    pub assertion_audience: String,
    /// The private key (PKCS#8 PEM, Ed25519 or P-256) that signs the assertion.
    pub assertion_key: SecretFile,
    /// How long a connection may take. Default 1 s.
    pub connect_timeout: Duration,
    /// How long the response head may take. Default 15 s.
    pub response_timeout: Duration,
    /// Connection attempts in all, over the endpoints; 1 means no retry.
    pub connect_attempts: u32,
}

/// TLS towards a service.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// CA certificates (PEM) that the service's certificate must chain to; absolute path.
    pub ca: PathBuf,
    /// The gateway's client certificate.
    pub certificate: Option<Certificate>,
    /// The server name to verify and to send; the endpoint's host where absent.
    pub name: Option<String>,
}

/// Where traces go.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// OTLP endpoint; only ever set in a build with the feature `otlp`.
    pub otlp: Option<String>,
}

/// How the gateway stops.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// How long SIGTERM waits for requests under way. Default 30 s.
    pub limit: Duration,
    /// How long an idle HTTP/1.1 connection may bring a last request meanwhile. Default 1 s.
    pub linger: Duration,
}

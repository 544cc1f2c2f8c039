//! An OpenID provider in miniature: discovery, key set, and a token endpoint for the client
//! credentials grant. It issues RFC 9068 access tokens (ES256, 5 minutes). It knows its clients and
//! one audience, nothing of the gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::Clock;
use super::authority::{Authority, AuthorityError};
use super::jose::{self, SigningKey};
use super::listener::{self, Listener, ListenerError, Peer};

mod form;

use form::Form;

/// How long a token is valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(300);
/// Bytes of a client secret before base64url.
const SECRET_BYTES: usize = 24;
/// The tenant every client of the demonstration belongs to.
const TENANT: &str = "shop";

/// The clients of the demonstration: name, the scopes each may ask for, its tier of limits.
const CLIENTS: [(&str, &[&str], &str); 3] = [
    (READER, &["read:orders"], "bronze"),
    (WRITER, &["read:orders", "write:orders"], "bronze"),
    (BACKOFFICE, &["read:orders", "write:orders", "admin:orders"], "gold"),
];
/// The client that may read.
pub(super) const READER: &str = "shop-reader";
/// The client that may read and write.
pub(super) const WRITER: &str = "shop-writer";
/// The client that may do everything.
pub(super) const BACKOFFICE: &str = "backoffice";

/// Why the issuer did not start.
#[derive(Debug, Error)]
pub(super) enum IssuerError {
    /// No free port on loopback.
    #[error("bind the demo issuer: {0}")]
    Bind(#[from] std::io::Error),
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] ListenerError),
    /// No signing key or no random secret.
    #[error("make the keys of the demo issuer")]
    Keys(#[from] aws_lc_rs::error::Unspecified),
}

/// One registered client.
pub(super) struct Client {
    /// Its client id.
    pub(super) id: &'static str,
    /// What it may ask for.
    pub(super) scopes: &'static [&'static str],
    secret: SecretString,
    tier: &'static str,
}

impl Client {
    fn new(
        (id, scopes, tier): (&'static str, &'static [&'static str], &'static str),
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut bytes = [0_u8; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes)?;
        Ok(Self { id, scopes, secret: jose::encode(bytes).into(), tier })
    }

    /// Its secret, made at start; the demonstration prints it.
    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// The running issuer; dropping it ends it.
pub(super) struct Issuer {
    desk: Arc<Desk>,
    _listener: Listener,
}

impl Issuer {
    /// Starts on a free loopback port, issuing tokens for `audience`.
    pub(super) async fn start(
        authority: &Authority,
        audience: &str,
        now: Clock,
    ) -> Result<Self, IssuerError> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let tls = listener::tls(&authority.server(&["127.0.0.1", "localhost"])?, None)?;
        let desk = Arc::new(Desk::new(address, audience, now)?);
        let _listener = Listener::start(socket, address, tls, Arc::clone(&desk));
        Ok(Self { desk, _listener })
    }

    /// The issuer identifier (`iss`), also the base of all its addresses.
    pub(super) fn url(&self) -> &str {
        &self.desk.url
    }

    /// Its clients.
    pub(super) fn clients(&self) -> &[Client] {
        &self.desk.clients
    }

    /// The client with this id.
    pub(super) fn client(&self, id: &str) -> Option<&Client> {
        self.clients().iter().find(|client| client.id == id)
    }
}

/// Why no token was issued (RFC 6749 5.2, RFC 8707 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Request,
    Client,
    Grant,
    Scope,
    Target,
    Server,
}

impl Refused {
    fn code(self) -> &'static str {
        match self {
            Self::Request => "invalid_request",
            Self::Client => "invalid_client",
            Self::Grant => "unsupported_grant_type",
            Self::Scope => "invalid_scope",
            Self::Target => "invalid_target",
            Self::Server => "server_error",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Client => StatusCode::UNAUTHORIZED,
            Self::Server => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Request | Self::Grant | Self::Scope | Self::Target => StatusCode::BAD_REQUEST,
        }
    }
}

/// The issuer without its sockets.
struct Desk {
    url: String,
    audience: String,
    clients: Vec<Client>,
    key: SigningKey,
    now: Clock,
}

impl listener::Service for Desk {
    async fn answer(&self, request: Request<Bytes>, _peer: Peer) -> Response<Bytes> {
        match (request.method().as_str(), request.uri().path()) {
            ("GET", "/.well-known/openid-configuration") => {
                listener::json(StatusCode::OK, &self.metadata())
            }
            ("GET", "/jwks") => {
                listener::json(StatusCode::OK, &json!({ "keys": [self.key.jwk()] }))
            }
            ("POST", "/token") => self.token_answer(request.headers(), request.body()),
            _ => listener::json(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })),
        }
    }
}

impl Desk {
    fn new(
        address: SocketAddr,
        audience: &str,
        now: Clock,
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self {
            url: format!("https://{address}"),
            audience: audience.to_owned(),
            clients: CLIENTS.into_iter().map(Client::new).collect::<Result<_, _>>()?,
            key: SigningKey::generate()?,
            now,
        })
    }

    /// OpenID Connect Discovery 1.0 3.
    fn metadata(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "jwks_uri": format!("{url}/jwks"),
            "token_endpoint": format!("{url}/token"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["read:orders", "write:orders", "admin:orders"],
        })
    }

    fn token_answer(&self, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
        let mut answer = match self.token(headers, body) {
            Ok(token) => listener::json(StatusCode::OK, &token),
            Err(refused) => listener::json(refused.status(), &json!({ "error": refused.code() })),
        };
        let fields = answer.headers_mut();
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if answer.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"demo\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }

    /// RFC 6749 4.4: the client credentials grant.
    fn token(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refused> {
        let form = Form::parse(body).ok_or(Refused::Request)?;
        let client = self.authenticate(headers, &form)?;
        match form.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(Refused::Grant),
            None => return Err(Refused::Request),
        }
        if form.get("resource").is_some_and(|resource| resource != self.audience) {
            return Err(Refused::Target);
        }
        let scope = granted(client, form.get("scope"))?;
        let claims = self.claims(client, &scope)?;
        let token = self.key.sign("at+jwt", &claims).map_err(|_| Refused::Server)?;
        Ok(json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME.as_secs(),
            "scope": scope,
        }))
    }

    /// RFC 6749 2.3.1: by the Authorization header or by the form, never by both.
    fn authenticate(&self, headers: &HeaderMap, form: &Form) -> Result<&Client, Refused> {
        let by_form = form.get("client_id").zip(form.get("client_secret"));
        let (id, secret) = match (headers.get(header::AUTHORIZATION), by_form) {
            (Some(_), Some(_)) => return Err(Refused::Request),
            (Some(value), None) => basic(value).ok_or(Refused::Client)?,
            (None, Some((id, secret))) => (id.to_owned(), secret.to_owned()),
            (None, None) => return Err(Refused::Client),
        };
        self.clients
            .iter()
            .find(|client| client.id == id)
            .filter(|client| {
                verify_slices_are_equal(client.secret().as_bytes(), secret.as_bytes()).is_ok()
            })
            .ok_or(Refused::Client)
    }

    /// RFC 9068 2.2, with the tenant and tier that the gateway's limits use.
    fn claims(&self, client: &Client, scope: &str) -> Result<Value, Refused> {
        let issued = (self.now)().duration_since(UNIX_EPOCH).map_err(|_| Refused::Server)?;
        Ok(json!({
            "iss": self.url,
            "aud": self.audience,
            "sub": client.id,
            "client_id": client.id,
            "iat": issued.as_secs(),
            "exp": (issued + TOKEN_LIFETIME).as_secs(),
            "jti": Uuid::new_v4().to_string(),
            "scope": scope,
            "tenant": TENANT,
            "tier": client.tier,
        }))
    }
}

/// What is granted: everything the client may have, or what it asked for if that is part of it.
fn granted(client: &Client, asked: Option<&str>) -> Result<String, Refused> {
    let Some(asked) = asked else { return Ok(client.scopes.join(" ")) };
    let scopes: Vec<&str> = asked.split(' ').collect();
    if scopes.iter().all(|scope| client.scopes.contains(scope)) {
        return Ok(scopes.join(" "));
    }
    Err(Refused::Scope)
}

/// Id and secret of a Basic credential, each form-encoded (RFC 6749 2.3.1).
fn basic(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credential.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form::decode(id)?, form::decode(secret)?))
}

#[cfg(test)]
mod tests;

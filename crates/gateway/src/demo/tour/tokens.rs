//! The tokens of the tour: good ones from the issuer, and bad ones made from a good one as an
//! attacker would. It knows the token format, nothing of the gateway.

use http::HeaderValue;
use rustls::RootCertStore;
use thiserror::Error;

use super::super::client::{self, ClientError};
use super::super::issuer::{Issuer, READER, WRITER};
use super::super::jose::{self, SigningKey};

/// Why there are no tokens.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    /// The issuer gave none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A forged token could not be made.
    #[error("forge a token")]
    Forge,
}

/// Which token a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// None at all.
    None,
    /// That of the client that may read.
    Reader,
    /// That of the client that may read and write.
    Writer,
    /// The reader's, signed by another key under the right key id.
    Forged,
    /// The reader's with `alg: none` and no signature.
    Unsigned,
}

/// All tokens.
pub(crate) struct Tokens {
    reader: String,
    writer: String,
    forged: String,
    unsigned: String,
    secrets: Vec<String>,
}

impl Tokens {
    /// Fetches the good ones and makes the bad ones.
    pub(crate) async fn fetch(issuer: &Issuer, roots: RootCertStore) -> Result<Self, TokenError> {
        let http = client::plain(roots)?;
        let mut good = Vec::new();
        for id in [READER, WRITER] {
            let secret = issuer.client(id).map_or("", |client| client.secret());
            good.push(client::token(&http, issuer.url(), id, secret).await?);
        }
        let secrets = issuer.clients().iter().map(|client| client.secret().to_owned()).collect();
        let (Some(writer), Some(reader)) = (good.pop(), good.pop()) else {
            return Err(TokenError::Forge);
        };
        Self::around(reader, writer, secrets).ok_or(TokenError::Forge)
    }

    /// The bad tokens around two good ones.
    pub(super) fn around(reader: String, writer: String, secrets: Vec<String>) -> Option<Self> {
        let (input, _) = reader.rsplit_once('.')?;
        let (_, payload) = input.split_once('.')?;
        let forged = SigningKey::generate().ok()?.seal(input).ok()?;
        let unsigned = format!("{}.{payload}.", jose::encode(r#"{"alg":"none","typ":"at+jwt"}"#));
        Some(Self { forged, unsigned, reader, writer, secrets })
    }

    /// The field that carries this credential.
    pub(super) fn bearer(&self, credential: Credential) -> Option<HeaderValue> {
        let token = match credential {
            Credential::None => return None,
            Credential::Reader => &self.reader,
            Credential::Writer => &self.writer,
            Credential::Forged => &self.forged,
            Credential::Unsigned => &self.unsigned,
        };
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What must never be on record: the tokens and the clients' secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let tokens = [&self.reader, &self.writer, &self.forged, &self.unsigned];
        tokens.into_iter().chain(&self.secrets).map(String::as_str)
    }
}

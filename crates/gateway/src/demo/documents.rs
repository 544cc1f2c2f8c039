//! Writes everything that `gateway run` would need from its operator: the configuration, the
//! OpenAPI document, certificates and keys. It knows the names in the configuration file and
//! nothing of how they are read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::authority::{Authority, AuthorityError, identity_key_pem};
use super::directory::Directory;
use super::jose;

/// The configuration, with places for what is known at start only.
const CONFIGURATION: &str = include_str!("gateway.yaml");
/// The contract of the orders service.
const CONTRACT: &str = include_str!("orders.openapi.yaml");
/// The protocol versions that this build speaks.
const VERSIONS: &str = if cfg!(feature = "http3") { "[1, 2, 3]" } else { "[1, 2]" };
/// Bytes of the pseudonym key before base64url.
const PSEUDONYM_KEY_BYTES: usize = 32;
/// The server name and host of the gateway.
pub(super) const HOST: &str = "localhost";
/// The audience of the API.
pub(super) const AUDIENCE: &str = "https://orders.example";
/// Where the file sink writes, below the demo directory.
const EVENTS: &str = "audit/events";

/// Why the files could not be written.
#[derive(Debug, Error)]
pub(super) enum DocumentError {
    /// A file could not be written.
    #[error("write the files of the demo: {0}")]
    Write(#[from] io::Error),
    /// A certificate or key could not be made.
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
    /// The system gave no random bytes.
    #[error("make the pseudonym key of the demo")]
    Random(#[from] aws_lc_rs::error::Unspecified),
}

/// Where the other parts of the demonstration listen.
pub(super) struct Places {
    /// The issuer identifier.
    pub(super) issuer: String,
    /// The orders service, as an `https` address.
    pub(super) orders: String,
}

/// The files, by what they are for.
#[derive(Debug)]
pub(super) struct Documents {
    /// The configuration of the gateway.
    pub(super) configuration: PathBuf,
    /// The authority's certificate, for clients.
    pub(super) ca: PathBuf,
    /// The directory that the audit file sink writes to.
    pub(super) events: PathBuf,
}

/// Writes all files below `directory`; keys with mode 0600.
pub(super) fn write(
    directory: &Directory,
    authority: &Authority,
    places: &Places,
) -> Result<Documents, DocumentError> {
    let ca = directory.write_public("tls/ca.pem", &authority.pem())?;
    let server = authority.server(&[HOST])?;
    directory.write_public("tls/gateway.pem", server.chain_pem())?;
    directory.write_secret("tls/gateway.key", &server.key_pem())?;
    let client = authority.client("gateway.internal")?;
    directory.write_public("tls/client.pem", client.chain_pem())?;
    directory.write_secret("tls/client.key", &client.key_pem())?;
    directory.write_secret("secrets/identity.pem", &identity_key_pem()?)?;
    let mut pseudonym = [0_u8; PSEUDONYM_KEY_BYTES];
    aws_lc_rs::rand::fill(&mut pseudonym)?;
    directory.write_secret("secrets/pseudonym", &jose::encode(pseudonym))?;
    directory.write_public("orders.openapi.yaml", &filled(CONTRACT, places))?;
    let configuration = directory.write_public("gateway.yaml", &filled(CONFIGURATION, places))?;
    Ok(Documents { configuration, ca, events: directory.path().join(EVENTS) })
}

fn filled(template: &str, places: &Places) -> String {
    template
        .replace("{{http}}", VERSIONS)
        .replace("{{issuer}}", &places.issuer)
        .replace("{{audience}}", AUDIENCE)
        .replace("{{orders}}", &places.orders)
}

#[cfg(test)]
mod tests;

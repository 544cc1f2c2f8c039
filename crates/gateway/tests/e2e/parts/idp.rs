//! A real OpenID Provider (npm `oidc-provider`) over TLS on a loopback port. It does not know the gateway's policy.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::authority::{Authority, Usage};
use super::process::Process;
use super::{INSTALL, free_port, https_client};

const START_LIMIT: Duration = Duration::from_secs(60);
const PROGRAM: &str = include_str!("idp.mjs");

/// A client that may ask for tokens with its secret.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Client {
    /// `client_id`; without the characters that a URL would encode.
    pub(crate) id: &'static str,
    /// Its secret, likewise.
    pub(crate) secret: &'static str,
    /// Members put into its access tokens beside the standard ones.
    pub(crate) claims: Map<String, Value>,
}

/// Algorithms it signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its name in JOSE.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// What a token is to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Who asks, with the secret.
    pub(crate) client: &'a Client,
    /// Audience: one of the audiences given at the start.
    pub(crate) audience: &'a str,
    /// Scopes, separated by spaces; those the provider does not know are left out.
    pub(crate) scope: &'a str,
    /// How it is signed.
    pub(crate) algorithm: Algorithm,
    /// Lifetime in seconds.
    pub(crate) seconds: u32,
}

/// A running provider; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Idp {
    port: u16,
    ca_pem: String,
    settings: String,
    folder: TempDir,
    process: Process,
}

impl Idp {
    /// Starts one with a certificate of `authority` for 127.0.0.1 and waits until it serves.
    pub(crate) fn start(
        authority: &Authority,
        audiences: &[&str],
        scopes: &[&str],
        clients: &[Client],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let address = Ipv4Addr::LOCALHOST.into();
        let (certificate, key) = authority
            .issue("idp", &["localhost"], &[address], Usage::Server)
            .write(folder.path(), "idp");
        install_program(folder.path());
        let settings = json!({
            "port": port,
            "certificate": certificate,
            "key": key,
            "keys": folder.path().join("keys.json"),
            "audiences": audiences,
            "scopes": scopes,
            "clients": clients,
        })
        .to_string();
        let process = launch(&folder, &settings);
        let mut idp = Self { port, ca_pem: authority.ca_pem(), settings, folder, process };
        idp.await_serving();
        idp
    }

    /// The issuer identifier, which is also the base URL: `https://127.0.0.1:PORT`.
    pub(crate) fn issuer(&self) -> String {
        format!("https://{}", self.address())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// An access token by the client credentials grant (RFC 6749 4.4, RFC 8707).
    pub(crate) async fn token(&self, wanted: Wanted<'_>) -> String {
        let resource =
            format!("{}?alg={}&ttl={}", wanted.audience, wanted.algorithm.name(), wanted.seconds);
        let form = format!(
            "grant_type=client_credentials&scope={}&resource={}",
            encoded(wanted.scope),
            encoded(&resource),
        );
        let response = https_client(&self.ca_pem, None)
            .post(format!("{}/token", self.issuer()))
            .basic_auth(wanted.client.id, Some(wanted.client.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .expect("an answer of the token endpoint");
        let status = response.status();
        let body = response.bytes().await.expect("the body of the token endpoint");
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body).expect("JSON of the token endpoint");
        answer["access_token"].as_str().expect("an access token").to_owned()
    }

    /// Kills it: connections are refused. Its keys stay.
    pub(crate) fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, with the same keys.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.folder, &self.settings);
        self.await_serving();
    }

    /// Makes it forget its keys: after the next [`Self::restart`] it signs with new ones.
    pub(crate) fn forget_keys(&self) {
        fs::remove_file(self.folder.path().join("keys.json")).expect("keys to forget");
    }

    fn await_serving(&mut self) {
        let address = self.address();
        self.process.wait_until_ready(START_LIMIT, || super::accepts(address));
        // It listens before it has its keys; this line comes last.
        let folder = self.folder.path().to_owned();
        let line = json!({ "issuer": self.issuer() }).to_string();
        self.process.wait_until_ready(START_LIMIT, || {
            fs::read_to_string(folder.join("idp.log")).is_ok_and(|log| log.contains(&line))
        });
    }
}

/// Node looks for packages beside the program, so the program lies in a folder with a link to them.
fn install_program(folder: &Path) {
    let packages = super::cache().join("npm").join("node_modules");
    assert!(
        packages.join("oidc-provider").is_dir(),
        "no npm oidc-provider in {}: {INSTALL}",
        packages.display()
    );
    std::os::unix::fs::symlink(packages, folder.join("node_modules")).expect("a link");
    fs::write(folder.join("idp.mjs"), PROGRAM).expect("a written program");
}

fn launch(folder: &TempDir, settings: &str) -> Process {
    // The log of an earlier start would say that this one serves.
    drop(fs::remove_file(folder.path().join("idp.log")));
    let own = super::cache().join("node").join("bin").join("node");
    let node = if own.is_file() { own } else { PathBuf::from("node") };
    let mut command = Command::new(node);
    command.current_dir(folder.path()).arg("idp.mjs").arg(settings);
    Process::start("node", &mut command, &folder.path().join("idp.log"))
}

/// Percent-encodes everything but unreserved characters.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

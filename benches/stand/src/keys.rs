//! Certificates, signing keys and tokens of one run, made anew each time and kept in its own folder.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use serde::Deserialize;

use crate::{Failed, clock};

mod tokens;

/// How long certificates are valid.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far they begin in the past.
const BACKDATED: Duration = Duration::from_secs(3600);

/// What to make.
#[derive(Debug, Deserialize)]
struct Spec {
    /// Where.
    directory: PathBuf,
    /// The public name of every peer.
    host: String,
    /// The name of the service inside.
    inside: String,
    tokens: tokens::Spec,
}

/// Writes everything; prints nothing.
pub(crate) fn run(spec: &str) -> Result<(), Failed> {
    let spec: Spec = serde_json::from_str(spec)?;
    let directory = &spec.directory;
    fs::create_dir_all(directory)?;
    let outside = authority("stand outside")?;
    let inside = authority("stand inside")?;
    fs::write(directory.join("outside-ca.pem"), outside.pem())?;
    fs::write(directory.join("inside-ca.pem"), inside.pem())?;
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    issue(directory, "edge", (&outside, &spec.host, server.clone()))?;
    issue(directory, "service", (&inside, &spec.inside, server))?;
    issue(directory, "peer", (&inside, "peer.inside.test", ExtendedKeyUsagePurpose::ClientAuth))?;
    let identity = KeyPair::generate_for(&PKCS_ED25519)?.serialize_pem();
    secret(&directory.join("identity.pem"), identity.as_bytes())?;
    tokens::write(directory, &spec.tokens, clock::seconds())
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority, Failed> {
    let mut params = dated(CertificateParams::default());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?)
}

/// `NAME.pem`, `NAME.key`, and both in `NAME.both` for HAProxy.
fn issue(
    directory: &Path,
    file: &str,
    (authority, name, usage): (&Authority, &str, ExtendedKeyUsagePurpose),
) -> Result<(), Failed> {
    let mut params = dated(CertificateParams::new(vec![name.to_owned()])?);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let (chain, key) = (params.signed_by(&key, authority)?.pem(), key.serialize_pem());
    fs::write(directory.join(format!("{file}.pem")), &chain)?;
    secret(&directory.join(format!("{file}.key")), key.as_bytes())?;
    secret(&directory.join(format!("{file}.both")), format!("{chain}{key}").as_bytes())
}

fn dated(mut params: CertificateParams) -> CertificateParams {
    let now = UNIX_EPOCH + Duration::from_secs(clock::seconds());
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + LIFETIME).into();
    params
}

/// A file that only its owner may read, as the gateway demands of secrets.
fn secret(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}

//! The audit section in the words of the audit crate, with its pseudonym key.

use crate::config::Mistake;
use crate::config::settings::{self as c, Settings};
use audit::sink::{KafkaTls, SinkSettings};
use seal::{KeyFault, SigningKey};
use secrecy::SecretSlice;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The size of a new pseudonym key, in bytes.
const KEY_BYTES: usize = 32;
/// The size of a pseudonym key file at most, in bytes.
const KEY_BYTES_MAX: u64 = 4096;
/// A log file of the file sink is rotated at this size, in bytes.
const ROTATE_BYTES: u64 = 64 << 20;

/// The spool of an instance that is gone.
pub struct Orphan {
    /// Where it is.
    pub directory: PathBuf,
    /// `GATEWAY/audit/INSTANCE`.
    pub name: String,
    /// The first log that is known there: it names the spool.
    pub first_log: String,
    /// The key of its seal.
    pub key: SigningKey,
}

/// How the spool of another is delivered to the sinks of a configuration: as its instance would, but for file sinks, where
/// it has a folder of its own, because somebody else may write there.
///
/// # Errors
/// The pseudonym key cannot be read.
pub fn drained(settings: &Settings, orphan: Orphan) -> Result<audit::Settings, Mistake> {
    let Orphan { directory, name, first_log, key } = orphan;
    let (key, missing) = (Arc::new(key), || unusable(settings, "the pseudonym key is needed"));
    let pseudonym_key = existing_key(settings)?.ok_or_else(missing)?;
    let instance = name.rsplit('/').next().unwrap_or_default().to_owned();
    let folder = first_log.rsplit('/').take(2).collect::<Vec<_>>();
    let folder = folder.into_iter().rev().collect::<Vec<_>>().join("-");
    let mut sinks: Vec<_> = settings.audit.sinks.iter().map(sink).collect();
    for sink in &mut sinks {
        if let SinkSettings::File { directory, .. } = sink {
            *directory = directory.join(audit::inspect::DRAINED).join(&folder);
        }
    }
    let spool = audit::SpoolSettings {
        size_bytes_max: settings.audit.spool.size_bytes_max,
        ..audit::SpoolSettings::new(directory)
    };
    let pins = super::pins::pins(settings)?;
    let seal = audit::SealSettings { pins, ..audit::SealSettings::new(name, key) };
    let (key_number, digesting) = (settings.audit.pseudonym.number, audit::Digesting::Off);
    let masker = settings.audit.masker.clone();
    Ok(audit::Settings {
        spool,
        instance,
        pseudonym_key,
        key_number,
        digesting,
        seal,
        masker,
        sinks,
    })
}

/// The audit trail, its pseudonym key read or, where the configuration leaves it to us, made.
///
/// # Errors
/// A key file that cannot be read or made.
pub fn trail(settings: &Settings) -> Result<audit::Settings, Mistake> {
    let audit = &settings.audit;
    let spool = audit::SpoolSettings {
        size_bytes_max: audit.spool.size_bytes_max,
        durability: match audit.spool.durability {
            c::Durability::Written => audit::Durability::Written,
            c::Durability::Synced => audit::Durability::Synced,
            c::Durability::Queued => audit::Durability::Queued,
        },
        ..audit::SpoolSettings::new(audit.spool.directory.clone())
    };
    let instance = audit.seal.instance.clone().unwrap_or_else(instance);
    Ok(audit::Settings {
        spool,
        pseudonym_key: pseudonym_key(settings)?,
        key_number: audit.pseudonym.number,
        digesting: match audit.digests {
            c::Digests::Off => audit::Digesting::Off,
            c::Digests::Headers => audit::Digesting::Headers,
            c::Digests::Bodies => audit::Digesting::Bodies,
        },
        seal: seal(settings, &instance)?,
        instance,
        masker: audit.masker.clone(),
        sinks: audit.sinks.iter().map(sink).collect(),
    })
}

fn sink(sink: &c::Sink) -> SinkSettings {
    match sink {
        c::Sink::Stdout => SinkSettings::Stdout,
        c::Sink::File(directory) => {
            SinkSettings::File { directory: directory.clone(), rotate_bytes: ROTATE_BYTES }
        }
        c::Sink::Kafka(kafka) => SinkSettings::Kafka {
            brokers: kafka.brokers.clone(),
            topics: kafka.topics.clone(),
            tls: kafka.tls.as_ref().map(kafka_tls),
            insecure_plaintext: kafka.insecure_plaintext,
        },
    }
}

pub(super) fn kafka_tls(tls: &c::KafkaTls) -> KafkaTls {
    KafkaTls {
        ca: tls.ca.clone(),
        certificate: tls.certificate.as_ref().map(|c| c.chain.clone()),
        key: tls.certificate.as_ref().map(|c| c.key.clone()),
    }
}

/// The name of this instance: the host's, as the kernel has it.
fn instance() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        .take(64)
        .collect();
    if name.is_empty() { "gateway".to_owned() } else { name }
}

fn seal(settings: &Settings, instance: &str) -> Result<audit::SealSettings, Mistake> {
    let wanted = &settings.audit.seal;
    let name = format!("{}/audit/{instance}", wanted.gateway);
    let key = match existing_seal_key(settings)? {
        Some(key) => key,
        None => create_seal_key(&wanted.key, &name)
            .map_err(|error| unusable_seal(settings, &error.to_string()))?,
    };
    let pins = super::pins::pins(settings)?;
    Ok(audit::SealSettings { pins, ..audit::SealSettings::new(name, Arc::new(key)) })
}

/// The key of the seal; `None` where it is left to us and not made yet.
///
/// # Errors
/// A key file that cannot be read, or is none.
pub(super) fn existing_seal_key(settings: &Settings) -> Result<Option<SigningKey>, Mistake> {
    let wanted = &settings.audit.seal;
    let key = match read(&wanted.key) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && wanted.create_missing => {
            return Ok(None);
        }
        Err(error) => return Err(unusable_seal(settings, &error.to_string())),
        Ok(key) => Zeroizing::new(key),
    };
    let text = std::str::from_utf8(&key).map_err(|_| KeyFault::Malformed);
    let key = text.and_then(SigningKey::parse);
    key.map(Some).map_err(|fault| unusable_seal(settings, &fault.to_string()))
}

fn unusable_seal(settings: &Settings, what: &str) -> Mistake {
    let wanted = &settings.audit.seal;
    settings.mistake(&wanted.place, format!("{}: {what}", wanted.key.display()))
}

fn create_seal_key(path: &Path, name: &str) -> io::Result<SigningKey> {
    let (key, secret) = SigningKey::generate(name).map_err(io::Error::other)?;
    write_new(path, secret.as_bytes())?;
    // Nobody knows of it but the log: who writes the roster takes it from there, or from the key.
    tracing::info!(key = %key.public(), "a key of the seal is made");
    Ok(key)
}

fn pseudonym_key(settings: &Settings) -> Result<SecretSlice<u8>, Mistake> {
    if let Some(key) = existing_key(settings)? {
        return Ok(key);
    }
    let key = create(&settings.audit.pseudonym.key);
    key.map(SecretSlice::from).map_err(|error| unusable(settings, &error.to_string()))
}

/// The pseudonym key; `None` where it is left to us and not made yet.
///
/// # Errors
/// A key file that cannot be read, or is too short.
pub(super) fn existing_key(settings: &Settings) -> Result<Option<SecretSlice<u8>>, Mistake> {
    let wanted = &settings.audit.pseudonym;
    match read(&wanted.key) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && wanted.create_missing => Ok(None),
        Err(error) => Err(unusable(settings, &error.to_string())),
        Ok(key) if key.len() < KEY_BYTES => {
            let what = format!("the pseudonym key is shorter than {KEY_BYTES} bytes");
            Err(unusable(settings, &what))
        }
        Ok(key) => Ok(Some(SecretSlice::from(key))),
    }
}

fn unusable(settings: &Settings, what: &str) -> Mistake {
    let wanted = &settings.audit.pseudonym;
    settings.mistake(&wanted.place, format!("{}: {what}", wanted.key.display()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut key = Vec::new();
    File::open(path)?.take(KEY_BYTES_MAX).read_to_end(&mut key)?;
    Ok(key)
}

/// Makes a key that only this user can read.
fn create(path: &Path) -> io::Result<Vec<u8>> {
    let mut key = vec![0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random bytes"))?;
    write_new(path, &key)?;
    Ok(key)
}

fn write_new(path: &Path, secret: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret)?;
    file.sync_all()
}

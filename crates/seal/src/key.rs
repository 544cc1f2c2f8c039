//! Ed25519 keys of signed notes in the text form of C2SP signed-note (and of Go's `sumdb/note`): `NAME+ID+KEY` is public,
//! `PRIVATE+KEY+NAME+ID+SEED` secret. It knows no files.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::tree::digest;

/// Ed25519 over the text of a note.
pub(crate) const ED25519_NOTE: u8 = 1;
/// Ed25519 over a text and a time (C2SP tlog-cosignature).
pub(crate) const ED25519_TIMED: u8 = 4;
/// Bytes of a public key and of a seed.
const KEY_BYTES: usize = 32;
/// Longest name, bytes.
const NAME_BYTES_MAX: usize = 512;
const PRIVATE: &str = "PRIVATE+KEY+";

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Another form.
    #[error("read a key: it has not the form NAME+ID+KEY")]
    Malformed,
    /// Another algorithm than Ed25519.
    #[error("read a key: its algorithm is not Ed25519")]
    Algorithm,
    /// The id is not the one of name and key.
    #[error("read a key: its id is not the one of its name and key")]
    Id,
    /// Empty, too long, or with a space, a control character or a plus.
    #[error("read a key: its name cannot be one")]
    Name,
    /// The machine gives no random bytes.
    #[error("make a key")]
    Random,
}

/// Whether a key, a log or an instance may be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(fits)
}

/// The id of a key under a name (C2SP signed-note).
pub(crate) fn id(name: &str, algorithm: u8, public: &[u8]) -> [u8; 4] {
    let hash = digest(&[name.as_bytes(), b"\n", &[algorithm], public]);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

/// A public key and its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifyKey {
    name: String,
    public: [u8; KEY_BYTES],
}

impl VerifyKey {
    /// From `NAME+ID+KEY`.
    ///
    /// # Errors
    /// A [`KeyFault`].
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let (name, id_text, public) = fields(text.trim())?;
        let found = id(&name, ED25519_NOTE, &public);
        if id_text != hex(found) {
            return Err(KeyFault::Id);
        }
        Ok(Self { name, public })
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same key under another name: one key signs all logs of an instance.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), public: self.public }
    }

    pub(crate) fn id(&self, algorithm: u8) -> [u8; 4] {
        id(&self.name, algorithm, &self.public)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519_NOTE][..], &self.public].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id(ED25519_NOTE)), STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A secret key and its name.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyKey,
}

impl SigningKey {
    /// A new key and its secret text.
    ///
    /// # Errors
    /// A name that cannot be one, or no random bytes.
    pub fn generate(name: &str) -> Result<(Self, Zeroizing<String>), KeyFault> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(&mut *seed).map_err(|_| KeyFault::Random)?;
        let key = Self::from_seed(name, &*seed)?;
        let secret = Zeroizing::new([&[ED25519_NOTE][..], &*seed].concat());
        let coded = Zeroizing::new(STANDARD.encode(&*secret));
        let id = hex(key.public.id(ED25519_NOTE));
        Ok((key, Zeroizing::new(format!("{PRIVATE}{name}+{id}+{}\n", &*coded))))
    }

    /// From `PRIVATE+KEY+NAME+ID+SEED`.
    ///
    /// # Errors
    /// A [`KeyFault`].
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let text = text.trim().strip_prefix(PRIVATE).ok_or(KeyFault::Malformed)?;
        let (name, id, seed) = fields(text)?;
        let seed = Zeroizing::new(seed);
        let key = Self::from_seed(&name, &*seed)?;
        if id == hex(key.public.id(ED25519_NOTE)) { Ok(key) } else { Err(KeyFault::Id) }
    }

    fn from_seed(name: &str, seed: &[u8]) -> Result<Self, KeyFault> {
        if !is_name(name) {
            return Err(KeyFault::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyFault::Malformed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyFault::Malformed)?;
        Ok(Self { pair, public: VerifyKey { name: name.to_owned(), public } })
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> &VerifyKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

fn fields(text: &str) -> Result<(String, String, [u8; KEY_BYTES]), KeyFault> {
    let mut fields = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(KeyFault::Malformed);
    };
    if !is_name(name) {
        return Err(KeyFault::Name);
    }
    let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| KeyFault::Malformed)?);
    let (algorithm, key) = key.split_first().ok_or(KeyFault::Malformed)?;
    if *algorithm != ED25519_NOTE {
        return Err(KeyFault::Algorithm);
    }
    let key = key.try_into().map_err(|_| KeyFault::Malformed)?;
    Ok((name.to_owned(), id.to_owned(), key))
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_texts() {
        let (key, secret) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        let again = SigningKey::parse(&secret).expect("a key");
        assert_eq!(key.public(), again.public());
        assert_eq!(VerifyKey::parse(&key.public().to_string()).as_ref(), Ok(key.public()));
        assert!(!format!("{key:?}").contains(secret.rsplit('+').next().expect("a seed").trim()));
    }

    #[test]
    fn the_key_of_the_specification_is_read() {
        // From the documentation of Go's `sumdb/note`.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = VerifyKey::parse(text).expect("a key");
        assert_eq!((key.name(), &*key.to_string()), ("PeterNeumann", text));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        for (from, to, fault) in [
            ("c74f20a3", "c74f20a4", KeyFault::Id),
            ("PeterNeumann", "PeterNeuman", KeyFault::Id),
            ("PeterNeumann", "Peter Neumann", KeyFault::Name),
            ("PeterNeumann", "", KeyFault::Name),
            ("+ARpc", "+AhpcAA", KeyFault::Malformed),
            ("+ARpc", "+Ahpc", KeyFault::Algorithm),
            ("+ARpc2Qc", "+ARpc", KeyFault::Malformed),
            ("+c74f20a3+", "+", KeyFault::Malformed),
        ] {
            assert_eq!(VerifyKey::parse(&good.replacen(from, to, 1)), Err(fault), "{from} {to}");
        }
        assert!(SigningKey::generate("a name").is_err());
        assert!(SigningKey::parse(good).is_err());
    }
}

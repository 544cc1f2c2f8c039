//! Keyed pseudonyms: the same value of the same kind gives the same name, and only the holder of the key
//! can tell which value it was. It does not decide what must be hidden.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};

/// Fewest bytes of a key: the security strength of HMAC-SHA-256 (RFC 2104 3).
pub(crate) const KEY_BYTES_MIN: usize = 32;
/// Bytes of the tag that are kept: 64 bits tell apart the subjects of one deployment.
const KEPT_BYTES: usize = 8;

/// What a pseudonym stands for; part of its input, so that two fields cannot be joined by it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Client,
    Subject,
    Tenant,
    Token,
    Key,
    Host,
    Secret,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Subject => "subject",
            Self::Tenant => "tenant",
            Self::Token => "token",
            Self::Key => "key",
            Self::Host => "host",
            Self::Secret => "secret",
        }
    }
}

/// The key and its number.
pub(crate) struct Pseudonyms {
    key: hmac::Key,
    prefix: String,
}

impl Pseudonyms {
    /// `None` where the key is too short to resist enumeration.
    pub(crate) fn new(key: &SecretSlice<u8>, number: u16) -> Option<Self> {
        let bytes = key.expose_secret();
        let prefix = format!("hm{number}:");
        (bytes.len() >= KEY_BYTES_MIN)
            .then(|| Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes), prefix })
    }

    /// The key itself, to make others of.
    pub(crate) const fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// `hmN:`, N the number of the key, and 16 hexadecimal digits of HMAC(kind 0 issuer 0 value).
    pub(crate) fn of(&self, kind: Kind, issuer: &str, value: &str) -> String {
        self.of_bytes(kind, issuer, value.as_bytes())
    }

    /// The same, of what is no text.
    pub(crate) fn of_bytes(&self, kind: Kind, issuer: &str, value: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind.name().as_bytes());
        context.update(&[0]);
        context.update(issuer.as_bytes());
        context.update(&[0]);
        context.update(value);
        let tag = context.sign();
        let mut name = String::with_capacity(self.prefix.len() + 2 * KEPT_BYTES);
        name.push_str(&self.prefix);
        for byte in tag.as_ref().iter().take(KEPT_BYTES) {
            for digit in [byte >> 4, byte & 15] {
                name.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonyms(byte: u8) -> Pseudonyms {
        Pseudonyms::new(&SecretSlice::from(vec![byte; 32]), 1).expect("long enough")
    }

    #[test]
    fn equal_only_for_the_same_key_kind_issuer_and_value() {
        let name = pseudonyms(1).of(Kind::Subject, "i", "alice");
        assert!(name.starts_with("hm1:") && name.len() == 20);
        assert_eq!(name, pseudonyms(1).of(Kind::Subject, "i", "alice"));
        assert_ne!(name, pseudonyms(2).of(Kind::Subject, "i", "alice"));
        assert_ne!(name, pseudonyms(1).of(Kind::Client, "i", "alice"));
        assert_ne!(name, pseudonyms(1).of(Kind::Subject, "j", "alice"));
        assert_ne!(name, pseudonyms(1).of(Kind::Subject, "ia", "lice"));
    }

    #[test]
    fn a_rotated_key_names_itself() {
        let second = Pseudonyms::new(&SecretSlice::from(vec![1; 32]), 2).expect("long enough");
        assert!(second.of(Kind::Subject, "i", "alice").starts_with("hm2:"));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(Pseudonyms::new(&SecretSlice::from(vec![1; 31]), 1).is_none());
    }
}

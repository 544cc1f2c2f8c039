//! Signed notes (C2SP signed-note): a text, an empty line, a line for each signature. It knows neither what a text says nor
//! whom to believe.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::key::{ED25519_NOTE, ED25519_TIMED, SigningKey, VerifyKey, is_name};

/// Largest note read, bytes.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most signatures of a note.
const SIGNATURES_MAX: usize = 100;
/// An em dash and a space.
const DASH: &str = "\u{2014} ";

/// Why a note does not say what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// It is no note.
    #[error("read a signed note: it has another form")]
    Malformed,
    /// Nobody with this key signed it.
    #[error("check a signed note: no signature is by the key that is asked for")]
    OtherKey,
    /// A signature claims this key and is not by it.
    #[error("check a signed note: the signature is wrong")]
    Signature,
    /// It is about another thing.
    #[error("check a signed note: its origin is another")]
    Origin,
}

/// One line of signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Who is said to have signed.
    pub name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A note as it was read: nothing in it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// With the line break at its end.
    pub text: String,
    /// In their order.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteFault::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteFault> {
        Self::read(note).ok_or(NoteFault::Malformed)
    }

    fn read(note: &str) -> Option<Self> {
        let control = |c: char| c.is_control() && c != '\n';
        if note.len() > NOTE_BYTES_MAX || note.chars().any(control) {
            return None;
        }
        let (text, lines) = note.rsplit_once("\n\n")?;
        let lines = lines.strip_suffix('\n')?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            let (name, coded) = line.strip_prefix(DASH)?.split_once(' ')?;
            let bytes = STANDARD.decode(coded).ok()?;
            let (id, bytes) = bytes.split_first_chunk::<4>()?;
            if !is_name(name) || bytes.is_empty() || signatures.len() == SIGNATURES_MAX {
                return None;
            }
            signatures.push(Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() });
        }
        Some(Self { text: format!("{text}\n"), signatures })
    }

    /// Whether this key signed the text under its own name.
    ///
    /// # Errors
    /// [`NoteFault::OtherKey`], [`NoteFault::Signature`].
    pub fn verify(&self, key: &VerifyKey) -> Result<(), NoteFault> {
        let id = key.id(ED25519_NOTE);
        let mut found = self.signatures.iter().filter(|s| s.name == key.name() && s.id == id);
        let signature = found.next().ok_or(NoteFault::OtherKey)?;
        let good = key.verifies(self.text.as_bytes(), &signature.bytes);
        if good { Ok(()) } else { Err(NoteFault::Signature) }
    }

    /// When this key signed the text together with a time (C2SP tlog-cosignature), seconds since 1970.
    #[must_use]
    pub fn time(&self, key: &VerifyKey) -> Option<u64> {
        let id = key.id(ED25519_TIMED);
        let mut found = self.signatures.iter().filter(|s| s.name == key.name() && s.id == id);
        let (time, signature) = found.next()?.bytes.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        key.verifies(timed(&self.text, time).as_bytes(), signature).then_some(time)
    }
}

fn timed(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A text, signed by a key under a name, and, where another name and a time are given, under that name together with the time.
#[must_use]
pub fn sign(text: &str, key: &SigningKey, name: &str, timed_by: Option<(&str, u64)>) -> String {
    let mut note = format!("{text}\n");
    let named = key.public().named(name);
    append(&mut note, name, named.id(ED25519_NOTE), &key.sign(text.as_bytes()));
    if let Some((name, time)) = timed_by {
        let signature = key.sign(timed(text, time).as_bytes());
        let bytes = [&time.to_be_bytes()[..], &signature].concat();
        append(&mut note, name, key.public().named(name).id(ED25519_TIMED), &bytes);
    }
    note
}

fn append(note: &mut String, name: &str, id: [u8; 4], signature: &[u8]) {
    let coded = STANDARD.encode([&id[..], signature].concat());
    // Into memory it cannot fail; a line less would be no signature.
    if writeln!(note, "{DASH}{name} {coded}").is_err() {
        note.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the documentation of Go's `sumdb/note`.
    const PUBLISHED: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_published_note_is_good_and_a_changed_one_is_not() {
        let key = VerifyKey::parse(KEY).expect("a key");
        assert_eq!(Note::parse(PUBLISHED).expect("a note").verify(&key), Ok(()));
        let changed = PUBLISHED.replace("answer", "answers");
        let changed = Note::parse(&changed).expect("a note");
        assert_eq!(changed.verify(&key), Err(NoteFault::Signature));
        let other = Note::parse(PUBLISHED).expect("a note").verify(&key.named("other"));
        assert_eq!(other, Err(NoteFault::OtherKey));
    }

    #[test]
    fn a_signed_text_is_verified_with_its_time() {
        let (key, _) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        let note = sign("a\nb\n", &key, "log", Some(("shop/audit/edge-1", 1_790_000_000)));
        let read = Note::parse(&note).expect("a note");
        assert_eq!(read.text, "a\nb\n");
        assert_eq!(read.verify(&key.public().named("log")), Ok(()));
        assert_eq!(read.time(key.public()), Some(1_790_000_000));
        let (other, _) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        assert_eq!(read.verify(&other.public().named("log")), Err(NoteFault::OtherKey));
        assert_eq!(read.time(other.public()), None);
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for (from, to) in [
            ("\n\n", "\n"),
            ("\u{2014} ", "- "),
            (" x08go", "x08go"),
            ("x08go/", "x08go!"),
            ("AM=\n", "AM="),
            ("your", "\ryour"),
        ] {
            let bad = PUBLISHED.replacen(from, to, 1);
            assert_ne!(bad, PUBLISHED);
            assert_eq!(Note::parse(&bad), Err(NoteFault::Malformed), "{from:?} {to:?}");
        }
        let line = PUBLISHED.lines().last().expect("a line");
        let many = |count| format!("a\n\n{}", format!("{line}\n").repeat(count));
        assert!(Note::parse(&many(100)).is_ok());
        assert!(Note::parse(&many(101)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a\n\u{2014} =+1]{0,60}") {
            if let Ok(note) = Note::parse(&text) {
                prop_assert!(note.text.ends_with('\n') && !note.signatures.is_empty());
            }
        }
    }
}

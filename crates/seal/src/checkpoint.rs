//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, signed by the instance that keeps it.

use crate::key::{SigningKey, VerifyKey};
use crate::note::{self, Note, NoteFault};
use crate::tree::Hash;

/// What a log comes to at some size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log: that of its instance, a slash, and the boot.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

/// A checkpoint whose signature is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// When the instance says it signed, seconds since 1970; `None` where it says nothing believable.
    pub time_s: Option<u64>,
}

/// The instance that keeps a log: its origin without the boot.
#[must_use]
pub fn instance_of(origin: &str) -> Option<&str> {
    origin.rsplit_once('/').map(|(instance, _)| instance)
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// From the text of a note; lines after the third are left to others.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        // The last line ends, too.
        lines.next()?;
        let plain = size == "0" || !size.starts_with('0');
        let digits = size.bytes().all(|b| b.is_ascii_digit());
        let size = size.parse().ok().filter(|_| plain && digits)?;
        crate::is_name(origin).then_some(())?;
        Some(Self { origin: origin.to_owned(), size, root: Hash::parse(root)? })
    }

    /// The signed note, by the key of its instance: as the log, and as the instance with the time. Whatever name the key has
    /// besides: an instance that was renamed still ends the logs of before.
    #[must_use]
    pub fn sign(&self, key: &SigningKey, time_s: u64) -> String {
        let instance = instance_of(&self.origin).unwrap_or(key.public().name());
        note::sign(&self.text(), key, &self.origin, Some((instance, time_s)))
    }

    /// Reads a note without believing it.
    ///
    /// # Errors
    /// [`NoteFault::Malformed`].
    pub fn read(note: &str) -> Result<(Note, Self), NoteFault> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(&note.text).ok_or(NoteFault::Malformed)?;
        Ok((note, checkpoint))
    }

    /// Opens the checkpoint of one of this instance's logs. `key` has the name of the instance.
    ///
    /// # Errors
    /// A [`NoteFault`].
    pub fn open(note: &str, key: &VerifyKey) -> Result<Sealed, NoteFault> {
        let (note, checkpoint) = Self::read(note)?;
        if instance_of(&checkpoint.origin) != Some(key.name()) {
            return Err(NoteFault::Origin);
        }
        note.verify(&key.named(&checkpoint.origin))?;
        Ok(Sealed { checkpoint, time_s: note.time(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: 3, root: Hash::leaf(b"x") }
    }

    #[test]
    fn only_the_own_instance_signs_its_logs() {
        let (key, _) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        let (other, _) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        let good = checkpoint("shop/audit/edge-1/b1");
        let note = good.sign(&key, 9);
        let sealed = Checkpoint::open(&note, key.public()).expect("good");
        assert_eq!(sealed, Sealed { checkpoint: good.clone(), time_s: Some(9) });
        assert_eq!(Checkpoint::open(&note, other.public()), Err(NoteFault::OtherKey));
        let bigger = note.replacen("\n3\n", "\n4\n", 1);
        assert_eq!(Checkpoint::open(&bigger, key.public()), Err(NoteFault::Signature));
        for origin in ["shop/audit/edge-2/b1", "shop/audit/edge-1/b1/c", "shop"] {
            let note = checkpoint(origin).sign(&key, 9);
            assert_eq!(Checkpoint::open(&note, key.public()), Err(NoteFault::Origin), "{origin}");
        }
    }

    #[test]
    fn a_size_is_written_in_one_way_only() {
        let text = checkpoint("a/b").text();
        assert_eq!(Checkpoint::parse(&text), Some(checkpoint("a/b")));
        for size in ["03", "+3", " 3", "-3", "", "99999999999999999999"] {
            assert_eq!(Checkpoint::parse(&text.replace("\n3\n", &format!("\n{size}\n"))), None);
        }
        assert_eq!(Checkpoint::parse("a\n1\n"), None);
        assert!(Checkpoint::parse(&format!("{text}an extension\n")).is_some());
    }
}

//! The proof of one entry for a third party (C2SP tlog-proof): its bytes, its place, the hashes beside its way to the root,
//! and the signed checkpoint. It is checked without the log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, Sealed};
use crate::key::VerifyKey;
use crate::note::NoteFault;
use crate::tree::{Hash, Inclusion};

/// Largest proof read, bytes.
pub const PROOF_BYTES_MAX: usize = 1 << 20;
const TITLE: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof does not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// It is no proof.
    #[error("read a proof: it has another form")]
    Malformed,
    /// Its checkpoint is not good.
    #[error(transparent)]
    Checkpoint(#[from] NoteFault),
    /// The entry does not lead to the root.
    #[error("check a proof: the entry is not in the log at that place")]
    Entry,
}

/// An entry and that it is in its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The exact bytes of the entry.
    pub entry: Vec<u8>,
    /// Its place and the way to the root.
    pub inclusion: Inclusion,
    /// The signed checkpoint of a size above the place.
    pub note: String,
}

impl Proof {
    /// The text; the entry is its `extra` line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{TITLE}\nextra {}\n", STANDARD.encode(&self.entry));
        text.push_str(&format!("index {}\n", self.inclusion.index));
        for hash in &self.inclusion.hashes {
            text.push_str(&format!("{hash}\n"));
        }
        format!("{text}\n{}", self.note)
    }

    /// From its text.
    ///
    /// # Errors
    /// [`ProofFault::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ProofFault> {
        Self::read(text).ok_or(ProofFault::Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > PROOF_BYTES_MAX {
            return None;
        }
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        if lines.next()? != TITLE {
            return None;
        }
        let entry = STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let hashes = lines.map(Hash::parse).collect::<Option<_>>()?;
        let size = Checkpoint::read(note).ok()?.1.size;
        let inclusion = Inclusion { index, size, hashes };
        Some(Self { entry, inclusion, note: note.to_owned() })
    }

    /// The instance that is said to have kept the log.
    #[must_use]
    pub fn instance(&self) -> Option<String> {
        let (_, checkpoint) = Checkpoint::read(&self.note).ok()?;
        crate::instance_of(&checkpoint.origin).map(str::to_owned)
    }

    /// Checks it against the key of the instance.
    ///
    /// # Errors
    /// A [`ProofFault`].
    pub fn verify(&self, key: &VerifyKey) -> Result<Sealed, ProofFault> {
        let sealed = Checkpoint::open(&self.note, key)?;
        let root = self.inclusion.root(Hash::leaf(&self.entry));
        let same_size = self.inclusion.size == sealed.checkpoint.size;
        let good = same_size && root == Some(sealed.checkpoint.root);
        if good { Ok(sealed) } else { Err(ProofFault::Entry) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frontier, Prover, SigningKey};

    #[test]
    fn one_entry_is_proved_and_no_other() {
        let (key, _) = SigningKey::generate("shop/audit/edge-1").expect("a key");
        let entries: Vec<_> = (0..11).map(|n| format!("entry {n}")).collect();
        let (mut tree, mut prover) = (Frontier::new(), Prover::new(6, 11).expect("a leaf"));
        for entry in &entries {
            tree.push(Hash::leaf(entry.as_bytes()));
            prover.push(Hash::leaf(entry.as_bytes()));
        }
        let origin = "shop/audit/edge-1/b".to_owned();
        let note = Checkpoint { origin, size: 11, root: tree.root() }.sign(&key, 1);
        let inclusion = prover.finish().expect("all leaves");
        let proof = Proof { entry: b"entry 6".to_vec(), inclusion, note };
        let read = Proof::parse(&proof.to_text()).expect("a proof");
        assert_eq!(read, proof);
        assert_eq!(read.verify(key.public()).expect("good").checkpoint.size, 11);
        let other = Proof { entry: b"entry 7".to_vec(), ..proof.clone() };
        assert_eq!(other.verify(key.public()), Err(ProofFault::Entry));
        let mut elsewhere = proof.clone();
        elsewhere.inclusion.index = 7;
        assert_eq!(elsewhere.verify(key.public()), Err(ProofFault::Entry));
        assert!(Proof::parse(&proof.to_text().replacen("v1", "v2", 1)).is_err());
    }
}

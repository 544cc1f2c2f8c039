//! A checkpoint as it is kept and published: one JSON line with the signed note, the leaf hashes since the checkpoint
//! before, and the frontier behind them. Only the note is signed; the others are good where they lead to its root, and
//! then they tell which entry was changed, not only that one was.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::tree::{Frontier, HASH_BYTES, Hash};

/// Most leaves of one record.
pub const LEAVES_MAX: usize = 1_000;
/// Longest line, bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The signed checkpoint.
    pub note: String,
    /// Leaf hashes up to its size; those before are in the records before.
    pub leaves: Vec<Hash>,
    /// The tree at its size.
    pub frontier: Frontier,
    /// Where the keeper of the log reads on; of no meaning to others.
    pub at: (u64, u64),
    /// The last of a log that was ended in order.
    pub ended: bool,
}

impl Record {
    /// The index of its first leaf.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.frontier.size().saturating_sub(self.leaves.len() as u64)
    }

    /// The line, with its line break.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = json!({
            "note": self.note,
            "size": self.frontier.size(),
            "leaves": coded(&self.leaves),
            "frontier": coded(self.frontier.hashes()),
            "at": [self.at.0, self.at.1],
        });
        if let (true, Some(members)) = (self.ended, line.as_object_mut()) {
            members.insert("ended".to_owned(), Value::Bool(true));
        }
        format!("{line}\n")
    }

    /// From a line; `None` where it is none.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let line: Value = serde_json::from_slice(line).ok()?;
        let size = line.get("size")?.as_u64()?;
        let leaves = hashes(line.get("leaves")?.as_str()?)?;
        let frontier = Frontier::from_parts(size, hashes(line.get("frontier")?.as_str()?)?)?;
        let at = line.get("at")?.as_array()?;
        let at = (at.first()?.as_u64()?, at.get(1)?.as_u64()?);
        let note = line.get("note")?.as_str()?.to_owned();
        let ended = line.get("ended").is_some_and(|ended| *ended == Value::Bool(true));
        let fits = leaves.len() <= LEAVES_MAX && leaves.len() as u64 <= size;
        fits.then_some(Self { note, leaves, frontier, at, ended })
    }
}

fn coded(hashes: &[Hash]) -> String {
    STANDARD.encode(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<_>>())
}

fn hashes(text: &str) -> Option<Vec<Hash>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (chunks, rest) = bytes.as_chunks::<HASH_BYTES>();
    rest.is_empty().then(|| chunks.iter().copied().map(Hash::from_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(leaves: usize) -> Record {
        let leaves: Vec<_> = (0..leaves).map(|n| Hash::leaf(&n.to_be_bytes())).collect();
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        Record { note: "a\n1\n".to_owned(), leaves, frontier, at: (1, 2), ended: false }
    }

    #[test]
    fn the_longest_line_is_read_again() {
        let mut long = record(LEAVES_MAX);
        long.note = "x".repeat(2_000);
        long.ended = true;
        let line = long.to_line();
        assert!(line.len() < LINE_BYTES_MAX);
        assert_eq!(Record::parse(line.trim_end().as_bytes()), Some(long));
        assert_eq!(Record::parse(record(LEAVES_MAX + 1).to_line().as_bytes()), None);
        assert_eq!(Record::parse(&vec![b' '; LINE_BYTES_MAX + 1]), None);
    }

    proptest! {
        #[test]
        fn a_damaged_line_is_refused_or_another(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut line = record(5).to_line().into_bytes();
            line.pop();
            let at = at.index(line.len());
            line[at] ^= 1 << bit;
            prop_assert_ne!(Record::parse(&line), Some(record(5)));
        }
    }
}

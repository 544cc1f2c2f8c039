//! A Merkle tree in the hashing of RFC 6962 2.1: leaf and node hashes, a frontier that grows by one leaf, proofs that a leaf
//! is in a tree. It knows neither what a leaf stands for nor who signs a root.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// Most hashes of a proof or a frontier: one a bit of the size.
const LEVELS_MAX: usize = 64;

/// A SHA-256 hash of a leaf, of a node or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// Of a leaf: `SHA-256(0x00 || bytes)`.
    #[must_use]
    pub fn leaf(bytes: &[u8]) -> Self {
        digest(&[&[0], bytes])
    }

    /// Of a node: `SHA-256(0x01 || left || right)`.
    #[must_use]
    pub fn node(left: &Self, right: &Self) -> Self {
        digest(&[&[1], &left.0, &right.0])
    }

    /// The root of a tree without leaves.
    #[must_use]
    pub fn empty() -> Self {
        digest(&[])
    }

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// From base64 (RFC 4648 4); `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = [0; HASH_BYTES];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Hash(bytes)
}

/// As much of a tree as its root and its growth need: the roots of its whole subtrees, the largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From what [`Self::hashes`] gave; `None` where their number does not fit the size.
    #[must_use]
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// How many leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its whole subtrees, the largest first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: Hash) {
        let mut joined = leaf;
        // Each whole subtree on the right that has the size of what is added is one with it.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                joined = Hash::node(&left, &joined);
            }
        }
        self.hashes.push(joined);
        self.size += 1;
    }

    /// The root of the tree as it is.
    #[must_use]
    pub fn root(&self) -> Hash {
        let joined =
            self.hashes.iter().rev().copied().reduce(|right, left| Hash::node(&left, &right));
        joined.unwrap_or_else(Hash::empty)
    }
}

/// That a leaf is at an index of a tree of some size: the hashes beside its way up, from the leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Place of the leaf.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// At most 64.
    pub hashes: Vec<Hash>,
}

impl Inclusion {
    /// The root that this leaf leads to (RFC 9162 2.1.3.2); `None` where the proof has the wrong shape.
    #[must_use]
    pub fn root(&self, leaf: Hash) -> Option<Hash> {
        if self.index >= self.size || self.hashes.len() > LEVELS_MAX {
            return None;
        }
        let (mut place, mut last, mut root) = (self.index, self.size - 1, leaf);
        for beside in &self.hashes {
            if last == 0 {
                return None;
            }
            if place & 1 == 1 || place == last {
                root = Hash::node(beside, &root);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                root = Hash::node(&root, beside);
            }
            place >>= 1;
            last >>= 1;
        }
        (last == 0).then_some(root)
    }
}

/// Makes an [`Inclusion`] from all leaves in order, keeping a frontier for each hash of the proof.
#[derive(Debug)]
pub struct Prover {
    index: u64,
    size: u64,
    seen: u64,
    /// From the leaf up.
    beside: Vec<(Range<u64>, Frontier)>,
}

impl Prover {
    /// For the leaf at `index` of a tree of `size` leaves; `None` where there is none.
    #[must_use]
    pub fn new(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut from, mut to) = (0, size);
        let mut beside = Vec::new();
        while to - from > 1 {
            // The largest power of two below the number of leaves.
            let half = from + (1 << (to - from - 1).ilog2());
            let (own, other) =
                if index < half { (from..half, half..to) } else { (half..to, from..half) };
            beside.push((other, Frontier::new()));
            (from, to) = (own.start, own.end);
        }
        beside.reverse();
        Some(Self { index, size, seen: 0, beside })
    }

    /// The next leaf of the log; what is beyond the tree is left out.
    pub fn push(&mut self, leaf: Hash) {
        let at = self.seen;
        self.seen += 1;
        if let Some((_, frontier)) = self.beside.iter_mut().find(|(range, _)| range.contains(&at)) {
            frontier.push(leaf);
        }
    }

    /// The proof; `None` where leaves are missing.
    #[must_use]
    pub fn finish(self) -> Option<Inclusion> {
        let hashes = self.beside.iter().map(|(_, frontier)| frontier.root()).collect();
        let whole = self.seen >= self.size;
        whole.then_some(Inclusion { index: self.index, size: self.size, hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6962 2.1, word for word.
    fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::empty(),
            [leaf] => *leaf,
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                Hash::node(&root(&leaves[..half]), &root(&leaves[half..]))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| Hash::leaf(&number.to_be_bytes())).collect()
    }

    #[test]
    fn known_values() {
        // RFC 6962 3: of nothing; of one empty leaf.
        let hex = |hash: Hash| hash.0.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(Hash::empty()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(Hash::leaf(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn a_frontier_has_the_root_of_its_tree_at_every_size() {
        let leaves = leaves(300);
        let mut frontier = Frontier::new();
        for size in 0..=leaves.len() {
            assert_eq!(frontier.root(), root(&leaves[..size]), "{size}");
            let again = Frontier::from_parts(frontier.size(), frontier.hashes().to_vec());
            assert_eq!(again.as_ref(), Some(&frontier));
            leaves.get(size).into_iter().for_each(|leaf| frontier.push(*leaf));
        }
        assert_eq!(Frontier::from_parts(3, vec![Hash::empty()]), None);
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_and_no_other() {
        let leaves = leaves(70);
        for size in 1..=70_u64 {
            for index in 0..size {
                let mut prover = Prover::new(index, size).expect("a leaf");
                leaves.iter().for_each(|leaf| prover.push(*leaf));
                let proof = prover.finish().expect("all leaves");
                let tree = Some(root(&leaves[..size as usize]));
                assert_eq!(proof.root(leaves[index as usize]), tree, "{index} of {size}");
                let other = Inclusion { index: (index + 1) % size, ..proof.clone() };
                assert!(size == 1 || other.root(leaves[index as usize]) != tree);
                let mut longer = proof.clone();
                longer.hashes.push(Hash::empty());
                assert_ne!(longer.root(leaves[index as usize]), tree);
            }
        }
        assert!(Prover::new(5, 5).is_none());
        assert!(Prover::new(0, 2).expect("a leaf").finish().is_none(), "leaves are missing");
        assert!(Prover::new(u64::MAX - 1, u64::MAX).is_some());
    }

    proptest! {
        #[test]
        fn hostile_proofs_have_an_end(
            index in any::<u64>(),
            size in any::<u64>(),
            hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
        ) {
            let hashes = hashes.into_iter().map(Hash::from_bytes).collect();
            let found = Inclusion { index, size, hashes }.root(Hash::empty());
            prop_assert!(found.is_none() || index < size);
        }
    }
}

//! Which segment holds the intent of each transaction without an outcome: it must not be removed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use uuid::Uuid;

/// Bounded by the reservations.
#[derive(Default)]
pub(super) struct OpenIntents(HashMap<Uuid, u64, BuildHasherDefault<Folded>>);

impl OpenIntents {
    pub(super) fn opened(&mut self, uid: Uuid, segment: u64) {
        self.0.insert(uid, segment);
    }

    pub(super) fn closed(&mut self, uid: &Uuid) {
        self.0.remove(uid);
    }

    /// The first segment that is needed.
    pub(super) fn first(&self) -> Option<u64> {
        self.0.values().min().copied()
    }
}

impl FromIterator<(Uuid, u64)> for OpenIntents {
    fn from_iter<I: IntoIterator<Item = (Uuid, u64)>>(open: I) -> Self {
        Self(open.into_iter().collect())
    }
}

/// The ids are ours and random in most of their bits: nobody can choose two that collide, so they are not mixed further.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 = self.0.rotate_left(1) ^ u64::from_le_bytes(word);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

//! The roster of a fleet: which instances exist, and their keys, signed by a key that is kept offline. Who has it misses a
//! log that was never published.

use crate::key::{SigningKey, VerifyKey};
use crate::note::{self, Note, NoteFault};

/// Most keys in a roster.
const MEMBERS_MAX: usize = 10_000;
/// First line of a roster.
const TITLE: &str = "sallyport audit roster v1";

/// Instances and their keys. An instance may have several: those of before stay good for the logs of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// Name of the fleet's key.
    pub fleet: String,
    /// When it was signed, seconds since 1970.
    pub time_s: u64,
    /// Names are those of instances.
    pub members: Vec<VerifyKey>,
}

impl Roster {
    fn text(&self) -> String {
        let mut text = format!("{TITLE}\n{}\ntime {}\n", self.fleet, self.time_s);
        for member in &self.members {
            text.push_str(&format!("{member}\n"));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != TITLE {
            return None;
        }
        let fleet = lines.next()?.to_owned();
        let time_s = lines.next()?.strip_prefix("time ")?.parse().ok()?;
        let members: Option<Vec<_>> =
            lines.take(MEMBERS_MAX + 1).map(|line| VerifyKey::parse(line).ok()).collect();
        let members = members.filter(|members| members.len() <= MEMBERS_MAX)?;
        Some(Self { fleet, time_s, members })
    }

    /// The signed note of those members.
    #[must_use]
    pub fn sign(key: &SigningKey, time_s: u64, mut members: Vec<VerifyKey>) -> String {
        members.sort();
        members.dedup();
        let fleet = key.public().name().to_owned();
        note::sign(&Self { fleet, time_s, members }.text(), key, key.public().name(), None)
    }

    /// Opens a roster of the fleet with that key.
    ///
    /// # Errors
    /// A [`NoteFault`].
    pub fn open(note: &str, key: &VerifyKey) -> Result<Self, NoteFault> {
        let note = Note::parse(note)?;
        note.verify(key)?;
        let roster = Self::parse(&note.text).ok_or(NoteFault::Malformed)?;
        if roster.fleet == key.name() { Ok(roster) } else { Err(NoteFault::Origin) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SigningKey {
        SigningKey::generate(name).expect("a key").0
    }

    #[test]
    fn only_the_fleet_key_makes_a_roster() {
        let (fleet, other, one) = (key("shop"), key("shop"), key("shop/audit/edge-1"));
        let members = vec![one.public().clone(), one.public().clone()];
        let note = Roster::sign(&fleet, 7, members);
        let roster = Roster::open(&note, fleet.public()).expect("good");
        assert_eq!((roster.time_s, &roster.members[..]), (7, &[one.public().clone()][..]));
        assert_eq!(Roster::open(&note, other.public()), Err(NoteFault::OtherKey));
        let later = note.replace("time 7", "time 8");
        assert_eq!(Roster::open(&later, fleet.public()), Err(NoteFault::Signature));
        // A checkpoint of a log that is called like the fleet is no roster.
        let checkpoint = note::sign("shop\n1\nAAAA\n", &fleet, "shop", None);
        assert_eq!(Roster::open(&checkpoint, fleet.public()), Err(NoteFault::Malformed));
    }
}

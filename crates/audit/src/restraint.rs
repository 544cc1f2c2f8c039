//! How many events beside its transactions one source may cause: so many in a window, and no more, so that a flood costs no
//! more than its own records. Bounded in memory; time is an argument. It knows no event.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Sources remembered; all others share one more.
const SOURCES_MAX: usize = 8_192;
/// Length of a window, milliseconds.
const WINDOW_MS: u64 = 60_000;
/// Bits of an IPv6 address that are one source: what one subscriber gets.
const PREFIX_BITS: u32 = 64;

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A 401.
    Authentication,
    /// A blocked request.
    Block,
    /// A flood or a ban, by its rule.
    Flood(&'static str),
}

impl Kind {
    /// Events of a source in one window.
    const fn budget(self) -> u64 {
        match self {
            Self::Authentication | Self::Block => 32,
            Self::Flood(_) => 1,
        }
    }
}

/// `None`: all sources beyond those that are remembered.
type Source = (Option<u128>, Kind);

#[derive(Clone, Copy)]
struct Spent {
    window: u64,
    events: u64,
    left_out: u64,
}

/// Who has caused how much.
#[derive(Default)]
pub(crate) struct Restraint {
    sources: Mutex<Sources>,
    left_out: AtomicU64,
}

#[derive(Default)]
struct Sources {
    spent: HashMap<Source, Spent>,
    /// The last window in which what is over was taken out.
    swept: u64,
}

impl Restraint {
    /// Whether there is one more event, and how many of its kind were left out before it; `None` where there is none.
    pub(crate) fn allows(&self, source: IpAddr, kind: Kind, now_ms: u64) -> Option<u64> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = sources.allows((Some(prefix(source)), kind), now_ms / WINDOW_MS);
        drop(sources);
        if allowed.is_none() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// One is left out for another cause.
    pub(crate) fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Events that were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

impl Sources {
    fn allows(&mut self, source: Source, window: u64) -> Option<u64> {
        let source = self.placed(source, window);
        let new = Spent { window, events: 0, left_out: 0 };
        let spent = self.spent.entry(source).or_insert(new);
        if spent.window != window {
            *spent = Spent { left_out: spent.left_out, ..new };
        }
        if spent.events >= source.1.budget() {
            spent.left_out = spent.left_out.saturating_add(1);
            return None;
        }
        spent.events += 1;
        Some(std::mem::take(&mut spent.left_out))
    }

    /// Where the source is counted: on its own as long as there is room.
    fn placed(&mut self, source: Source, window: u64) -> Source {
        if self.spent.len() >= SOURCES_MAX && !self.spent.contains_key(&source) {
            // Once a window at most, so that a flood of sources costs no search each.
            if self.swept != window {
                self.swept = window;
                self.spent.retain(|_, spent| spent.window == window);
            }
            if self.spent.len() >= SOURCES_MAX {
                return (None, source.1);
            }
        }
        source
    }
}

fn prefix(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        // Never an IPv4 one: those bits are above.
        IpAddr::V6(v6) => (v6.to_bits() >> PREFIX_BITS) | (1 << 127),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn v4(bits: u32) -> IpAddr {
        Ipv4Addr::from_bits(bits).into()
    }

    #[test]
    fn a_flood_is_told_once_a_window_and_what_was_left_out_with_the_next() {
        let restraint = Restraint::default();
        let kind = Kind::Flood("reset");
        assert_eq!(restraint.allows(v4(1), kind, 0), Some(0));
        for _ in 0..5 {
            assert_eq!(restraint.allows(v4(1), kind, WINDOW_MS - 1), None);
        }
        assert_eq!(restraint.allows(v4(2), kind, 0), Some(0), "another source");
        assert_eq!(restraint.allows(v4(1), Kind::Flood("ping"), 0), Some(0), "another rule");
        assert_eq!(restraint.allows(v4(1), kind, WINDOW_MS), Some(5));
        assert_eq!(restraint.left_out(), 5);
    }

    #[test]
    fn a_budget_is_spent_and_an_ipv6_source_is_its_prefix() {
        let restraint = Restraint::default();
        let address = |low: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | low));
        let budget = u128::from(Kind::Block.budget());
        for low in 0..budget {
            assert!(restraint.allows(address(low), Kind::Block, 0).is_some());
        }
        assert!(restraint.allows(address(budget), Kind::Block, 0).is_none());
        assert!(restraint.allows(address(1 << 64), Kind::Block, 0).is_some(), "another prefix");
    }

    #[test]
    fn a_flood_of_sources_stays_within_its_bound() {
        let restraint = Restraint::default();
        let kind = Kind::Flood("reset");
        let sources = SOURCES_MAX as u32;
        let told = (0..3 * sources).filter(|s| restraint.allows(v4(*s), kind, 0).is_some());
        assert_eq!(told.count(), SOURCES_MAX + 1);
        let kept = restraint.sources.lock().unwrap().spent.len();
        assert!(kept <= SOURCES_MAX + 1, "{kept}");
        // In the next window there is room for others.
        assert!(restraint.allows(v4(9 * sources), kind, WINDOW_MS).is_some());
        assert!(restraint.allows(v4(9 * sources + 1), kind, WINDOW_MS).is_some());
    }
}

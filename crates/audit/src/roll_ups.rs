//! Records of the rest for which its account has no room: they are counted, by reason and network, and each second each of these
//! counts becomes an event. Bounded in memory; what finds no room in the spool either goes on counting. It knows no files.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use crate::clock;
use crate::event::{Class, Encoder};
use crate::spool::frame::Kind;
use crate::spool::{Account, Job, Spool, SpoolFault};

/// Reasons and networks that are counted apart; what comes from other networks is counted together, by reason.
const KEYS_MAX: usize = 512;
/// How long is counted before it is told.
const EVERY: Duration = Duration::from_secs(1);
/// Bits of an IPv4 network.
const V4_BITS: u8 = 24;
/// Bits of an IPv6 network: what one subscriber gets.
const V6_BITS: u8 = 64;

/// What a record would have said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reason {
    /// The class of its event.
    pub(crate) class: Class,
    pub(crate) stage: &'static str,
    pub(crate) reason: &'static str,
}

/// An address without its last bits, and how many are left.
pub(crate) type Network = (IpAddr, u8);

/// Records of one reason and network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RolledUp {
    pub(crate) reason: Reason,
    /// `None`: of all that are not counted apart.
    pub(crate) network: Option<Network>,
    /// The first and the last one, milliseconds since 1970.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u64,
}

type Key = (Reason, Option<Network>);

/// What was counted and is not told yet.
#[derive(Default)]
pub(crate) struct RollUps {
    counts: Mutex<HashMap<Key, RolledUp>>,
    records: AtomicU64,
}

impl RollUps {
    /// One more record that there is no room for.
    pub(crate) fn add(&self, reason: Reason, client: IpAddr, now: u64) {
        self.records.fetch_add(1, Ordering::Relaxed);
        let network = Some(network(client));
        self.merge(RolledUp { reason, network, first: now, last: now, count: 1 });
    }

    /// Records that were counted since the start.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    fn merge(&self, rolled: RolledUp) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let apart = (rolled.reason, rolled.network);
        let known = counts.len() < KEYS_MAX || counts.contains_key(&apart);
        let key = if known { apart } else { (rolled.reason, None) };
        let new = RolledUp { network: key.1, count: 0, ..rolled };
        let all = counts.entry(key).or_insert(new);
        all.first = all.first.min(rolled.first);
        all.last = all.last.max(rolled.last);
        all.count = all.count.saturating_add(rolled.count);
    }

    /// Puts what was counted on record, as far as there is room.
    pub(crate) fn tell(&self, spool: &Spool, encoder: &Encoder) {
        let counts = mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        let mut full = false;
        for rolled in counts.into_values() {
            if full {
                self.merge(rolled);
                continue;
            }
            let uid = clock::identifier(clock::now());
            let body = encoder.rolled_up(&rolled, &uid.to_string()).into_bytes();
            let account = Account::RolledUp;
            let job = Job { kind: Kind::Event, uid, body, last: false, reserved: false, account };
            match spool.append(&job) {
                Ok(_) => encoder.counts().add(rolled.reason.class),
                Err(fault) => {
                    full = true;
                    if fault != SpoolFault::NoRoom {
                        // The spool counts an event that it could not write as missing; this one is not.
                        spool.found(1);
                    }
                    self.merge(rolled);
                }
            }
        }
    }

    /// Starts the thread that tells; it ends soon after [`Spool::stop`].
    pub(crate) fn start(
        self: &Arc<Self>,
        spool: &Arc<Spool>,
        encoder: &Arc<Encoder>,
    ) -> io::Result<JoinHandle<()>> {
        let (counts, spool) = (Arc::clone(self), Arc::clone(spool));
        let encoder = Arc::clone(encoder);
        Builder::new().name("audit-roll-ups".to_owned()).spawn(move || {
            while !spool.stopping() {
                spool.pause(EVERY);
                counts.tell(&spool, &encoder);
            }
        })
    }
}

fn network(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let bits = v4.to_bits() & (u32::MAX << (32 - u32::from(V4_BITS)));
            (Ipv4Addr::from_bits(bits).into(), V4_BITS)
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits() & (u128::MAX << (128 - u32::from(V6_BITS)));
            (Ipv6Addr::from_bits(bits).into(), V6_BITS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::API_ACTIVITY;

    fn reason(reason: &'static str) -> Reason {
        Reason { class: API_ACTIVITY, stage: "token", reason }
    }

    fn counted(counts: &RollUps) -> Vec<RolledUp> {
        let mut all: Vec<_> = counts.counts.lock().unwrap().values().copied().collect();
        all.sort_by_key(|rolled| (rolled.count, rolled.first));
        all
    }

    #[test]
    fn what_is_counted_has_its_reason_its_network_and_its_times() {
        let counts = RollUps::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        counts.add(reason("absent"), address("203.0.113.7"), 20);
        counts.add(reason("absent"), address("203.0.113.250"), 10);
        counts.add(reason("absent"), address("::ffff:203.0.113.9"), 30);
        counts.add(reason("absent"), address("203.0.114.7"), 1);
        counts.add(reason("expired"), address("2001:db8::1:2"), 2);
        let all = counted(&counts);
        let networks: Vec<_> = all.iter().map(|rolled| (rolled.network, rolled.count)).collect();
        assert_eq!(
            networks,
            [
                (Some((address("203.0.114.0"), 24)), 1),
                (Some((address("2001:db8::"), 64)), 1),
                (Some((address("203.0.113.0"), 24)), 3),
            ]
        );
        assert_eq!((all[2].first, all[2].last), (10, 30));
        assert_eq!(counts.records(), 5);
    }

    #[test]
    fn a_flood_of_networks_stays_within_its_bound_and_loses_no_count() {
        let counts = RollUps::default();
        let networks = 10 * KEYS_MAX as u32;
        for number in 0..networks {
            counts.add(reason("absent"), Ipv4Addr::from_bits(number << 8).into(), 7);
        }
        let all = counted(&counts);
        assert_eq!(all.len(), KEYS_MAX + 1);
        assert_eq!(all.iter().map(|rolled| rolled.count).sum::<u64>(), u64::from(networks));
        assert_eq!(all.last().map(|rolled| rolled.network), Some(None));
    }
}

//! How many connections an address may have open and how fast it may open them, asked before any work on TLS. Pure but
//! for its lock: the time is an argument. An address is an IPv4 address or an IPv6 /64. It knows no sockets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::canonical_ip;
use crate::service::FailureKind;
use crate::settings::Limits;

/// Addresses without a connection that are remembered while their tokens come back.
const ABSENT_MAX: usize = 65_536;
/// How many of those are left when there were too many: the ones that spent most.
const ABSENT_KEPT: usize = ABSENT_MAX / 4 * 3;

/// The count of all addresses.
#[derive(Debug)]
pub(crate) struct Door {
    open_max: u32,
    /// The time in which one token comes back.
    period: Duration,
    /// How far ahead of the clock an address may spend: the burst, in time.
    ahead_max: Duration,
    absent_max: usize,
    absent_kept: usize,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    visitors: HashMap<Visitor, Account>,
    /// Accounts without an open connection.
    absent: usize,
}

/// An IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Visitor {
    V4(u32),
    V6(u64),
}

#[derive(Clone, Copy, Debug)]
struct Account {
    open: u32,
    /// When all tokens will have come back (the theoretical arrival time of GCRA).
    settled: Instant,
}

/// One open connection of an address; its drop makes room for another.
#[derive(Debug)]
pub(crate) struct Ticket {
    door: Arc<Door>,
    visitor: Visitor,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.door.leave(self.visitor);
    }
}

impl From<IpAddr> for Visitor {
    fn from(address: IpAddr) -> Self {
        match canonical_ip(address) {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

impl Door {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Self::with_room(limits, ABSENT_MAX, ABSENT_KEPT)
    }

    fn with_room(limits: &Limits, absent_max: usize, absent_kept: usize) -> Arc<Self> {
        let rate = limits.address_connections_rate;
        let period = rate.per.checked_div(rate.count.get()).unwrap_or_default();
        Arc::new(Self {
            open_max: limits.address_connections_max,
            period,
            ahead_max: period.saturating_mul(rate.burst.get()),
            absent_max,
            absent_kept,
            book: Mutex::default(),
        })
    }

    /// Whether the address could enter now; it costs nothing. For addresses that nobody has proved yet, whose tokens
    /// others must not be able to spend.
    #[cfg(any(feature = "http3", test))]
    pub(crate) fn would_admit(&self, address: IpAddr, now: Instant) -> Result<(), FailureKind> {
        let account = self.book().visitors.get(&Visitor::from(address)).copied();
        account.map_or(Ok(()), |account| self.judge(account, now).map(|_| ()))
    }

    /// One more connection of an address.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<Ticket, FailureKind> {
        let visitor = Visitor::from(address);
        let mut book = self.book();
        let known = book.visitors.get(&visitor).copied();
        let mut account = known.unwrap_or(Account { open: 0, settled: now });
        account.settled = self.judge(account, now)?;
        if known.is_some() && account.open == 0 {
            book.absent = book.absent.saturating_sub(1);
        }
        account.open = account.open.saturating_add(1);
        book.visitors.insert(visitor, account);
        if book.absent > self.absent_max {
            book.clear(now, self.absent_kept);
        }
        drop(book);
        Ok(Ticket { door: Arc::clone(self), visitor })
    }

    /// When the address will have all tokens back, if it may spend one now.
    fn judge(&self, account: Account, now: Instant) -> Result<Instant, FailureKind> {
        if account.open >= self.open_max {
            return Err(FailureKind::AddressConnections);
        }
        let settled = account.settled.max(now).checked_add(self.period).unwrap_or(now);
        let ahead = settled.saturating_duration_since(now);
        if ahead > self.ahead_max { Err(FailureKind::AddressRate) } else { Ok(settled) }
    }

    fn leave(&self, visitor: Visitor) {
        let mut book = self.book();
        let Some(account) = book.visitors.get_mut(&visitor) else { return };
        account.open = account.open.saturating_sub(1);
        if account.open == 0 {
            book.absent = book.absent.saturating_add(1);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing in it can be left half done by a panic.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Forgets who has nothing open and all tokens back; where that is not enough, who lacks the fewest. So an address
    /// that spent much is not forgotten for all that others do, and each sweep frees room for many.
    fn clear(&mut self, now: Instant, kept: usize) {
        self.visitors.retain(|_, account| account.open > 0 || account.settled > now);
        let absent = |account: &&Account| account.open == 0;
        let mut debts: Vec<Instant> =
            self.visitors.values().filter(absent).map(|account| account.settled).collect();
        let spare = debts.len().saturating_sub(kept);
        if let Some(last) = spare.checked_sub(1) {
            let (_, &mut limit, _) = debts.select_nth_unstable(last);
            let mut left = spare;
            self.visitors.retain(|_, account| {
                let goes = account.open == 0 && account.settled <= limit && left > 0;
                left = left.saturating_sub(usize::from(goes));
                !goes
            });
        }
        self.absent = debts.len().saturating_sub(spare);
    }
}

#[cfg(test)]
mod tests;

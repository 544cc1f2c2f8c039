//! The room of a spool in two accounts: what callers that were proved and the gateway itself leave, and the rest. Neither can
//! take the other's, so a flood of refusals pushes nothing out and stops nobody. Pure; it knows no files.

use super::RESERVED_BYTES;

/// The part of a spool that the rest has: one in so many.
const OTHERS_SHARE: u64 = 4;
/// The part of that which only roll-ups may use: one in so many.
const ROLL_UP_SHARE: u64 = 8;

/// Whose room a frame takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Transactions of callers that were proved, and what happened to the gateway itself.
    Proved,
    /// Everybody else's.
    Others,
    /// What is counted together of everybody else's; room of theirs that nothing else takes.
    RolledUp,
}

/// What is in use and what is promised, bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    written: u64,
    waiting: u64,
    promised: u64,
}

impl Used {
    const fn all(self) -> u64 {
        self.written.saturating_add(self.waiting).saturating_add(self.promised)
    }
}

/// Both accounts.
pub(super) struct Accounts {
    size: u64,
    proved: Used,
    others: Used,
}

impl Accounts {
    /// Of a spool of that size in which former boots left so many bytes. Whose those are is not known: as far as they fit they
    /// count to the rest, so that no restart gives it more than its part.
    pub(super) fn new(size: u64, former: u64) -> Self {
        let others = former.min(size / OTHERS_SHARE);
        let used = |written| Used { written, ..Used::default() };
        Self { size, proved: used(former - others), others: used(others) }
    }

    fn used(&mut self, account: Account) -> &mut Used {
        match account {
            Account::Proved => &mut self.proved,
            Account::Others | Account::RolledUp => &mut self.others,
        }
    }

    /// Whether so many bytes more fit.
    pub(super) fn fits(&self, account: Account, bytes: u64) -> bool {
        let others = self.size / OTHERS_SHARE;
        let (used, room) = match account {
            Account::Proved => (self.proved, self.size - others),
            Account::Others => (self.others, others - others / ROLL_UP_SHARE),
            Account::RolledUp => (self.others, others),
        };
        used.all().saturating_add(bytes) <= room
    }

    /// Promises the room of one entry.
    pub(super) fn promise(&mut self, account: Account) -> bool {
        let fits = self.fits(account, RESERVED_BYTES);
        if fits {
            self.used(account).promised += RESERVED_BYTES;
        }
        fits
    }

    /// Takes a promise back.
    pub(super) fn release(&mut self, account: Account) {
        let used = self.used(account);
        used.promised = used.promised.saturating_sub(RESERVED_BYTES);
    }

    /// Bytes wait for their write.
    pub(super) fn waits(&mut self, account: Account, bytes: u64) {
        self.used(account).waiting += bytes;
    }

    /// What waited is written, or gone; how much of it was the rest's.
    pub(super) fn settle(&mut self, written: bool) -> u64 {
        let others = std::mem::take(&mut self.others.waiting);
        let proved = std::mem::take(&mut self.proved.waiting);
        if !written {
            return 0;
        }
        self.others.written += others;
        self.proved.written += proved;
        others
    }

    /// A header of a segment: nobody's, so it is the gateway's.
    pub(super) fn begins(&mut self, bytes: u64) {
        self.proved.written += bytes;
    }

    /// A segment is gone; so much of it was the rest's.
    pub(super) fn retires(&mut self, bytes: u64, others: u64) {
        self.others.written = self.others.written.saturating_sub(others);
        self.proved.written = self.proved.written.saturating_sub(bytes.saturating_sub(others));
    }

    /// Bytes promised to open entries.
    pub(super) const fn promised(&self) -> u64 {
        self.proved.promised + self.others.promised
    }

    /// Bytes that the rest has in use, and may have.
    pub(super) const fn others(&self) -> (u64, u64) {
        (self.others.written, self.size / OTHERS_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 64 * RESERVED_BYTES;

    #[test]
    fn neither_account_takes_the_others_room() {
        let mut accounts = Accounts::new(SIZE, 0);
        let promises = |accounts: &mut Accounts, account| {
            std::iter::repeat(()).take_while(|()| accounts.promise(account)).count()
        };
        assert_eq!(promises(&mut accounts, Account::Others), 14, "a quarter, less an eighth of it");
        assert_eq!(promises(&mut accounts, Account::RolledUp), 2);
        assert_eq!(promises(&mut accounts, Account::Proved), 48);
        accounts.release(Account::Proved);
        assert!(accounts.promise(Account::Proved) && !accounts.promise(Account::Proved));
        accounts.release(Account::Others);
        assert!(
            !accounts.fits(Account::Others, RESERVED_BYTES),
            "what is rolled up took its place"
        );
        assert!(accounts.fits(Account::RolledUp, RESERVED_BYTES));
    }

    #[test]
    fn what_is_written_gone_and_retired_is_booked_once() {
        let mut accounts = Accounts::new(SIZE, 0);
        accounts.waits(Account::Others, 10);
        accounts.waits(Account::Proved, 5);
        assert_eq!(accounts.settle(false), 0);
        assert_eq!(accounts.others(), (0, SIZE / 4));
        accounts.waits(Account::Others, 10);
        accounts.waits(Account::RolledUp, 2);
        accounts.waits(Account::Proved, 5);
        assert_eq!(accounts.settle(true), 12);
        assert_eq!((accounts.others().0, accounts.proved.written), (12, 5));
        accounts.begins(8);
        accounts.retires(25, 12);
        assert_eq!((accounts.others().0, accounts.proved.written), (0, 0));
    }

    #[test]
    fn what_former_boots_left_gives_the_rest_no_second_part() {
        let full = Accounts::new(SIZE, SIZE / 2);
        assert_eq!(full.others(), (SIZE / 4, SIZE / 4));
        assert_eq!(full.proved.written, SIZE / 4);
        assert!(!full.fits(Account::RolledUp, 1) && full.fits(Account::Proved, SIZE / 2));
        assert_eq!(Accounts::new(SIZE, 100).others().0, 100);
    }
}

//! The check of logs from outside: checkpoints first ([`Book`]), then the entries ([`Auditor`]), each in one pass and in bounded
//! memory. It says what was done to which entry, and where. It reads nothing itself, and knows an entry by its hash and by the
//! place that it claims.

mod auditor;
mod book;
mod entries;
mod report;
#[cfg(test)]
mod tests;
mod walk;

pub use auditor::{Auditor, Bounds};
pub use book::{Book, RecordSource, Trust};
pub use entries::{FormerClaim, Seen};
pub use report::{FINDINGS_MAX, Finding, Kind, Location, LogSummary, Report};

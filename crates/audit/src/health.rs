//! What a trail says about itself. Numbers only; who reads them decides.

/// State of a trail at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The last write worked.
    pub spool_ok: bool,
    /// Bytes in the spool's segments.
    pub spool_bytes: u64,
    /// Bytes promised to entries that are open.
    pub reserved_bytes: u64,
    /// One per sink, in the order of the settings.
    pub sinks: Vec<SinkHealth>,
    /// The seal.
    pub seal: SealHealth,
    /// Records that should exist and do not: passed without room, or failed to be written.
    pub gaps: u64,
    /// Frames found damaged when the spool was opened.
    pub damaged: u64,
    /// Bytes of a torn tail cut off when the spool was opened.
    pub torn_bytes: u64,
    /// Texts in which the masker found something.
    pub masked_hits: u64,
    /// Events filed since the start: class uid and count, of every class.
    pub events: Vec<(u64, u64)>,
    /// Events beside others that were left out, since their source had caused enough.
    pub left_out: u64,
    /// Records of callers whom nobody proved that were counted together, for want of room in their account.
    pub rolled_up: u64,
}

/// State of the seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealHealth {
    /// Checkpoints are signed and kept.
    pub ok: bool,
    /// The log that is being sealed; empty before its first checkpoint.
    pub log: String,
    /// Events under its last checkpoint.
    pub size: u64,
    /// When that was signed, seconds since 1970.
    pub time_s: u64,
    /// Files of checkpoints that had to be removed before everybody had them.
    pub dropped_files: u64,
    /// Where checkpoints are published, and the last fault there: name, fault.
    pub places: Vec<(String, Option<&'static str>)>,
}

/// State of one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkHealth {
    /// Its name, for example `file`.
    pub name: String,
    /// Events in the spool it has not acknowledged.
    pub backlog_events: u64,
    /// Its last fault, gone with the next success.
    pub fault: Option<&'static str>,
}

//! JSON lines on standard output, for containers whose log is collected. It knows nothing of who reads.

use std::io::{self, Write};

use super::{Record, Sink, SinkFault};

pub(super) struct Stdout;

impl Sink for Stdout {
    fn deliver(&mut self, batch: &[Record]) -> Result<usize, SinkFault> {
        let lines = lines(batch);
        let mut out = io::stdout().lock();
        out.write_all(&lines).and_then(|()| out.flush()).map_err(|_| SinkFault::Unreachable)?;
        Ok(batch.len())
    }
}

/// The batch as JSON lines.
pub(super) fn lines(batch: &[Record]) -> Vec<u8> {
    let bytes = batch.iter().map(|record| record.value.as_bytes().len() + 1).sum();
    let mut lines = Vec::with_capacity(bytes);
    for record in batch {
        lines.extend_from_slice(record.value.as_bytes());
        lines.push(b'\n');
    }
    lines
}

//! JSON lines in `audit-events.jsonl`, put aside by size under the time of rotation. It removes nothing:
//! how long files are kept is for who collects them.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use super::{Record, Sink, SinkFault, stdout};
use crate::clock;

/// Begin of the names of files with events.
pub(crate) const EVENTS: &str = "audit-events";
/// Begin of the names of files with checkpoints.
pub(crate) const CHECKPOINTS: &str = "audit-checkpoints";
/// Bytes looked at once when searching for the last line break.
const LOOK_BACK_BYTES: u64 = 4_096;

pub(crate) struct File {
    stem: &'static str,
    directory: PathBuf,
    rotate_bytes: u64,
    open: Option<(fs::File, u64)>,
}

impl File {
    pub(crate) fn new(directory: PathBuf, stem: &'static str, rotate_bytes: u64) -> Self {
        Self { stem, directory, rotate_bytes, open: None }
    }

    /// The file being written.
    fn current(&self) -> PathBuf {
        self.directory.join(format!("{}.jsonl", self.stem))
    }

    /// Adds whole lines, all or none.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), SinkFault> {
        self.write(lines).map_err(|error| {
            tracing::warn!(%error, "audit file not written");
            SinkFault::Unreachable
        })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let (mut file, length) = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        if let Err(error) = file.write_all(lines).and_then(|()| file.sync_data()) {
            // All or nothing: the batch is offered again.
            file.set_len(length)?;
            return Err(error);
        }
        let length = length + lines.len() as u64;
        if length >= self.rotate_bytes {
            let aside = format!("{}-{}.jsonl", self.stem, clock::millis(clock::now()));
            fs::rename(self.current(), self.unused(&aside))?;
        } else {
            self.open = Some((file, length));
        }
        Ok(())
    }

    /// That name, or the next free one: two rotations can fall into one millisecond.
    fn unused(&self, name: &str) -> PathBuf {
        let mut path = self.directory.join(name);
        let mut number = 0_u64;
        while path.exists() {
            number += 1;
            path = self.directory.join(format!("{name}.{number}"));
        }
        path
    }

    fn open(&self) -> io::Result<(fs::File, u64)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let mut options = OpenOptions::new();
        let path = self.current();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        let length = whole_lines(&mut file)?;
        // A line cut off by a crash was not acknowledged: it comes again.
        file.set_len(length)?;
        Ok((file, length))
    }
}

/// Bytes up to and with the last line break.
fn whole_lines(file: &mut fs::File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(LOOK_BACK_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(end - start).read_to_end(&mut bytes)?;
        if let Some(position) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + position as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Sink for File {
    fn deliver(&mut self, batch: &[Record]) -> Result<usize, SinkFault> {
        self.append(&stdout::lines(batch)).map(|()| batch.len())
    }
}

#[cfg(test)]
mod tests;

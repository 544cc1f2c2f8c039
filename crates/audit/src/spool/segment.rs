//! Files of a spool: names, the lock, cursors, and the scan at the start that repairs and finds what a
//! former boot left open. It knows nothing of who writes or reads now.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::frame::{self, Kind, Parsed};

/// The reader that seals: it holds segments and receives nothing.
pub(crate) const SEAL: &str = "seal";
/// Digits of a segment's name.
const NAME_DIGITS: usize = 20;
/// Bytes the scan reads at once.
const SCAN_BYTES: usize = 1 << 20;
/// Largest frame, bytes.
const FRAME_BYTES_MAX: u64 = (frame::OVERHEAD + frame::BODY_BYTES_MAX + frame::INDEX_BYTES) as u64;
/// First word of a cursor file: its version.
const CURSOR_VERSION: &str = "1";

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Cursor {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// What the scan found.
pub(crate) struct Opened {
    /// Keeps the directory ours until it is dropped.
    pub(super) lock: File,
    /// Segments in order, with their bytes.
    pub(super) segments: Vec<(u64, u64)>,
    /// How many of those who read are sinks.
    pub(super) receivers: usize,
    /// Where each sink stands.
    pub(crate) cursors: Vec<Cursor>,
    /// Events beyond each sink's cursor.
    pub(crate) backlog: Vec<u64>,
    /// Events in the spool.
    pub(crate) events: u64,
    /// Intents without an outcome: uid, segment, body.
    pub(crate) orphans: Vec<(Uuid, u64, Vec<u8>)>,
    /// Bytes of a torn tail that were cut off.
    pub(crate) torn_bytes: u64,
    /// Frames that could not be read.
    pub(crate) damaged: u64,
}

pub(crate) fn path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:0NAME_DIGITS$}.spool"))
}

/// Numbers of the segments in a directory, in order.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".spool"));
        segments.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Begins a segment of a log: a new file with its header; and its length, bytes.
pub(super) fn create(directory: &Path, segment: u64, log: &str) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let mut file =
        options.append(true).create_new(true).mode(0o600).open(path(directory, segment))?;
    let mut bytes = frame::HEADER.to_vec();
    bytes.extend(frame::encode(Kind::Log, &Uuid::nil(), log.as_bytes()));
    file.write_all(&bytes)?;
    Ok((file, bytes.len() as u64))
}

/// Makes directory entries durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Takes the directory and scans it.
pub(super) fn open(directory: &Path, sinks: &[String]) -> io::Result<Opened> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // The mode above counts only for a directory that is new.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    let lock = lock(directory)?;
    let cursors: Vec<Cursor> =
        sinks.iter().map(|name| load_cursor(directory, name)).collect::<io::Result<_>>()?;
    let mut scan = Scan {
        cursors,
        backlog: vec![0; sinks.len()],
        events: 0,
        open: HashMap::new(),
        torn_bytes: 0,
        damaged: 0,
    };
    let numbers = list(directory)?;
    let mut segments = Vec::with_capacity(numbers.len());
    for number in &numbers {
        let last = numbers.last() == Some(number);
        segments.push((*number, scan.segment(directory, *number, last)?));
    }
    let mut orphans: Vec<_> =
        scan.open.into_iter().map(|(uid, (segment, body))| (uid, segment, body)).collect();
    orphans.sort_unstable_by_key(|orphan| orphan.0);
    Ok(Opened {
        lock,
        segments,
        receivers: sinks.iter().filter(|name| *name != SEAL).count(),
        cursors: scan.cursors,
        backlog: scan.backlog,
        events: scan.events,
        orphans,
        torn_bytes: scan.torn_bytes,
        damaged: scan.damaged,
    })
}

fn lock(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(directory.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process has this spool"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Cuts a torn tail off and keeps its bytes beside the segment: nothing in a spool is thrown away unread.
fn set_aside(directory: &Path, segment: u64, file: &mut File, good: u64) -> io::Result<()> {
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(good))?;
    file.read_to_end(&mut torn)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    options.open(path(directory, segment).with_extension("torn"))?.write_all(&torn)?;
    file.set_len(good)
}

struct Scan {
    cursors: Vec<Cursor>,
    backlog: Vec<u64>,
    events: u64,
    /// Bounded by the requests that were under way when a boot ended.
    open: HashMap<Uuid, (u64, Vec<u8>)>,
    torn_bytes: u64,
    damaged: u64,
}

impl Scan {
    /// Reads one segment; its length after repair.
    fn segment(&mut self, directory: &Path, number: u64, last: bool) -> io::Result<u64> {
        let mut file = OpenOptions::new().read(true).write(true).open(path(directory, number))?;
        let length = file.metadata()?.len();
        let mut header = [0; frame::HEADER.len()];
        if length < header.len() as u64 {
            // The boot ended while it began this segment.
            self.torn_bytes += length;
            return Ok(length);
        }
        file.read_exact(&mut header)?;
        if let Some(why) = frame::refusal(header) {
            let text = format!("segment {number} {why}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let good = self.frames(&mut file, number)?;
        let rest = length.saturating_sub(good);
        if rest == 0 {
            return Ok(length);
        }
        if last && rest <= FRAME_BYTES_MAX {
            set_aside(directory, number, &mut file, good)?;
            self.torn_bytes += rest;
            return Ok(good);
        }
        // More than one frame is unreadable: evidence, which is kept.
        self.damaged += 1;
        Ok(length)
    }

    /// Reads frames up to the last whole one; where it ends.
    fn frames(&mut self, file: &mut File, number: u64) -> io::Result<u64> {
        let mut buffer = Vec::with_capacity(2 * SCAN_BYTES);
        let mut offset = frame::HEADER.len() as u64;
        let mut good = offset;
        let mut suspects = 0;
        loop {
            let read = Read::by_ref(file).take(SCAN_BYTES as u64).read_to_end(&mut buffer)?;
            let mut used = 0;
            loop {
                let size = match frame::parse(buffer.get(used..).unwrap_or_default()) {
                    Parsed::Torn => break,
                    Parsed::Damaged { size } => {
                        // Torn, should nothing good follow.
                        suspects += 1;
                        size
                    }
                    Parsed::Frame { kind, uid, body, size, .. } => {
                        let end = Cursor { segment: number, offset: offset + size as u64 };
                        self.note(kind, uid, body, end);
                        good = end.offset;
                        self.damaged += std::mem::take(&mut suspects);
                        size
                    }
                };
                used += size;
                offset += size as u64;
            }
            buffer.drain(..used);
            // What is left is less than a frame, or no frame at all and to its end unreadable.
            if read == 0 || buffer.len() as u64 > FRAME_BYTES_MAX {
                return Ok(good);
            }
        }
    }

    fn note(&mut self, kind: Kind, uid: Uuid, body: &[u8], end: Cursor) {
        match kind {
            Kind::Event => {
                self.events += 1;
                self.open.remove(&uid);
                for (cursor, backlog) in self.cursors.iter().zip(&mut self.backlog) {
                    *backlog += u64::from(end > *cursor);
                }
            }
            Kind::Intent => {
                self.open.insert(uid, (end.segment, body.to_vec()));
            }
            Kind::Probe | Kind::Log | Kind::Other => {}
        }
    }
}

fn cursor_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.cursor"))
}

pub(crate) fn load_cursor(directory: &Path, name: &str) -> io::Result<Cursor> {
    let text = match fs::read_to_string(cursor_path(directory, name)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Cursor::default()),
        Err(error) => return Err(error),
    };
    let mut words = text.split_whitespace();
    let parsed = match (words.next(), words.next(), words.next()) {
        (Some(CURSOR_VERSION), Some(segment), Some(offset)) => {
            segment.parse().ok().zip(offset.parse().ok())
        }
        _ => None,
    };
    // From the start: a duplicate carries the same uid, a gap would be a loss.
    Ok(parsed.map_or_else(Cursor::default, |(segment, offset)| Cursor { segment, offset }))
}

/// Replaces a sink's cursor in one step.
pub(crate) fn store_cursor(directory: &Path, name: &str, cursor: Cursor) -> io::Result<()> {
    let new = directory.join(format!("{name}.cursor.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(file, "{CURSOR_VERSION} {} {}", cursor.segment, cursor.offset)?;
    fs::rename(new, cursor_path(directory, name))
}

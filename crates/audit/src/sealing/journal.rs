//! Where checkpoints are kept: files of JSON lines in the directory of the spool, each line synced before it counts. The last
//! line is all that the next boot needs to go on. It knows neither trees nor keys.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use seal::{LINE_BYTES_MAX, Record};

use crate::spool::Cursor;

/// How long the last checkpoint of a boot is offered.
const LAST_LIMIT: Duration = Duration::from_secs(2);
/// What the names of the files begin with.
pub(crate) const PREFIX: &str = "checkpoints";
const SUFFIX: &str = ".jsonl";
/// The room kept is this part of a segment, and of a small disk: an event is more than eight times as long as its leaf in a
/// checkpoint.
pub(crate) const HEADROOM: u64 = 8;
/// Unit of `st_blocks`, bytes.
const BLOCK_BYTES: u64 = 512;
/// Size at which the next file is begun, bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Most files that are kept: 1 GiB, some four weeks without a request.
const FILES_MAX: usize = 64;
/// Files that stay although everybody has them: for who looks at the spool.
const FILES_KEPT: usize = 4;

/// How far the journal reaches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tail {
    /// Behind the last line.
    pub(crate) end: Cursor,
    /// Nothing more will come.
    pub(crate) ended: bool,
}

struct Open {
    /// Room to be kept behind the end, bytes.
    headroom: u64,
    /// All of it is there.
    roomy: bool,
    file: File,
    tail: Tail,
    /// Files in order, the one being written last.
    files: Vec<u64>,
    /// How far each publisher is.
    published: Vec<Cursor>,
    /// Files that were removed before everybody had them.
    dropped: u64,
    ended: Option<Instant>,
}

pub(crate) struct Journal {
    directory: PathBuf,
    open: Mutex<Open>,
    grown: Condvar,
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}-{number:020}{SUFFIX}"))
}

fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_prefix('-')?.strip_suffix(SUFFIX));
        files.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    files.sort_unstable();
    Ok(files)
}

impl Journal {
    /// Opens it, cuts off a line that was never whole, and gives the last one. `headroom` is kept on the disk for what comes:
    /// a disk full of segments gets room only by checkpoints that let them go.
    pub(crate) fn open(directory: &Path, headroom: u64) -> io::Result<(Self, Option<Record>)> {
        let mut files = list(directory)?;
        let newest = files.last().copied().unwrap_or(1);
        if files.is_empty() {
            files.push(newest);
        }
        let mut last = None;
        // The newest may be empty: a boot ended just when it was begun.
        for number in files.iter().rev().take(2) {
            last = last_line(&path(directory, *number))?;
            if last.is_some() {
                break;
            }
        }
        let record = match last {
            None => None,
            Some(line) => Some(Record::parse(&line).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the last checkpoint cannot be read")
            })?),
        };
        let file = create(directory, newest)?;
        let end = Cursor { segment: newest, offset: file.metadata()?.len() };
        let tail = Tail { end, ended: false };
        let headroom = headroom.min(room_of_a_small_disk(&file)?);
        let open = Open {
            headroom,
            roomy: keep_room(&file, end.offset, headroom),
            file,
            tail,
            files,
            published: Vec::new(),
            dropped: 0,
            ended: None,
        };
        let directory = directory.to_owned();
        Ok((Self { directory, open: Mutex::new(open), grown: Condvar::new() }, record))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who publishes, and from where on.
    pub(crate) fn publishers(&self, cursors: Vec<Cursor>) {
        self.lock().published = cursors;
    }

    /// Adds a line and syncs it: all of it is there then, or nothing. One that seals nothing new does not use up the room that
    /// is kept for those that do.
    pub(crate) fn append(&self, line: &str, idle: bool) -> io::Result<()> {
        let mut open = self.lock();
        if !open.roomy {
            open.roomy = keep_room(&open.file, open.tail.end.offset, open.headroom);
            if idle && !open.roomy {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        if open.tail.end.offset + line.len() as u64 > FILE_BYTES_MAX {
            self.roll(&mut open);
        }
        let before = open.tail.end.offset;
        let written = open.file.write_all(line.as_bytes()).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            open.file.set_len(before)?;
            open.roomy = keep_room(&open.file, before, open.headroom);
            return Err(error);
        }
        open.tail.end.offset += line.len() as u64;
        open.roomy = keep_room(&open.file, open.tail.end.offset, open.headroom);
        self.retire(&mut open);
        drop(open);
        self.grown.notify_all();
        Ok(())
    }

    /// Begins the next file; where the disk has no room for it, the old one grows on.
    fn roll(&self, open: &mut Open) {
        let number = open.tail.end.segment + 1;
        let begun = create(&self.directory, number).and_then(|file| {
            if !keep_room(&file, 0, open.headroom) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            File::open(&self.directory)?.sync_all()?;
            Ok(file)
        });
        match begun {
            Ok(file) => {
                // The room behind the end of the old one is not needed there.
                if let Err(error) = open.file.set_len(open.tail.end.offset) {
                    tracing::debug!(%error, "a full file of checkpoints keeps its room");
                }
                open.file = file;
                open.files.push(number);
                open.tail.end = Cursor { segment: number, offset: 0 };
            }
            Err(error) => tracing::warn!(%error, "no new file of checkpoints is begun"),
        }
    }

    fn retire(&self, open: &mut Open) {
        let needed = open.published.iter().min().map_or(u64::MAX, |cursor| cursor.segment);
        while open.files.len() > FILES_KEPT {
            let Some(oldest) = open.files.first().copied() else { return };
            if oldest >= needed && open.files.len() <= FILES_MAX {
                return;
            }
            if let Err(error) = fs::remove_file(path(&self.directory, oldest))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "an old file of checkpoints stays");
                return;
            }
            open.dropped += u64::from(oldest >= needed);
            open.files.remove(0);
        }
    }

    /// A publisher has everything before `cursor`.
    pub(crate) fn published(&self, publisher: usize, cursor: Cursor) {
        if let Some(published) = self.lock().published.get_mut(publisher) {
            *published = cursor;
        }
    }

    /// Files that were removed before everybody had them.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        let mut open = self.lock();
        open.tail.ended = true;
        open.ended = Some(Instant::now());
        drop(open);
        self.grown.notify_all();
    }

    /// Nothing more will come, and whoever publishes has had time for what there was.
    pub(crate) fn over(&self) -> bool {
        self.lock().ended.is_some_and(|ended| ended.elapsed() > LAST_LIMIT)
    }

    /// Waits for a while, or until the end has come.
    pub(crate) fn pause(&self, limit: Duration) {
        let waited = self.grown.wait_timeout_while(self.lock(), limit, |open| !open.tail.ended);
        drop(waited);
    }

    /// Waits until something lies beyond `cursor` or the end has come, at most so long.
    pub(crate) fn wait_beyond(&self, cursor: Cursor, limit: Duration) -> Tail {
        let open = self.lock();
        let nothing = |open: &mut Open| open.tail.end <= cursor && !open.tail.ended;
        let waited = self.grown.wait_timeout_while(open, limit, nothing);
        waited.unwrap_or_else(PoisonError::into_inner).0.tail
    }

    /// The next lines from a place on, and the place behind each; at most so many bytes.
    pub(crate) fn lines(
        &self,
        from: Cursor,
        tail: Cursor,
        bytes_max: usize,
    ) -> io::Result<Vec<(String, Cursor)>> {
        let mut at = from;
        let mut lines = Vec::new();
        while lines.is_empty() && at < tail {
            if let Ok(file) = File::open(path(&self.directory, at.segment)) {
                let limit = if at.segment == tail.segment { tail.offset } else { u64::MAX };
                read_lines(file, &mut at, limit, bytes_max, &mut lines)?;
            }
            if lines.is_empty() {
                let next = list(&self.directory)?.into_iter().find(|next| *next > at.segment);
                at = next.map_or(tail, |segment| Cursor { segment, offset: 0 });
            }
        }
        Ok(lines)
    }
}

fn read_lines(
    mut file: File,
    at: &mut Cursor,
    limit: u64,
    bytes_max: usize,
    lines: &mut Vec<(String, Cursor)>,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(at.offset))?;
    let mut file = BufReader::new(file.take(limit.saturating_sub(at.offset)));
    let mut bytes = 0;
    while bytes < bytes_max {
        let mut line = String::new();
        if file.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Ok(());
        }
        bytes += line.len();
        at.offset += line.len() as u64;
        lines.push((line, *at));
    }
    Ok(())
}

/// Of a small disk a small part is kept, the rest is there for events; but what the boot before has kept stays kept, bytes.
fn room_of_a_small_disk(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    let kept = (metadata.blocks() * BLOCK_BYTES).saturating_sub(metadata.len());
    let free = rustix::fs::fstatvfs(file).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
    Ok(kept.max(free / HEADROOM))
}

/// Whether the disk has so much room for this file alone, bytes. A file system that cannot promise any is none that fails.
fn keep_room(file: &File, from: u64, bytes: u64) -> bool {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes.max(1)) {
        Ok(()) | Err(Errno::OPNOTSUPP) => true,
        Err(error) => {
            tracing::debug!(%error, "the room for checkpoints is not what it should be");
            false
        }
    }
}

fn create(directory: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path(directory, number))
}

/// The last whole line of a file; what is behind it is cut off. `None` where there is none.
fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    // Two whole lines fit, whatever the torn one is.
    let start = length.saturating_sub(3 * LINE_BYTES_MAX as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        file.set_len(start)?;
        return Ok(None);
    };
    if start + end as u64 + 1 < length {
        // Else it stays as it is, with the room behind its end.
        file.set_len(start + end as u64 + 1)?;
    }
    bytes.truncate(end);
    let begin = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
    Ok(Some(bytes.split_off(begin)))
}

//! Follows what is written to a directory: files of a sink over their rotation, segments of a spool, and the folders of processes
//! that take over. It knows no event.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files::{self, Files};
use super::{EVENT_LINE_BYTES_MAX, lines, spool_tail};
use crate::spool::Cursor;
use crate::spool::reader::Reader;

/// How far a folder is read.
#[derive(Default)]
struct Followed {
    /// The file that is read, and the place in it.
    file: Option<(File, u64)>,
    spool: Option<(Reader, Cursor)>,
}

/// Events in the order in which they are written, as they come.
pub struct Follow {
    directory: PathBuf,
    folders: BTreeMap<PathBuf, Followed>,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Follow {
    /// From the first event that is there.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), folders: BTreeMap::new() }
    }

    /// Gives what was written since the last call.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn poll(&mut self, f: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        for folder in files::folders(&self.directory)? {
            let followed = self.folders.entry(folder.clone()).or_default();
            followed.files(&folder, f)?;
            followed.spool(&folder, f)?;
        }
        Ok(())
    }
}

impl Followed {
    fn files(&mut self, folder: &Path, f: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        loop {
            if let Some((file, position)) = &mut self.file {
                rest(file, position, f)?;
            }
            // Looked at behind the last line: a file that was put aside grows no more.
            let Some(next) = self.next(folder)? else { return Ok(()) };
            if let Some((file, position)) = &mut self.file {
                rest(file, position, f)?;
            }
            self.file = Some((next, 0));
        }
    }

    /// The file behind the one that is read; the first where none is.
    fn next(&self, folder: &Path) -> io::Result<Option<File>> {
        let names = Files::of(folder)?.events;
        let inode = self.file.as_ref().map(|(file, _)| file.metadata()).transpose()?;
        let mut behind = inode.is_none();
        for name in &names {
            let file = match File::open(&**name) {
                Ok(file) => file,
                // It was put aside a moment ago: the next call finds it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            if behind {
                return Ok(Some(file));
            }
            let found = file.metadata()?;
            behind = inode
                .as_ref()
                .is_some_and(|read| (read.dev(), read.ino()) == (found.dev(), found.ino()));
        }
        Ok(None)
    }

    fn spool(&mut self, folder: &Path, f: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let Some(tail) = spool_tail(folder)? else { return Ok(()) };
        let new = || (Reader::new(folder.to_owned()), Cursor::default());
        let (reader, at) = self.spool.get_or_insert_with(new);
        loop {
            let batch = reader.batch(*at, tail)?;
            batch.records.iter().for_each(|record| f(record.value.as_bytes()));
            // What is behind the last event may be half of one, still being written.
            let Some(end) = batch.ends.last() else { return Ok(()) };
            *at = *end;
        }
    }
}

/// The whole lines behind a place.
fn rest(file: &mut File, position: &mut u64, f: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    file.seek(SeekFrom::Start(*position))?;
    let mut file = BufReader::new(file);
    loop {
        let (line, read, whole) = lines::next(&mut file, EVENT_LINE_BYTES_MAX)?;
        if !whole {
            return Ok(());
        }
        *position += read;
        f(&line);
    }
}

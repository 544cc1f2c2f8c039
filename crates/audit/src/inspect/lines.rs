//! Lines of files in order, with their places; each of a bounded length. A rest without a line break is no line: it is not
//! written yet, or what is missing shows elsewhere.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use seal::verify::Location;

pub(super) struct Lines<'f> {
    files: std::slice::Iter<'f, Arc<str>>,
    /// Where the first file is read from.
    from: u64,
    bytes_max: usize,
    open: Option<(Location, BufReader<File>)>,
    fault: &'f Mutex<Option<io::Error>>,
}

impl<'f> Lines<'f> {
    pub(super) fn new(
        files: &'f [Arc<str>],
        from: u64,
        bytes_max: usize,
        fault: &'f Mutex<Option<io::Error>>,
    ) -> Self {
        Self { files: files.iter(), from, bytes_max, open: None, fault }
    }

    fn read(&mut self) -> io::Result<Option<(Location, Vec<u8>)>> {
        loop {
            if self.open.is_none() {
                let Some(name) = self.files.next() else { return Ok(None) };
                let mut file = File::open(&**name)?;
                let position = std::mem::take(&mut self.from);
                file.seek(SeekFrom::Start(position))?;
                let at = Location { place: Arc::clone(name), position };
                self.open = Some((at, BufReader::new(file)));
            }
            let Some((at, file)) = &mut self.open else { return Ok(None) };
            let (line, read, whole) = next(file, self.bytes_max)?;
            if !whole {
                self.open = None;
                continue;
            }
            let here = at.clone();
            at.position += read;
            return Ok(Some((here, line)));
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = (Location, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        self.read().unwrap_or_else(|error| {
            let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert(error);
            None
        })
    }
}

/// The next line without its break, cut where it is too long; its whole length, and whether it has a break.
pub(super) fn next(file: &mut impl BufRead, bytes_max: usize) -> io::Result<(Vec<u8>, u64, bool)> {
    let (mut line, mut read) = (Vec::new(), 0);
    loop {
        let bytes = file.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = (bytes_max + 1).saturating_sub(line.len());
        line.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
        file.consume(taken);
        read += taken as u64;
        if end.is_some() || taken == 0 {
            return Ok((line, read, end.is_some()));
        }
    }
}

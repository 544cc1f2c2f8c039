//! An access log of one line per request, buffered as servers buffer it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use http::{Method, Request, StatusCode, Uri};

use crate::{Failed, clock};

/// Bytes written to the file at once.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Log(BufWriter<File>);

/// What is known before the answer.
pub(super) struct Line {
    method: Method,
    uri: Uri,
}

impl Line {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone() }
    }
}

impl Log {
    pub(super) fn open(path: &Path) -> Result<Self, Failed> {
        Ok(Self(BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?)))
    }

    pub(super) fn write(&mut self, line: &Line, status: StatusCode) -> Result<(), Failed> {
        let seconds = clock::seconds();
        writeln!(self.0, "{seconds} {} {} {}", line.method, line.uri, status.as_u16())?;
        Ok(())
    }
}

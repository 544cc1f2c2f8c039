//! The temporary directory of the demonstration: created with mode 0700, removed when dropped.
//! It knows paths and modes, nothing of what is written.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Mode of every folder: the owner alone.
const FOLDER_MODE: u32 = 0o700;
/// Mode of a file that holds a private key or a secret.
const SECRET_MODE: u32 = 0o600;
/// Mode of every other file; the folder above it is closed to others anyway.
const PUBLIC_MODE: u32 = 0o644;

/// A directory that lives as long as this value.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Creates a new directory with an unguessable name below the system's temporary directory.
    /// Creation fails, rather than follows, if the name exists.
    pub(super) fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("sallyport-demo-{}", Uuid::new_v4().simple()));
        DirBuilder::new().mode(FOLDER_MODE).create(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that anybody may read. `name` is relative and its folders are created.
    pub(super) fn write_public(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        self.write(name, text, PUBLIC_MODE)
    }

    /// Writes a file that only the owner may read.
    pub(super) fn write_secret(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        self.write(name, text, SECRET_MODE)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            DirBuilder::new().mode(FOLDER_MODE).recursive(true).create(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %fault, "failed to remove the demo directory");
        }
    }
}

#[cfg(test)]
mod tests;

//! Which files a directory holds, in the order in which they were written. It reads names only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sealing::JOURNAL_PREFIX;
use crate::sink::file::{CHECKPOINTS, EVENTS};
use crate::spool::segment;

/// Folders of processes that follow each other, below the first one.
const FOLLOWERS: [&str; 3] = ["2", "3", "4"];
/// Folder in the directory of a file sink, with one for each spool of another instance that was drained.
pub const DRAINED: &str = "drained";
const SUFFIX: &str = ".jsonl";

#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) checkpoints: Vec<Arc<str>>,
    pub(super) events: Vec<Arc<str>>,
    pub(super) spools: Vec<PathBuf>,
}

/// The directory, the folders of processes that followed each other, and what was drained from spools of others.
pub(super) fn folders(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let followers = FOLLOWERS.map(|name| directory.join(name));
    let mut folders = vec![directory.to_owned()];
    folders.extend(followers.into_iter().filter(|follower| follower.is_dir()));
    let drained = directory.join(DRAINED);
    if drained.is_dir() {
        let entries = fs::read_dir(drained)?.map(|entry| entry.map(|entry| entry.path()));
        let mut drained = entries.collect::<io::Result<Vec<_>>>()?;
        drained.retain(|folder| folder.is_dir());
        drained.sort();
        folders.extend(drained);
    }
    Ok(folders)
}

impl Files {
    pub(super) fn find(directory: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        for folder in folders(directory)? {
            files.add(&folder)?;
        }
        Ok(files)
    }

    /// Of one folder alone.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        files.add(folder)?;
        Ok(files)
    }

    fn add(&mut self, directory: &Path) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.extend(entry?.file_name().into_string());
        }
        let of = |stem: &str| {
            let mut found: Vec<_> =
                names.iter().filter_map(|name| Some((rank(name, stem)?, name))).collect();
            found.sort();
            let path = |name: &String| directory.join(name).to_string_lossy().into();
            found.into_iter().map(|(_, name)| path(name)).collect::<Vec<Arc<str>>>()
        };
        self.checkpoints.extend(of(JOURNAL_PREFIX));
        self.checkpoints.extend(of(CHECKPOINTS));
        self.events.extend(of(EVENTS));
        if !segment::list(directory)?.is_empty() {
            self.spools.push(directory.to_owned());
        }
        Ok(())
    }
}

/// Where a file stands among those of its kind: those put aside by their time and number, then the one being written.
fn rank(name: &str, stem: &str) -> Option<(u64, u64)> {
    let rest = name.strip_prefix(stem)?;
    if rest == SUFFIX {
        return Some((u64::MAX, 0));
    }
    let rest = rest.strip_prefix('-')?;
    let (time, number) = rest.split_once(SUFFIX)?;
    let number = match number.strip_prefix('.') {
        None if number.is_empty() => 0,
        None => return None,
        Some(number) => number.parse().ok()?,
    };
    Some((time.parse().ok()?, number))
}

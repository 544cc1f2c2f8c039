//! The configuration file: read whole, refused with every mistake at once, handed on as plain
//! values. It opens no certificate, key or document: it only makes sure that they can be opened.
//!
//! The way of a file: text, [`tree`] with positions, `raw` as it is written, [`settings`] with
//! every name resolved. What is weaker than it could be is listed by [`weaknesses`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

mod checks;
mod draft;
mod mistake;
mod raw;
mod reader;
mod schema;
pub mod settings;
mod tree;
mod units;
mod weaknesses;

pub use draft::{Draft, Parts, Refused};
pub use mistake::{Mistake, Place, Placed, in_order, nearest};
pub use schema::schema;
pub use settings::Settings;
pub use weaknesses::{Weakening, weaknesses};

use reader::{Environment, Reader};

/// The largest configuration file, in bytes: 1 MiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a configuration file and checks it, with the environment of this process.
///
/// # Errors
/// Every mistake that can be seen without the content of the files it names, and what is left
/// without them.
pub fn load(path: &Path) -> Result<Settings, Refused> {
    let text = read(path).map_err(|error| {
        refuse(Mistake::new(path, &Place::whole_file(), format!("cannot be read: {error}")))
    })?;
    parse(&text, path)
}

/// Reads a configuration from a text. `file` is where it is from: relative paths in it start at
/// the directory of that file.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &Path) -> Result<Settings, Refused> {
    parse_with(text, file, &process_environment)
}

/// [`parse`] with another environment.
fn parse_with(text: &str, file: &Path, environment: &Environment<'_>) -> Result<Settings, Refused> {
    let base = directory(file).map_err(|error| {
        let what = format!("has no directory: {error}");
        refuse(Mistake::new(file, &Place::whole_file(), what))
    })?;
    let root = tree::parse(text).map_err(|error| {
        let place = Place { line: error.line, column: error.column, ..Place::whole_file() };
        refuse(Mistake::new(file, &place, error.what))
    })?;
    let mut reader = Reader::new(file, environment);
    let raw = raw::read(&root, &mut reader);
    let mut mistakes = reader.into_mistakes();
    let draft = raw.map(|raw| checks::draft(&raw, file.to_path_buf(), base, &mut mistakes));
    let mistakes = mistakes.into_found();
    match draft {
        Some(draft) if mistakes.is_empty() => Ok(draft.rest),
        draft => Err(Refused { mistakes: in_order(mistakes, file), draft: draft.map(Box::new) }),
    }
}

/// A refusal for the one mistake that hides all others.
fn refuse(mistake: Mistake) -> Refused {
    Refused { mistakes: vec![mistake], draft: None }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        Ok(text)
    } else {
        Err(io::Error::other(format!("is larger than {} KiB", FILE_BYTES_MAX >> 10)))
    }
}

/// The absolute directory of a file.
fn directory(file: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(file)?;
    Ok(absolute.parent().map_or_else(|| absolute.clone(), Path::to_path_buf))
}

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests;

//! Where something stands in the configuration file and what is wrong there. It does not know
//! what any name means.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in the configuration file: position and dotted path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, from 1. 0 when the place is the whole file.
    pub line: u32,
    /// Column in characters, from 1. 0 when the place is the whole file.
    pub column: u32,
    /// Dotted path from the root, such as `listeners[0].tls`; empty for the root.
    pub path: Arc<str>,
}

impl Place {
    /// The file as a whole, for mistakes that no single line holds.
    #[must_use]
    pub fn whole_file() -> Self {
        Self { line: 0, column: 0, path: Arc::from("") }
    }

    /// The same position under the name of a part of it, such as `tls` of `listeners[0]`.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        let path = if self.path.is_empty() {
            Arc::from(name)
        } else {
            Arc::from(format!("{}.{name}", self.path))
        };
        Self { line: self.line, column: self.column, path }
    }
}

/// A value together with the place where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

/// More mistakes than this are not told: the first ones help, the rest scrolls them away.
const MISTAKES_MAX: usize = 200;
/// A wrong name is shown up to this length, in characters.
const SHOWN_CHARS_MAX: usize = 64;

/// Mistakes in one file, gathered up to a bound.
pub(super) struct Mistakes<'a> {
    file: &'a Path,
    found: Vec<Mistake>,
}

impl<'a> Mistakes<'a> {
    /// None so far.
    pub(super) fn new(file: &'a Path) -> Self {
        Self { file, found: Vec::new() }
    }

    /// How many so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether further mistakes would not be told.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() > MISTAKES_MAX
    }

    /// Notes that something is wrong at a place.
    pub(super) fn wrong(&mut self, place: &Place, what: impl Into<String>) {
        self.wrong_name(place, what, None);
    }

    /// Notes a wrong name, with the right one that is nearest.
    pub(super) fn wrong_name(
        &mut self,
        place: &Place,
        what: impl Into<String>,
        nearest: Option<String>,
    ) {
        // One more than is told, so that the report can say that there are more.
        if !self.is_full() {
            self.found.push(Mistake::new(self.file, place, what).with_nearest(nearest));
        }
    }

    /// All of them.
    pub(super) fn into_found(self) -> Vec<Mistake> {
        self.found
    }
}

/// Puts mistakes in the order of a reader: those of `first`, the configuration, before those of
/// other files, each file from top to bottom, none twice. Says so where there are more than are
/// told.
#[must_use]
pub fn in_order(mut mistakes: Vec<Mistake>, first: &Path) -> Vec<Mistake> {
    mistakes.sort_by_cached_key(|m| (m.file != first, m.file.clone(), m.line, m.column));
    mistakes.dedup();
    if mistakes.len() > MISTAKES_MAX {
        mistakes.truncate(MISTAKES_MAX);
        let what = format!("more than {MISTAKES_MAX} mistakes: the rest is not shown");
        mistakes.push(Mistake::new(first, &Place::whole_file(), what));
    }
    mistakes
}

/// A name out of a file as it may be shown: short, without control characters.
pub(super) fn shown(name: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut shown: String = name.chars().take(SHOWN_CHARS_MAX).map(visible).collect();
    if name.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// One thing wrong with the configuration. All of them are gathered before the start is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file it is in, as it was named on the command line.
    pub file: PathBuf,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 when the file as a whole is meant.
    pub column: u32,
    /// Dotted path of the faulty item, such as `listeners[0].tls`; may be empty.
    pub path: String,
    /// What is wrong and, where it is not plain, what would be right. Never a secret value.
    pub what: String,
    /// The right name that is nearest to a wrong one.
    pub nearest: Option<String>,
}

impl Mistake {
    /// A mistake at a place of a file.
    #[must_use]
    pub fn new(file: &Path, place: &Place, what: impl Into<String>) -> Self {
        Self {
            file: file.to_path_buf(),
            line: place.line,
            column: place.column,
            path: place.path.to_string(),
            what: what.into(),
            nearest: None,
        }
    }

    /// The same mistake with the nearest right name added.
    #[must_use]
    pub fn with_nearest(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.what)?;
        match &self.nearest {
            Some(nearest) => write!(f, " (did you mean `{nearest}`?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Mistake {}

/// The name in `known` that is nearest to `wrong`, when one is near enough to be a typing error.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Below this Jaro-Winkler similarity a suggestion misleads more than it helps.
    const SIMILARITY_MIN: f64 = 0.8;
    // A longer one is no typing error, and comparing costs the product of both lengths.
    if wrong.chars().nth(SHOWN_CHARS_MAX).is_some() {
        return None;
    }
    let lower = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.to_owned())
}

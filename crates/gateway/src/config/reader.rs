//! Reads a tree into typed values and gathers every mistake on the way instead of stopping at
//! the first. It does not know which sections there are: those say so themselves ([`Read`]).

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::mistake::{Mistakes, Place, Placed, nearest, shown};
use super::tree::{Entry, Kind, Node};

mod environment;
mod shapes;

pub(super) use environment::Environment;
pub(super) use shapes::{Count, Flag, Given, List, Named, NamedEntry, OneOf, Word};

/// The longest single text, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 4096;

/// Names of the design that a later version will know: the message says so.
const LATER: &[&str] = &[
    "api_keys",
    "client_certificates",
    "crl",
    "format",
    "health",
    "introspection",
    "pins",
    "response_headers",
    "seal",
    "security_schemes",
];

/// What can be read from a tree. `None` means that a mistake was noted and nothing is left to
/// look at; a section of which only some members are wrong is still read.
pub(super) trait Read: Sized {
    /// Reads the value at a node.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;
}

/// Reading under way: where it is and what was wrong so far.
pub(super) struct Reader<'a> {
    environment: &'a Environment<'a>,
    path: String,
    mistakes: Mistakes<'a>,
}

impl<'a> Reader<'a> {
    /// Starts at the root of a file.
    pub(super) fn new(file: &'a Path, environment: &'a Environment<'a>) -> Self {
        Self { environment, path: String::new(), mistakes: Mistakes::new(file) }
    }

    /// Everything that was wrong.
    pub(super) fn into_mistakes(self) -> Mistakes<'a> {
        self.mistakes
    }

    /// The place of a node that is being read.
    pub(super) fn place(&self, node: &Node) -> Place {
        Place { line: node.line, column: node.column, path: Arc::from(self.path.as_str()) }
    }

    /// Notes that a node is wrong.
    pub(super) fn wrong(&mut self, node: &Node, what: impl Into<String>) {
        let place = self.place(node);
        self.mistakes.wrong(&place, what);
    }

    /// Reads a value together with its place.
    pub(super) fn placed<T: Read>(&mut self, node: &Node) -> Option<Placed<T>> {
        let place = self.place(node);
        T::read(node, self).map(|value| Placed { value, place })
    }

    /// Reads something one step further down, such as `.tls` or `[0]`.
    pub(super) fn within<R>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        self.path.push_str(step);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Expects a mapping; notes every name in it that is not in `known`.
    pub(super) fn only_these(&mut self, node: &Node, known: &[&str]) -> Option<()> {
        let Kind::Map(entries) = &node.kind else {
            let what = if known.is_empty() {
                format!("expected `{{}}`, found {}", called(node))
            } else {
                format!("expected a mapping with {}, found {}", list(known), called(node))
            };
            self.wrong(node, what);
            return None;
        };
        for entry in entries {
            if !known.contains(&entry.name.as_str()) {
                self.unknown(entry, known);
            }
        }
        self.no_name_twice(entries);
        Some(())
    }

    /// Notes every name that is written a second time; the first one counts.
    fn no_name_twice(&mut self, entries: &[Entry]) {
        let mut names = HashSet::new();
        for entry in entries {
            if !names.insert(entry.name.as_str()) {
                let what = format!("`{}` is written twice", shown(&entry.name));
                self.wrong_entry(entry, what, None);
            }
        }
    }

    /// The place of a name inside the node that is being read.
    fn place_of(&self, entry: &Entry) -> Place {
        Place { line: entry.line, column: entry.column, path: Arc::from(self.path.as_str()) }
    }

    fn wrong_entry(&mut self, entry: &Entry, what: String, nearest: Option<String>) {
        let place = self.place_of(entry);
        self.mistakes.wrong_name(&place, what, nearest);
    }

    fn unknown(&mut self, entry: &Entry, known: &[&str]) {
        if self.mistakes.is_full() {
            return;
        }
        let name = shown(&entry.name);
        let name = name.as_str();
        let near = nearest(name, known.iter().copied());
        let what = if LATER.contains(&name) {
            format!("`{name}` is not in this version")
        } else if near.is_some() {
            format!("unknown name `{name}`")
        } else {
            format!("unknown name `{name}`; known here: {}", list(known))
        };
        self.wrong_entry(entry, what, near);
    }

    /// A name that must be there. It is never [`Given::Absent`]: that is a mistake.
    pub(super) fn required<T: Read>(&mut self, node: &Node, name: &str) -> Given<T> {
        let given = self.optional(node, name);
        if given.is_absent() {
            self.wrong(node, format!("`{name}` is missing"));
            return Given::Broken;
        }
        given
    }

    /// A name that may be absent.
    pub(super) fn optional<T: Read>(&mut self, node: &Node, name: &str) -> Given<T> {
        let Some(entry) = find(node, name) else {
            return Given::Absent;
        };
        self.within(&step(&self.path, name), |reader| reader.placed(&entry.value))
            .map_or(Given::Broken, Given::Is)
    }

    /// A text, with `${NAME}` replaced.
    pub(super) fn text(&mut self, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::Text(text) => {
                let text = self.expanded(node, text)?;
                self.bounded(node, text)
            }
            Kind::Integer(_) | Kind::Float | Kind::Bool(_) => {
                self.wrong(
                    node,
                    format!(
                        "expected a text, found {}: put it in quotes, or add its unit",
                        called(node)
                    ),
                );
                None
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                self.wrong(node, format!("expected a text, found {}", called(node)));
                None
            }
        }
    }

    fn bounded(&mut self, node: &Node, text: String) -> Option<String> {
        if text.is_empty() {
            self.wrong(node, "must not be empty");
            return None;
        }
        if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            self.wrong(
                node,
                format!("must be at most {TEXT_BYTES_MAX} bytes without control characters"),
            );
            return None;
        }
        Some(text)
    }

    /// A whole number, also one that comes from the environment.
    pub(super) fn integer(&mut self, node: &Node) -> Option<i128> {
        match &node.kind {
            Kind::Integer(number) => return Some(*number),
            Kind::Text(text) if environment::mentions(text) => {
                if let Ok(number) = self.expanded(node, text)?.parse() {
                    return Some(number);
                }
            }
            Kind::Null
            | Kind::Bool(_)
            | Kind::Float
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_) => {}
        }
        self.wrong(node, format!("expected a whole number, found {}", called(node)));
        None
    }

    /// True or false, also when it comes from the environment.
    pub(super) fn flag(&mut self, node: &Node) -> Option<bool> {
        match &node.kind {
            Kind::Bool(flag) => return Some(*flag),
            Kind::Text(text) if environment::mentions(text) => {
                if let Ok(flag) = self.expanded(node, text)?.parse() {
                    return Some(flag);
                }
            }
            Kind::Null
            | Kind::Integer(_)
            | Kind::Float
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_) => {}
        }
        self.wrong(node, format!("expected true or false, found {}", called(node)));
        None
    }

    fn expanded(&mut self, node: &Node, text: &str) -> Option<String> {
        match environment::expand(text, self.environment) {
            Ok(text) => Some(text),
            Err(error) => {
                self.wrong(node, error.to_string());
                None
            }
        }
    }

    /// Notes a word that is none of the known ones. The word itself is only shown where it is
    /// near a known one: it may come from the environment.
    pub(super) fn not_one_of(&mut self, node: &Node, word: &str, known: &[&str]) {
        let place = self.place(node);
        let near = nearest(word, known.iter().copied());
        self.mistakes.wrong_name(&place, format!("expected {}", either(known)), near);
    }
}

fn find<'n>(node: &'n Node, name: &str) -> Option<&'n Entry> {
    let Kind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|entry| entry.name == name)
}

/// The step to a name: no dot before the first one.
pub(super) fn step(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!(".{name}") }
}

/// What a node is, for messages.
pub(super) fn called(node: &Node) -> &'static str {
    node.kind.called()
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn either(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;

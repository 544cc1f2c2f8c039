//! A YAML text as a tree in which every key and every value knows its line and column. It does
//! not know which names there are.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Spanned};

/// The deepest nesting of a configuration; the longest path this version knows has 7 levels.
const DEPTH_MAX: usize = 24;
/// The most values in a configuration, aliases counted each time.
const NODES_MAX: usize = 200_000;

/// A value with its position.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Line, from 1.
    pub(super) line: u32,
    /// Column in characters, from 1.
    pub(super) column: u32,
    /// The value.
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false` (the words of YAML 1.2 only: `off` is a text).
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Another number.
    Float,
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Names and values in the order of the file; a name may be there twice.
    Map(Vec<Entry>),
}

impl Kind {
    /// What it is called in a message.
    pub(super) fn called(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// A name and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The name.
    pub(super) name: String,
    /// Line of the name, from 1.
    pub(super) line: u32,
    /// Column of the name, from 1.
    pub(super) column: u32,
    /// The value.
    pub(super) value: Node,
}

/// Why a text is no YAML document.
#[derive(Debug)]
pub(super) struct NotYaml {
    /// Line, from 1; 0 where unknown.
    pub(super) line: u32,
    /// Column, from 1; 0 where unknown.
    pub(super) column: u32,
    /// What the parser says.
    pub(super) what: String,
}

/// Reads one YAML document.
pub(super) fn parse(text: &str) -> Result<Node, NotYaml> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX },
        // Told by the reader, together with everything else that is wrong.
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Spanned<Kind>>(text, options)
        .map(Node::from)
        .map_err(NotYaml::from)
}

impl From<Error> for NotYaml {
    fn from(error: Error) -> Self {
        let (line, column) = error
            .location()
            .map_or((0, 0), |location| (clamp(location.line()), clamp(location.column())));
        let what = too_much(error.without_snippet()).unwrap_or_else(|| {
            let text = error.without_snippet().to_string();
            let text = text.lines().next().unwrap_or("not a YAML document");
            // The scanner has a bound of its own for brackets, and no kind of error for it.
            if text.starts_with("recursion limit exceeded") {
                too_deep()
            } else {
                format!("not valid YAML: {text}")
            }
        });
        Self { line, column, what }
    }
}

/// What to say of a file that is refused for its size or shape.
fn too_much(error: &Error) -> Option<String> {
    let size = format!(
        "holds more values than a configuration may: {NODES_MAX}, aliases counted each time"
    );
    if let Error::AliasError { error, .. } = error {
        return too_much(error);
    }
    if matches!(
        error,
        Error::AliasReplayCounterOverflow { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
    ) {
        return Some(size);
    }
    let Error::Budget { breach, .. } = error else { return None };
    let depth = matches!(breach, serde_saphyr::budget::BudgetBreach::Depth { .. });
    Some(if depth { too_deep() } else { size })
}

fn too_deep() -> String {
    format!("is nested deeper than {DEPTH_MAX} levels")
}

impl From<Spanned<Kind>> for Node {
    fn from(spanned: Spanned<Kind>) -> Self {
        Self {
            line: clamp(spanned.referenced.line()),
            column: clamp(spanned.referenced.column()),
            kind: spanned.value,
        }
    }
}

fn clamp(position: u64) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// A mapping key: text, or a number taken as its text.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Integer(i128::from(value)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Float)
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element::<Spanned<Kind>>()? {
            nodes.push(Node::from(node));
        }
        Ok(Kind::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<Spanned<Name>>()? {
            let value = Node::from(map.next_value::<Spanned<Kind>>()?);
            entries.push(Entry {
                line: clamp(name.referenced.line()),
                column: clamp(name.referenced.column()),
                name: name.value.0,
                value,
            });
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests;

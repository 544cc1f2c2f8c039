//! The shapes of values that all sections share: optional, list, named, one of some words,
//! bounded number. They do not know what the values mean.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Read, Reader, called, step};
use crate::config::mistake::{Place, Placed, shown};
use crate::config::tree::{Kind, Node};

/// The longest name of an issuer, upstream or tier, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A value that may be left out. A broken one is told from an absent one, so that one mistake
/// does not cause a second message.
#[derive(Debug, Default)]
pub(in crate::config) enum Given<T> {
    /// Not written.
    #[default]
    Absent,
    /// Written, but wrong; the mistake is noted.
    Broken,
    /// Written.
    Is(Placed<T>),
}

impl<T> Given<T> {
    /// The value and its place, where there is a good one.
    pub(in crate::config) fn get(&self) -> Option<&Placed<T>> {
        match self {
            Self::Is(placed) => Some(placed),
            Self::Absent | Self::Broken => None,
        }
    }

    /// The value, where there is a good one.
    pub(in crate::config) fn value(&self) -> Option<&T> {
        self.get().map(|placed| &placed.value)
    }

    /// Whether nothing is written.
    pub(in crate::config) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: JsonSchema> JsonSchema for Given<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A list of at most `MAX` items. Wrong items are left out, but counted.
#[derive(Debug)]
pub(in crate::config) struct List<T, const MAX: usize> {
    /// The items that could be read.
    pub(in crate::config) items: Vec<Placed<T>>,
    /// How many are written.
    pub(in crate::config) written: usize,
}

impl<T: Read, const MAX: usize> Read for List<T, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::List(nodes) = &node.kind else {
            reader.wrong(node, format!("expected a list, found {}", called(node)));
            return None;
        };
        if nodes.len() > MAX {
            reader.wrong(node, format!("holds {} items; at most {MAX} are allowed", nodes.len()));
            return None;
        }
        let items = nodes
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                reader.within(&format!("[{index}]"), |reader| reader.placed(item))
            })
            .collect();
        Some(Self { items, written: nodes.len() })
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "maxItems": MAX, "items": items })
    }
}

/// Values by a name that the author chooses; at most `MAX`. The name of a broken one is kept, so
/// that references to it are no second mistake.
#[derive(Debug)]
pub(in crate::config) struct Named<T, const MAX: usize> {
    /// In the order of the file.
    pub(in crate::config) entries: Vec<NamedEntry<T>>,
}

/// One name and its value.
#[derive(Debug)]
pub(in crate::config) struct NamedEntry<T> {
    /// The name.
    pub(in crate::config) name: String,
    /// Where it is written.
    pub(in crate::config) place: Place,
    /// The value, where it could be read.
    pub(in crate::config) value: Option<T>,
}

impl<T, const MAX: usize> Named<T, MAX> {
    /// All names, those of broken values included.
    pub(in crate::config) fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.name.as_str()).collect()
    }
}

impl<T: Read, const MAX: usize> Read for Named<T, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(fields) = &node.kind else {
            reader.wrong(node, format!("expected names with values, found {}", called(node)));
            return None;
        };
        if fields.len() > MAX {
            reader.wrong(node, format!("holds {} names; at most {MAX} are allowed", fields.len()));
            return None;
        }
        reader.no_name_twice(fields);
        let mut entries = Vec::with_capacity(fields.len());
        for field in fields {
            reader.within(&step(&reader.path, &shown(&field.name)), |reader| {
                let place = reader.place_of(field);
                if !is_name(&field.name) {
                    let what = "a name consists of 1 to 64 of a-z 0-9 - _".to_owned();
                    reader.wrong_entry(field, what, None);
                }
                let value = T::read(&field.value, reader);
                entries.push(NamedEntry { name: field.name.clone(), place, value });
            });
        }
        Some(Self { entries })
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for Named<T, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "maxProperties": MAX,
            "propertyNames": { "pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES_MAX}}}$") },
            "additionalProperties": value,
        })
    }
}

/// A closed set of words.
pub(in crate::config) trait Word: Copy + 'static {
    /// Every word and what it means.
    const WORDS: &'static [(&'static str, Self)];
}

/// One of the words of `W`.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct OneOf<W>(pub(in crate::config) W);

impl<W: Word> Read for OneOf<W> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node)?;
        let found = W::WORDS.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = W::WORDS.iter().map(|(word, _)| *word).collect();
            reader.not_one_of(node, &text, &words);
        }
        found.map(|(_, meaning)| Self(*meaning))
    }
}

impl<W: Word> JsonSchema for OneOf<W> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = W::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// True or false.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Flag(pub(in crate::config) bool);

impl Read for Flag {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.flag(node).map(Self)
    }
}

impl JsonSchema for Flag {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Count<const MIN: u32, const MAX: u32>(pub(in crate::config) u32);

impl<const MIN: u32, const MAX: u32> Read for Count<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let number = reader.integer(node)?;
        let bounded = u32::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
        if bounded.is_none() {
            reader.wrong(node, format!("must be from {MIN} to {MAX}"));
        }
        bounded.map(Self)
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Count<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("From{MIN}To{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

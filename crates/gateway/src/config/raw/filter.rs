//! The section `filter` of an API as it is written: one word for all, or a mapping.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use validate::Action;

use super::scalars::{Size, Text};
use super::{ITEMS_MAX, section};
use crate::config::reader::{List, OneOf, Read, Reader, Word};
use crate::config::tree::{Kind, Node};

/// Bytes of one free text: the least and the most that can be asked for.
const TEXT_BYTES_MIN: u64 = 256;
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// `filter`, as a word or as a mapping.
#[derive(Debug)]
pub(in crate::config) enum RawFilter {
    /// One action for every class.
    All(Action),
    /// Class by class.
    Each(Box<RawFilterSettings>),
}

section! {
    /// What happens to requests that look like an attack, class by class.
    RawFilterSettings {
        required {}
        optional {
            /// For every class that is not named under `classes`. Default: enforce.
            default: OneOf<Action>,
            /// By class of attack. Default: none.
            classes: RawClasses,
            /// What is let pass although a rule finds it. Default: none.
            exceptions: List<RawException, ITEMS_MAX>,
            /// Bytes of one free text; a longer one is refused, not cut: 256B to 1MiB. Default:
            /// 64KiB.
            text: Size<TEXT_BYTES_MIN, TEXT_BYTES_MAX>,
        }
    }
}

section! {
    /// The classes of attack; `gateway explain` lists their rules.
    RawClasses {
        required {}
        optional {
            /// SQL injection. Default: as `default` says.
            sqli: OneOf<Action>,
            /// Script in markup, URLs and attributes. Default: as `default` says.
            xss: OneOf<Action>,
            /// Queries of document databases. Default: as `default` says.
            nosql: OneOf<Action>,
            /// Paths and files. Default: as `default` says.
            traversal: OneOf<Action>,
            /// Commands of a shell, and program code. Default: as `default` says.
            command: OneOf<Action>,
            /// Expressions of template languages. Default: as `default` says.
            template: OneOf<Action>,
            /// Filters of directories. Default: as `default` says.
            ldap: OneOf<Action>,
            /// Paths through documents of XML. Default: as `default` says.
            xpath: OneOf<Action>,
            /// Entities and inclusions of XML. Default: as `default` says.
            xxe: OneOf<Action>,
            /// Line ends that split a header. Default: as `default` says.
            header: OneOf<Action>,
            /// URLs that lead inside. Default: as `default` says.
            ssrf: OneOf<Action>,
            /// Lookups of loggers. Default: as `default` says.
            jndi: OneOf<Action>,
            /// Functions of a shell in a value. Default: as `default` says.
            shellshock: OneOf<Action>,
            /// Directives that servers carry out inside a page. Default: as `default` says.
            ssi: OneOf<Action>,
            /// Objects of programs as text. Default: as `default` says.
            deserialisation: OneOf<Action>,
            /// Prototypes of objects. Default: as `default` says.
            prototype: OneOf<Action>,
            /// What could not be read to its end: too long, or encoded too often. Default: as `default` says.
            encoding: OneOf<Action>,
        }
    }
}

section! {
    /// Something that is let pass although a rule finds it; each use is recorded.
    RawException {
        required {
            /// The fields as records show them: `query:q`, `body:/note`, `body:/items/*/text`
            /// (a star is one step).
            fields: List<Text, ITEMS_MAX>,
        }
        optional {
            /// The operations (by operationId) it is about. Default: all. Not with `prefix`.
            operations: List<Text, ITEMS_MAX>,
            /// Ids of rules, or names of classes. Default: all.
            rules: List<Text, ITEMS_MAX>,
        }
    }
}

impl Word for Action {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("enforce", Self::Enforce),
        ("strip", Self::Strip),
        ("observe", Self::Observe),
        ("off", Self::Off),
    ];
}

impl Read for RawFilter {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.kind, Kind::Map(_)) {
            RawFilterSettings::read(node, reader).map(|each| Self::Each(Box::new(each)))
        } else {
            OneOf::<Action>::read(node, reader).map(|word| Self::All(word.0))
        }
    }
}

impl JsonSchema for RawFilter {
    fn schema_name() -> Cow<'static, str> {
        "RawFilter".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<OneOf<Action>>();
        let each = generator.subschema_for::<RawFilterSettings>();
        json_schema!({ "description": "One word for every class, or a section.", "anyOf": [word, each] })
    }
}

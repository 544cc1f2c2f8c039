//! How values are written in a text or in pairs of names and texts: the styles of OpenAPI (RFC 6570), each with and
//! without `explode`. It knows no place of a request and judges no values.

use std::collections::BTreeMap;

use super::query::{self, Pair};
use crate::json::{self, Entry, Tape};
use crate::limits::Limits;
use crate::schema::{Member, Members, Types};

/// The name of a broken rule.
pub(crate) type Rule = &'static str;

/// How a value is written.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) style: Style,
    pub(crate) explode: bool,
    pub(crate) shape: Shape,
}

/// The styles of OpenAPI 3.1, 4.8.12.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `a,b`
    Simple,
    /// `.a,b`, exploded `.a.b`
    Label,
    /// `;name=a,b`, exploded `;name=a;name=b`
    Matrix,
    /// `name=a,b`, exploded `name=a&name=b`
    Form,
    /// `name=a%20b`
    SpaceDelimited,
    /// `name=a|b`
    PipeDelimited,
    /// `name[member]=a`
    DeepObject,
}

/// What is written.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// One plain value.
    One(Types),
    /// A list of plain values.
    List(Types),
    /// An object of plain values.
    Object(Members),
    /// A text of JSON (`content`), or, where the style says nothing of objects, in a form.
    Json,
}

/// The texts of one value, decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    One(String),
    List(Vec<String>),
    Object(Vec<(String, String)>),
}

impl Read {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::List(texts) => texts.len(),
            Self::Object(members) => members.len(),
        }
    }
}

/// Decodes one part of a text, after it was split.
pub(crate) type Decode<'d> = &'d dyn Fn(&str) -> Result<String, Rule>;

/// What separates the parts of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Comma,
    Dot,
    Space,
    Pipe,
}

impl Mark {
    fn split(self, raw: &str) -> Vec<&str> {
        match self {
            Self::Comma => raw.split(',').collect(),
            Self::Dot => raw.split('.').collect(),
            Self::Space => raw.split('+').flat_map(|part| part.split("%20")).collect(),
            Self::Pipe => raw
                .split('|')
                .flat_map(|part| part.split("%7C"))
                .flat_map(|part| part.split("%7c"))
                .collect(),
        }
    }

    fn written(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Space => "%20",
            Self::Pipe => "%7C",
        }
    }
}

impl Wire {
    /// A plain text under a name.
    pub(crate) fn text() -> Self {
        let types = Types { string: true, ..Types::default() };
        Self { style: Style::Form, explode: true, shape: Shape::One(types) }
    }

    fn mark(&self) -> Mark {
        match self.style {
            Style::Label if self.explode => Mark::Dot,
            Style::SpaceDelimited => Mark::Space,
            Style::PipeDelimited => Mark::Pipe,
            Style::Simple | Style::Label | Style::Matrix | Style::Form | Style::DeepObject => {
                Mark::Comma
            }
        }
    }

    /// Reads the one text that holds the whole value. The split comes first, then the decoding: an encoded separator
    /// is none.
    pub(crate) fn read(&self, name: &str, raw: &str, decode: Decode<'_>) -> Result<Read, Rule> {
        match self.style {
            Style::Matrix => self.read_matrix(name, raw, decode),
            Style::Label => self.parts(raw.strip_prefix('.').ok_or("style")?, decode),
            Style::Simple
            | Style::Form
            | Style::SpaceDelimited
            | Style::PipeDelimited
            | Style::DeepObject => self.parts(raw, decode),
        }
    }

    fn parts(&self, raw: &str, decode: Decode<'_>) -> Result<Read, Rule> {
        match &self.shape {
            Shape::One(_) | Shape::Json => Ok(Read::One(decode(raw)?)),
            Shape::List(_) => {
                let texts = self.mark().split(raw).into_iter().map(decode);
                Ok(Read::List(texts.collect::<Result<_, _>>()?))
            }
            Shape::Object(_) if self.explode => keyed(self.mark().split(raw), decode),
            Shape::Object(_) => alternate(&self.mark().split(raw), decode),
        }
    }

    /// `;name=value`, and one such part for each item or member where it is exploded.
    fn read_matrix(&self, name: &str, raw: &str, decode: Decode<'_>) -> Result<Read, Rule> {
        let rest = raw.strip_prefix(';').ok_or("style")?;
        let own = |part: &str| -> Result<String, Rule> {
            let (own, value) = part.split_once('=').unwrap_or((part, ""));
            if decode(own)? == name { Ok(value.to_owned()) } else { Err("style") }
        };
        match &self.shape {
            Shape::List(_) if self.explode => {
                let texts = rest.split(';').map(|part| decode(&own(part)?));
                Ok(Read::List(texts.collect::<Result<_, _>>()?))
            }
            Shape::Object(_) if self.explode => keyed(rest.split(';').collect(), decode),
            Shape::One(_) | Shape::List(_) | Shape::Object(_) | Shape::Json => {
                if rest.contains(';') {
                    return Err("style");
                }
                self.parts(&own(rest)?, decode)
            }
        }
    }

    /// Whether the value takes several pairs.
    fn is_spread(&self) -> bool {
        match self.shape {
            Shape::One(_) | Shape::Json => false,
            Shape::List(_) => self.explode,
            Shape::Object(_) => self.explode || self.style == Style::DeepObject,
        }
    }

    /// Whether a pair of this name belongs to the value `name`.
    pub(crate) fn owns(&self, name: &str, pair: &str) -> bool {
        match &self.shape {
            Shape::Object(_) if self.style == Style::DeepObject => member_of(name, pair).is_some(),
            Shape::Object(members) if self.explode => members.knows(pair),
            Shape::One(_) | Shape::List(_) | Shape::Object(_) | Shape::Json => name == pair,
        }
    }

    /// Whether it takes whatever nobody else owns: an exploded object that is open.
    pub(crate) fn takes_others(&self) -> bool {
        self.style == Style::Form
            && self.explode
            && matches!(&self.shape, Shape::Object(members) if members.others.is_some())
    }

    /// Reads the value out of its own pairs; `None`: there are none.
    pub(crate) fn read_pairs(
        &self,
        name: &str,
        own: &[&Pair<'_>],
        limits: &Limits,
    ) -> Option<Result<Read, Rule>> {
        let first = own.first()?;
        let decode = |raw: &str| query::form_decoded(raw, limits);
        if !self.is_spread() {
            let only = if own.len() > 1 { Err("repeated") } else { Ok(first.raw) };
            return Some(only.and_then(|raw| self.parts(raw, &decode)));
        }
        if let Shape::Object(_) = self.shape {
            let member = |pair: &&Pair<'_>| {
                let deep = member_of(name, &pair.name).filter(|_| self.style == Style::DeepObject);
                Ok((deep.unwrap_or(&pair.name).to_owned(), decode(pair.raw)?))
            };
            return Some(own.iter().map(member).collect::<Result<_, _>>().map(Read::Object));
        }
        let texts = own.iter().map(|pair| decode(pair.raw));
        Some(texts.collect::<Result<_, _>>().map(Read::List))
    }

    /// The text of one pair, written anew: what it is split at stays, all else is encoded in one way.
    pub(crate) fn rewritten(&self, raw: &str, limits: &Limits) -> String {
        let anew = |raw: &str| {
            query::form_decoded(raw, limits).map(|text| query::encoded(&text)).unwrap_or_default()
        };
        let whole = matches!(self.shape, Shape::One(_) | Shape::Json);
        if whole || self.is_spread() {
            return anew(raw);
        }
        let mark = self.mark();
        mark.split(raw).into_iter().map(anew).collect::<Vec<_>>().join(mark.written())
    }

    /// Adds the value to a tape.
    pub(crate) fn push(&self, read: &Read, limits: &Limits, tape: &mut Tape) -> Result<(), Rule> {
        if read.len() > limits.items_max {
            return Err("items_max");
        }
        match (&self.shape, read) {
            (Shape::Json, Read::One(text)) => push_json(text, limits, tape)?,
            (Shape::One(types), Read::One(text)) => push_text(text, *types, limits, tape),
            (Shape::List(types), Read::List(texts)) => push_list(texts, *types, limits, tape),
            (Shape::Object(members), Read::Object(texts)) => {
                push_object(members, texts, self.style == Style::DeepObject, limits, tape)?;
            }
            // What is read has the shape it was read by.
            (_, Read::One(_) | Read::List(_) | Read::Object(_)) => return Err("style"),
        }
        Ok(())
    }
}

/// `name,value,name,value`.
fn alternate(parts: &[&str], decode: Decode<'_>) -> Result<Read, Rule> {
    let pair = |two: &[&str]| -> Result<(String, String), Rule> {
        match two {
            [name, value] => Ok((decode(name)?, decode(value)?)),
            _ => Err("style"),
        }
    };
    Ok(Read::Object(parts.chunks(2).map(pair).collect::<Result<_, _>>()?))
}

/// `name=value` in each part.
fn keyed(parts: Vec<&str>, decode: Decode<'_>) -> Result<Read, Rule> {
    let pair = |part: &str| -> Result<(String, String), Rule> {
        let (name, value) = part.split_once('=').ok_or("style")?;
        Ok((decode(name)?, decode(value)?))
    };
    Ok(Read::Object(parts.into_iter().map(pair).collect::<Result<_, _>>()?))
}

/// `member` of `name[member]`.
fn member_of<'n>(name: &str, pair: &'n str) -> Option<&'n str> {
    let member = pair.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
    (!member.is_empty() && !member.contains(['[', ']'])).then_some(member)
}

/// The number or the flag that a text stands for where the schema takes one; `None`: it is a text.
pub(crate) fn typed(text: &str, types: Types, limits: &Limits) -> Option<Entry> {
    let number = if types.number { json::read_number(text, limits).ok() } else { None };
    let flag = types.boolean && (text == "true" || text == "false");
    number.or(flag.then_some(Entry::Flag(text == "true")))
}

pub(crate) fn push_text(text: &str, types: Types, limits: &Limits, tape: &mut Tape) {
    match typed(text, types, limits) {
        Some(entry) => tape.push(entry),
        None => tape.own_text(text),
    }
}

fn push_list(texts: &[String], types: Types, limits: &Limits, tape: &mut Tape) {
    let at = tape.open();
    for text in texts {
        push_text(text, types, limits, tape);
    }
    tape.close_array(at, texts.len());
}

/// A text of JSON, read as strictly as a body.
pub(crate) fn push_json(text: &str, limits: &Limits, tape: &mut Tape) -> Result<(), Rule> {
    let (own, text) = json::read(text.as_bytes(), limits).map_err(|error| error.rule())?;
    tape.graft(own.view(text).root());
    Ok(())
}

fn push_object(
    members: &Members,
    texts: &[(String, String)],
    repeatable: bool,
    limits: &Limits,
    tape: &mut Tape,
) -> Result<(), Rule> {
    let mut grouped: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, text) in texts {
        grouped.entry(name).or_default().push(text.clone());
    }
    let at = tape.open();
    for (name, texts) in &grouped {
        tape.own_text(name);
        let Member { types, items } = members.of(name);
        match texts.as_slice() {
            _ if repeatable && types.array => push_list(texts, items, limits, tape),
            [text] => push_text(text, types, limits, tape),
            _ => return Err("repeated"),
        }
    }
    // No name stands twice in the map.
    tape.close_object(at, grouped.len(), "");
    Ok(())
}

#[cfg(test)]
mod tests;

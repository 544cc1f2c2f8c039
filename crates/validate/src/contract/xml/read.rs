//! The bytes of an XML body as a tree of elements, in the one way that every reader agrees on. `quick-xml` finds the
//! events; what it leaves to its user is refused here: document types, entities, processing instructions, comments,
//! characters that XML does not have, anything beside the one root. It knows no schema.

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use crate::contract::form;
use crate::contract::wire::Rule;
use crate::limits::Limits;

/// An element with its names as they are written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    /// All text right within it.
    pub(super) text: String,
}

struct Builder<'l> {
    limits: &'l Limits,
    /// Elements that are open, the innermost last.
    open: Vec<Element>,
    root: Option<Element>,
    /// Elements and attributes so far.
    count: usize,
}

/// Reads a whole body.
pub(super) fn read(body: &[u8], limits: &Limits) -> Result<Element, Rule> {
    let text = form::text_of(body)?;
    if !text.chars().all(is_char) {
        return Err("xml_character");
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut builder = Builder { limits, open: Vec::new(), root: None, count: 0 };
    let mut is_first = true;
    loop {
        match reader.read_event().map_err(|_| "xml_syntax")? {
            Event::Decl(declaration) if is_first => check_declaration(&declaration)?,
            Event::Start(start) => builder.start(&start, false)?,
            Event::Empty(start) => builder.start(&start, true)?,
            Event::End(_) => builder.end()?,
            Event::Text(text) if text.contains("]]>") => return Err("xml_syntax"),
            Event::Text(text) => builder.text(&text.xml10_content())?,
            Event::CData(text) => builder.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => builder.text(&referred(&reference)?.to_string())?,
            Event::DocType(_) => return Err("xml_doctype"),
            Event::PI(_) | Event::Decl(_) => return Err("xml_instruction"),
            // Readers differ in whether a text goes on behind one.
            Event::Comment(_) => return Err("xml_comment"),
            Event::Eof => break,
        }
        is_first = false;
    }
    match builder.root {
        Some(root) if builder.open.is_empty() => Ok(root),
        Some(_) | None => Err("xml_syntax"),
    }
}

/// XML 1.0, 2.2.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0 in UTF-8, and nothing that stands elsewhere.
fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), Rule> {
    if declaration.version().map_err(|_| "xml_syntax")? != "1.0" {
        return Err("xml_declaration");
    }
    if let Some(encoding) = declaration.encoding()
        && !encoding.map_err(|_| "xml_syntax")?.eq_ignore_ascii_case("utf-8")
    {
        return Err("charset");
    }
    if let Some(standalone) = declaration.standalone()
        && standalone.map_err(|_| "xml_syntax")? != "yes"
    {
        return Err("xml_declaration");
    }
    Ok(())
}

/// A character by its number, or one of the five that need no declaration (XML 1.0, 4.6).
fn referred(reference: &BytesRef<'_>) -> Result<char, Rule> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) if is_char(c) => Ok(c),
        Ok(Some(_)) => Err("xml_character"),
        Err(_) => Err("xml_syntax"),
        Ok(None) => named(reference),
    }
}

fn named(name: &str) -> Result<char, Rule> {
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err("xml_entity"),
    }
}

impl Builder<'_> {
    fn start(&mut self, start: &BytesStart<'_>, is_empty: bool) -> Result<(), Rule> {
        if self.root.is_some() {
            return Err("xml_syntax");
        }
        if self.open.len() >= self.limits.depth_max {
            return Err("depth_max");
        }
        let mut element = Element { name: start.name().as_ref().to_owned(), ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| "xml_syntax")?;
            if element.attributes.len() >= self.limits.attributes_max {
                return Err("attributes_max");
            }
            let value = attribute_value(&attribute.value, self.limits)?;
            element.attributes.push((attribute.key.as_ref().to_owned(), value));
        }
        if !is_spaced(start.attributes_raw()) {
            return Err("xml_syntax");
        }
        self.count += 1 + element.attributes.len();
        if self.count > self.limits.values_max {
            return Err("values_max");
        }
        self.open.push(element);
        if is_empty { self.end() } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Rule> {
        let element = self.open.pop().ok_or("xml_syntax")?;
        match self.open.last_mut() {
            None => self.root = Some(element),
            Some(parent) if parent.children.len() >= self.limits.items_max => {
                return Err("items_max");
            }
            Some(parent) => parent.children.push(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Rule> {
        let Some(element) = self.open.last_mut() else {
            // Beside the root there is only space.
            return if text.chars().all(is_space) { Ok(()) } else { Err("xml_syntax") };
        };
        if element.text.len() + text.len() > self.limits.string_bytes_max {
            return Err("string_bytes_max");
        }
        element.text.push_str(text);
        Ok(())
    }
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Whether a space stands before every attribute (XML 1.0, 3.1), outside of the quotes.
fn is_spaced(attributes: &str) -> bool {
    let (mut quote, mut closed) = (None, false);
    for c in attributes.chars() {
        match quote {
            Some(own) => {
                closed = c == own;
                quote = if closed { None } else { quote };
            }
            None if closed && !is_space(c) && c != '/' => return false,
            None => {
                closed = false;
                quote = matches!(c, '"' | '\'').then_some(c);
            }
        }
    }
    quote.is_none()
}

/// The text of an attribute: references resolved, each space a plain one (XML 1.0, 3.3.3).
fn attribute_value(raw: &str, limits: &Limits) -> Result<String, Rule> {
    if raw.contains('<') {
        return Err("xml_syntax");
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        value.extend(before.chars().map(|c| if is_space(c) { ' ' } else { c }));
        let (name, left) = after.split_once(';').ok_or("xml_syntax")?;
        value.push(referred(&BytesRef::new(name))?);
        rest = left;
    }
    value.extend(rest.chars().map(|c| if is_space(c) { ' ' } else { c }));
    if value.len() > limits.string_bytes_max { Err("string_bytes_max") } else { Ok(value) }
}

//! Bodies of XML as the values that their schema's `xml` objects make of them (OpenAPI 3.1, 4.8.26). Elements,
//! attributes and namespaces that the schema does not have are refused. The bytes go inside as they came.

use bytes::Bytes;

use super::Findings;
use super::body::Taken;
use super::wire::{Rule, push_text};
use crate::json::{Entry, Tape};
use crate::limits::Limits;
use crate::schema::{Schema, Types, push};
use crate::violation::Place;

mod read;

use read::{Element, is_space};

/// A declared body of XML.
#[derive(Debug)]
pub(crate) struct Xml {
    pub(crate) schema: Schema,
    pub(crate) nodes: Vec<Node>,
    /// The name of the root; its node is the first.
    pub(crate) root: Name,
    /// Every prefix of the schema with its namespace; an empty prefix is the default one.
    pub(crate) spaces: Vec<(String, String)>,
}

/// A name as it is written, prefix included, and its namespace where the schema says one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) written: String,
    pub(crate) space: Option<String>,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// One text; whether an empty one stands for null.
    Plain(Types, bool),
    /// Elements of this name, each of this node.
    List(Name, usize),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) property: String,
    pub(crate) name: Name,
    pub(crate) form: Form,
    pub(crate) node: usize,
}

/// How a member is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Attribute,
    /// One element. Of a list: one that wraps it.
    Element,
    /// The elements of a list without one around them.
    Bare,
}

/// A broken rule, and the members that lead to it, the last first.
#[derive(Debug)]
struct Broken {
    rule: Rule,
    steps: Vec<String>,
}

impl Broken {
    fn new(rule: Rule) -> Self {
        Self { rule, steps: Vec::new() }
    }

    fn below(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }

    fn place(&self) -> Place {
        let mut pointer = String::new();
        self.steps.iter().rev().for_each(|step| push(&mut pointer, step));
        Place::Body { pointer }
    }
}

/// The values under way.
struct Writing<'w> {
    limits: &'w Limits,
    tape: &'w mut Tape,
}

/// Prefixes and namespaces in force.
type Scope = Vec<(String, String)>;

impl Xml {
    /// Reads a body into values and holds them against the schema.
    pub(crate) fn read(&self, body: &Bytes, limits: &Limits, found: &mut Findings) -> Taken {
        let root = match read::read(body, limits) {
            Ok(root) => root,
            Err(rule) => {
                found.refuse(Place::body(), rule);
                found.unread(Place::body(), &String::from_utf8_lossy(body));
                return Taken::default();
            }
        };
        let mut tape = Tape::default();
        let scope = self.scope(&root, &self.root, &Vec::new());
        let read = match scope {
            _ if root.name != self.root.written => Err(Broken::new("xml_root")),
            Ok(scope) => {
                let mut out = Writing { limits, tape: &mut tape };
                self.value(0, &root, &scope, &mut out)
            }
            Err(rule) => Err(Broken::new(rule)),
        };
        if let Err(broken) = read {
            found.refuse(broken.place(), broken.rule);
            found.unread(Place::body(), &String::from_utf8_lossy(body));
            return Taken::default();
        }
        self.schema.check_body(tape.view("").root(), &mut found.violations);
        Taken { tape: Some(tape), written: None }
    }

    /// The namespaces within an element of this name. Only those of the schema may be declared, a default one only by
    /// an element that is said to be in it.
    fn scope(&self, element: &Element, name: &Name, outer: &Scope) -> Result<Scope, Rule> {
        let mut scope = outer.clone();
        for (key, uri) in &element.attributes {
            let prefix = match key.strip_prefix("xmlns") {
                Some("") => "",
                Some(rest) => match rest.strip_prefix(':') {
                    Some(prefix) => prefix,
                    None => continue,
                },
                None => continue,
            };
            let known = self.spaces.iter().any(|(own, space)| own == prefix && space == uri);
            if !known || (prefix.is_empty() && name.space.as_ref() != Some(uri)) {
                return Err("xml_namespace");
            }
            scope.retain(|(own, _)| own != prefix);
            scope.push((prefix.to_owned(), uri.clone()));
        }
        // A name is in the namespace that the schema says for it.
        let prefix = name.written.split_once(':').map_or("", |(prefix, _)| prefix);
        let bound = scope.iter().find(|(own, _)| own == prefix).map(|(_, uri)| uri);
        let is_meant = match &name.space {
            Some(space) => bound == Some(space),
            None => prefix.is_empty() || bound.is_some(),
        };
        if is_meant { Ok(scope) } else { Err("xml_namespace") }
    }

    fn value(
        &self,
        node: usize,
        element: &Element,
        scope: &Scope,
        out: &mut Writing<'_>,
    ) -> Result<(), Broken> {
        match self.nodes.get(node) {
            None => Err(Broken::new("undeclared")),
            Some(Node::Plain(types, nullable)) => {
                let extra = element.attributes.iter().any(|(key, _)| !is_declaration(key));
                if extra || !element.children.is_empty() {
                    return Err(Broken::new("undeclared"));
                }
                plain(&element.text, *types, *nullable, out);
                Ok(())
            }
            Some(Node::List(name, item)) => {
                let extra = element.attributes.iter().any(|(key, _)| !is_declaration(key));
                if extra || element.children.iter().any(|child| child.name != name.written) {
                    return Err(Broken::new("undeclared"));
                }
                only_space(element)?;
                let items: Vec<&Element> = element.children.iter().collect();
                self.list((name, *item), &items, scope, out)
            }
            Some(Node::Object(members)) => self.object(members, element, scope, out),
        }
    }

    fn list(
        &self,
        (name, item): (&Name, usize),
        elements: &[&Element],
        scope: &Scope,
        out: &mut Writing<'_>,
    ) -> Result<(), Broken> {
        let at = out.tape.open();
        for (index, element) in elements.iter().enumerate() {
            let scope = self.scope(element, name, scope).map_err(Broken::new);
            scope
                .and_then(|scope| self.value(item, element, &scope, out))
                .map_err(|broken| broken.below(&index.to_string()))?;
        }
        out.tape.close_array(at, elements.len());
        Ok(())
    }

    fn object(
        &self,
        members: &[Member],
        element: &Element,
        scope: &Scope,
        out: &mut Writing<'_>,
    ) -> Result<(), Broken> {
        only_space(element)?;
        all_declared(members, element)?;
        let (at, mut count) = (out.tape.open(), 0);
        for member in members {
            let sent = match member.form {
                Form::Attribute => self.attribute(member, element, out),
                Form::Element | Form::Bare => self.elements(member, element, scope, out),
            };
            count += usize::from(sent.map_err(|broken| broken.below(&member.property))?);
        }
        out.tape.close_object(at, count, "");
        Ok(())
    }

    /// Whether the member was sent.
    fn attribute(
        &self,
        member: &Member,
        element: &Element,
        out: &mut Writing<'_>,
    ) -> Result<bool, Broken> {
        let own = element.attributes.iter().find(|(key, _)| *key == member.name.written);
        let Some((_, text)) = own else { return Ok(false) };
        let Some(Node::Plain(types, nullable)) = self.nodes.get(member.node) else {
            return Err(Broken::new("undeclared"));
        };
        out.tape.own_text(&member.property);
        plain(text, *types, *nullable, out);
        Ok(true)
    }

    fn elements(
        &self,
        member: &Member,
        element: &Element,
        scope: &Scope,
        out: &mut Writing<'_>,
    ) -> Result<bool, Broken> {
        let own = element.children.iter().filter(|child| child.name == member.name.written);
        let own: Vec<&Element> = own.collect();
        let Some(first) = own.first() else { return Ok(false) };
        out.tape.own_text(&member.property);
        match (member.form, self.nodes.get(member.node)) {
            (Form::Bare, Some(Node::List(name, item))) => {
                self.list((name, *item), &own, scope, out)?;
            }
            _ if own.len() > 1 => return Err(Broken::new("repeated")),
            _ => {
                let scope = self.scope(first, &member.name, scope).map_err(Broken::new)?;
                self.value(member.node, first, &scope, out)?;
            }
        }
        Ok(true)
    }
}

fn is_declaration(key: &str) -> bool {
    key == "xmlns" || key.starts_with("xmlns:")
}

/// Text among the elements of an object or a list has no place in the value.
fn only_space(element: &Element) -> Result<(), Broken> {
    if element.text.chars().all(is_space) { Ok(()) } else { Err(Broken::new("xml_text")) }
}

fn all_declared(members: &[Member], element: &Element) -> Result<(), Broken> {
    let known = |name: &str, attribute: bool| {
        members.iter().any(|member| {
            member.name.written == name && (member.form == Form::Attribute) == attribute
        })
    };
    let attributes = element.attributes.iter().map(|(key, _)| (key.as_str(), true));
    let children = element.children.iter().map(|child| (child.name.as_str(), false));
    let undeclared = attributes
        .filter(|(key, _)| !is_declaration(key))
        .chain(children)
        .any(|(name, attribute)| !known(name, attribute));
    if undeclared { Err(Broken::new("undeclared")) } else { Ok(()) }
}

fn plain(text: &str, types: Types, nullable: bool, out: &mut Writing<'_>) {
    let Writing { limits, tape } = out;
    let trimmed = text.trim_matches(is_space);
    if nullable && !types.string && trimmed.is_empty() {
        tape.push(Entry::Null);
    } else if types.string {
        push_text(text, types, limits, tape);
    } else {
        push_text(trimmed, types, limits, tape);
    }
}

#[cfg(test)]
mod tests;

//! XML of a document: which element or attribute each property is, by its `xml` object (OpenAPI 3.1, 4.8.26). It reads
//! no request.

use std::collections::HashMap;

use super::{Cursor, Report, Version};
use crate::contract::media::BodyKind;
use crate::contract::xml::{Form, Member, Name, Node, Xml};
use crate::schema::{Schema, Types, in_place_parts};

/// Nodes of one schema.
const NODES_MAX: usize = 5_000;

/// A plan in the making.
#[derive(Default)]
struct Planner {
    nodes: Vec<Node>,
    /// By file and pointer, so that a recursive schema has a finite plan.
    known: HashMap<(usize, String), usize>,
    spaces: Vec<(String, String)>,
    /// Why there is none.
    wrong: Option<&'static str>,
}

/// Compiles the body; one that cannot be read answers 415 and is noted.
pub(super) fn read(
    content: &Cursor<'_>,
    version: Version,
    report: &mut Report,
) -> Option<BodyKind> {
    let Some(stated) = content.get("schema") else {
        report.note(content, "XML without a `schema`: it answers 415");
        return None;
    };
    let schema = Schema::compile(&stated, version, report)?;
    let mut planner = Planner::default();
    let Some(fallback) = component_name(&stated) else {
        report.note(&stated, "the root element has no name (`xml: { name: ... }`): it answers 415");
        return None;
    };
    let root = planner.name(&stated, &fallback);
    planner.node(&stated);
    if let Some(wrong) = planner.wrong {
        report.note(&stated, format!("XML that cannot be read ({wrong}): it answers 415"));
        return None;
    }
    let Planner { nodes, spaces, .. } = planner;
    Some(BodyKind::Xml(Xml { schema, nodes, root, spaces }))
}

/// The name of a root: said by `xml.name`, else that of the component it refers to.
fn component_name(at: &Cursor<'_>) -> Option<String> {
    if let Some(xml) = xml_of(at)
        && let Some(name) = xml.text("name")
    {
        return Some(name.to_owned());
    }
    at.node.get("$ref")?;
    let target = at.target().ok()?;
    target.pointer.strip_prefix("/components/schemas/").map(str::to_owned)
}

/// The `xml` object of a schema, its own or that of what it refers to.
fn xml_of<'d>(at: &Cursor<'d>) -> Option<Cursor<'d>> {
    in_place_parts(at).iter().find_map(|part| part.get("xml"))
}

fn flag(xml: Option<&Cursor<'_>>, name: &str) -> bool {
    xml.and_then(|xml| xml.node.get(name)).and_then(|n| n.as_bool()) == Some(true)
}

impl Planner {
    /// The name of an element or an attribute.
    fn name(&mut self, at: &Cursor<'_>, fallback: &str) -> Name {
        let xml = xml_of(at);
        // Of 3.2; what else it may be than an element or an attribute is not read.
        if xml.as_ref().and_then(|xml| xml.text("nodeType")).is_some_and(|kind| kind != "attribute")
        {
            self.wrong = Some("`nodeType` other than `attribute`");
        }
        let said = |name: &str| xml.as_ref().and_then(|xml| xml.text(name));
        let (local, prefix) = (said("name").unwrap_or(fallback), said("prefix").unwrap_or(""));
        let space = said("namespace").map(str::to_owned);
        if let Some(space) = &space {
            let other = |(own, uri): &(String, String)| own == prefix && uri != space;
            // Only the default namespace may change on the way down.
            if !prefix.is_empty() && self.spaces.iter().any(other) {
                self.wrong = Some("one prefix for two namespaces");
            }
            let binding = (prefix.to_owned(), space.clone());
            if !self.spaces.contains(&binding) {
                self.spaces.push(binding);
            }
        }
        let colon = if prefix.is_empty() { "" } else { ":" };
        Name { written: format!("{prefix}{colon}{local}"), space }
    }

    /// The node of a schema, made once.
    fn node(&mut self, at: &Cursor<'_>) -> usize {
        let place = at.resolved().map_or((at.file, at.pointer.clone()), |to| (to.file, to.pointer));
        if let Some(index) = self.known.get(&place) {
            return *index;
        }
        let index = self.nodes.len();
        if index >= NODES_MAX {
            self.wrong = Some("too many elements");
            return index;
        }
        self.known.insert(place, index);
        self.nodes.push(Node::Object(Vec::new()));
        let node = self.filled(at);
        if let Some(slot) = self.nodes.get_mut(index) {
            *slot = node;
        }
        index
    }

    fn filled(&mut self, at: &Cursor<'_>) -> Node {
        let parts = in_place_parts(at);
        if parts.iter().any(|part| ["oneOf", "anyOf"].iter().any(|n| part.get(n).is_some())) {
            self.wrong = Some("`oneOf` and `anyOf`: nobody says which one an element is");
        }
        if let Some(items) = parts.iter().find_map(|part| part.get("items")) {
            // The name of the list is that of its items where they say none.
            let name = self.name(&items, "");
            return Node::List(name, self.node(&items));
        }
        let mut members: Vec<Member> = Vec::new();
        for properties in parts.iter().filter_map(|part| part.get("properties")) {
            for (property, schema) in properties.members() {
                let member = self.member(property, &schema);
                if members.iter().any(|own| own.property == member.property) {
                    continue;
                }
                let same = |own: &Member| own.name == member.name && own.form == member.form;
                if members.iter().any(same) {
                    self.wrong = Some("two properties of one name");
                }
                members.push(member);
            }
        }
        let types = types(&parts);
        if members.is_empty() && !types.0.object {
            Node::Plain(types.0, types.1)
        } else {
            Node::Object(members)
        }
    }

    fn member(&mut self, property: &str, schema: &Cursor<'_>) -> Member {
        let xml = xml_of(schema);
        let node_type = xml.as_ref().and_then(|xml| xml.text("nodeType"));
        let own = self.name(schema, property);
        let property = property.to_owned();
        if flag(xml.as_ref(), "attribute") || node_type == Some("attribute") {
            let node = self.node(schema);
            return Member { property, name: own, form: Form::Attribute, node };
        }
        let parts = in_place_parts(schema);
        let Some(items) = parts.iter().find_map(|part| part.get("items")) else {
            let node = self.node(schema);
            return Member { property, name: own, form: Form::Element, node };
        };
        let wrapped = flag(xml.as_ref(), "wrapped");
        let said = xml.as_ref().and_then(|xml| xml.text("name"));
        let fallback = if wrapped { said.unwrap_or(&property) } else { &property };
        let item = self.name(&items, fallback);
        let inner = self.node(&items);
        let node = self.nodes.len();
        self.nodes.push(Node::List(item.clone(), inner));
        let (name, form) = if wrapped { (own, Form::Element) } else { (item, Form::Bare) };
        Member { property, name, form, node }
    }
}

/// The types of a plain value, and whether it may be null.
fn types(parts: &[Cursor<'_>]) -> (Types, bool) {
    let (mut types, mut nullable) = (Types::default(), false);
    for part in parts {
        nullable |= part.node.get("nullable").and_then(|n| n.as_bool()) == Some(true);
        let listed = part.get("type");
        let names = listed.iter().flat_map(|list| list.items().collect::<Vec<_>>());
        let names = names.filter_map(|name| name.node.as_str().map(str::to_owned));
        for name in names.chain(part.text("type").map(str::to_owned)) {
            nullable |= name == "null";
            types.add(&name);
        }
    }
    types.string |= !(types.number || types.boolean || types.array || types.object);
    (types, nullable)
}

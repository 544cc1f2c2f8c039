//! Which texts of a value are free, so that the filter must read them: a plan made once from a written schema, so that a
//! request costs one look-up for each member. It does not judge values.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::facts::parts;
use super::{formats, push};

/// Places of one plan; below the last one every text counts as free.
const PLACES_MAX: usize = 20_000;
/// The place that no schema describes: every text there is free.
const UNDESCRIBED: usize = 0;

/// For each place of a value: whether a text there is bound, and what lies below.
#[derive(Debug)]
pub(super) struct Plan {
    places: Vec<Place>,
    start: usize,
}

#[derive(Debug, Default)]
struct Place {
    bound: bool,
    items: usize,
    members: HashMap<Box<str>, usize>,
    others: usize,
}

/// The schemas that hold for one place, by address within the written schema: the same ones are one place, however
/// they are reached, so that a recursive schema has a finite plan.
type Key = Vec<usize>;

/// A plan in the making.
struct Planner<'s> {
    root: &'s Value,
    known: HashMap<Key, usize>,
    places: Vec<Place>,
    waiting: Vec<(usize, Vec<&'s Value>)>,
}

impl Plan {
    /// The plan of a schema in 2020-12.
    pub(super) fn of(written: &Value) -> Self {
        let mut planner = Planner {
            root: written,
            known: HashMap::from([(Key::new(), UNDESCRIBED)]),
            places: vec![Place::default()],
            waiting: Vec::new(),
        };
        let start = planner.place(vec![written]);
        while let Some((index, schemas)) = planner.waiting.pop() {
            let place = planner.fill(&schemas);
            if let Some(slot) = planner.places.get_mut(index) {
                *slot = place;
            }
        }
        Self { places: planner.places, start }
    }

    /// Hands over every free text of a value, and every member name that the document does not have, with its pointer.
    pub(super) fn texts(
        &self,
        names: &HashSet<String>,
        value: &Value,
        take: &mut dyn FnMut(String, &str, bool),
    ) {
        let mut walk = Walk { plan: self, names, steps: Vec::new(), take };
        walk.value(self.start, value);
    }
}

impl<'s> Planner<'s> {
    /// The place where these schemas hold; it is filled in later.
    fn place(&mut self, schemas: Vec<&'s Value>) -> usize {
        let key: Key = schemas.iter().map(|schema| std::ptr::from_ref(*schema) as usize).collect();
        if let Some(index) = self.known.get(&key) {
            return *index;
        }
        let index = self.places.len();
        if index >= PLACES_MAX {
            return UNDESCRIBED;
        }
        self.known.insert(key, index);
        self.places.push(Place::default());
        self.waiting.push((index, schemas));
        index
    }

    fn fill(&mut self, schemas: &[&'s Value]) -> Place {
        let parts = parts(self.root, schemas.to_vec());
        let below = |name: &str| -> Vec<&'s Value> {
            parts.iter().filter_map(|part| part.get(name)).collect()
        };
        let (items, others) = (below("items"), below("additionalProperties"));
        let named: Vec<&'s str> = below("properties")
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|members| members.keys().map(String::as_str))
            .collect();
        let mut members = HashMap::new();
        for name in named {
            let schemas = parts.iter().filter_map(|part| member(part, name)).collect();
            members.insert(name.into(), self.place(schemas));
        }
        Place {
            bound: parts.iter().any(|part| is_bound(part)),
            items: self.place(items),
            members,
            others: self.place(others),
        }
    }
}

fn member<'s>(part: &'s Value, name: &str) -> Option<&'s Value> {
    let declared = part.get("properties").and_then(|properties| properties.get(name));
    declared.or_else(|| part.get("additionalProperties"))
}

/// One step down into a value.
#[derive(Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

struct Walk<'w, 'v> {
    plan: &'w Plan,
    names: &'w HashSet<String>,
    steps: Vec<Step<'v>>,
    take: &'w mut dyn FnMut(String, &str, bool),
}

impl<'v> Walk<'_, 'v> {
    fn value(&mut self, place: usize, value: &'v Value) {
        // Every index of a plan is one of its places.
        let Some(here) = self.plan.places.get(place) else { return };
        match value {
            Value::String(text) => {
                if !here.bound {
                    let pointer = self.pointer();
                    (self.take)(pointer, text, false);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.steps.push(Step::Item(index));
                    self.value(here.items, item);
                    self.steps.pop();
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let declared = here.members.get(name.as_str());
                    let known = declared.is_some() || self.names.contains(name);
                    self.steps.push(Step::Member(if known { name } else { "*" }));
                    if !known {
                        let pointer = self.pointer();
                        (self.take)(pointer, name, true);
                    }
                    self.value(declared.copied().unwrap_or(here.others), member);
                    self.steps.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.steps {
            match step {
                Step::Member(name) => push(&mut pointer, name),
                Step::Item(index) => push(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }
}

/// Whether a text under this schema has no room for an attack.
fn is_bound(part: &Value) -> bool {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    part.get("enum").is_some()
        || part.get("const").is_some()
        || text("format").is_some_and(formats::is_bound)
        || text("pattern").is_some_and(super::facts::is_tight)
}

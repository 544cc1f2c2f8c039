//! A plan of a written schema, made once: for each place of a value whether a text there is free, so that the filter must
//! read it, and what the common keywords ask there. A request costs one look-up for each member. What a plan does not
//! find valid, the engine judges.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::check::{Check, Leaves};
use super::facts::{PARTS_MAX, parts};
use super::formats;
use crate::json::{HEAD_BYTES, Node, head};

#[cfg(test)]
mod tests;

/// Places of one plan; below the last one every text counts as free, and the engine judges.
const PLACES_MAX: usize = 20_000;
/// The place that no schema describes: every text there is free, and everything valid.
pub(super) const UNDESCRIBED: usize = 0;
/// A place of which nothing is known.
const UNKNOWN: usize = 1;
/// Declared members whose presence can be told in one word.
const SLOTS: usize = 64;

/// For each place of a value what is known of it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) places: Vec<Place>,
    pub(super) start: usize,
}

#[derive(Debug)]
pub(super) struct Place {
    /// Whether a text here has no room for an attack.
    pub(super) bound: bool,
    pub(super) items: usize,
    pub(super) members: Names,
    pub(super) others: usize,
    /// `None`: the engine judges.
    check: Option<Check>,
    /// The declared members that must be there, by their slots.
    required: u64,
}

impl Place {
    const fn all(place: usize, check: Option<Check>) -> Self {
        let members = Names(Vec::new());
        Self { bound: false, items: place, members, others: place, check, required: 0 }
    }

    /// Where a value is of which nothing is declared.
    pub(super) const fn open() -> Self {
        Self::all(UNDESCRIBED, Some(Check::any()))
    }
}

/// Declared members by name, in the order of the names.
#[derive(Debug)]
pub(super) struct Names(Vec<Name>);

#[derive(Debug)]
struct Name {
    head: u64,
    text: Box<str>,
    place: usize,
}

impl Names {
    /// Names up to which each is looked at.
    const SCANNED_MAX: usize = 16;

    /// The slot and the place of a declared member.
    #[inline]
    pub(super) fn find(&self, name: &str) -> Option<(usize, usize)> {
        let slot = if self.0.len() <= Self::SCANNED_MAX {
            let head = head(name.as_bytes());
            let same = |own: &Name| {
                let alike = own.head == head && own.text.len() == name.len();
                alike && (name.len() < HEAD_BYTES || *own.text == *name)
            };
            self.0.iter().position(same)?
        } else {
            self.slot(name)?
        };
        self.0.get(slot).map(|name| (slot, name.place))
    }

    fn slot(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|own| (*own.text).cmp(name)).ok()
    }
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
    leaves: Leaves,
}

impl Plan {
    /// The plan of a schema in 2020-12.
    pub(super) fn of(written: &Value) -> Self {
        let mut planner = Planner {
            root: written,
            known: HashMap::from([(Key::new(), UNDESCRIBED)]),
            places: vec![Place::open(), Place::all(UNKNOWN, None)],
            waiting: Vec::new(),
            leaves: Leaves::new(),
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

    /// Whether a value is surely valid. Each of its values is looked at once, whatever the schema.
    pub(super) fn holds(&self, value: Node<'_>) -> bool {
        self.holds_at(self.start, value)
    }

    fn holds_at(&self, place: usize, value: Node<'_>) -> bool {
        if place == UNDESCRIBED {
            return true;
        }
        let Some(here) = self.places.get(place) else { return false };
        let Some(check) = &here.check else { return false };
        if !check.holds(value) {
            return false;
        }
        if let Some(mut items) = value.items() {
            return items.all(|item| self.holds_at(here.items, item));
        }
        let Some(members) = value.members() else { return true };
        let mut seen = 0;
        for (name, member) in members {
            let found = here.members.find(name.text().unwrap_or_default());
            let (slot, place) = found.unwrap_or((SLOTS, here.others));
            seen |= bit(slot);
            if !self.holds_at(place, member) {
                return false;
            }
        }
        seen & here.required == here.required
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
            return UNKNOWN;
        }
        self.known.insert(key, index);
        self.places.push(Place::all(UNKNOWN, None));
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
        let mut members = BTreeMap::new();
        for name in named {
            let schemas = parts.iter().filter_map(|part| member(part, name)).collect();
            members.insert(name, self.place(schemas));
        }
        let name = |(name, place): (&str, usize)| Name {
            head: head(name.as_bytes()),
            text: name.into(),
            place,
        };
        let members = Names(members.into_iter().map(name).collect());
        let bound = parts.iter().any(|part| is_bound(part));
        let (items, mut others) = (self.place(items), self.place(others));
        let required = required(&parts, &members);
        let closing = closing(&parts, schemas);
        if closing == Some(true) {
            others = UNKNOWN;
        }
        let known = required.is_some() && closing.is_some() && is_whole(self.root, &parts);
        let check = known.then(|| Check::of(&parts, &mut self.leaves)).flatten();
        Place { bound, items, members, others, check, required: required.unwrap_or_default() }
    }
}

/// The bit of a slot; none for a slot too many.
fn bit(slot: usize) -> u64 {
    if slot < SLOTS { 1 << slot } else { 0 }
}

/// The slots of the members that must be there; `None`: they have none.
fn required(parts: &[&Value], members: &Names) -> Option<u64> {
    let names = parts.iter().filter_map(|part| part.get("required"));
    names.flat_map(|names| names.as_array().into_iter().flatten()).try_fold(0, |all, name| {
        let slot = members.slot(name.as_str()?).filter(|slot| *slot < SLOTS)?;
        Some(all | bit(slot))
    })
}

/// Whether members that no part names are refused by `unevaluatedProperties`; `None`: not to be told here. It sees the
/// members that its own schema and those within name, so it must be the outermost.
fn closing(parts: &[&Value], schemas: &[&Value]) -> Option<bool> {
    let named = |name: &str| parts.iter().filter(|part| part.get(name).is_some()).count();
    let [outermost] = schemas else {
        return (named("unevaluatedProperties") == 0).then_some(false);
    };
    match (outermost.get("unevaluatedProperties"), named("unevaluatedProperties")) {
        (_, 0) => Some(false),
        (Some(Value::Bool(false)), 1) if named("additionalProperties") == 0 => Some(true),
        _ => None,
    }
}

/// Whether the parts are all there are: every reference leads to one of them.
fn is_whole(root: &Value, parts: &[&Value]) -> bool {
    let found = |reference: &Value| {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
        pointer.is_some_and(|pointer| root.pointer(pointer).is_some())
    };
    parts.len() < PARTS_MAX
        && parts.iter().all(|part| part.get("$ref").is_none_or(found))
        && parts.iter().all(|part| part.get("allOf").is_none_or(Value::is_array))
}

fn member<'s>(part: &'s Value, name: &str) -> Option<&'s Value> {
    let declared = part.get("properties").and_then(|properties| properties.get(name));
    declared.or_else(|| part.get("additionalProperties"))
}

/// Whether a text under this schema has no room for an attack.
fn is_bound(part: &Value) -> bool {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    part.get("enum").is_some()
        || part.get("const").is_some()
        || text("format").is_some_and(formats::is_bound)
        || text("pattern").is_some_and(super::facts::is_tight)
}

//! A plan of a written schema, made once: for each place of a value whether a text there is free, so that the filter must
//! read it, at one look-up for each member. It does not judge values.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::facts::parts;
use super::formats;
use crate::json::{HEAD_BYTES, head};

/// Places of one plan; below the last one every text counts as free.
const PLACES_MAX: usize = 20_000;
/// The place that no schema describes: every text there is free.
pub(super) const UNDESCRIBED: usize = 0;

/// For each place of a value: whether a text there is bound, and what lies below.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) places: Vec<Place>,
    pub(super) start: usize,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) bound: bool,
    pub(super) items: usize,
    pub(super) members: Names,
    pub(super) others: usize,
}

impl Place {
    /// Where a value is of which nothing is declared.
    pub(super) const fn open() -> Self {
        let members = Names(Vec::new());
        Self { bound: false, items: UNDESCRIBED, members, others: UNDESCRIBED }
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

    /// The place of a declared member.
    #[inline]
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let found = if self.0.len() <= Self::SCANNED_MAX {
            let head = head(name.as_bytes());
            self.0.iter().find(|own| {
                let alike = own.head == head && own.text.len() == name.len();
                alike && (name.len() < HEAD_BYTES || *own.text == *name)
            })
        } else {
            let index = self.0.binary_search_by(|own| (*own.text).cmp(name)).ok()?;
            self.0.get(index)
        };
        found.map(|name| name.place)
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
}

impl Plan {
    /// The plan of a schema in 2020-12.
    pub(super) fn of(written: &Value) -> Self {
        let mut planner = Planner {
            root: written,
            known: HashMap::from([(Key::new(), UNDESCRIBED)]),
            places: vec![Place::open()],
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
        self.places.push(Place::open());
        self.waiting.push((index, schemas));
        index
    }

    fn fill(&mut self, schemas: &[&'s Value]) -> Place {
        let parts = parts(self.root, schemas.to_vec());
        let below = |name: &str| -> Vec<&'s Value> {
            parts.iter().filter_map(|part| part.get(name)).collect()
        };
        // A member that a pattern may name, and an item that has a schema by its position, are not told apart from the
        // others: what holds for the others must not bind them.
        let told = |by: &str, others: &str| match parts.iter().any(|part| part.get(by).is_some()) {
            true => Vec::new(),
            false => below(others),
        };
        let items = told("prefixItems", "items");
        let others = told("patternProperties", "additionalProperties");
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
        Place {
            bound: parts.iter().any(|part| is_bound(part)),
            items: self.place(items),
            members: Names(members.into_iter().map(name).collect()),
            others: self.place(others),
        }
    }
}

fn member<'s>(part: &'s Value, name: &str) -> Option<&'s Value> {
    let declared = part.get("properties").and_then(|properties| properties.get(name));
    let by_pattern = part.get("patternProperties").is_some();
    declared.or_else(|| part.get("additionalProperties").filter(|_| !by_pattern))
}

/// Whether a text under this schema has no room for an attack.
fn is_bound(part: &Value) -> bool {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    part.get("enum").is_some()
        || part.get("const").is_some()
        || text("format").is_some_and(formats::is_bound)
        || text("pattern").is_some_and(super::facts::is_tight)
}

//! Which texts of a value are free, so that the filter must read them: a plan made once from a written schema, so that a
//! request costs one look-up for each member, and a pointer only where the filter has found something. It does not judge
//! values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use serde_json::Value;

use super::facts::parts;
use super::{Schema, formats, push};
use crate::json::{Entry, Node};

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
    members: Names,
    others: usize,
}

/// Where a value is of which nothing is declared.
static OPEN: Place =
    Place { bound: false, items: UNDESCRIBED, members: Names(Vec::new()), others: UNDESCRIBED };

/// Declared members by name, in the order of the names.
#[derive(Debug, Default)]
struct Names(Vec<(Box<str>, usize)>);

impl Names {
    /// Names up to which each is looked at: most are told apart by their length.
    const SCANNED_MAX: usize = 16;

    fn place(&self, name: &str) -> Option<usize> {
        let found = if self.0.len() <= Self::SCANNED_MAX {
            self.0.iter().find(|(own, _)| **own == *name)
        } else {
            let index = self.0.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
            self.0.get(index)
        };
        found.map(|(_, place)| *place)
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
        let mut members = BTreeMap::new();
        for name in named {
            let schemas = parts.iter().filter_map(|part| member(part, name)).collect();
            members.insert(name, self.place(schemas));
        }
        let members = members.into_iter().map(|(name, place)| (name.into(), place)).collect();
        Place {
            bound: parts.iter().any(|part| is_bound(part)),
            items: self.place(items),
            members: Names(members),
            others: self.place(others),
        }
    }
}

fn member<'s>(part: &'s Value, name: &str) -> Option<&'s Value> {
    let declared = part.get("properties").and_then(|properties| properties.get(name));
    declared.or_else(|| part.get("additionalProperties"))
}

/// Takes one free text, or one name that the document does not have (`true`); a rule ends the walk.
pub(crate) type Take<'t> = &'t mut dyn FnMut(&str, bool) -> ControlFlow<&'static str>;

/// The text that ended a walk: its rule, and the steps to it, the last first.
#[derive(Debug)]
pub(crate) struct Hit<'v> {
    pub(crate) rule: &'static str,
    steps: Vec<Step<'v>>,
}

/// One step down into a value.
#[derive(Debug, Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

impl<'v> Hit<'v> {
    fn at(rule: &'static str) -> Box<Self> {
        Box::new(Self { rule, steps: Vec::new() })
    }

    fn below(mut self: Box<Self>, step: Step<'v>) -> Box<Self> {
        self.steps.push(step);
        self
    }

    /// Where the text is; a name that the document does not have is a star.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Member(name) => push(&mut pointer, name),
                Step::Item(index) => push(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }
}

/// Hands over every free text of a value, and every member name that the document does not have; without a schema that is
/// all of them.
pub(crate) fn free_texts<'v>(
    schema: Option<&Schema>,
    value: Node<'v>,
    take: Take<'_>,
) -> Option<Box<Hit<'v>>> {
    let start = schema.map_or(UNDESCRIBED, |schema| schema.texts.start);
    let mut walk = Walk {
        places: schema.map_or(&[], |schema| &schema.texts.places),
        names: schema.map(|schema| &schema.names),
        take,
    };
    walk.value(start, value).break_value()
}

struct Walk<'w> {
    places: &'w [Place],
    names: Option<&'w HashSet<String>>,
    take: Take<'w>,
}

impl<'w> Walk<'w> {
    fn value<'v>(&mut self, place: usize, value: Node<'v>) -> ControlFlow<Box<Hit<'v>>> {
        // Every index of a plan is one of its places.
        let here: &'w Place = self.places.get(place).unwrap_or(&OPEN);
        match value.kind() {
            Entry::Text { .. } if here.bound => {}
            Entry::Text { .. } => {
                self.text(value.text().unwrap_or_default(), false)?;
            }
            Entry::Array { .. } => {
                for (index, item) in value.items().into_iter().flatten().enumerate() {
                    self.value(here.items, item).map_break(|hit| hit.below(Step::Item(index)))?;
                }
            }
            Entry::Object { .. } => {
                for (name, member) in value.members().into_iter().flatten() {
                    self.member(here, name.text().unwrap_or_default(), member)?;
                }
            }
            Entry::Null
            | Entry::Flag(_)
            | Entry::Unsigned(_)
            | Entry::Signed(_)
            | Entry::Float(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn member<'v>(
        &mut self,
        here: &Place,
        name: &'v str,
        member: Node<'v>,
    ) -> ControlFlow<Box<Hit<'v>>> {
        let declared = here.members.place(name);
        let known = declared.is_some() || self.names.is_some_and(|names| names.contains(name));
        let step = Step::Member(if known { name } else { "*" });
        if !known {
            self.text(name, true).map_break(|hit| hit.below(step))?;
        }
        let place = declared.unwrap_or(here.others);
        self.value(place, member).map_break(|hit| hit.below(step))
    }

    fn text<'v>(&mut self, text: &str, is_name: bool) -> ControlFlow<Box<Hit<'v>>> {
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        (self.take)(text, is_name).map_break(Hit::at)
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

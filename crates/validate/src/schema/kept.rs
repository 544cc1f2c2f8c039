//! Which members of an answer its schema names, and the answer without the others. It does not judge values: what is
//! left is held against the schema afterwards.

use std::collections::{BTreeSet, HashMap, HashSet};

use jsonschema::Validator;
use jsonschema::json::Json as _;
use serde_json::{Value, json};

use crate::json::TapeJson;

mod cut;

/// Places of one plan.
const PLACES_MAX: usize = 20_000;
/// The place of a value of which nothing is declared: members are dropped there.
const NOTHING: usize = 0;
/// The place of a value that the document opens: it stays as it is.
const WHOLE: usize = 1;

/// For each place of a value, what is named there.
#[derive(Debug)]
pub(crate) struct Kept {
    places: Vec<Place>,
    start: usize,
}

#[derive(Debug, Default)]
struct Place {
    /// Named members, and where their values stand; `None`: the schema forbids it.
    members: HashMap<Box<str>, Option<usize>>,
    patterns: Vec<(Validator<TapeJson>, usize)>,
    /// Where the values of other members stand, if the document takes any.
    others: Option<usize>,
    items: usize,
}

impl Place {
    fn member(&self, name: &str) -> Option<usize> {
        if let Some(known) = self.members.get(name) {
            return *known;
        }
        let mut fit = self.patterns.iter().filter(|(pattern, _)| fits(pattern, name));
        match (fit.next(), fit.next()) {
            (None, _) => self.others,
            (Some((_, place)), None) => Some(*place),
            // What two patterns say together is not put together here.
            (Some(_), Some(_)) => Some(WHOLE),
        }
    }
}

fn fits(pattern: &Validator<TapeJson>, name: &str) -> bool {
    TapeJson::with_string_node(&mut (), name, |node| pattern.is_valid(node))
}

/// The schemas of one place, by address within the written schema: a recursive schema has a finite plan.
type Key = BTreeSet<usize>;

struct Planner<'s> {
    root: &'s Value,
    known: HashMap<Key, usize>,
    places: Vec<Place>,
    waiting: Vec<(usize, Vec<&'s Value>)>,
    too_many: bool,
}

impl Kept {
    /// The plan of a schema in 2020-12; `None` where it has too many places.
    pub(crate) fn of(written: &Value) -> Option<Self> {
        let nothing = Place::default();
        let whole = Place { others: Some(WHOLE), items: WHOLE, ..Place::default() };
        let mut planner = Planner {
            root: written,
            known: HashMap::new(),
            places: vec![nothing, whole],
            waiting: Vec::new(),
            too_many: false,
        };
        let start = planner.place(vec![written]);
        while let Some((index, schemas)) = planner.waiting.pop() {
            let place = planner.fill(&schemas);
            if let Some(slot) = planner.places.get_mut(index) {
                *slot = place;
            }
        }
        (!planner.too_many).then_some(Self { places: planner.places, start })
    }
}

impl<'s> Planner<'s> {
    fn place(&mut self, schemas: Vec<&'s Value>) -> usize {
        if schemas.contains(&&Value::Bool(true)) {
            return WHOLE;
        }
        let schemas: Vec<&Value> = schemas.into_iter().filter(|one| one.is_object()).collect();
        if schemas.is_empty() {
            return NOTHING;
        }
        let key: Key = schemas.iter().map(|schema| std::ptr::from_ref(*schema) as usize).collect();
        if let Some(index) = self.known.get(&key) {
            return *index;
        }
        let index = self.places.len();
        if index >= PLACES_MAX {
            self.too_many = true;
            return NOTHING;
        }
        self.known.insert(key, index);
        self.places.push(Place::default());
        self.waiting.push((index, schemas));
        index
    }

    fn fill(&mut self, schemas: &[&'s Value]) -> Place {
        let Some(parts) = parts(self.root, schemas) else {
            return Place { others: Some(WHOLE), items: WHOLE, ..Place::default() };
        };
        let mut names: BTreeSet<&'s str> = BTreeSet::new();
        let mut patterns: HashMap<&'s str, Vec<&'s Value>> = HashMap::new();
        let (mut others, mut items) = (Vec::new(), Vec::new());
        for part in &parts {
            names.extend(members(part, "properties").map(|(name, _)| name));
            for (pattern, schema) in members(part, "patternProperties") {
                patterns.entry(pattern).or_default().push(schema);
            }
            others.extend(["additionalProperties", "unevaluatedProperties"].map(|n| part.get(n)));
            items.extend(["items", "unevaluatedItems"].map(|name| part.get(name)));
            let first = part.get("prefixItems").and_then(Value::as_array);
            items.extend(first.into_iter().flatten().map(Some));
        }
        let patterns: Vec<_> = patterns
            .into_iter()
            .filter_map(|(pattern, schemas)| {
                let pattern = super::build(&json!({ "pattern": pattern })).ok()?;
                Some((pattern, schemas))
            })
            .collect();
        let mut place = Place::default();
        for name in names {
            let mut own: Vec<&Value> = parts.iter().filter_map(|part| stated(part, name)).collect();
            let by_pattern = patterns.iter().filter(|(pattern, _)| fits(pattern, name));
            own.extend(by_pattern.flat_map(|(_, schemas)| schemas.iter().copied()));
            let forbidden = own.iter().all(|schema| **schema == Value::Bool(false));
            let at = (!forbidden).then(|| self.place(own));
            place.members.insert(name.into(), at);
        }
        for (pattern, schemas) in patterns {
            let at = self.place(schemas);
            place.patterns.push((pattern, at));
        }
        let others: Vec<&Value> =
            others.into_iter().flatten().filter(|schema| **schema != Value::Bool(false)).collect();
        place.others = (!others.is_empty()).then(|| self.place(others));
        place.items = self.place(items.into_iter().flatten().collect());
        place
    }
}

fn members<'s>(part: &'s Value, keyword: &str) -> impl Iterator<Item = (&'s str, &'s Value)> {
    let all = part.get(keyword).and_then(Value::as_object);
    all.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

/// What one schema says of a member that some schema names.
fn stated<'s>(part: &'s Value, name: &str) -> Option<&'s Value> {
    let named = part.get("properties").and_then(|properties| properties.get(name));
    named.or_else(|| part.get("additionalProperties").filter(|schema| schema.is_object()))
}

/// Every schema that may say something of the same value, the branches of alternatives too: a member that one of them
/// names is named. `None`: one of them takes any value as it is.
fn parts<'s>(root: &'s Value, schemas: &[&'s Value]) -> Option<Vec<&'s Value>> {
    let mut waiting = schemas.to_vec();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    while let Some(schema) = waiting.pop() {
        if !schema.is_object() || !seen.insert(std::ptr::from_ref(schema) as usize) {
            continue;
        }
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
        for list in ["anyOf", "oneOf"] {
            let branches = schema.get(list).and_then(Value::as_array);
            let branches = branches.map(Vec::as_slice).unwrap_or_default();
            if branches.contains(&Value::Bool(true)) {
                return None;
            }
            waiting.extend(branches);
        }
        if target == Some(&Value::Bool(true)) {
            return None;
        }
        waiting.extend(target);
        waiting.extend(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
        waiting.extend(["if", "then", "else"].iter().filter_map(|name| schema.get(*name)));
        waiting.extend(members(schema, "dependentSchemas").map(|(_, schema)| schema));
        found.push(schema);
    }
    Some(found)
}

#[cfg(test)]
mod tests;

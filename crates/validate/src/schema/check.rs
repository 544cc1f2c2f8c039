//! What the common keywords ask of one value, without the engine. It only finds values valid: whatever it does not know or
//! does not like, the engine judges, and the engine says why.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::json::{Entry, Node, TapeJson};

/// Small engines of one schema: for what a single value is asked beyond type, bounds and members.
const LEAVES_MAX: usize = 200;

/// Keywords that are looked at where a plan is made: they lead to other values.
const OF_THE_PLAN: [&str; 8] = [
    "$ref",
    "$defs",
    "allOf",
    "properties",
    "required",
    "additionalProperties",
    "unevaluatedProperties",
    "items",
];

/// Keywords of one value that a small engine judges.
const OF_A_LEAF: [&str; 6] = ["pattern", "format", "enum", "const", "multipleOf", "uniqueItems"];

/// Integers up to here are exact as doubles.
const EXACT_MAX: u64 = 1 << 53;

const NULL: u8 = 1;
const FLAG: u8 = 2;
const WHOLE: u8 = 4;
const BROKEN: u8 = 8;
const TEXT: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;

/// A closed range of counts.
#[derive(Debug, Clone, Copy)]
struct Counts {
    least: u64,
    most: u64,
}

impl Counts {
    const ANY: Self = Self { least: 0, most: u64::MAX };

    fn holds(self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

/// What all the schemas of one place ask of the value itself.
#[derive(Debug)]
pub(super) struct Check {
    types: u8,
    bounded: bool,
    least: f64,
    most: f64,
    above: f64,
    below: f64,
    length: Counts,
    items: Counts,
    members: Counts,
    leaves: Vec<Arc<Validator<TapeJson>>>,
}

/// The small engines made so far, by what they check.
pub(super) type Leaves = HashMap<String, Arc<Validator<TapeJson>>>;

impl Check {
    pub(super) const fn any() -> Self {
        Self {
            types: u8::MAX,
            bounded: false,
            least: f64::NEG_INFINITY,
            most: f64::INFINITY,
            above: f64::NEG_INFINITY,
            below: f64::INFINITY,
            length: Counts::ANY,
            items: Counts::ANY,
            members: Counts::ANY,
            leaves: Vec::new(),
        }
    }

    /// What these schemas ask; `None`: more than is known here.
    pub(super) fn of(parts: &[&Value], leaves: &mut Leaves) -> Option<Self> {
        let mut check = Self::any();
        for part in parts {
            match part {
                Value::Bool(true) => {}
                Value::Object(keywords) => check.add(keywords, leaves)?,
                Value::Bool(false)
                | Value::Null
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => return None,
            }
        }
        Some(check)
    }

    fn add(&mut self, keywords: &Map<String, Value>, leaves: &mut Leaves) -> Option<()> {
        let mut leaf = Map::new();
        for (name, value) in keywords {
            match name.as_str() {
                "type" => self.types &= types(value)?,
                "minimum" => self.least = self.bound(value)?.max(self.least),
                "maximum" => self.most = self.bound(value)?.min(self.most),
                "exclusiveMinimum" => self.above = self.bound(value)?.max(self.above),
                "exclusiveMaximum" => self.below = self.bound(value)?.min(self.below),
                "minLength" => self.length.least = value.as_u64()?.max(self.length.least),
                "maxLength" => self.length.most = value.as_u64()?.min(self.length.most),
                "minItems" => self.items.least = value.as_u64()?.max(self.items.least),
                "maxItems" => self.items.most = value.as_u64()?.min(self.items.most),
                "minProperties" => self.members.least = value.as_u64()?.max(self.members.least),
                "maxProperties" => self.members.most = value.as_u64()?.min(self.members.most),
                name if OF_THE_PLAN.contains(&name) => {}
                name if OF_A_LEAF.contains(&name) => {
                    leaf.insert(name.to_owned(), value.clone());
                }
                _ => return None,
            }
        }
        if leaf.is_empty() {
            return Some(());
        }
        let leaf = Value::Object(leaf);
        let key = leaf.to_string();
        if let Some(known) = leaves.get(&key) {
            self.leaves.push(Arc::clone(known));
            return Some(());
        }
        if leaves.len() >= LEAVES_MAX {
            return None;
        }
        let engine = Arc::new(super::build(&leaf).ok()?);
        leaves.insert(key, Arc::clone(&engine));
        self.leaves.push(engine);
        Some(())
    }

    fn bound(&mut self, value: &Value) -> Option<f64> {
        self.bounded = true;
        let exact = value.as_i64().is_none_or(|whole| whole.unsigned_abs() <= EXACT_MAX)
            && value.as_u64().is_none_or(|whole| whole <= EXACT_MAX);
        value.as_f64().filter(|_| exact)
    }

    /// Whether the value itself is surely valid; what it holds is not looked at.
    #[inline]
    pub(super) fn holds(&self, value: Node<'_>) -> bool {
        let kind = match *value.kind() {
            Entry::Null => NULL,
            Entry::Flag(_) => FLAG,
            Entry::Unsigned(number) => {
                let number = (number <= EXACT_MAX).then_some(number as f64);
                return self.number(number, WHOLE) && self.leaves(value);
            }
            Entry::Signed(number) => {
                let number = (number.unsigned_abs() <= EXACT_MAX).then_some(number as f64);
                return self.number(number, WHOLE) && self.leaves(value);
            }
            Entry::Float(number) => {
                let kind = if number.fract() == 0.0 { WHOLE } else { BROKEN };
                return self.number(Some(number), kind) && self.leaves(value);
            }
            Entry::Text { .. } => {
                let Counts { least, most } = self.length;
                let fits = least == 0 && most == u64::MAX || value.has_length(least, most);
                if !fits {
                    return false;
                }
                TEXT
            }
            Entry::Array { count, .. } => {
                if !self.items.holds(u64::from(count)) {
                    return false;
                }
                ARRAY
            }
            Entry::Object { count, .. } => {
                if !self.members.holds(u64::from(count)) {
                    return false;
                }
                OBJECT
            }
        };
        self.types & kind != 0 && self.leaves(value)
    }

    /// `None`: a number that a double does not hold exactly.
    #[inline]
    fn number(&self, number: Option<f64>, kind: u8) -> bool {
        let within = |number: f64| {
            number >= self.least
                && number <= self.most
                && number > self.above
                && number < self.below
        };
        self.types & kind != 0 && (!self.bounded || number.is_some_and(within))
    }

    #[inline]
    fn leaves(&self, value: Node<'_>) -> bool {
        self.leaves.iter().all(|leaf| leaf.is_valid(value))
    }
}

fn types(value: &Value) -> Option<u8> {
    match value {
        Value::String(name) => Some(match name.as_str() {
            "null" => NULL,
            "boolean" => FLAG,
            "integer" => WHOLE,
            "number" => WHOLE | BROKEN,
            "string" => TEXT,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => return None,
        }),
        Value::Array(names) => names.iter().try_fold(0, |all, name| Some(all | types(name)?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

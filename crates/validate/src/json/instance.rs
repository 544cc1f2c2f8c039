//! A tape as the schema engine sees it: no tree of values is made for a check. It knows no schema.

use std::borrow::Cow;
use std::ops::ControlFlow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, NodeIdentity, Object, cmp, unique};
use jsonschema_value::LazyInstance;
use serde_json::{Map, Number, Value};

use super::tape::{Entry, Items, Members, Node, View};

/// The representation by its name.
#[derive(Debug)]
pub(crate) struct TapeJson;

impl Json for TapeJson {
    type Node<'a> = Node<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    // A look-up of a small object is a pass over its names; three names share one pass at about the price of one.
    const KEYS_PER_LOOKUP: usize = 4;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        let entry = [Entry::whole(string)];
        f(View::of_one(&entry, string).root())
    }
}

impl<'a> jsonschema::json::Node<'a, TapeJson> for Node<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = TapeNumber;

    fn as_object(&self) -> Option<Members<'a>> {
        self.members()
    }

    fn as_array(&self) -> Option<Items<'a>> {
        self.items()
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        if let Entry::Octets { .. } = self.kind() {
            return Some(Cow::Borrowed(""));
        }
        self.text().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<TapeNumber> {
        match *self.kind() {
            Entry::Unsigned(number) => Some(TapeNumber::Unsigned(number)),
            Entry::Signed(number) => Some(TapeNumber::Signed(number)),
            Entry::Float(number) => Some(TapeNumber::Float(number)),
            Entry::Null
            | Entry::Flag(_)
            | Entry::Octets { .. }
            | Entry::Text { .. }
            | Entry::Array { .. }
            | Entry::Object { .. } => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        if let Entry::Flag(flag) = self.kind() { Some(*flag) } else { None }
    }

    fn is_null(&self) -> bool {
        matches!(self.kind(), Entry::Null)
    }

    fn is_number(&self) -> bool {
        matches!(self.kind(), Entry::Unsigned(_) | Entry::Signed(_) | Entry::Float(_))
    }

    fn is_string(&self) -> bool {
        matches!(self.kind(), Entry::Text { .. } | Entry::Octets { .. })
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            Entry::Null => JsonType::Null,
            Entry::Flag(_) => JsonType::Boolean,
            Entry::Unsigned(_) | Entry::Signed(_) | Entry::Float(_) => JsonType::Number,
            Entry::Text { .. } | Entry::Octets { .. } => JsonType::String,
            Entry::Array { .. } => JsonType::Array,
            Entry::Object { .. } => JsonType::Object,
        }
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        self.is_string().then(|| self.has_length(min, max))
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match expected {
            Value::Null => self.is_null(),
            Value::Bool(flag) => self.as_boolean() == Some(*flag),
            Value::Number(number) => {
                self.as_number().is_some_and(|own| cmp::equal_numbers(&own, number))
            }
            Value::String(text) => self.text() == Some(text),
            Value::Array(expected) => self.items().is_some_and(|items| {
                Array::len(&items) == expected.len()
                    && items.zip(expected).all(|(item, expected)| item.equals_value(expected))
            }),
            Value::Object(expected) => self.members().is_some_and(|mut members| {
                let found = |name: &str| expected.get(name);
                Object::len(&members) == expected.len()
                    && members.all(|(name, value)| {
                        let expected = name.text().and_then(found);
                        expected.is_some_and(|expected| value.equals_value(expected))
                    })
            }),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match *self.kind() {
            Entry::Null => Value::Null,
            Entry::Flag(flag) => Value::Bool(flag),
            Entry::Unsigned(_) | Entry::Signed(_) | Entry::Float(_) => {
                let number = self.as_number();
                number.map_or(Value::Null, |number| Value::Number(number.to_number().into_owned()))
            }
            Entry::Text { .. } | Entry::Octets { .. } => {
                Value::String(self.text().unwrap_or_default().to_owned())
            }
            Entry::Array { .. } => self
                .items()
                .into_iter()
                .flatten()
                .map(|item| item.to_value().into_owned())
                .collect(),
            Entry::Object { .. } => {
                let members = self.members().into_iter().flatten();
                let owned = members.map(|(name, value)| {
                    (name.text().unwrap_or_default().to_owned(), value.to_value().into_owned())
                });
                Value::Object(owned.collect::<Map<_, _>>())
            }
        })
    }

    /// A violation tells no value, so an error holds none: it would be copied for each error of each branch.
    fn lazy_value(&self) -> LazyInstance<'a> {
        LazyInstance::Ready(Cow::Owned(Value::Null))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::tagged(self.view().address(), self.index))
    }
}

impl<'a> Object<'a, TapeJson> for Members<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = Named<'a>;

    fn len(&self) -> usize {
        self.left()
    }

    fn get(&self, key: &Box<str>) -> Option<Node<'a>> {
        self.find(key)
    }

    fn members(&self) -> Named<'a> {
        Named(*self)
    }

    fn try_for_each_name_node<B>(
        &self,
        (): &mut (),
        mut f: impl FnMut(Node<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut members = *self;
        members.try_for_each(|(name, _)| f(name))
    }
}

/// The members of an object with their names as texts.
#[derive(Debug)]
pub(crate) struct Named<'a>(Members<'a>);

impl<'a> Iterator for Named<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.text().unwrap_or_default(), value))
    }
}

impl<'a> Array<'a, TapeJson> for Items<'a> {
    type Node = Node<'a>;
    type ElementsIter = Self;

    fn len(&self) -> usize {
        self.left()
    }

    fn elements(&self) -> Self {
        *self
    }

    fn is_unique(&self) -> bool {
        // Texts are compared where they stand; other items are rare enough to be copied.
        let texts: Option<Vec<&str>> = self.map(|item| item.text()).collect();
        if let Some(mut texts) = texts {
            texts.sort_unstable();
            return texts.is_sorted_by(|a, b| a != b);
        }
        let values: Vec<Cow<'a, Value>> =
            self.map(|item| jsonschema::json::Node::to_value(&item)).collect();
        unique::is_unique(&values)
    }
}

/// A number as it was kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TapeNumber {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl JsonNumber for TapeNumber {
    fn as_u64(&self) -> Option<u64> {
        if let Self::Unsigned(number) = self { Some(*number) } else { None }
    }

    fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Unsigned(number) => i64::try_from(number).ok(),
            Self::Signed(number) => Some(number),
            Self::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(match *self {
            Self::Unsigned(number) => number as f64,
            Self::Signed(number) => number as f64,
            Self::Float(number) => number,
        })
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_number().to_string())
    }

    fn to_number(&self) -> Cow<'_, Number> {
        Cow::Owned(match *self {
            Self::Unsigned(number) => number.into(),
            Self::Signed(number) => number.into(),
            // The reader keeps none that is not finite.
            Self::Float(number) => Number::from_f64(number).unwrap_or_else(|| 0.into()),
        })
    }

    fn is_integer(&self) -> bool {
        if let Self::Float(number) = self { number.fract() == 0.0 } else { true }
    }

    fn is_written_as_integer(&self) -> bool {
        self.to_number().is_written_as_integer()
    }
}

//! Strict JSON: one object, nothing after it, duplicate names seen, depth bounded. It knows no JOSE.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Nesting levels of a header, a claim set or a key set; Keycloak's role claims need 4.
const DEPTH_MAX: u8 = 16;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// What to do with an object in which a name occurs twice (RFC 8259 4 leaves it open).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duplicates {
    /// The whole text is refused.
    Refuse,
    /// Only that object is lost: it reads as `null`.
    Void,
}

/// Why a text is not a strict JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// Not JSON, not UTF-8, too deep, or something after the end.
    Syntax,
    /// A name twice in one object.
    Duplicate,
    /// JSON, but not an object.
    NotObject,
}

/// Reads an object; a duplicate name anywhere refuses it.
pub(crate) fn object(bytes: &[u8]) -> Result<Object, JsonFault> {
    read(bytes, Duplicates::Refuse)
}

/// Reads an object in which an inner object with duplicate names becomes `null`: one bad key of a
/// key set must not cost the others.
pub(crate) fn object_voiding_duplicates(bytes: &[u8]) -> Result<Object, JsonFault> {
    read(bytes, Duplicates::Void)
}

fn read(bytes: &[u8], duplicates: Duplicates) -> Result<Object, JsonFault> {
    let duplicate_seen = Cell::new(false);
    let reader = Reader { levels_left: DEPTH_MAX, duplicates, duplicate_seen: &duplicate_seen };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = reader
        .deserialize(&mut deserializer)
        .map_err(|_| if duplicate_seen.get() { JsonFault::Duplicate } else { JsonFault::Syntax })?;
    deserializer.end().map_err(|_| JsonFault::Syntax)?;
    if let Value::Object(object) = value { Ok(object) } else { Err(JsonFault::NotObject) }
}

/// One value at one level.
#[derive(Clone, Copy)]
struct Reader<'s> {
    levels_left: u8,
    duplicates: Duplicates,
    duplicate_seen: &'s Cell<bool>,
}

impl Reader<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let levels_left = self.levels_left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { levels_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        let mut void = false;
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                self.duplicate_seen.set(true);
                void = true;
                if self.duplicates == Duplicates::Refuse {
                    return Err(A::Error::custom("duplicate name"));
                }
            }
        }
        Ok(if void { Value::Null } else { Value::Object(object) })
    }
}

#[cfg(test)]
mod tests;

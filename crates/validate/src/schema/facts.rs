//! Facts about a written schema that no validator tells: the types it takes, and which patterns leave a text no room.
//! It does not judge values.

use serde_json::Value;

use super::Schema;

/// Schemas looked at for one value: a bound on `$ref` and `allOf`.
const PARTS_MAX: usize = 64;

/// The JSON types that a schema takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Types {
    pub(crate) string: bool,
    pub(crate) number: bool,
    pub(crate) boolean: bool,
    pub(crate) array: bool,
    pub(crate) object: bool,
}

impl Types {
    fn add(&mut self, name: &str) {
        match name {
            "string" => self.string = true,
            "number" | "integer" => self.number = true,
            "boolean" => self.boolean = true,
            "array" => self.array = true,
            "object" => self.object = true,
            _ => {}
        }
    }

    fn merge(&mut self, other: Self) {
        self.string |= other.string;
        self.number |= other.number;
        self.boolean |= other.boolean;
        self.array |= other.array;
        self.object |= other.object;
    }
}

/// The schemas that all hold for the same value: `schema` and what `$ref` and `allOf` add.
pub(super) fn parts<'s>(root: &'s Value, schemas: Vec<&'s Value>) -> Vec<&'s Value> {
    let alone = |schema: &&Value| schema.get("$ref").is_none() && schema.get("allOf").is_none();
    if schemas.iter().all(alone) {
        // The common case, without another list.
        return schemas;
    }
    let mut waiting = schemas;
    let mut found = Vec::new();
    while let Some(schema) = waiting.pop() {
        if found.len() >= PARTS_MAX {
            break;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            waiting.extend(target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)));
        }
        waiting.extend(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
        found.push(schema);
    }
    found
}

/// The types of a whole parameter.
pub(crate) fn types(schema: &Schema) -> Types {
    types_of(&schema.written, &schema.written, 0)
}

/// The types of the items of a list parameter.
pub(crate) fn item_types(schema: &Schema) -> Types {
    let root = &schema.written;
    let items = parts(root, vec![root]).into_iter().filter_map(|part| part.get("items"));
    items.fold(Types::default(), |mut types, item| {
        types.merge(types_of(root, item, 0));
        types
    })
}

/// The types of one member of an object parameter, if the schema declares it.
pub(crate) fn member_types(schema: &Schema, name: &str) -> Option<Types> {
    let root = &schema.written;
    let member = |part: &'_ &Value| part.get("properties").and_then(|p| p.get(name)).cloned();
    let declared = parts(root, vec![root]).iter().find_map(member)?;
    Some(types_of(root, &declared, 0))
}

fn types_of(root: &Value, schema: &Value, depth: usize) -> Types {
    let mut types = Types::default();
    if depth > 8 {
        return types;
    }
    for part in parts(root, vec![schema]) {
        match part.get("type") {
            Some(Value::String(name)) => types.add(name),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).for_each(|name| types.add(name));
            }
            _ => {}
        }
        for value in part.get("enum").and_then(Value::as_array).into_iter().flatten() {
            types.add(type_name(value));
        }
        part.get("const").into_iter().for_each(|value| types.add(type_name(value)));
        for name in ["anyOf", "oneOf"] {
            for branch in part.get(name).and_then(Value::as_array).into_iter().flatten() {
                types.merge(types_of(root, branch, depth + 1));
            }
        }
    }
    types
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a pattern is anchored on both ends and made of letters, digits and harmless marks: only
/// what this can tell at sight is spared the filter.
pub(super) fn is_tight(pattern: &str) -> bool {
    let Some(inner) = pattern.strip_prefix('^').and_then(|p| p.strip_suffix('$')) else {
        return false;
    };
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let harmless = match c {
            '\\' => matches!(chars.next(), Some('d' | 'w' | '-' | '.' | '_')),
            _ => c.is_ascii_alphanumeric() || "[]{}?+*,-_:@".contains(c),
        };
        if !harmless {
            return false;
        }
    }
    !has_wide_range(inner)
}

/// A range such as `!-z` or `A-z` holds marks that are not written out.
fn has_wide_range(inner: &str) -> bool {
    let bytes: Vec<char> = inner.chars().collect();
    bytes.windows(3).any(|three| match three {
        [from, '-', to] if from.is_ascii_alphanumeric() || to.is_ascii_alphanumeric() => {
            let both = |test: fn(&char) -> bool| test(from) && test(to);
            !(both(char::is_ascii_digit)
                || both(char::is_ascii_lowercase)
                || both(char::is_ascii_uppercase)
                || *to == '['
                || *to == '\\'
                || *to == ']'
                || *from == ']'
                || *from == '}')
        }
        _ => false,
    })
}

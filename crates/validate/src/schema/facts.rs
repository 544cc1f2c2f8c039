//! Facts about a written schema that no validator tells: the types it takes, and which patterns leave a text no room.
//! It does not judge values.

use std::collections::BTreeMap;

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
    pub(crate) fn add(&mut self, name: &str) {
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
    items_of(&schema.written, &schema.written)
}

/// The types of one member, and of its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Member {
    pub(crate) types: Types,
    pub(crate) items: Types,
}

/// The members of an object by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Members {
    declared: BTreeMap<String, Member>,
    /// Those without a name in the document, where it is open to them.
    pub(crate) others: Option<Member>,
}

impl Members {
    /// Whether the document has a member of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.declared.contains_key(name)
    }

    /// A member by its name; one that nobody declared is a text.
    pub(crate) fn of(&self, name: &str) -> Member {
        let text =
            Member { types: Types { string: true, ..Types::default() }, ..Member::default() };
        self.declared.get(name).copied().or(self.others).unwrap_or(text)
    }

    /// These, and no others.
    #[cfg(test)]
    pub(crate) fn of_names(names: impl IntoIterator<Item = (String, Member)>) -> Self {
        Self { declared: names.into_iter().collect(), others: None }
    }

    /// The declared members.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Member)> {
        self.declared.iter().map(|(name, member)| (name.as_str(), *member))
    }
}

/// The members of an object, those of its alternatives too.
pub(crate) fn members(schema: &Schema) -> Members {
    let root = &schema.written;
    let mut members = Members::default();
    reach(root, vec![root], |part| add_members(root, part, &mut members));
    members
}

/// The members of the object that one member is.
pub(crate) fn members_of(schema: &Schema, name: &str) -> Members {
    let root = &schema.written;
    let mut found = Vec::new();
    reach(root, vec![root], |part| found.extend(part.get("properties").and_then(|p| p.get(name))));
    let mut members = Members::default();
    reach(root, found, |part| add_members(root, part, &mut members));
    members
}

/// Every schema that may hold for the same value.
fn reach<'s>(root: &'s Value, schemas: Vec<&'s Value>, mut take: impl FnMut(&'s Value)) {
    let (mut waiting, mut looked_at) = (schemas, 0);
    while let Some(next) = waiting.pop() {
        looked_at += 1;
        if looked_at > PARTS_MAX {
            break;
        }
        for part in parts(root, vec![next]) {
            take(part);
            for name in ["anyOf", "oneOf"] {
                waiting.extend(part.get(name).and_then(Value::as_array).into_iter().flatten());
            }
            waiting.extend(["then", "else"].iter().filter_map(|name| part.get(name)));
        }
    }
}

fn add_members(root: &Value, part: &Value, members: &mut Members) {
    let member =
        |schema: &Value| Member { types: types_of(root, schema, 0), items: items_of(root, schema) };
    for (name, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let new = member(schema);
        let known = members.declared.entry(name.clone()).or_default();
        known.types.merge(new.types);
        known.items.merge(new.items);
    }
    for name in ["additionalProperties", "unevaluatedProperties"] {
        match part.get(name) {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => {
                let mut open = members.others.unwrap_or_default();
                open.types.string = true;
                members.others = Some(open);
            }
            Some(schema) => {
                let mut open = members.others.unwrap_or_default();
                let new = member(schema);
                open.types.merge(new.types);
                open.items.merge(new.items);
                members.others = Some(open);
            }
        }
    }
    if part.get("patternProperties").is_some() {
        members.others.get_or_insert_default().types.string = true;
    }
}

fn items_of(root: &Value, schema: &Value) -> Types {
    let items = parts(root, vec![schema]).into_iter().filter_map(|part| part.get("items"));
    items.fold(Types::default(), |mut types, item| {
        types.merge(types_of(root, item, 0));
        types
    })
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

/// How long a text may be: at least, and at most where that is said.
pub(crate) fn lengths(schema: &Schema) -> (u64, Option<u64>) {
    let root = &schema.written;
    let all = parts(root, vec![root]);
    let bounds = |name: &str| -> Vec<u64> {
        all.iter().filter_map(|part| part.get(name).and_then(Value::as_u64)).collect()
    };
    (bounds("minLength").into_iter().max().unwrap_or(0), bounds("maxLength").into_iter().min())
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

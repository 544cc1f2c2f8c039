//! Names that are operators of a database, or that reach the prototype of an object. It reads names only.

/// Query operators of MongoDB and of what speaks like it, without `$`.
const OPERATORS: [&str; 76] = [
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "nin",
    "and",
    "or",
    "nor",
    "not",
    "exists",
    "type",
    "expr",
    "jsonschema",
    "mod",
    "regex",
    "options",
    "text",
    "search",
    "where",
    "all",
    "elemmatch",
    "size",
    "function",
    "accumulator",
    "set",
    "unset",
    "inc",
    "mul",
    "min",
    "max",
    "push",
    "pushall",
    "pull",
    "pullall",
    "pop",
    "addtoset",
    "rename",
    "lookup",
    "match",
    "group",
    "project",
    "merge",
    "out",
    "near",
    "nearsphere",
    "geowithin",
    "geointersects",
    "within",
    "center",
    "box",
    "comment",
    "meta",
    "slice",
    "bitsallset",
    "bitsanyset",
    "currentdate",
    "setoninsert",
    "unwind",
    "facet",
    "graphlookup",
    "addfields",
    "replaceroot",
    "sample",
    "sort",
    "limit",
    "skip",
    "count",
    "func",
    "regexmatch",
    "like",
    "ilike",
    "between",
    "contains",
];

/// Whether a member or parameter name is an operator: `$ne`, `v[$gt]`, `v.$gt`, `a[b][$ne]`.
pub(super) fn is_operator(name: &str) -> bool {
    name.split(['[', ']', '.']).any(|part| {
        let part = part.trim_matches([' ', '"', '\'']);
        part.strip_prefix('$').is_some_and(|operator| {
            let operator = operator.trim_matches([' ', '\0']);
            OPERATORS.iter().any(|own| own.eq_ignore_ascii_case(operator))
        })
    })
}

/// Whether a member or parameter name reaches a prototype.
pub(super) fn is_prototype(name: &str) -> bool {
    let mut parts = name
        .split(['[', ']', '.'])
        .map(|part| part.trim_matches([' ', '"', '\'']))
        .filter(|part| !part.is_empty());
    let mut before = "";
    parts.any(|part| {
        let hit = part == "__proto__" || part == "prototype" && before == "constructor";
        before = part;
        hit
    })
}

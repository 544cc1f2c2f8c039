//! The rules: their table, the literals that wake them, and the linear patterns beside the
//! grammars. It knows texts only.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind};
use regex::{RegexSet, RegexSetBuilder};

/// One rule as an operator may look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The id that records and answers carry.
    pub id: &'static str,
    /// CWE number.
    pub cwe: u16,
    /// What it finds.
    pub about: &'static str,
}

pub(super) const SQLI: &str = "sqli";
pub(super) const XSS: &str = "xss";
pub(super) const NOSQL: &str = "nosql_operator";
pub(super) const TRAVERSAL: &str = "path_traversal";
pub(super) const JNDI: &str = "jndi_lookup";
pub(super) const SHELLSHOCK: &str = "shellshock";
pub(super) const POLLUTION: &str = "prototype_pollution";
pub(super) const ENCODING: &str = "encoding_depth";
pub(super) const TOO_LONG: &str = "too_long_to_inspect";

const TABLE: [Rule; 9] = [
    Rule { id: SQLI, cwe: 89, about: "SQL that breaks out of a value" },
    Rule { id: XSS, cwe: 79, about: "markup or a URL that runs script" },
    Rule { id: NOSQL, cwe: 943, about: "a query operator as a name: {\"$ne\": 1}, v[$gt]=1" },
    Rule { id: TRAVERSAL, cwe: 22, about: "a way out of a folder, or to a file of the system" },
    Rule { id: JNDI, cwe: 917, about: "a lookup that loads code (Log4Shell)" },
    Rule { id: SHELLSHOCK, cwe: 78, about: "a shell function in a value" },
    Rule { id: POLLUTION, cwe: 1321, about: "a name that reaches an object's prototype" },
    Rule { id: ENCODING, cwe: 174, about: "encoded more often than is peeled, or overlong UTF-8" },
    Rule { id: TOO_LONG, cwe: 400, about: "a free text too long to be read for attacks" },
];

/// Every rule of the filter.
#[must_use]
pub fn rules() -> &'static [Rule] {
    &TABLE
}

/// Query operators of MongoDB and of what speaks like it.
const OPERATORS: [&str; 40] = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$and",
    "$or",
    "$nor",
    "$not",
    "$exists",
    "$type",
    "$expr",
    "$jsonschema",
    "$mod",
    "$regex",
    "$options",
    "$text",
    "$search",
    "$where",
    "$all",
    "$elemmatch",
    "$size",
    "$function",
    "$accumulator",
    "$set",
    "$unset",
    "$inc",
    "$push",
    "$pull",
    "$rename",
    "$lookup",
    "$match",
    "$group",
    "$project",
    "$merge",
    "$out",
    "$near",
];

/// A member or parameter name that is an operator, or that reaches a prototype.
pub(super) fn operator_name(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    // `v[$gt]`, `v.$gt`, `a[b][$ne]`: the parts of a name.
    for part in lower.split(['[', ']', '.']) {
        if OPERATORS.contains(&part.trim()) {
            return Some(NOSQL);
        }
        if part == "__proto__" {
            return Some(POLLUTION);
        }
    }
    (lower.contains("constructor") && lower.contains("prototype")).then_some(POLLUTION)
}

/// Which classes a text has literals of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    pub(super) sql: bool,
    pub(super) script: bool,
    pub(super) path: bool,
    pub(super) other: bool,
}

impl Hints {
    /// By the index of a literal among all.
    fn wake(&mut self, index: usize) {
        let (script, path) = (SQL.len(), SQL.len() + SCRIPT.len());
        let class = match index {
            index if index < script => &mut self.sql,
            index if index < path => &mut self.script,
            index if index < path + PATH.len() => &mut self.path,
            _ => &mut self.other,
        };
        *class = true;
    }
}

/// Literals, in lower case, and the class each wakes.
const SQL: [&str; 19] = [
    "'", "\"", "`", "--", "/*", "#", ";", "=", "(", "||", "&&", " or ", " and ", "union", "select",
    "having", "like", "sleep", "waitfor",
];
const SCRIPT: [&str; 8] =
    ["<", "javascript:", "vbscript:", "data:text", "on", "style", "xmlns", "expression("];
const PATH: [&str; 14] = [
    "..",
    "/etc",
    "/proc",
    "/var",
    "\\windows",
    "/windows",
    "file:",
    "php:",
    "expect:",
    "phar:",
    "boot.ini",
    "win.ini",
    ".ssh",
    "web-inf",
];
const OTHER: [&str; 2] = ["${", "()"];

/// The patterns and the rule of each. Every one is read by a linear engine.
const PATTERNS: [(&str, &str); 12] = [
    (SQLI, r"\bunion\b[\s/*()!+]{1,40}(?:all[\s/*()!+]{1,40}|distinct[\s/*()!+]{1,40})?select\b"),
    (SQLI, r#"['")\d;]\s*;\s*(?:drop|alter|truncate|create)\s+(?:table|database|user|schema)\b"#),
    (SQLI, r#"['")\d]\s*;\s*(?:insert\s+into|delete\s+from|update\s+\w+\s+set|exec(?:ute)?)\b"#),
    (SQLI, r#"(?:['")\d]|\b(?:and|or|select))\s*\(?\s*(?:pg_sleep|sleep|benchmark)\s*\("#),
    (SQLI, r"\bwaitfor\s+delay\s+['\x22]"),
    (XSS, r"^\s*(?:javascript|vbscript)\s*:\s*\S"),
    (XSS, r"data:text/html[;,]"),
    (
        TRAVERSAL,
        r"(?:\.\.(?:/|\\|;/)){2}|\.{4,}[/\\]{2}|\.\.(?:/|\\)(?:etc|proc|windows|\.ssh|web-inf)\b",
    ),
    (
        TRAVERSAL,
        r"/etc/(?:passwd|shadow|hosts|group|sudoers|crontab)\b|/proc/(?:self|version|\d+)\b|\.ssh/(?:id_|authorized)|[/\\]windows[/\\](?:system32|win\.ini)|\b(?:boot|win)\.ini\b|\bweb-inf/web\.xml",
    ),
    (TRAVERSAL, r"^\s*(?:file|php|expect|phar|zip|data)://"),
    (
        JNDI,
        r"\$\{\s*(?:jndi|lower|upper|env|sys|date|base64|java|ctx|main|map|bundle)\s*:|\$\{\s*:*-",
    ),
    (SHELLSHOCK, r"\(\s*\)\s*\{\s*:?\s*[;\w]*\s*;?\s*\}\s*;"),
];

/// Going up even once, where it was hidden by an encoding.
const HIDDEN_UP: &str = r"(?:^|[/\\])\.\.(?:[/\\]|$)";

/// Literals and patterns, compiled once.
#[derive(Debug)]
pub(super) struct Matcher {
    literals: DFA,
    start: StateID,
    patterns: RegexSet,
    hidden_up: regex::Regex,
}

impl Matcher {
    #[expect(
        clippy::expect_used,
        reason = "the patterns are fixed and every test builds them; this runs at load, never on traffic"
    )]
    pub(super) fn new() -> Self {
        let all = SQL.iter().chain(&SCRIPT).chain(&PATH).chain(&OTHER);
        let literals = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(all)
            .expect("fixed literals");
        let start = literals.start_state(Anchored::No).expect("unanchored is the default");
        let patterns = RegexSetBuilder::new(PATTERNS.iter().map(|(_, pattern)| pattern))
            .case_insensitive(true)
            .build()
            .expect("fixed patterns");
        let hidden_up = regex::Regex::new(HIDDEN_UP).expect("a fixed pattern");
        Self { literals, start, patterns, hidden_up }
    }

    /// One pass over the text; ends when every class is awake.
    pub(super) fn hints(&self, text: &str) -> Hints {
        let mut hints = Hints::default();
        let mut state = self.start;
        for byte in text.bytes() {
            state = self.literals.next_state(Anchored::No, state, byte);
            if !self.literals.is_match(state) {
                continue;
            }
            for index in 0..self.literals.match_len(state) {
                hints.wake(self.literals.match_pattern(state, index).as_usize());
            }
            if hints.sql && hints.script && hints.path && hints.other {
                break;
            }
        }
        hints
    }

    /// The rule of the first pattern that matches; `hidden`: the text was encoded.
    pub(super) fn pattern(&self, text: &str, hints: &Hints, hidden: bool) -> Option<&'static str> {
        if hidden && hints.path && self.hidden_up.is_match(text) {
            return Some(TRAVERSAL);
        }
        if !(hints.sql || hints.script || hints.path || hints.other) {
            return None;
        }
        let first = self.patterns.matches(text).into_iter().next()?;
        PATTERNS.get(first).map(|(rule, _)| *rule)
    }
}

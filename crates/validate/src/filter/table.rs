//! The table of rules, read from `rules.yaml` beside this file, once. It knows no texts of requests.

use std::sync::LazyLock;

use serde::Deserialize;

/// The table, as it is shipped.
const SOURCE: &str = include_str!("rules.yaml");

/// A family of attacks, by which actions are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// SQL injection.
    Sqli,
    /// Script in markup, URLs and attributes.
    Xss,
    /// Queries of document databases.
    Nosql,
    /// Paths and files.
    Traversal,
    /// Commands of a shell, and program code.
    Command,
    /// Expressions of template languages.
    Template,
    /// Filters of directories.
    Ldap,
    /// Paths through documents of XML.
    Xpath,
    /// Entities and inclusions of XML.
    Xxe,
    /// Line ends that split a header.
    Header,
    /// URLs that lead inside.
    Ssrf,
    /// Lookups of loggers.
    Jndi,
    /// Functions of a shell in a value.
    Shellshock,
    /// Directives that servers carry out inside a page.
    Ssi,
    /// Objects of programs as text.
    Deserialisation,
    /// Prototypes of objects.
    Prototype,
    /// What could not be read to its end.
    Encoding,
}

impl Class {
    /// Every class, in the order of the table.
    pub const ALL: [Self; 17] = [
        Self::Sqli,
        Self::Xss,
        Self::Nosql,
        Self::Traversal,
        Self::Command,
        Self::Template,
        Self::Ldap,
        Self::Xpath,
        Self::Xxe,
        Self::Header,
        Self::Ssrf,
        Self::Jndi,
        Self::Shellshock,
        Self::Ssi,
        Self::Deserialisation,
        Self::Prototype,
        Self::Encoding,
    ];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqli => "sqli",
            Self::Xss => "xss",
            Self::Nosql => "nosql",
            Self::Traversal => "traversal",
            Self::Command => "command",
            Self::Template => "template",
            Self::Ldap => "ldap",
            Self::Xpath => "xpath",
            Self::Xxe => "xxe",
            Self::Header => "header",
            Self::Ssrf => "ssrf",
            Self::Jndi => "jndi",
            Self::Shellshock => "shellshock",
            Self::Ssi => "ssi",
            Self::Deserialisation => "deserialisation",
            Self::Prototype => "prototype",
            Self::Encoding => "encoding",
        }
    }

    /// OWASP API Security Top 10: injection is API8 of 2019 (of 2023 a part of API10), the others of 2023.
    #[must_use]
    pub const fn owasp(self) -> &'static str {
        match self {
            Self::Ssrf => "API7:2023",
            Self::Prototype => "API3:2023",
            Self::Encoding => "API4:2023",
            Self::Sqli
            | Self::Xss
            | Self::Nosql
            | Self::Traversal
            | Self::Command
            | Self::Template
            | Self::Ldap
            | Self::Xpath
            | Self::Xxe
            | Self::Header
            | Self::Jndi
            | Self::Shellshock
            | Self::Ssi
            | Self::Deserialisation => "API8:2019",
        }
    }
}

/// How bad an attack is where it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It takes the service.
    Critical,
    /// It takes data or a user's session.
    High,
    /// It hides something.
    Medium,
}

impl Severity {
    /// The word of the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
        }
    }
}

/// How a text is prepared for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reads {
    #[default]
    Plain,
    Sql,
    /// As `Sql`, and what `--` and `#` begin ends with its line; no rule names it.
    #[serde(skip)]
    SqlLines,
    Path,
    Shell,
    Lookups,
}

/// Where a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Only {
    #[default]
    Anywhere,
    /// The text has no white space inside.
    Value,
    /// An encoding was peeled.
    Hidden,
    /// Both.
    HiddenValue,
    /// Names, and nothing else.
    Name,
}

/// What is asked where patterns do not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grammar {
    Shell,
    Address,
    OperatorName,
    PrototypeName,
    /// What peeling found.
    Layers,
    Length,
}

/// One rule as an operator may look it up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The id that records and answers carry.
    pub id: String,
    /// The class, by which actions are chosen.
    pub class: Class,
    /// How bad it is where it works.
    pub severity: Severity,
    /// CWE number.
    pub cwe: u16,
    /// What it finds.
    pub about: String,
    /// What an attacker would gain.
    pub why: String,
    #[serde(default)]
    pub(super) reads: Reads,
    #[serde(default)]
    pub(super) only: Only,
    #[serde(default)]
    pub(super) grammar: Option<Grammar>,
    /// What wakes it.
    #[serde(default)]
    pub(super) literals: Vec<String>,
    #[serde(default)]
    pub(super) patterns: Vec<String>,
    /// Texts that it finds.
    pub attacks: Vec<String>,
    /// Texts that look alike, and that it leaves alone.
    pub harmless: Vec<String>,
}

#[expect(
    clippy::expect_used,
    reason = "the table is part of the program: every test reads it, and it is read at load"
)]
static TABLE: LazyLock<Vec<Rule>> =
    LazyLock::new(|| serde_saphyr::from_str(SOURCE).expect("the table that is shipped"));

/// Every rule of the filter.
#[must_use]
pub fn rules() -> &'static [Rule] {
    &TABLE
}

/// The rule of this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    TABLE.iter().find(|rule| rule.id == id)
}

/// The place of a rule in the table.
pub(super) fn index_of(grammar: Grammar) -> usize {
    TABLE.iter().position(|rule| rule.grammar == Some(grammar)).unwrap_or_default()
}

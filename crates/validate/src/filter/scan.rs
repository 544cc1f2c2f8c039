//! One text read for attacks: literals first in one pass, patterns and grammars of the rules that they wake then. It knows
//! no places and no actions.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::iter;
use std::ops::ControlFlow;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

use super::layers::{self, Layers};
use super::marks::Marks;
use super::table::{Grammar, Only, Reads, Rule, index_of, rules};
use super::{address, names, shell, views};

/// A set of rules, a bit for each by its place in the table.
pub(super) type Rules = u64;

/// Bytes that each stage has read, for the test that the cost is linear.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) literals: usize,
    pub(super) layers: usize,
    pub(super) views: usize,
    pub(super) patterns: usize,
}

/// The literals and patterns of the table, compiled once.
#[derive(Debug)]
pub(super) struct Scanner {
    literals: DFA,
    start: StateID,
    /// For each literal the rule that it wakes.
    wakes: Vec<Rules>,
    rules: Vec<Compiled>,
    layers: usize,
    length: usize,
    operator: usize,
    prototype: usize,
}

#[derive(Debug)]
struct Compiled {
    pattern: Option<Regex>,
    grammar: Option<Grammar>,
    reads: Reads,
    only: Only,
}

/// One layer of a text, and the forms of it that were asked for.
struct Reading<'t> {
    text: &'t str,
    marks: Marks,
    hidden: bool,
    is_value: bool,
    sql: OnceCell<String>,
    sql_lines: OnceCell<String>,
    path: OnceCell<String>,
    shell: OnceCell<String>,
    lookups: OnceCell<String>,
}

impl<'t> Reading<'t> {
    fn new(text: &'t str, marks: Marks, hidden: bool) -> Self {
        let spaced = || memchr::memchr3(b' ', b'\n', b'\t', text.trim().as_bytes()).is_some();
        Self {
            text,
            marks,
            hidden,
            is_value: !(marks.has(Marks::SPACE) && spaced()),
            sql: OnceCell::new(),
            sql_lines: OnceCell::new(),
            path: OnceCell::new(),
            shell: OnceCell::new(),
            lookups: OnceCell::new(),
        }
    }

    fn form(&self, reads: Reads, work: &mut Work) -> &str {
        let (cell, make): (_, fn(&str) -> String) = match reads {
            Reads::Plain => return self.text,
            Reads::Sql => (&self.sql, views::sql),
            Reads::SqlLines => (&self.sql_lines, views::sql_lines),
            Reads::Path => (&self.path, views::path),
            Reads::Shell => (&self.shell, views::shell),
            Reads::Lookups => (&self.lookups, views::lookups),
        };
        cell.get_or_init(|| {
            work.views += self.text.len();
            make(self.text)
        })
    }
}

/// What is asked of a text, and who takes what is found.
pub(super) struct Asked<'a> {
    /// A name rather than a value.
    pub(super) is_name: bool,
    /// The rules that are of interest.
    pub(super) wanted: Rules,
    pub(super) work: &'a mut Work,
    /// Takes a rule that was found, by its place in the table.
    pub(super) found: &'a mut dyn FnMut(usize) -> ControlFlow<()>,
}

impl Scanner {
    /// Compiles the table.
    #[expect(
        clippy::expect_used,
        reason = "the patterns are part of the program and every test builds them; this runs at load, never on traffic"
    )]
    pub(super) fn new() -> Self {
        let mut literals: Vec<&str> = Vec::new();
        let mut wakes: Vec<Rules> = Vec::new();
        for (index, rule) in rules().iter().enumerate() {
            for literal in &rule.literals {
                match literals.iter().position(|own| own == literal) {
                    Some(known) => {
                        wakes.iter_mut().skip(known).take(1).for_each(|set| *set |= bit(index))
                    }
                    None => {
                        literals.push(literal);
                        wakes.push(bit(index));
                    }
                }
            }
        }
        let literals = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(literals)
            .expect("literals of the table");
        let start = literals.start_state(Anchored::No).expect("unanchored is the default");
        Self {
            literals,
            start,
            wakes,
            rules: rules().iter().map(compile).collect(),
            layers: index_of(Grammar::Layers),
            length: index_of(Grammar::Length),
            operator: index_of(Grammar::OperatorName),
            prototype: index_of(Grammar::PrototypeName),
        }
    }

    /// The rule that a text breaks by its length alone.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// The rule of names that reach a prototype.
    pub(super) const fn prototype(&self) -> usize {
        self.prototype
    }

    /// Reads a name or a text, each layer of its encodings, and the texts within the deepest of them.
    pub(super) fn read(&self, text: &str, asked: &mut Asked<'_>) -> ControlFlow<()> {
        let text = text.trim_end();
        let marks = Marks::of(text);
        let Layers { below, excessive, bytes_read } = layers::below(text, marks);
        asked.work.layers += text.len() + bytes_read;
        self.layer(&Reading::new(text, marks, false), asked)?;
        for layer in &below {
            self.layer(&Reading::new(&layer.text, layer.marks, layer.hidden), asked)?;
        }
        if excessive && asked.wanted & bit(self.layers) != 0 {
            (asked.found)(self.layers)?;
        }
        let readings = below.iter().map(|layer| (layer.text.as_str(), layer.marks));
        for (outer, marks) in iter::once((text, marks)).chain(readings) {
            if !layers::inner::may_hold_texts(outer, marks) {
                continue;
            }
            asked.work.layers += outer.len();
            for inner in layers::inner::within(outer) {
                let is_name = asked.is_name;
                asked.is_name = inner.is_name;
                let ended = self.inner(&inner.text, asked);
                asked.is_name = is_name;
                ended?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads a text within another, and what its encodings hide.
    fn inner(&self, text: &str, asked: &mut Asked<'_>) -> ControlFlow<()> {
        let marks = Marks::of(text);
        let Layers { below, bytes_read, .. } = layers::below(text, marks);
        asked.work.layers += text.len() + bytes_read;
        self.layer(&Reading::new(text, marks, false), asked)?;
        below.iter().try_for_each(|layer| {
            self.layer(&Reading::new(&layer.text, layer.marks, layer.hidden), asked)
        })
    }

    fn layer(&self, reading: &Reading<'_>, asked: &mut Asked<'_>) -> ControlFlow<()> {
        if asked.is_name {
            self.name(reading.text, asked)?;
        }
        let mut awake = self.awake(reading.text, asked.work);
        if views::has_sql_spaces(reading.text, reading.marks) {
            let text = reading.form(Reads::Sql, asked.work);
            awake |= self.awake(text, asked.work);
        }
        awake &= asked.wanted;
        while awake != 0 {
            let index = awake.trailing_zeros() as usize;
            awake &= awake - 1;
            let Some(rule) = self.rules.get(index) else { continue };
            let fits = match rule.only {
                Only::Anywhere => true,
                Only::Value => reading.is_value,
                Only::Hidden => reading.hidden,
                Only::HiddenValue => reading.hidden && reading.is_value,
                Only::Name => false,
            };
            if fits && rule.finds(reading, asked.work) {
                (asked.found)(index)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn name(&self, name: &str, asked: &mut Asked<'_>) -> ControlFlow<()> {
        let operator = names::is_operator(name).then_some(self.operator);
        let prototype = names::is_prototype(name).then_some(self.prototype);
        for index in [operator, prototype].into_iter().flatten() {
            if asked.wanted & bit(index) != 0 {
                (asked.found)(index)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The rules that the literals of a text wake: one pass.
    fn awake(&self, text: &str, work: &mut Work) -> Rules {
        work.literals += text.len();
        let mut awake = 0;
        let mut state = self.start;
        for byte in text.bytes() {
            state = self.literals.next_state(Anchored::No, state, byte);
            if !self.literals.is_match(state) {
                continue;
            }
            for index in 0..self.literals.match_len(state) {
                let literal = self.literals.match_pattern(state, index).as_usize();
                awake |= self.wakes.get(literal).copied().unwrap_or_default();
            }
        }
        awake
    }
}

impl Compiled {
    fn finds(&self, reading: &Reading<'_>, work: &mut Work) -> bool {
        let text = reading.form(self.reads, work);
        work.patterns += text.len();
        let by_grammar = match self.grammar {
            Some(Grammar::Shell) => shell::runs_command(text),
            Some(Grammar::Address) => address::leads_inside(text),
            Some(
                Grammar::OperatorName | Grammar::PrototypeName | Grammar::Layers | Grammar::Length,
            )
            | None => false,
        };
        let Some(pattern) = &self.pattern else { return by_grammar };
        if by_grammar || pattern.is_match(text.as_bytes()) {
            return true;
        }
        // Comments up to the end of a line: where there are lines, a second way to read it.
        if self.reads != Reads::Sql || !reading.text.contains('\n') {
            return false;
        }
        let text = reading.form(Reads::SqlLines, work);
        work.patterns += text.len();
        pattern.is_match(text.as_bytes())
    }
}

#[expect(clippy::expect_used, reason = "as above: the patterns are part of the program")]
fn compile(rule: &Rule) -> Compiled {
    let each: Vec<Cow<'_, str>> =
        rule.patterns.iter().map(|pattern| format!("(?:{pattern})").into()).collect();
    let pattern = (!each.is_empty()).then(|| {
        RegexBuilder::new(&each.join("|"))
            .case_insensitive(true)
            .unicode(false)
            .build()
            .expect("patterns of the table")
    });
    Compiled { pattern, grammar: rule.grammar, reads: rule.reads, only: rule.only }
}

/// The set of one rule.
pub(super) const fn bit(index: usize) -> Rules {
    if index < Rules::BITS as usize { 1 << index } else { 0 }
}

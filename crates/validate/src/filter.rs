//! The first attack filter: free texts of a request that fits its contract, read for injections.
//! It knows places and texts, but no schema, no operation and no answer.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use crate::contract::{Mode, Payload};
use crate::violation::{Place, Violation};

mod layers;
mod rules;

#[cfg(test)]
mod tests;

use rules::{Hints, Matcher};
pub use rules::{Rule, rules};

/// How the filter acts and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterSettings {
    /// What happens with an attack.
    pub mode: Mode,
    /// Bytes of one free text; a longer one is refused, not cut. Default 8 KiB.
    pub text_bytes_max: usize,
    /// Bytes that the grammars may read for one request, each reading counted; more is refused.
    /// Default 256 KiB.
    pub grammar_bytes_max: usize,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self { mode: Mode::Enforce, text_bytes_max: 8 * 1024, grammar_bytes_max: 256 * 1024 }
    }
}

/// An attack: which rule and where, never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// The rule, an id of [`rules`].
    pub rule: &'static str,
    /// Where.
    pub place: Place,
}

/// The filter with its compiled patterns; one is shared by all requests.
#[derive(Debug)]
pub struct Filter {
    settings: FilterSettings,
    matcher: Matcher,
}

/// Proof that a request was inspected, with the very bytes to forward.
#[derive(Debug)]
pub struct Clean {
    query: Option<String>,
    body: Bytes,
    violations: Vec<Violation>,
    observed: Vec<&'static str>,
}

impl Clean {
    /// Ids of the rules that [`Mode::Observe`] let pass, each once.
    #[must_use]
    pub fn observed(&self) -> &[&'static str] {
        &self.observed
    }

    /// What the contract only observed.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The query written anew and the body.
    #[must_use]
    pub fn into_parts(self) -> (Option<String>, Bytes) {
        (self.query, self.body)
    }
}

impl Filter {
    /// Compiles the patterns: once, when the policy is built.
    #[must_use]
    pub fn new(settings: FilterSettings) -> Self {
        Self { settings, matcher: Matcher::new() }
    }

    /// Inspects every free text of a payload.
    ///
    /// # Errors
    /// The first attack; only with [`Mode::Enforce`].
    pub fn inspect(&self, payload: Payload) -> Result<Clean, Attack> {
        let mut observed = Vec::new();
        if self.settings.mode != Mode::Off {
            let mut budget = self.settings.grammar_bytes_max;
            let enforced = self.settings.mode == Mode::Enforce;
            let found = payload.each_text(&mut |text, is_name| {
                match self.judge(text, is_name, &mut budget) {
                    Some(rule) if enforced => return ControlFlow::Break(rule),
                    Some(rule) if !observed.contains(&rule) => observed.push(rule),
                    Some(_) | None => {}
                }
                ControlFlow::Continue(())
            });
            if let Some((rule, place)) = found {
                return Err(Attack { rule, place });
            }
        }
        let (query, body, violations) = payload.into_parts();
        Ok(Clean { query, body, violations, observed })
    }

    /// The rule that a text breaks: each layer of its encodings is read.
    fn judge(&self, text: &str, is_name: bool, budget: &mut usize) -> Option<&'static str> {
        if text.len() > self.settings.text_bytes_max {
            return Some(rules::TOO_LONG);
        }
        let mut read = |text: &str, hidden| {
            let name = if is_name { rules::operator_name(text) } else { None };
            name.or_else(|| self.read(text, hidden, budget))
        };
        if layers::is_plain(text) {
            return read(text, false);
        }
        match layers::of(text) {
            Ok(layers) => layers.iter().find_map(|layer| read(&layer.text, layer.hidden)),
            Err(rule) => Some(rule),
        }
    }

    fn read(&self, text: &str, hidden: bool, budget: &mut usize) -> Option<&'static str> {
        let hints = self.matcher.hints(text);
        let pattern = self.matcher.pattern(text, &hints, hidden);
        pattern.or_else(|| grammar(text, &hints, budget))
    }
}

/// The grammars of libinjection, where a literal of theirs was seen.
fn grammar(text: &str, hints: &Hints, budget: &mut usize) -> Option<&'static str> {
    for (wanted, rule, read) in [
        (hints.sql, rules::SQLI, is_sqli as fn(&[u8]) -> bool),
        (hints.script, rules::XSS, is_xss as fn(&[u8]) -> bool),
    ] {
        if !wanted {
            continue;
        }
        let Some(left) = budget.checked_sub(text.len()) else { return Some(rules::TOO_LONG) };
        *budget = left;
        // The grammar is a machine translation that indexes slices: a panic in it is a refusal.
        let hit = catch_unwind(AssertUnwindSafe(|| read(text.as_bytes()))).unwrap_or(true);
        if hit {
            return Some(rule);
        }
    }
    None
}

fn is_sqli(text: &[u8]) -> bool {
    libinjectionrs::detect_sqli(text).is_injection()
}

fn is_xss(text: &[u8]) -> bool {
    libinjectionrs::detect_xss(text).is_injection()
}

//! The attack filter: free texts of a request that fits its contract, read for injections of every class of `rules.yaml`.
//! It knows places and texts, but no schema, no connection and no answer.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::contract::Payload;
use crate::violation::{Place, Violation};

mod address;
mod exceptions;
mod layers;
mod marks;
mod names;
mod scan;
mod settings;
mod shell;
mod strip;
mod table;
mod views;

#[cfg(test)]
mod tests;

pub use exceptions::Exception;
use exceptions::Exceptions;
use scan::{Asked, Rules, Scanner, Work, bit};
pub use settings::{Action, Actions, FilterSettings};
pub use strip::Cure;
pub use table::{Class, Rule, Severity, rule, rules};

/// Uses of exceptions in one request; one more is refused like any attack.
const EXCEPTED_MAX: usize = 64;

/// An attack: which rule and where, never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// The rule, an id of [`rules`].
    pub rule: &'static str,
    /// Where.
    pub place: Place,
    /// What is left without the hostile texts, where the class says [`Action::Strip`]. Nothing vouches for it: it is to be
    /// held against the contract and inspected like a request of its own.
    pub cure: Option<Box<Cure>>,
}

/// The table compiled, once for all filters.
static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

/// The filter of one API; one is shared by all requests.
#[derive(Debug)]
pub struct Filter {
    settings: FilterSettings,
    exceptions: Exceptions,
    scanner: &'static Scanner,
    /// The rules whose class is not off.
    wanted: Rules,
    /// Those whose hits are only noted.
    observed: Rules,
    /// Those whose hits may be taken out.
    stripped: Rules,
}

/// Proof that a request was inspected, with the very bytes to forward.
#[derive(Debug)]
pub struct Clean {
    query: Option<String>,
    body: Bytes,
    violations: Vec<Violation>,
    observed: Vec<&'static str>,
    excepted: Vec<Excepted>,
}

/// A hit that an exception let pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excepted {
    /// The rule, an id of [`rules`].
    pub rule: &'static str,
    /// The [`Exception::id`].
    pub exception: Arc<str>,
}

impl Clean {
    /// Ids of the rules that [`Action::Observe`] let pass, each once.
    #[must_use]
    pub fn observed(&self) -> &[&'static str] {
        &self.observed
    }

    /// What exceptions let pass, once for each use.
    #[must_use]
    pub fn excepted(&self) -> &[Excepted] {
        &self.excepted
    }

    /// What the contract only observed.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The body to forward.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The query written anew and the body.
    #[must_use]
    pub fn into_parts(self) -> (Option<String>, Bytes) {
        (self.query, self.body)
    }
}

/// Where a walk over the texts goes on behind a hit that an exception let pass.
#[derive(Debug, Default, Clone, Copy)]
struct Resume {
    /// The text, by its number in the walk.
    text: usize,
    /// The rules that are settled there.
    settled: Rules,
}

impl Filter {
    /// Compiles the settings, and the table where this is the first filter: when the policy is built.
    #[must_use]
    pub fn new(settings: FilterSettings) -> Self {
        let chosen = |action: Action| -> Rules {
            let rules = rules().iter().enumerate();
            rules
                .filter(|(_, rule)| settings.actions.of(rule.class) == action)
                .fold(0, |set, (index, _)| set | bit(index))
        };
        let (observed, stripped) = (chosen(Action::Observe), chosen(Action::Strip));
        let wanted = chosen(Action::Enforce) | observed | stripped;
        let exceptions = Exceptions::new(&settings.exceptions);
        Self { settings, exceptions, scanner: &SCANNER, wanted, observed, stripped }
    }

    /// How often each exception was used, in the order of the settings.
    #[must_use]
    pub fn uses(&self) -> Vec<(&Exception, u64)> {
        self.settings.exceptions.iter().zip(self.exceptions.uses()).collect()
    }

    /// Inspects every free text of a payload.
    ///
    /// # Errors
    /// The first attack of a class that is enforced or stripped.
    pub fn inspect(&self, operation: &str, payload: Payload) -> Result<Clean, Attack> {
        let mut seen = Seen::default();
        if self.wanted != 0 {
            while let Some(mut attack) = self.first_attack(&payload, &mut seen) {
                let covering = (seen.excepted.len() < EXCEPTED_MAX)
                    .then(|| self.exceptions.covering(operation, &attack.place, attack.rule));
                let Some(exception) = covering.flatten() else {
                    attack.cure = self.cure(&payload, &attack).map(Box::new);
                    return Err(attack);
                };
                seen.excepted.push(Excepted { rule: attack.rule, exception });
            }
        }
        let (query, body, violations) = payload.into_parts();
        Ok(Clean { query, body, violations, observed: seen.observed, excepted: seen.excepted })
    }

    /// The next hit that is not only observed.
    fn first_attack(&self, payload: &Payload, seen: &mut Seen) -> Option<Attack> {
        let mut number = 0_usize;
        let resume = seen.resume;
        let found = payload.each_text(&mut |text, is_name| {
            number += 1;
            if number < resume.text {
                return ControlFlow::Continue(());
            }
            let settled = if number == resume.text { resume.settled } else { 0 };
            let hit = self.judge(text, is_name, self.wanted & !settled, seen);
            hit.map_break(|index| {
                seen.resume = Resume { text: number, settled: settled | bit(index) };
                rules().get(index).map_or("", |rule| rule.id.as_str())
            })
        });
        found.map(|(rule, place)| Attack { rule, place, cure: None })
    }

    /// The rule that a text breaks, by its place in the table.
    fn judge(
        &self,
        text: &str,
        is_name: bool,
        wanted: Rules,
        seen: &mut Seen,
    ) -> ControlFlow<usize> {
        let length = self.scanner.length();
        let too_long = text.len() > self.settings.text_bytes_max
            || seen.work.patterns > self.settings.pattern_bytes_max;
        if too_long && wanted & bit(length) != 0 {
            return self.weigh(length, &mut seen.observed);
        }
        if is_name {
            let pair = seen.name == "constructor" && text == "prototype";
            text.clone_into(&mut seen.name);
            if pair && wanted & bit(self.scanner.prototype()) != 0 {
                return self.weigh(self.scanner.prototype(), &mut seen.observed);
            }
        }
        let Seen { work, observed, .. } = seen;
        let mut hit = None;
        let mut found = |index| self.weigh(index, observed).map_break(|index| hit = Some(index));
        let ended =
            self.scanner.read(text, &mut Asked { is_name, wanted, work, found: &mut found });
        match (ended, hit) {
            (ControlFlow::Break(()), Some(index)) => ControlFlow::Break(index),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Notes what is only observed.
    fn weigh(&self, index: usize, observed: &mut Vec<&'static str>) -> ControlFlow<usize> {
        if self.observed & bit(index) == 0 {
            return ControlFlow::Break(index);
        }
        if let Some(rule) = rules().get(index)
            && !observed.contains(&rule.id.as_str())
        {
            observed.push(&rule.id);
        }
        ControlFlow::Continue(())
    }

    /// The request without its hostile texts, where the class of the attack allows it.
    fn cure(&self, payload: &Payload, attack: &Attack) -> Option<Cure> {
        let may_strip = |rule: &str| {
            let index = rules().iter().position(|own| own.id == rule);
            index.is_some_and(|index| self.stripped & bit(index) != 0)
        };
        if !may_strip(attack.rule) {
            return None;
        }
        let mut hostile = strip::Hostile::default();
        let mut seen = Seen::default();
        payload.each_text(&mut |text, is_name| {
            if let ControlFlow::Break(_) = self.judge(text, is_name, self.stripped, &mut seen)
                && !is_name
            {
                hostile.add(text);
            }
            ControlFlow::Continue(())
        });
        hostile.cure(payload)
    }
}

/// What one inspection has seen so far.
#[derive(Debug, Default)]
struct Seen {
    observed: Vec<&'static str>,
    excepted: Vec<Excepted>,
    resume: Resume,
    work: Work,
    /// The name before this one.
    name: String,
}

//! How the filter acts and what it may cost. It knows no configuration file.

use super::exceptions::Exception;
use super::table::Class;

/// What happens with an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// Refuse the request.
    #[default]
    Enforce,
    /// Take the hostile texts apart, and hold what is left against contract and filter again.
    Strip,
    /// Note it and let it pass.
    Observe,
    /// Do not look.
    Off,
}

/// The action of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions([Action; Class::ALL.len()]);

impl Actions {
    /// One action for every class.
    #[must_use]
    pub const fn all(action: Action) -> Self {
        Self([action; Class::ALL.len()])
    }

    /// Chooses the action of one class.
    #[must_use]
    pub fn with(mut self, class: Class, action: Action) -> Self {
        for (own, slot) in Class::ALL.iter().zip(&mut self.0) {
            if *own == class {
                *slot = action;
            }
        }
        self
    }

    /// The action of one class.
    #[must_use]
    pub fn of(&self, class: Class) -> Action {
        let found = Class::ALL.iter().zip(&self.0).find(|(own, _)| **own == class);
        found.map(|(_, action)| *action).unwrap_or_default()
    }
}

/// How the filter acts and what it may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSettings {
    /// What happens with the attacks of each class.
    pub actions: Actions,
    /// What is let pass where.
    pub exceptions: Vec<Exception>,
    /// Bytes of one free text; a longer one is refused, not cut. Default 64 KiB.
    pub text_bytes_max: usize,
    /// Bytes that patterns may read for one request, each reading counted; more is refused. Default 16 MiB.
    pub pattern_bytes_max: usize,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self {
            actions: Actions::default(),
            exceptions: Vec::new(),
            text_bytes_max: 64 * 1024,
            pattern_bytes_max: 16 * 1024 * 1024,
        }
    }
}

impl FilterSettings {
    /// The defaults, with one action for every class.
    #[must_use]
    pub fn all(action: Action) -> Self {
        Self { actions: Actions::all(action), ..Self::default() }
    }
}

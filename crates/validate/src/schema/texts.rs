//! A walk over the free texts of a value by the plan of its schema: a pointer is made only where the filter has found
//! something. It does not judge values.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::plan::{Place, UNDESCRIBED};
use super::{Schema, push};
use crate::json::{Entry, Node};

static OPEN: Place = Place::open();

/// Takes one free text, or one name that the document does not have (`true`); a rule ends the walk.
pub(crate) type Take<'t> = &'t mut dyn FnMut(&str, bool) -> ControlFlow<&'static str>;

/// The text that ended a walk: its rule, and the steps to it, the last first.
#[derive(Debug)]
pub(crate) struct Hit<'v> {
    pub(crate) rule: &'static str,
    steps: Vec<Step<'v>>,
}

/// One step down into a value.
#[derive(Debug, Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

impl<'v> Hit<'v> {
    fn at(rule: &'static str) -> Box<Self> {
        Box::new(Self { rule, steps: Vec::new() })
    }

    fn below(mut self: Box<Self>, step: Step<'v>) -> Box<Self> {
        self.steps.push(step);
        self
    }

    /// Where the text is; a name that the document does not have is a star.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Member(name) => push(&mut pointer, name),
                Step::Item(index) => push(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }
}

/// Hands over every free text of a value, and every member name that the document does not have; without a schema that is
/// all of them. Where the value does not fit its schema and may pass, the schema binds no text: `fits` says so.
pub(crate) fn free_texts<'v>(
    schema: Option<&Schema>,
    value: Node<'v>,
    fits: bool,
    take: Take<'_>,
) -> Option<Box<Hit<'v>>> {
    let start = schema.map_or(UNDESCRIBED, |schema| schema.plan.start);
    let mut walk = Walk {
        places: schema.map_or(&[], |schema| &schema.plan.places),
        names: schema.map(|schema| &schema.names),
        fits,
        take,
    };
    walk.value(start, value).break_value()
}

struct Walk<'w> {
    places: &'w [Place],
    names: Option<&'w HashSet<String>>,
    fits: bool,
    take: Take<'w>,
}

impl<'w> Walk<'w> {
    fn value<'v>(&mut self, place: usize, value: Node<'v>) -> ControlFlow<Box<Hit<'v>>> {
        // Every index of a plan is one of its places.
        let here: &'w Place = self.places.get(place).unwrap_or(&OPEN);
        match value.kind() {
            Entry::Text { .. } if here.bound && self.fits => {}
            Entry::Text { .. } => {
                self.text(value.text().unwrap_or_default(), false)?;
            }
            Entry::Array { .. } => {
                let Some(items) = value.items() else { return ControlFlow::Continue(()) };
                for (index, item) in items.enumerate() {
                    self.value(here.items, item).map_break(|hit| hit.below(Step::Item(index)))?;
                }
            }
            Entry::Object { .. } => {
                let Some(members) = value.members() else { return ControlFlow::Continue(()) };
                for (name, member) in members {
                    self.member(here, name.text().unwrap_or_default(), member)?;
                }
            }
            // What is in a file is held to its size and kind.
            Entry::Octets { .. }
            | Entry::Null
            | Entry::Flag(_)
            | Entry::Unsigned(_)
            | Entry::Signed(_)
            | Entry::Float(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn member<'v>(
        &mut self,
        here: &Place,
        name: &'v str,
        member: Node<'v>,
    ) -> ControlFlow<Box<Hit<'v>>> {
        let declared = here.members.place(name);
        let known = declared.is_some() || self.names.is_some_and(|names| names.contains(name));
        let step = Step::Member(if known { name } else { "*" });
        if !known {
            self.text(name, true).map_break(|hit| hit.below(step))?;
        }
        let place = declared.unwrap_or(here.others);
        self.value(place, member).map_break(|hit| hit.below(step))
    }

    fn text<'v>(&mut self, text: &str, is_name: bool) -> ControlFlow<Box<Hit<'v>>> {
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        (self.take)(text, is_name).map_break(Hit::at)
    }
}

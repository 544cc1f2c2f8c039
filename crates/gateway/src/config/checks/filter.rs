//! The filter of an API: a word or a section, and only rules and operations that exist.

use validate::{Action, Actions, Class, rules};

use super::{Checker, items, placed_items, word, written};
use crate::config::mistake::{Placed, nearest};
use crate::config::raw::{RawApi, RawClasses, RawException, RawFilter};
use crate::config::reader::{Given, OneOf};
use crate::config::settings::{Filter, FilterException};

impl Checker<'_, '_> {
    pub(super) fn filter(&mut self, api: &RawApi) -> Filter {
        let each = match api.filter.value() {
            None => return Filter::default(),
            Some(RawFilter::All(action)) => {
                return Filter { actions: Actions::all(*action), ..Filter::default() };
            }
            Some(RawFilter::Each(each)) => each,
        };
        let mut actions = Actions::all(word(&each.default));
        if let Some(classes) = each.classes.value() {
            for class in Class::ALL {
                let named = named(classes, class).value();
                actions = named.map_or(actions, |action| actions.with(class, action.0));
            }
        }
        let exceptions = written(&each.exceptions).iter();
        let exceptions = exceptions.map(|exception| self.exception(exception, api)).collect();
        let text = each.text.value().and_then(|size| usize::try_from(size.0).ok());
        let text_bytes_max = text.unwrap_or(Filter::default().text_bytes_max);
        Filter { actions, exceptions, text_bytes_max }
    }

    fn exception(&mut self, exception: &Placed<RawException>, api: &RawApi) -> FilterException {
        let raw = &exception.value;
        if let Some(fields) = raw.fields.get() {
            self.not_empty(fields, "field");
        }
        if let Some(operations) = raw.operations.get() {
            self.not_empty(operations, "operation, or leave `operations` out");
            if api.openapi.is_absent() && !api.prefix.is_absent() {
                self.wrong(&operations.place, "not with `prefix`: it has no operations");
            }
        }
        let named = placed_items(&raw.rules, |rule| rule.0.clone());
        for rule in &named {
            let known = rules().iter().map(|rule| rule.id.as_str());
            let known = known.chain(Class::ALL.map(Class::as_str));
            if known.clone().all(|own| own != rule.value) {
                let near = nearest(&rule.value, known);
                self.mistakes.wrong_name(
                    &rule.place,
                    "no such rule or class: `gateway explain` lists them",
                    near,
                );
            }
        }
        FilterException {
            place: exception.place.clone(),
            operations: placed_items(&raw.operations, |operation| operation.0.clone()),
            fields: items(&raw.fields, |field| field.0.clone()),
            rules: named.into_iter().map(|rule| rule.value).collect(),
        }
    }
}

/// The operations that exceptions name.
pub(super) fn excepted_operations(api: &RawApi) -> Vec<Placed<String>> {
    let Some(RawFilter::Each(each)) = api.filter.value() else { return Vec::new() };
    let exceptions = written(&each.exceptions).iter();
    let named = |exception: &Placed<RawException>| {
        placed_items(&exception.value.operations, |operation| operation.0.clone())
    };
    exceptions.flat_map(named).collect()
}

/// What is written for a class.
fn named(raw: &RawClasses, class: Class) -> &Given<OneOf<Action>> {
    match class {
        Class::Sqli => &raw.sqli,
        Class::Xss => &raw.xss,
        Class::Nosql => &raw.nosql,
        Class::Traversal => &raw.traversal,
        Class::Command => &raw.command,
        Class::Template => &raw.template,
        Class::Ldap => &raw.ldap,
        Class::Xpath => &raw.xpath,
        Class::Xxe => &raw.xxe,
        Class::Header => &raw.header,
        Class::Ssrf => &raw.ssrf,
        Class::Jndi => &raw.jndi,
        Class::Shellshock => &raw.shellshock,
        Class::Ssi => &raw.ssi,
        Class::Deserialisation => &raw.deserialisation,
        Class::Prototype => &raw.prototype,
        Class::Encoding => &raw.encoding,
    }
}

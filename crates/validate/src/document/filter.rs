//! `x-filter` of an operation: what the attack filter lets pass there. It knows no filter.

use std::sync::Arc;

use super::{Cursor, Report};
use crate::filter::{Class, Exception, rule};

/// The exceptions of one operation: a list of `{ fields: [...], rules: [...] }`.
pub(super) fn exceptions(at: &Cursor<'_>, operation: &str, report: &mut Report) -> Vec<Exception> {
    let mut found = Vec::new();
    let Some(list) = at.get("x-filter") else { return found };
    if list.items().next().is_none() {
        report.mistake(&list, "`x-filter` is a list of exceptions, each with `fields`");
    }
    for (index, item) in list.items().enumerate() {
        let id: Arc<str> = format!("{operation}/x-filter[{index}]").into();
        for (name, member) in item.members().filter(|(name, _)| !["fields", "rules"].contains(name))
        {
            report.mistake(
                &member,
                format!("`{name}` is no part of an exception: it has `fields` and `rules`"),
            );
        }
        let texts = |name: &str| -> Vec<String> {
            let items = item.get(name).map(|list| {
                list.items().map(|item| item.node.as_str().unwrap_or_default().to_owned()).collect()
            });
            items.unwrap_or_default()
        };
        let (fields, rules) = (texts("fields"), texts("rules"));
        if fields.is_empty() || fields.iter().any(String::is_empty) {
            report.mistake(&item, "an exception names its `fields`, such as body:/note");
        }
        for name in &rules {
            let known =
                rule(name).is_some() || Class::ALL.iter().any(|class| class.as_str() == name);
            if !known {
                report.mistake(&item, format!("`{name}` is no rule and no class of the filter"));
            }
        }
        found.extend(fields.into_iter().map(|field| Exception {
            id: Arc::clone(&id),
            operation: Some(operation.to_owned()),
            field,
            rules: rules.clone(),
        }));
    }
    for exception in &found {
        let rules = if exception.rules.is_empty() {
            "everything".to_owned()
        } else {
            exception.rules.join(", ")
        };
        report.note(&list, format!("the filter lets {rules} pass in {}", exception.field));
    }
    found
}

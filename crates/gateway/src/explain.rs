//! The rules of the attack filter as an operator may look them up. It judges nothing.

use std::fmt::Write as _;
use validate::{Rule, rules};

/// All rules, a line each.
#[must_use]
pub fn list() -> String {
    let mut out = String::new();
    for rule in rules() {
        let (class, severity) = (rule.class.as_str(), rule.severity.as_str());
        line(&mut out, format_args!("{:20} {class:16} {severity:9} {}", rule.id, rule.about));
    }
    out.push_str("gateway explain --rule ID tells one.\n");
    out
}

/// One rule: what it finds, why, examples, and how to except it.
#[must_use]
pub fn rule(id: &str) -> Option<String> {
    let id = id.strip_prefix("filter.").unwrap_or(id);
    let rule: &Rule = validate::rule(id)?;
    let mut out = String::new();
    line(&mut out, format_args!("{}: {}", rule.id, rule.about));
    line(&mut out, format_args!("why: {}", rule.why));
    let (class, severity) = (rule.class.as_str(), rule.severity.as_str());
    line(
        &mut out,
        format_args!("class {class}, {severity}, CWE-{}, OWASP {}", rule.cwe, rule.class.owasp()),
    );
    for (title, texts) in [("finds", &rule.attacks), ("leaves alone", &rule.harmless)] {
        line(&mut out, format_args!("{title}:"));
        for text in texts {
            // Line ends and what is not seen are shown as escapes.
            line(&mut out, format_args!("  {}", text.escape_debug()));
        }
    }
    out.push_str("to except it for a field, in the configuration:\n");
    line(
        &mut out,
        format_args!(
            "  filter: {{ exceptions: [{{ operations: [OPERATION], fields: ['body:/FIELD'], rules: [{}] }}] }}",
            rule.id
        ),
    );
    out.push_str("or at the operation in the OpenAPI document:\n");
    line(
        &mut out,
        format_args!("  x-filter: [{{ fields: ['body:/FIELD'], rules: [{}] }}]", rule.id),
    );
    line(
        &mut out,
        format_args!(
            "to choose what happens with the class: filter: {{ classes: {{ {class}: observe }} }}"
        ),
    );
    Some(out)
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A string takes all that is written to it.
    if writeln!(out, "{text}").is_err() {}
}

#[cfg(test)]
mod tests {
    use super::{list, rule};

    #[test]
    fn every_rule_is_listed_and_told() {
        let all = list();
        for one in validate::rules() {
            assert!(all.contains(&one.id), "{}", one.id);
            let told = rule(&one.id).expect("a rule");
            assert!(told.contains(&one.why) && told.contains("x-filter"), "{}", one.id);
        }
        assert!(rule("filter.sqli").is_some() && rule("nothing").is_none());
    }
}

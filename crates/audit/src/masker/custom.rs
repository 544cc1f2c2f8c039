//! Rules of the operator: what else is a secret here. Whatever one of them can do to a text has a bound, and what it puts in
//! place of a finding is left alone by all others. Pure; it knows no configuration file.

use regex::RegexBuilder;

use super::rules::{Rule, Rules, any};
use super::{redact, rules};

/// Rules at most.
const RULES_MAX: usize = 64;
/// Longest pattern, bytes.
const PATTERN_BYTES_MAX: usize = 512;
/// Longest finding, bytes: what bounds it bounds the work on each byte of a text.
const MATCH_BYTES_MAX: usize = 1_024;
/// Memory of a compiled pattern, bytes.
const COMPILED_BYTES_MAX: usize = 1 << 18;
/// Nested groups of a pattern.
const NEST_MAX: u32 = 16;
/// Longest replacement, bytes.
const REPLACEMENT_BYTES_MAX: usize = 64;
/// What the masker itself puts into texts.
const LABELS: [&str; 11] = [
    "[masked]", "[secret]", "[token]", "[packed]", "[pem]", "[email]", "[iban]", "[card]",
    "[phone]", "[number]", "[id]",
];

/// A rule of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRule {
    /// What is looked for, in the syntax of the crate `regex`.
    pub pattern: String,
    /// What stands for each finding.
    pub replacement: String,
}

/// Why a rule is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MaskMistake {
    /// One too many.
    #[error("at most {RULES_MAX} rules are allowed")]
    TooMany,
    /// Not a regular expression, or nested too deeply.
    #[error(
        "the pattern is no regular expression (no look-around, no back-references, at most {NEST_MAX} nested groups)"
    )]
    Syntax,
    /// Longer than it may be.
    #[error("the pattern is longer than {PATTERN_BYTES_MAX} bytes")]
    PatternLong,
    /// It needs too much memory.
    #[error("the pattern is too large when compiled: use smaller repetitions")]
    Large,
    /// It finds nothing in particular.
    #[error("the pattern matches the empty text")]
    Empty,
    /// It may go on for ever.
    #[error(
        "the pattern has no bound: write `{{1,64}}` for `+` and `{{0,64}}` for `*`, for {MATCH_BYTES_MAX} bytes at most"
    )]
    Unbounded,
    /// It would find what masking leaves.
    #[error("the pattern matches what the masker puts into a text, or its own replacement")]
    FindsLabels,
    /// Something else than a short mark.
    #[error(
        "a replacement is 1 to {REPLACEMENT_BYTES_MAX} of a-z A-Z 0-9 - _ . * [ ] and nothing that would be masked itself"
    )]
    Replacement,
}

/// Compiles the rules.
pub(super) fn compiled(rules: &[MaskRule]) -> Result<Vec<Rule>, (usize, MaskMistake)> {
    if rules.len() > RULES_MAX {
        return Err((RULES_MAX, MaskMistake::TooMany));
    }
    let compile = |(index, rule)| rule_of(rule).map_err(|mistake| (index, mistake));
    let all = rules.iter().enumerate().map(compile).collect::<Result<Vec<_>, _>>()?;
    let Some(own) = rules::compiled() else { return Ok(all) };
    // What one rule leaves, no other may take for a finding: masking twice is masking once.
    for (index, rule) in rules.iter().enumerate() {
        if redact(Rules { own, custom: &[] }, &rule.replacement).is_some() {
            return Err((index, MaskMistake::Replacement));
        }
        let labels = LABELS.into_iter().chain(rules.iter().map(|other| other.replacement.as_str()));
        let finds = |label: &str| all.get(index).is_some_and(|rule| rule.pattern.is_match(label));
        if labels.into_iter().any(finds) {
            return Err((index, MaskMistake::FindsLabels));
        }
    }
    Ok(all)
}

fn rule_of(rule: &MaskRule) -> Result<Rule, MaskMistake> {
    if rule.pattern.len() > PATTERN_BYTES_MAX {
        return Err(MaskMistake::PatternLong);
    }
    let mut parser = regex_syntax::ParserBuilder::new().nest_limit(NEST_MAX).build();
    let parsed = parser.parse(&rule.pattern).map_err(|_| MaskMistake::Syntax)?;
    match (parsed.properties().minimum_len(), parsed.properties().maximum_len()) {
        (None | Some(0), _) => return Err(MaskMistake::Empty),
        (_, Some(longest)) if longest <= MATCH_BYTES_MAX => {}
        (Some(_), _) => return Err(MaskMistake::Unbounded),
    }
    let pattern = RegexBuilder::new(&rule.pattern)
        .nest_limit(NEST_MAX)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|_| MaskMistake::Large)?;
    let is_mark = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*[]".contains(&byte);
    let length = 1..=REPLACEMENT_BYTES_MAX;
    if !length.contains(&rule.replacement.len()) || !rule.replacement.bytes().all(is_mark) {
        return Err(MaskMistake::Replacement);
    }
    Ok(Rule { pattern, label: rule.replacement.clone().into(), holds: any })
}

#[cfg(test)]
mod tests;

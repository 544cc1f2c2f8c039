//! `${NAME}` in a text becomes the value of an environment variable. It does not read the
//! environment itself: the caller says how.

use thiserror::Error;

/// How an environment variable is looked up.
pub(in crate::config) type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Why a text with `${NAME}` has no value. It names variables, never values.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum ExpandError {
    /// The variable is not set.
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    /// `${` without a name and `}`.
    #[error("`${{` must be followed by a variable name and `}}`; write `$${{` for the characters")]
    Open,
}

/// Whether a text holds a reference.
pub(super) fn mentions(text: &str) -> bool {
    text.contains("${")
}

/// Replaces every `${NAME}`; `$${` stands for the characters `${`. A value is not expanded again.
pub(super) fn expand(text: &str, environment: &Environment<'_>) -> Result<String, ExpandError> {
    let mut rest = text;
    let mut result = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            result.push_str(literal);
            result.push_str("${");
            rest = after;
            continue;
        }
        result.push_str(before);
        let (name, after) = after.split_once('}').ok_or(ExpandError::Open)?;
        if !is_name(name) {
            return Err(ExpandError::Open);
        }
        let value = environment(name).ok_or_else(|| ExpandError::Unset(name.to_owned()))?;
        result.push_str(&value);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// The portable names of environment variables (POSIX.1-2017 8.1).
fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

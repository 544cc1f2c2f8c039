//! The masker of audit texts: what it lets out has nothing more to take out, and nothing that drives a terminal.

/// The bytes are a text; what is not UTF-8 is replaced, as its callers do.
pub fn audit_mask(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let masked = audit::mask(&text);
    assert_eq!(audit::mask(&masked), masked, "masking twice differs");
    assert!(!masked.chars().any(char::is_control), "a control character is left in {masked:?}");
    // A known credential in a field of its own is found in whatever surrounds it.
    let loaded = format!("{text} AKIAIOSFODNN7EXAMPLE {text}");
    assert!(!audit::mask(&loaded).contains("AKIAIOSFODNN7EXAMPLE"), "a credential came through");
}

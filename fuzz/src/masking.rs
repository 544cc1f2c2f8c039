//! The masker of audit texts: what it lets out has nothing more to take out, and nothing that drives a terminal.

/// An example of the vendor's documentation.
const CREDENTIAL: &str = "AKIAIOSFODNN7EXAMPLE";

/// The bytes are a text; what is not UTF-8 is replaced, as its callers do.
pub fn audit_mask(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let masked = audit::mask(&text);
    assert_eq!(audit::mask(&masked), masked, "masking twice differs");
    assert!(!masked.chars().any(char::is_control), "a control character is left in {masked:?}");
    // What is taken out leaves a mark that is short.
    assert!(masked.len() <= 8 * text.len() + 16, "{} bytes became {}", text.len(), masked.len());
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    if text.trim_start().starts_with(['{', '[', '"']) && is_json(&text) {
        assert!(is_json(&masked), "{text} became {masked}");
    }
    // A known credential in a field of its own is found in whatever surrounds it; glued to other letters it is none.
    if !text.contains(CREDENTIAL) {
        let loaded = format!("{text} {CREDENTIAL} {text}");
        assert!(!audit::mask(&loaded).contains(CREDENTIAL), "a credential came through");
    }
}

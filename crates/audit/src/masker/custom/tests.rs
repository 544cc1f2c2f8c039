//! What a rule of the operator does, and which ones are refused, each with a near miss.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::masker::{Masker, mask};

fn rule(pattern: &str, replacement: &str) -> MaskRule {
    MaskRule { pattern: pattern.to_owned(), replacement: replacement.to_owned() }
}

fn staff() -> Masker {
    let rules = [rule("EMP-[0-9]{5}", "[staff]"), rule("(?i)project [a-z]{3,12}", "[project]")];
    Masker::new(&rules).expect("good rules")
}

#[test]
fn a_custom_rule_takes_out_what_it_finds_in_any_reading() {
    let masker = staff();
    assert_eq!(masker.mask("by EMP-12345 today"), "by [staff] today");
    assert_eq!(masker.mask("by EMP-1234 today"), "by EMP-1234 today");
    assert_eq!(mask("by EMP-12345 today"), "by EMP-12345 today", "nobody else's rule");
    assert_eq!(masker.mask("PROJECT Orion, alice@example.org"), "[project], [email]");
    let json = masker.mask(r#"{"who":"EMP-12345","EMP-54321":[1]}"#);
    assert_eq!(json, r#"{"[staff]":[1],"who":"[staff]"}"#);
    for coded in
        ["EMP%2D12345".to_owned(), "EMP\\u002d12345".to_owned(), STANDARD.encode("xEMP-12345")]
    {
        assert_eq!(masker.mask(&coded), "[masked]", "{coded}");
    }
}

#[test]
fn a_rule_without_a_bound_is_refused_and_one_with_it_is_not() {
    use MaskMistake::{Empty, FindsLabels, Large, PatternLong, Replacement, Syntax, Unbounded};
    let long = "a".repeat(PATTERN_BYTES_MAX + 1);
    let deep = format!("{}ab{}", "(".repeat(30), ")".repeat(30));
    let rows: [(&str, &str, Option<MaskMistake>); 21] = [
        ("EMP-[0-9]{5}", "[staff]", None),
        ("EMP-[0-9]+", "[staff]", Some(Unbounded)),
        ("EMP-.*", "[staff]", Some(Unbounded)),
        ("EMP-[0-9]{1,64}", "[staff]", None),
        ("EMP-[0-9]{1,2000}", "[staff]", Some(Unbounded)),
        ("[0-9]{0,5}", "[staff]", Some(Empty)),
        ("", "[staff]", Some(Empty)),
        (r"\b", "[staff]", Some(Empty)),
        ("(unclosed", "[staff]", Some(Syntax)),
        ("(?=ahead)x", "[staff]", Some(Syntax)),
        (r"(a)\1", "[staff]", Some(Syntax)),
        (&deep, "[staff]", Some(Syntax)),
        ("((ab))", "[staff]", None),
        (&long, "[staff]", Some(PatternLong)),
        (r"[\p{L}\p{N}]{1,200}", "[staff]", Some(Large)),
        ("[a-z]{4}", "[staff]", Some(FindsLabels)),
        ("staff", "[staff]", Some(FindsLabels)),
        ("EMP-1", "", Some(Replacement)),
        ("EMP-1", "a \"b", Some(Replacement)),
        ("EMP-1", "4111111111111111", Some(Replacement)),
        ("EMP-1", "***", None),
    ];
    for (pattern, replacement, wanted) in rows {
        let got = Masker::new(&[rule("ok-1", "[ok]"), rule(pattern, replacement)]).err();
        assert_eq!(got, wanted.map(|mistake| (1, mistake)), "{pattern} {replacement}");
    }
    // Another rule's replacement is no finding either.
    let two = [rule("second", "[b]"), rule("first", "second")];
    assert_eq!(Masker::new(&two).err(), Some((0, FindsLabels)));
    let many = vec![rule("ok-1", "[ok]"); RULES_MAX + 1];
    assert_eq!(Masker::new(&many).err(), Some((RULES_MAX, MaskMistake::TooMany)));
    assert!(Masker::new(&many[1..]).is_ok());
}

#[test]
fn the_dearest_rules_that_are_allowed_stay_linear() {
    let rules: Vec<MaskRule> =
        (0..RULES_MAX).map(|n| rule(&format!("(?:a|aa|a?a){{1,30}}b{n}x"), "[a]")).collect();
    let masker = Masker::new(&rules).expect("allowed");
    let time = |bytes: usize| {
        let text = "a".repeat(bytes);
        let best = (0..3).map(|_| {
            let began = std::time::Instant::now();
            std::hint::black_box(masker.mask(&text));
            began.elapsed()
        });
        best.min().expect("three")
    };
    time(1 << 10);
    let (short, long) = (time(1 << 14), time(1 << 17));
    // Eight times the text: quadratic work would be sixty-four times as much.
    assert!(long < short * 40, "{short:?} for 16 KiB, {long:?} for 128 KiB");
}

proptest! {
    #[test]
    fn masking_twice_is_masking_once_and_json_stays_json(
        text in "[EMP0-9a-e@. :=\"%{}\\[\\],-]{0,80}|(EMP-[0-9]{5}|project [a-z]{3}| |[EMP-]){0,8}",
    ) {
        let masker = staff();
        let once = masker.mask(&text).into_owned();
        prop_assert_eq!(masker.mask(&once), once.as_str());
        let json = serde_json::json!({ &text: [&text] }).to_string();
        let masked = masker.mask(&json).into_owned();
        prop_assert!(serde_json::from_str::<Value>(&masked).is_ok(), "{}", masked);
        prop_assert_eq!(masker.mask(&masked), masked.as_str());
        prop_assert!(!masked.contains("EMP-12345"));
    }
}

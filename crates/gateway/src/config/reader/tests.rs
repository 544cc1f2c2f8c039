//! `${NAME}` in texts.

use super::environment::{ExpandError, expand, mentions};

fn variables(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("idp".to_owned()),
        "NESTED" => Some("${HOST}".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

#[test]
fn references_are_replaced_once() {
    for (text, expected) in [
        ("plain $HOST {x}", "plain $HOST {x}"),
        ("https://${HOST}/${HOST}", "https://idp/idp"),
        ("${NESTED}", "${HOST}"),
        ("${EMPTY}x", "x"),
        ("$${HOST}", "${HOST}"),
        ("a}b", "a}b"),
    ] {
        assert_eq!(expand(text, &variables).as_deref(), Ok(expected), "{text}");
    }
    assert!(mentions("x${y") && !mentions("$y"));
}

#[test]
fn what_has_no_value_is_refused() {
    assert_eq!(expand("${UNSET}", &variables), Err(ExpandError::Unset("UNSET".to_owned())));
    for text in ["${", "${HOST", "${}", "${1A}", "${A-B}", "${HOST:-x}"] {
        assert_eq!(expand(text, &variables), Err(ExpandError::Open), "{text}");
    }
}

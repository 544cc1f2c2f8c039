//! What happens with what was found: enforce, observe, strip, off, and exceptions.

use super::*;
use crate::filter::strip::stripped;

fn one(rules: &[&str], operation: Option<&str>, field: &str) -> FilterSettings {
    let exception = Exception {
        id: "e".into(),
        operation: operation.map(str::to_owned),
        field: field.to_owned(),
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
    };
    FilterSettings { exceptions: vec![exception], ..FilterSettings::default() }
}

const SCRIPTS: &str = r#"["<script>alert(1)</script>","<script>alert(2)</script>"]"#;

#[test]
fn each_class_has_its_action() {
    let run =
        |actions| send(FilterSettings { actions, ..FilterSettings::default() }, None, SCRIPTS);
    assert_eq!(run(Actions::all(Action::Observe)).unwrap().observed(), ["xss"]);
    assert!(run(Actions::all(Action::Off)).unwrap().observed().is_empty());
    assert!(run(Actions::all(Action::Enforce)).is_err());
    assert_eq!(
        run(Actions::default().with(Class::Xss, Action::Observe)).unwrap().observed(),
        ["xss"]
    );
    assert!(run(Actions::default().with(Class::Sqli, Action::Observe)).is_err());
}

#[test]
fn an_exception_lets_its_rule_pass_at_its_field() {
    for (settings, passes) in [
        (one(&["xss"], None, "body:/*"), false),
        (one(&["xss"], None, "body:/0"), false),
        (one(&["xss"], Some("operation"), "body:/*"), false),
        (one(&["xss", "xss_script"], Some("operation"), "body:/*"), true),
        (one(&[], None, "body:/*"), true),
        (one(&["sqli"], None, "body:/*"), false),
        (one(&[], Some("other"), "body:/*"), false),
        (one(&[], None, "body:/*/*"), false),
    ] {
        let field = format!("{:?}", settings.exceptions);
        // The class is named like its first rule: `xss` is both.
        let named =
            settings.exceptions[0].rules == ["xss"] && settings.exceptions[0].field == "body:/*";
        assert_eq!(send(settings, None, SCRIPTS).is_ok(), passes || named, "{field}");
    }
    let clean = send(one(&[], None, "body:/*"), None, r#"["<script>"]"#).unwrap();
    assert_eq!(clean.excepted(), [Excepted { rule: "xss", exception: "e".into() }]);
}

#[test]
fn uses_of_exceptions_are_counted() {
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let filter = Filter::new(one(&["command"], None, "query:undeclared"));
    for expected in 1..=2 {
        let headers = HeaderMap::new();
        let view = RequestView {
            path_parameters: &[],
            query: Some("q=%3Bid"),
            headers: &headers,
            has_body: false,
        };
        let payload = contract.open(&view, Mode::Enforce).unwrap().finish(Bytes::new()).unwrap();
        assert!(filter.inspect("operation", payload).is_ok());
        assert_eq!(filter.uses()[0].1, expected);
    }
}

/// A request after it was cured, and what the filter says then.
fn cured(query: Option<&str>, body: &str) -> Option<(Option<String>, String, bool)> {
    let strip = || FilterSettings::all(Action::Strip);
    let cure = send(strip(), query, body).err()?.cure?;
    let text = String::from_utf8(cure.body.to_vec()).unwrap();
    let clean = send(strip(), cure.query.as_deref(), &text).is_ok();
    Some((cure.query, text, clean))
}

#[test]
fn stripping_takes_the_marks_out_of_hostile_texts_only() {
    let (query, body, clean) =
        cured(Some("q=%3Cscript%3E&r=a%26b"), r#"{"a":"it's <b>","b":["x' or 1=1--", 1.50]}"#)
            .unwrap();
    assert_eq!(query.as_deref(), Some("q=script&r=a%26b"));
    assert_eq!(body, r#"{"a":"it's <b>","b":["x or 11", 1.50]}"#);
    assert!(clean);
}

#[test]
fn what_stripping_cannot_mend_stays_an_attack() {
    // A name is not taken apart.
    assert_eq!(cured(None, r#"{"a":{"$ne":1}}"#), None);
    // Words alone can be an attack, too.
    let (_, _, clean) = cured(None, r#"["1; union select null, null from t"]"#).unwrap();
    assert!(!clean);
    let attack = send(FilterSettings::default(), None, SCRIPTS).unwrap_err();
    assert_eq!(attack.cure, None, "only where the class says strip");
}

proptest! {
    #[test]
    fn of_what_is_left_the_same_is_left(text in "\\PC{0,120}") {
        let once = stripped(&text);
        prop_assert_eq!(stripped(&once), once);
    }

    #[test]
    fn what_is_cured_passes_enforce_or_is_refused(
        before in "[a-z ]{0,12}", after in "[a-z0-9 ]{0,12}", index in 0_usize..10_000,
    ) {
        let attacks: Vec<_> = rules().iter().filter(|rule| rule.only != Only::Name).flat_map(|rule| &rule.attacks).collect();
        let text = format!("{before}{}{after}", attacks[index % attacks.len()]);
        let body = serde_json::json!({ "t": text }).to_string();
        if let Some((_, body, clean)) = cured(None, &body) {
            // The strip filter lets pass exactly what the enforcing one does.
            prop_assert_eq!(send(FilterSettings::default(), None, &body).is_ok(), clean);
        }
    }
}

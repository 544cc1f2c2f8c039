//! Templates become patterns; parameters are found again by place.

use super::{parameter_names, pattern, within};

#[test]
fn parameters_are_named_by_place() {
    for (template, expected, count) in [
        ("/orders/{id}/items/{item}", "/orders/{p0}/items/{p1}", 2),
        ("/legacy/{*rest}", "/legacy/{*p0}", 1),
        ("/plain", "/plain", 0),
        ("/files/v{id}.json/", "/files/v{p0}.json/", 1),
        ("/{a}/compare/{base}...{head}/{b}", "/{p0}/compare/{p1}/{p2}", 3),
    ] {
        let (pattern, segments) = pattern(template);
        assert_eq!((pattern.as_str(), segments.len()), (expected, count), "{template}");
        let splits = segments.iter().filter(|segment| segment.is_some()).count();
        assert_eq!(splits, usize::from(template.contains("...")), "{template}");
    }
    assert_eq!(parameter_names("/{a}/{base}...{head}"), ["a", "base", "head"]);
    assert_eq!(parameter_names("/orders/{id}/items/{item}"), ["id", "item"]);
}

#[test]
fn a_part_is_found_within_its_whole_only() {
    let whole = String::from("/orders/17");
    assert_eq!(within(&whole, whole.trim_start_matches("/orders/")), Some(8..10));
    assert_eq!(within(&whole, "17"), None, "equal text elsewhere is another text");
}

//! Templates become patterns; parameters are found again by place.

use super::{parameter_names, pattern, within};

#[test]
fn parameters_are_named_by_place() {
    assert_eq!(pattern("/orders/{id}/items/{item}"), ("/orders/{p0}/items/{p1}".to_owned(), 2));
    assert_eq!(pattern("/legacy/{*rest}"), ("/legacy/{*p0}".to_owned(), 1));
    assert_eq!(pattern("/plain"), ("/plain".to_owned(), 0));
    assert_eq!(parameter_names("/orders/{id}/items/{item}"), ["id", "item"]);
}

#[test]
fn a_part_is_found_within_its_whole_only() {
    let whole = String::from("/orders/17");
    assert_eq!(within(&whole, whole.trim_start_matches("/orders/")), Some(8..10));
    assert_eq!(within(&whole, "17"), None, "equal text elsewhere is another text");
}

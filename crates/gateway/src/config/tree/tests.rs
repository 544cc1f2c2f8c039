//! Positions, kinds and bounds of the tree.

use super::*;

fn map(node: &Node) -> &[Entry] {
    let Kind::Map(entries) = &node.kind else { panic!("a mapping: {node:?}") };
    entries
}

#[test]
fn keys_and_values_know_their_places() {
    let root = parse("a: 1\nb:\n  - c: off\n    d: [x, \"2\"]\n").expect("YAML");
    let entries = map(&root);
    assert_eq!((entries[0].line, entries[0].column), (1, 1));
    assert_eq!((entries[0].value.line, entries[0].value.column), (1, 4));
    assert_eq!((entries[1].line, entries[1].column), (2, 1));
    let Kind::List(items) = &entries[1].value.kind else { panic!("a list") };
    let inner = map(&items[0]);
    assert_eq!((inner[0].line, inner[0].column), (3, 5));
    assert_eq!((inner[1].line, inner[1].column), (4, 5));
    let Kind::List(items) = &inner[1].value.kind else { panic!("a list") };
    assert_eq!((items[1].line, items[1].column), (4, 12));
}

#[test]
fn words_of_older_yaml_are_texts() {
    let root = parse("a: off\nb: on\nc: yes\nd: 007\ne: 1_0\nf: true\ng:\nh: 1.5\n").expect("YAML");
    let kinds: Vec<&str> = map(&root).iter().map(|entry| entry.value.kind.called()).collect();
    let text = "a text";
    assert_eq!(kinds, [text, text, text, text, text, "true or false", "nothing", "a number"]);
}

#[test]
fn what_hides_or_multiplies_values_is_refused() {
    for text in ["a: &x { b: 1 }\nc: { <<: *x }\n", "a: !secret x\n", "a: 1\n---\nb: 1\n"] {
        assert!(parse(text).is_err(), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert!(parse(&deep).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        let items = vec![before; 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(parse(&bomb).is_err());
}

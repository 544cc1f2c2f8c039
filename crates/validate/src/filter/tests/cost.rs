//! What the filter reads grows with the text and no faster: bytes are counted, not time.

use std::ops::ControlFlow;

use super::super::scan::{Asked, Scanner, Work};
use super::{SCANNER, rules};

/// Bytes read by all stages for each byte of a text, at most, for a text that wakes few rules.
const EACH: usize = 24;
/// And for one that wakes all of them: every rule reads each layer once.
const WORST: usize = 400;

fn work(scanner: &Scanner, text: &str) -> usize {
    let mut work = Work::default();
    let mut found = |_| ControlFlow::Continue(());
    let mut asked = Asked { is_name: false, wanted: u64::MAX, work: &mut work, found: &mut found };
    assert!(scanner.read(text, &mut asked).is_continue());
    work.literals + work.layers + work.views + work.patterns
}

#[test]
fn what_is_read_is_linear_in_hostile_texts() {
    let scanner = &*SCANNER;
    let shapes = [
        "<", "'", "' or ", "{{", "${", "../", "(", "; ls", "on=", "a=", "\\u003c", "%27", "&lt;",
        "$(", "`", "=", "select (", "<a ", "|", "\n", "1 or ", "union ", "java\t", "/*", "<a on",
        "{{a", "x; cat ", "%25", "&#", "\\u", "--\n",
    ];
    for shape in shapes {
        let small = work(scanner, &shape.repeat(500));
        let large = work(scanner, &shape.repeat(4000));
        assert!(large <= small * 8 + shape.len() * 64, "{shape:?}: {small} to {large}");
        assert!(large <= EACH * shape.len() * 4000, "{shape:?}: {large}");
    }
}

#[test]
fn a_text_that_wakes_every_rule_is_read_by_each_once() {
    let scanner = &*SCANNER;
    let all: String = rules()
        .iter()
        .flat_map(|rule| &rule.literals)
        .map(|literal| format!("{literal} "))
        .collect();
    let (once, often) = (work(scanner, &all), work(scanner, &all.repeat(8)));
    assert!(often <= once * 9 && often <= WORST * all.len() * 8, "{once} to {often}");
}

#[test]
fn a_plain_text_is_read_for_its_bytes_and_for_literals() {
    let text = "The quick brown fox jumps over the lazy dog near the bank.";
    assert_eq!(work(&SCANNER, text), 2 * text.len());
}

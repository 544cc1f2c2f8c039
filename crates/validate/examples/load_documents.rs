//! Loads OpenAPI documents and says what becomes of each: its operations, or why it is refused. A line a document, then the
//! reasons by how often they stand first. `load_documents FILE...`; a name that begins with `@` lists files.
#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use validate::{Document, Limits};

fn main() {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut loaded, mut operations) = (0_usize, 0_usize);
    for name in names() {
        let began = Instant::now();
        match Document::load(Path::new(&name), &Limits::default()) {
            Ok(document) => {
                let count = document.operations().len();
                println!("{name}: {count} operations, {} ms", began.elapsed().as_millis());
                loaded += 1;
                operations += count;
            }
            Err(mistakes) => {
                let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
                println!("{name}: refused, {} mistakes: {first}", mistakes.len());
                let what = mistakes.first().map(|mistake| mistake.what.clone());
                *reasons.entry(shape(&what.unwrap_or_default())).or_default() += 1;
            }
        }
    }
    println!(
        "loaded {loaded} with {operations} operations, refused {}",
        reasons.values().sum::<usize>()
    );
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        println!("{count:6} {reason}");
    }
}

fn names() -> Vec<String> {
    let given = std::env::args().skip(1);
    given
        .flat_map(|name| match name.strip_prefix('@') {
            Some(list) => std::fs::read_to_string(list)
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
            None => vec![name],
        })
        .collect()
}

/// A reason without the names that it quotes.
fn shape(what: &str) -> String {
    let parts = what.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "_" }).collect()
}

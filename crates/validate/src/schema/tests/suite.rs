//! The official JSON-Schema-Test-Suite through the compiled path: a document, the schema written anew, a body on our tape.
//! Its drafts 2020-12 (3.1) and 4 (3.0) are a part that `scripts/parts/install` fetches. What the suite and we see in
//! different ways stands in the list beside this file, each group with its reason; a group that is not in it agrees.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::{Direction, Schema};
use crate::document::{Library, Report, Version};
use crate::json::read;
use crate::limits::Limits;

/// One draft, the dialect that it is held against, and the groups that differ.
const DRAFTS: [(&str, Version, &str); 2] = [
    ("draft2020-12", Version::V31, include_str!("suite-2020-12.txt")),
    ("draft4", Version::V30, include_str!("suite-4.txt")),
];

/// Why a verdict differs, by file; what does not compile tells its reason itself.
const REASONS: [(&str, &str); 6] = [
    ("const.json", "NUL is refused in every text"),
    ("enum.json", "NUL is refused in every text"),
    ("format.json", "formats are asserted"),
    (
        "optional/format/idn-email.json",
        "no checker stands behind this format, which is told at load",
    ),
    (
        "optional/format/idn-hostname.json",
        "no checker stands behind this format, which is told at load",
    ),
    ("optional/zeroTerminatedFloats.json", "1.0 is an integer, as in 2020-12"),
];

fn folder() -> PathBuf {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = || path("HOME").map(|home| home.join(".cache"));
    let cache = path("SALLYPORT_CACHE").or_else(|| path("XDG_CACHE_HOME")).or_else(home);
    cache.unwrap().join("sallyport/json-schema-test-suite/tests")
}

/// Every file of a draft, by its name below the draft's folder.
fn files(draft: &str) -> BTreeMap<String, Value> {
    let top = folder().join(draft);
    let mut found = BTreeMap::new();
    let mut waiting = vec![top.clone()];
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| {
            panic!("{}: {error}: run scripts/parts/install", folder.display())
        });
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|kind| kind == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&top).unwrap().display().to_string();
                // Lone surrogates in a test are no text for serde_json either.
                found.extend(serde_json::from_str(&text).ok().map(|groups| (name, groups)));
            }
        }
    }
    found
}

fn compiled(version: Version, direction: Direction, schema: &Value) -> Result<Schema, String> {
    let first = |report: Report| report.mistakes.into_iter().next().map(|one| one.what);
    let library = Library::parse(&schema.to_string(), "s").map_err(|mistake| mistake.what)?;
    let mut report = Report::default();
    let start = library.start().map_err(|mistake| mistake.what)?;
    let schema = Schema::compile_for(&start, (version, direction), &mut report);
    schema.ok_or_else(|| first(report).unwrap_or_default())
}

/// Whether the value passes; an error is the rule by which the reading of the body ended.
fn passes(schema: &Schema, value: &Value) -> Result<bool, &'static str> {
    let text = value.to_string();
    let (tape, text) = read(text.as_bytes(), &Limits::default()).map_err(|error| error.rule())?;
    let (view, mut found) = (tape.view(text), Vec::new());
    schema.check_body(view.root(), &mut found);
    assert_eq!(schema.is_valid(view.root()), found.is_empty(), "two verdicts on {text:?}");
    Ok(found.is_empty())
}

/// What is to be said of one group; nothing where it agrees.
fn judged(version: Version, file: &str, group: &Value) -> Option<String> {
    let schema = &group["schema"];
    // As answers are held: as open as the schema is.
    let open = match compiled(version, Direction::Answer, schema) {
        Ok(schema) => schema,
        Err(what) => return Some(format!("refused at load: {what}")),
    };
    // As requests are: closed, so that it may refuse more, never less.
    let closed = compiled(version, Direction::Request, schema).unwrap();
    let mut different = Vec::new();
    for test in group["tests"].as_array().unwrap() {
        let (value, valid) = (&test["data"], test["valid"].as_bool().unwrap());
        match (passes(&open, value), passes(&closed, value)) {
            (Ok(open), Ok(closed)) => {
                if open != valid {
                    different
                        .push(format!("{value} {}", if open { "passes" } else { "is refused" }));
                }
                assert!(
                    valid || open || !closed,
                    "{file}: a closed schema passes what an open one does not: {value}"
                );
            }
            (read, _) => {
                let rule = read.err().unwrap_or_default();
                if valid {
                    different.push(format!("{value} is not read: {rule}"));
                }
            }
        }
    }
    let reason =
        REASONS.iter().find(|(name, _)| *name == file).map_or("UNEXPLAINED", |(_, why)| why);
    (!different.is_empty()).then(|| format!("{reason}: {}", different.join("; ")))
}

/// The groups of a draft that differ, one a line, and how many agree.
fn listed(draft: &str, version: Version) -> (String, usize) {
    let (mut list, mut agree) = (String::new(), 0);
    for (file, groups) in files(draft) {
        for group in groups.as_array().unwrap() {
            let name = group["description"].as_str().unwrap();
            match judged(version, &file, group) {
                None => agree += 1,
                Some(what) => writeln!(list, "{file} | {name} | {what}").unwrap(),
            }
        }
    }
    (list, agree)
}

#[test]
fn the_official_suite_agrees_but_for_what_is_listed() {
    for (draft, version, known) in DRAFTS {
        let (list, agree) = listed(draft, version);
        println!("{draft}: {agree} groups agree, {} are listed", list.lines().count());
        let (new, known): (Vec<&str>, Vec<&str>) =
            (list.lines().collect(), known.lines().collect());
        let news: Vec<_> = new.iter().filter(|line| !known.contains(line)).take(20).collect();
        let gone: Vec<_> = known.iter().filter(|line| !new.contains(line)).take(20).collect();
        assert!(news.is_empty() && gone.is_empty(), "{draft}: new: {news:#?}\ngone: {gone:#?}");
        assert!(agree > 100 && !list.contains("UNEXPLAINED"), "{draft}: {agree}");
    }
}

#[test]
#[ignore = "writes the lists beside this file"]
fn write_the_suite_lists() {
    let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema/tests"));
    for (draft, version, _) in DRAFTS {
        let name = format!("suite-{}.txt", draft.trim_start_matches("draft"));
        std::fs::write(here.join(name), listed(draft, version).0).unwrap();
    }
}

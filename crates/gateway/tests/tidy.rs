//! Rules of this repository that no compiler checks: which crate may name which, the size and the head of a file, words
//! that do not belong into a published tree. Reads files only.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test code: a failure is the report")]

#[path = "tidy/attacks.rs"]
mod attacks;
#[path = "tidy/limits.rs"]
mod limits;

use std::fs;
use std::path::{Path, PathBuf};

/// Crates that know nothing of each other and nothing of the gateway.
const LEAVES: [&str; 7] = ["audit", "authn", "edge", "ratelimit", "seal", "upstream", "validate"];
/// Lines of a Rust file.
const LINES_MAX: usize = 450;
/// Folders that are built or fetched, not written.
const NOT_OURS: [&str; 6] = [".git", "target", "node_modules", "corpus", "keys.d", "audit.d"];
/// Ends of the names of text files that are read.
const TEXT: [&str; 10] =
    [".rs", ".toml", ".md", ".yaml", ".yml", ".json", ".mjs", ".xml", ".sh", "Dockerfile"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/gateway").to_owned()
}

/// Every file of the tree that somebody wrote, with its path from the root.
fn files() -> Vec<(String, String)> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
                continue;
            }
            let short = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let script = short.starts_with("scripts/") || short.starts_with(".ci/");
            // Seeds are hostile bytes, not text.
            if short.starts_with("fuzz/seeds/")
                || !(script || TEXT.iter().any(|end| short.ends_with(end)))
            {
                continue;
            }
            files.push((short, fs::read_to_string(&path).expect("a text file is UTF-8")));
        }
    }
    files.sort();
    files
}

fn rust_files() -> Vec<(String, String)> {
    let mut files = files();
    files.retain(|(path, _)| path.ends_with(".rs"));
    assert!(files.len() > LEAVES.len(), "the tree was found");
    files
}

fn expect_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// `path:line: text` of each line that a rule finds.
fn lines_with(files: &[(String, String)], bad: impl Fn(&str) -> bool) -> Vec<String> {
    let numbered = |(path, text): &(String, String)| {
        text.lines()
            .enumerate()
            .filter(|(_, line)| bad(line))
            .map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim()))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(numbered).collect()
}

#[test]
fn leaf_crates_name_no_other_crate_of_ours() {
    // But for the seal, which is hashes and signatures over bytes: the audit trail is what it was made for.
    let mut found = Vec::new();
    for leaf in LEAVES {
        let path = format!("crates/{leaf}/Cargo.toml");
        let text = fs::read_to_string(root().join(&path)).expect("a manifest");
        for line in text.lines() {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let below = (leaf, name) == ("audit", "seal");
            let ours = (LEAVES.contains(&name) && !below) || name == "gateway";
            if ours && line.contains('=') || line.contains("path =") || line.contains("git =") {
                found.push(format!("{path}: {line}"));
            }
        }
    }
    expect_none("a leaf crate depends on nothing of ours", &found);
}

#[test]
fn every_dependency_has_a_reason() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let table = text.split("[workspace.dependencies]").nth(1).expect("the table");
    let table = table.split("\n[").next().unwrap_or_default();
    let bare = |line: &&str| {
        line.contains('=')
            && !line.starts_with('#')
            && !line.contains("path = ")
            && !line.contains(" # ")
    };
    let found: Vec<String> = table.lines().filter(bare).map(str::to_owned).collect();
    expect_none("a dependency says why it is here", &found);
}

#[test]
fn rust_files_are_short() {
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{path}: {lines} lines"));
        }
    }
    expect_none("a Rust file has at most 450 lines", &found);
}

#[test]
fn rust_files_say_what_they_are_for() {
    let mut found = Vec::new();
    for (path, text) in rust_files() {
        if !text.starts_with("//!") {
            found.push(path);
        }
    }
    expect_none("a Rust file begins with //!", &found);
}

#[test]
fn modules_are_not_named_mod() {
    let mut found = Vec::new();
    for (path, _) in rust_files() {
        if path.ends_with("/mod.rs") {
            found.push(path);
        }
    }
    expect_none("a module foo is foo.rs", &found);
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let marks = [concat!("#[all", "ow("), concat!("#![all", "ow(")];
    let found =
        lines_with(&rust_files(), |line| marks.iter().any(|mark| line.trim().starts_with(mark)));
    expect_none("#[expect(lint, reason = \"...\")] instead", &found);
}

/// `scripts/test --soak` runs them by name: one that is called otherwise would never run, and a tool called so would.
#[test]
fn campaigns_are_named_and_marked() {
    let mark = concat!("#[ignore = ", "\"soak\"]");
    let mut found = Vec::new();
    let mut campaigns = 0;
    for (path, text) in rust_files() {
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let marked = pair[0].trim() == mark;
            let named = pair[1].contains(concat!("fn ", "soak_"));
            campaigns += u32::from(marked && named);
            if marked != named {
                found.push(format!("{path}: {}", pair[1]));
            }
        }
    }
    expect_none("`soak_*` and #[ignore = \"soak\"] go together", &found);
    assert!(campaigns >= 3, "the campaigns were found");
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let found = lines_with(&files(), |line| marks.iter().any(|mark| line.contains(mark)));
    expect_none("what is unfinished is not in the tree", &found);
}

#[test]
fn no_paths_and_hosts_of_one_machine() {
    let marks = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("registry.npm", "js.org"),
        concat!("static.crates", ".io"),
        concat!("index.crates", ".io"),
        concat!("repo1.maven", ".org"),
        concat!("repo.maven", ".apache.org"),
        concat!("deb.debian", ".org"),
        concat!("proxy.golang", ".org"),
    ];
    let found = lines_with(&files(), |line| marks.iter().any(|mark| line.contains(mark)));
    expect_none("paths and package hosts belong to a machine, not to the tree", &found);
}

//! The table of known attacks in the documentation: no class is missing, and every test that it names exists.

use std::collections::BTreeSet;

use super::{expect_none, root, rust_files};

/// The classes, in the order of the table.
const CLASSES: [&str; 71] = [
    "CVE-2019-9511",
    "CVE-2019-9512",
    "CVE-2019-9513",
    "CVE-2019-9515",
    "CVE-2019-9516",
    "CVE-2019-9517",
    "CVE-2019-9518",
    "CVE-2019-9900",
    "CVE-2019-9901",
    "CVE-2019-18277",
    "CVE-2019-16276, CVE-2019-16869, CVE-2019-20445",
    "CVE-2019-20444",
    "CVE-2020-5902",
    "h2c upgrade smuggling",
    "CVE-2021-21295, CVE-2021-21409",
    "CVE-2021-33193",
    "CVE-2021-40346",
    "CVE-2021-41773",
    "CVE-2021-32777",
    "RUSTSEC-2021-0020",
    "GHSA-f3pg-qwvg-p99c, GHSA-5h46-h7hh-c6x9",
    "CVE-2022-24801",
    "CVE-2022-31813, CVE-2022-1388",
    "CVE-2022-32213",
    "CVE-2022-37436",
    "CL.0",
    "CVE-2023-25690",
    "CVE-2023-25725",
    "CVE-2023-26964",
    "CVE-2023-30589",
    "CVE-2023-38697",
    "CVE-2023-39326",
    "CVE-2023-43622",
    "CVE-2023-44487",
    "CVE-2024-27316, CVE-2024-24549, CVE-2024-28182, CVE-2024-30255, CVE-2023-45288, VU#421644",
    "RUSTSEC-2024-0332",
    "RUSTSEC-2024-0336",
    "RUSTSEC-2024-0373",
    "CVE-2024-52304",
    "CVE-2025-22871",
    "CVE-2025-29927",
    "CVE-2025-32094",
    "CVE-2025-4366",
    "CVE-2025-55315",
    "CVE-2025-58068",
    "CVE-2025-7054",
    "CVE-2025-8671, CVE-2025-55163, CVE-2025-9784",
    "0.CL",
    "CVE-2026-1760, CVE-2026-2708",
    "CVE-2026-23941",
    "CVE-2026-26365",
    "CVE-2026-2833",
    "CVE-2026-2835",
    "CVE-2026-2836",
    "CVE-2026-33870",
    "CVE-2026-33871",
    "CVE-2026-27135",
    "CVE-2026-31812, RUSTSEC-2026-0037",
    "CVE-2026-40898",
    "CVE-2026-14456",
    "CVE-2026-49975, CVE-2026-47774",
    "RUSTSEC-2026-0258",
    "RUSTSEC-2026-0285",
    "CVE-2026-42530",
    "CVE-2026-73511",
    "CVE-2026-73513",
    "CVE-2026-73547",
    "CVE-2026-73548",
    "CVE-2026-26308",
    "CVE-2026-48044, CVE-2026-42587",
    "CVE-2026-42926",
];

/// The cells of each row of the table.
fn rows() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/attacks.md")).expect("docs/attacks.md");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    text.lines().filter(|line| line.starts_with("| 20")).map(cells).collect()
}

/// The words in back quotes of a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_class_of_attack_has_its_row() {
    let found: Vec<String> = rows().into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(found, CLASSES);
}

#[test]
fn every_test_in_the_table_exists() {
    let mut functions = BTreeSet::new();
    for (_, text) in rust_files() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.strip_suffix("() {"))
            else {
                continue;
            };
            let before = &lines[index.saturating_sub(3)..index];
            if before
                .iter()
                .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
            {
                functions.insert(name.to_owned());
            }
        }
    }
    let mut missing = Vec::new();
    for row in rows() {
        assert_eq!(row.len(), 6, "six cells: {row:?}");
        let tests: Vec<&str> = quoted(&row[5]).collect();
        if tests.is_empty() {
            missing.push(format!("{}: no test", row[1]));
        }
        let unknown = tests.into_iter().filter(|name| !functions.contains(*name));
        missing.extend(unknown.map(|name| format!("{}: {name}", row[1])));
    }
    expect_none("a test that docs/attacks.md names exists", &missing);
}

/// The engines are not older than what their advisories ask for.
#[test]
fn engines_are_past_their_advisories() {
    /// RUSTSEC-2026-0258, RUSTSEC-2026-0037, and the version of rustls that was there when RUSTSEC-2026-0285 was noted.
    const FLOORS: [(&str, [u32; 3]); 3] =
        [("h2", [0, 4, 16]), ("quinn-proto", [0, 11, 14]), ("rustls", [0, 23, 46])];
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    for (name, floor) in FLOORS {
        let start = format!("name = \"{name}\"\nversion = \"");
        let found: Vec<&str> =
            lock.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(!found.is_empty(), "{name} is in the lock file");
        for version in found {
            let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
            assert!(numbers.as_slice() >= floor.as_slice(), "{name} {version}");
        }
    }
}

//! What the masker leaves: planted secrets by kind and encoding, and ordinary texts that it changes. Generated with a seed.
//! `cargo test -p audit --lib figures -- --ignored --nocapture` prints the table of the book.

use super::super::mask;
use super::planted::{CODINGS, Draw, KINDS, coded};

/// How many of so many draws survive, by kind and coding.
fn leaks(draws: usize, seed: u64) -> Vec<(&'static str, &'static str, usize)> {
    let mut draw = Draw(seed);
    let mut found = Vec::new();
    for (kind, make) in KINDS {
        for number in 0..CODINGS {
            let mut leaked = (0, "");
            for _ in 0..draws {
                let secret = coded(&make(&mut draw), number);
                let masked = mask(&secret.text);
                // Half of a secret is still too much.
                let middle = secret.core.chars().count() / 2;
                let first: String = secret.core.chars().take(middle).collect();
                let second: String = secret.core.chars().skip(middle).collect();
                let survives = masked.contains(first.trim()) || masked.contains(second.trim());
                leaked = (leaked.0 + usize::from(survives), secret.coding);
            }
            found.push((kind, leaked.1, leaked.0));
        }
    }
    found
}

/// Ordinary texts of logs, agents and errors; a text that is changed is a false positive.
const ORDINARY: [&str; 24] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
    "axios/1.7.2",
    "PostmanRuntime/7.39.0",
    "kube-probe/1.30",
    "Prometheus/2.53.0",
    "curl/8.8.0",
    "connection refused (os error 111)",
    "upstream timed out after 30000 ms",
    "read 65536 bytes at offset 1048576",
    "listening on 127.0.0.1:8443",
    "retry 3 of 5 in 1600 ms",
    "invalid type: string, expected u64 at line 3 column 14",
    "issuer https://idp.example.com/realms/shop has 2 keys",
    "policy 9 in force, 42 operations",
    "2026-11-24T10:15:30.123Z INFO serving",
    "TLS_AES_128_GCM_SHA256",
    "3f2b8a1c-9d4e-4c6f-8a7b-1c2d3e4f5a6b",
    "order 20261124 of batch 77",
    "version 1.2.3-rc.4",
    "temperature 21.5, humidity 40 %",
];

#[test]
fn nothing_that_has_a_pattern_is_left_in_any_encoding() {
    let left: Vec<_> = leaks(3, 7).into_iter().filter(|(_, _, leaked)| *leaked > 0).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_search_would_find_a_secret_that_is_left() {
    // A name has no pattern: it stays, and is seen to stay.
    assert!(mask("Alice Example").contains("Alice Example"));
}

#[test]
fn ordinary_texts_stay() {
    let changed: Vec<_> = ORDINARY.iter().filter(|text| mask(text) != **text).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

#[test]
#[ignore = "a measurement: prints the table of the book"]
fn figures() {
    const DRAWS: usize = 20;
    let leaks = leaks(DRAWS, 1);
    let total: usize = leaks.iter().map(|(_, _, leaked)| leaked).sum();
    eprintln!("{} secrets, {total} left", leaks.len() * DRAWS);
    eprintln!("| kind | left of {} | encodings |\n|---|---|---|", CODINGS * DRAWS);
    for (kind, _) in KINDS {
        let own: Vec<_> = leaks.iter().filter(|(k, _, leaked)| *k == kind && *leaked > 0).collect();
        let left: usize = own.iter().map(|(_, _, leaked)| leaked).sum();
        let codings: Vec<_> = own.iter().map(|(_, coding, n)| format!("{coding} ({n})")).collect();
        eprintln!("| {kind} | {left} | {} |", codings.join(", "));
    }
    let changed = ORDINARY.iter().filter(|text| mask(text) != **text).count();
    eprintln!("{changed} of {} ordinary texts changed", ORDINARY.len());
}

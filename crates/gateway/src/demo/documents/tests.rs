//! The templates are whole YAML once filled in, and name only files that are written.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::super::authority::Authority;
use super::super::directory::Directory;
use super::{CONFIGURATION, CONTRACT, Places, filled, write};

fn places() -> Places {
    Places { issuer: "https://127.0.0.1:1".to_owned(), orders: "https://127.0.0.1:2".to_owned() }
}

#[test]
fn both_templates_are_filled_in_and_parse() {
    for template in [CONFIGURATION, CONTRACT] {
        let text = filled(template, &places());
        assert!(!text.contains("{{"), "a place was left empty");
        let value: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert!(value.is_object());
    }
}

#[test]
fn every_file_the_configuration_names_exists() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let directory = Directory::create().expect("a directory");
    let authority = Authority::new(now).expect("an authority");
    let documents = write(&directory, &authority, &places()).expect("written");
    let text = std::fs::read_to_string(&documents.configuration).expect("readable");
    let mut seen = 0;
    for word in text.split([' ', '[', ']', ',', '{', '}', '\n']) {
        if word.starts_with("tls/")
            || word.starts_with("secrets/")
            || word.ends_with("openapi.yaml")
        {
            assert!(directory.path().join(word).is_file(), "{word} is missing");
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
    assert!(documents.ca.is_file());
}

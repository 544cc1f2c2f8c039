//! Modes and removal of the temporary directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Directory;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("the path exists").permissions().mode() & 0o777
}

#[test]
fn secrets_are_closed_to_others_and_everything_is_removed() {
    let directory = Directory::create().expect("the temporary directory is writable");
    let secret = directory.write_secret("tls/a.key", "secret").expect("written");
    let public = directory.write_public("tls/a.pem", "public").expect("written");
    assert_eq!(mode(directory.path()), 0o700);
    assert_eq!(mode(&directory.path().join("tls")), 0o700);
    assert_eq!(mode(&secret), 0o600);
    assert_eq!(mode(&public) & 0o600, 0o600);
    let path = directory.path().to_owned();
    drop(directory);
    assert!(!path.exists());
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let directory = Directory::create().expect("the temporary directory is writable");
    directory.write_public("a", "first").expect("written");
    assert!(directory.write_public("a", "second").is_err());
    assert_eq!(fs::read_to_string(directory.path().join("a")).expect("readable"), "first");
}
